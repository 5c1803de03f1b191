"""The routes under /v1, one file a matter. Each reads its input, calls one use case and shapes the answer."""
