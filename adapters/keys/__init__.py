"""Where private keys live: files that only their owner can read."""
