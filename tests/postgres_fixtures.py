"""The embedded PostgreSQL for tests."""
