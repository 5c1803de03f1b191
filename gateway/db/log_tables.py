"""The tables of the log and of its index; a part of `gateway.db.tables`."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, SmallInteger, Table, Text
from sqlalchemy.dialects import postgresql

from gateway.db.tables import _bytes, _text, _time, metadata

log_leaves = Table(
    "log_leaves",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
)

log_nodes = Table(
    "log_nodes",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    *_bytes("hash", 32),
)

log_checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)

log_index = Table(
    "log_index",
    metadata,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    _time("at"),
    Column("kind", Text(collation="C"), nullable=False),  # looked for by how it begins
    _text("exchange"),
    _text("dataset"),
    _text("recipient"),
    _text("purpose"),
    Column("users", postgresql.ARRAY(Text), nullable=False),
    Column("law", postgresql.ARRAY(Text), nullable=False),
    Column("refusals", postgresql.ARRAY(Text), nullable=False),
    Index("ix_log_index_at", "at"),
    *(Index(f"ix_log_index_{name}", name, "index") for name in ("kind", "exchange", "dataset", "recipient")),
    *(Index(f"ix_log_index_{name}", name, postgresql_using="gin") for name in ("users", "law", "refusals")),
)
"""Derived from the leaves by whoever searches, so that no append waits for it; may be emptied at any time."""

LOG_TABLES: Final = (log_leaves, log_nodes, log_checkpoints)
"""Insert-only: no application role may change or empty them, and triggers stop the owner's slips."""
