"""How fast PostgreSQL takes entries of the log, beside plain INSERTs into the same server in the same run.

    python bench/audit_append.py [--entries 1000000] [--singles 2000] [--batch 10000] [--proofs 1000]

The server is the embedded one as it comes, with `fsync`. The methods take turns, a tenth of the work at a time, so
that a busy moment of the machine meets them all. Machines differ and are noisy: read the ratios.
"""

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit_verify import entry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from results import circumstances, put, table
from sqlalchemy import Connection, Engine, text

from audit.checkpoint import NoteSigner, open_checkpoint
from audit.entry import Entry
from audit.log import Log
from audit.merkle import Frontier, appended_nodes, leaf_hash, verify_inclusion
from gateway.db.embedded import EmbeddedPostgres
from gateway.db.engine import Session, make_engine
from gateway.db.logstore import PostgresLogStore
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade

SIGNER = NoteSigner("flagstone/bench", Ed25519PrivateKey.generate())
TURNS = 10
SINGLE_RATIO, SINGLE_RATE, BATCHED_RATE, PROOF_MS = 0.4, 500.0, 20_000.0, 5.0

_PLAIN = """
CREATE SCHEMA plain;
CREATE TABLE plain.leaves (LIKE flagstone.log_leaves INCLUDING ALL);
CREATE TABLE plain.nodes (LIKE flagstone.log_nodes INCLUDING ALL);
CREATE TABLE plain.checkpoints (LIKE flagstone.log_checkpoints INCLUDING ALL)
"""
LEAF = 'INSERT INTO plain.leaves VALUES (:index, :leaf)'
NODE = 'INSERT INTO plain.nodes VALUES (:level, :index, :hash)'
CHECKPOINT = "INSERT INTO plain.checkpoints VALUES (:size, :note)"


@dataclass(frozen=True, slots=True)
class Rows:
    """What an append of these entries writes."""

    leaves: list[dict[str, Any]]
    nodes: list[dict[str, Any]]
    checkpoint: dict[str, Any]


class Plain:
    """Makes the rows that a log would write, for tables without a log: nothing of that is timed."""

    def __init__(self) -> None:
        self._frontier = Frontier()

    def rows(self, entries: Sequence[Entry]) -> Rows:
        start = self._frontier.size
        leaves = [each.leaf() for each in entries]
        nodes = appended_nodes(self._frontier, map(leaf_hash, leaves))
        return Rows(
            [{"index": index, "leaf": leaf} for index, leaf in enumerate(leaves, start)],
            [{"level": level, "index": index, "hash": node} for (level, index), node in nodes.items()],
            {"size": self._frontier.size, "note": bytes(200)},
        )


@contextmanager
def server() -> Iterator[Engine]:
    root = Path(tempfile.mkdtemp(prefix="flagstone-bench-"))
    embedded = EmbeddedPostgres(root / "postgres")
    try:
        url = embedded.start().migrate
        upgrade(url)
        engine = make_engine(url)
        with engine.begin() as connection:
            connection.execute(text(_PLAIN))
        yield engine
        engine.dispose()
    finally:
        embedded.destroy()
        shutil.rmtree(root)
"""
"""
