"""How fast PostgreSQL takes entries of the log, beside plain INSERTs into the same server in the same run.

    python bench/audit_append.py [--entries 1000000] [--batch 10000] [--singles 2000] [--proofs 1000]

The server is the embedded one as it comes, `fsync` included. The ways take turns, a tenth of the work each,
so that a busy moment of the machine meets them all. Machines differ and are noisy: read the ratios.
"""

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from audit_verify import entry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from results import circumstances, put, table
from sqlalchemy import Engine, text

from audit.checkpoint import NoteSigner, open_checkpoint
from audit.entry import Entry
from audit.log import Log
from audit.merkle import Frontier, appended_nodes, leaf_hash, verify_inclusion
from gateway.db.embedded import EmbeddedPostgres
from gateway.db.engine import ByteStrings, Session, make_engine
from gateway.db.logstore import PostgresLogStore
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import upgrade

SIGNER = NoteSigner("flagstone/bench", Ed25519PrivateKey.generate())
TURNS = 10
SINGLE_RATIO, SINGLE_RATE, BATCHED_RATE, PROOF_MS = 0.4, 500.0, 20_000.0, 5.0

_TABLES = """
    CREATE SCHEMA {0};
    CREATE TABLE {0}.leaves (LIKE flagstone.log_leaves INCLUDING ALL);
    CREATE TABLE {0}.nodes (LIKE flagstone.log_nodes INCLUDING ALL);
    CREATE TABLE {0}.checkpoints (LIKE flagstone.log_checkpoints INCLUDING ALL)
"""
_LEAVES = """
    INSERT INTO {}.leaves
    SELECT CAST(:start AS bigint) + place, leaf
    FROM unnest(CAST(:leaves AS bytea[])) WITH ORDINALITY AS added (leaf, place)
"""
_ROWS = """
    WITH leaves AS ({1}), nodes AS (
        INSERT INTO {0}.nodes SELECT * FROM
        unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[]), CAST(:hashes AS bytea[]))
    )
    INSERT INTO {0}.checkpoints VALUES (CAST(:start AS bigint), :note)
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to make entries durable. What `prepare` does isn't timed."""

    name: str
    prepare: Callable[[Sequence[Entry]], Any]
    take: Callable[[Any], object]


class Plain:
    """Tables like the log's, filled by plain INSERTs: of the leaves alone, or of all rows of an append."""

    def __init__(self, engine: Engine, schema: str, *, whole: bool) -> None:
        self._engine = engine
        self._frontier = Frontier()
        leaves = _LEAVES.format(schema)
        self._insert = text(_ROWS.format(schema, leaves) if whole else leaves)
        self._single = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with engine.begin() as connection:
            connection.execute(text(_TABLES.format(schema)))

    def rows(self, entries: Sequence[Entry]) -> Mapping[str, Any]:
        """As `Log.append` would write them; the note is as long as a signed one."""
        start = self._frontier.size
        leaves = [each.leaf() for each in entries]
        nodes = appended_nodes(self._frontier, map(leaf_hash, leaves))
        return {
            "start": start,
            "leaves": ByteStrings(leaves),
            "levels": [level for level, _ in nodes],
            "indexes": [index for _, index in nodes],
            "hashes": ByteStrings(list(nodes.values())),
            "note": bytes(200),
        }

    def transaction(self, rows: Mapping[str, Any]) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._insert, rows)

    def call(self, rows: Mapping[str, Any]) -> None:
        self._single.execute(self._insert, rows)


class Appending:
    """The log, as a unit of work appends to it, and as one call on a connection that commits by itself."""

    def __init__(self, engine: Engine) -> None:
        self.store = PostgresStore(engine, SIGNER)
        single = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._log = Log(PostgresLogStore(Session(single)), SIGNER)

    def unit(self, entries: Sequence[Entry]) -> None:
        with self.store.begin() as unit:
            unit.log.append(entries)
            unit.commit()

    def call(self, entries: Sequence[Entry]) -> None:
        self._log.append(entries)


@contextmanager
def server() -> Iterator[Engine]:
    root = Path(tempfile.mkdtemp(prefix="flagstone-bench-"))
    embedded = EmbeddedPostgres(root / "postgres")
    try:
        url = embedded.start().migrate
        upgrade(url)
        engine = make_engine(url, pool_size=20)
        yield engine
        engine.dispose()
    finally:
        embedded.destroy()
        shutil.rmtree(root)


def race(ways: Sequence[Way], entries: Iterator[Entry], batch: int, batches: int) -> dict[str, float]:
    """Entries a second by way; each appends that many batches."""
    spent = dict.fromkeys((way.name for way in ways), 0.0)
    turns = min(TURNS, batches)
    for _ in range(turns):
        for way in ways:
            work = [way.prepare(list(islice(entries, batch))) for _ in range(batches // turns)]
            start = time.perf_counter()
            for each in work:
                way.take(each)
            spent[way.name] += time.perf_counter() - start
    return {name: batch * (batches // turns) * turns / seconds for name, seconds in spent.items()}


NOTE = """
*The same rows* are what an append writes: leaf, nodes that it completes, checkpoint. The INSERT is given them
ready made, in one statement; an append also makes and signs them, takes the log's lock and looks at where the
log is. *In a transaction*: a pooled connection, BEGIN, the statement, COMMIT. *One call*: the statement,
alone, on a connection that commits by itself.
"""

UNIT, CALL = "Append, in a unit of work", "Append, one call"
LEAF_UNIT, ROWS_UNIT = "INSERT of the leaves, in a transaction", "INSERT of the same rows, in a transaction"
LEAF_CALL, ROWS_CALL = "INSERT of the leaves, one call", "INSERT of the same rows, one call"


@dataclass(frozen=True, slots=True)
class Peers:
    """The log and its peers on one server."""

    log: Appending
    leaf: Plain
    rows: Plain

    @classmethod
    def on(cls, engine: Engine) -> "Peers":
        return cls(
            Appending(engine),
            Plain(engine, "plain_leaves", whole=False),
            Plain(engine, "plain_rows", whole=True),
        )

    def units(self) -> list[Way]:
        return [
            Way(UNIT, list, self.log.unit),
            Way(LEAF_UNIT, self.leaf.rows, self.leaf.transaction),
            Way(ROWS_UNIT, self.rows.rows, self.rows.transaction),
        ]

    def calls(self) -> list[Way]:
        return [
            Way(CALL, list, self.log.call),
            Way(LEAF_CALL, self.leaf.rows, self.leaf.call),
            Way(ROWS_CALL, self.rows.rows, self.rows.call),
        ]


def rates(found: Mapping[str, float]) -> str:
    """`found`: in threes, an append before the two that it is compared with."""
    names = list(found)
    rows = []
    for own, *peers in (names[at : at + 3] for at in range(0, len(names), 3)):
        rows.append((own, f"{found[own]:,.0f}", ""))
        rows += [(peer, f"{found[peer]:,.0f}", f"{found[own] / found[peer]:.2f}") for peer in peers]
    return table(("", "Entries a second", "The append's ratio to it"), *rows)


@dataclass(frozen=True, slots=True)
class Filled:
    """Filling the log by batches: entries, seconds in appends, and with the making of the entries."""

    entries: int
    appending: float
    whole: float

    def told(self) -> str:
        appending, whole = f"{self.appending:.1f} s of appends", f"{self.whole:.1f} s with making the entries"
        return f"Filling the log with {self.entries:,} entries: {appending}, {whole}."


def fill(log: Appending, entries: Iterator[Entry], upto: int, batch: int) -> Filled:
    with log.store.begin() as unit:
        missing = upto - unit.log.size()
    begun, appending = time.perf_counter(), 0.0
    for done in range(0, missing, batch):
        made = list(islice(entries, min(batch, missing - done)))
        start = time.perf_counter()
        log.unit(made)
        appending += time.perf_counter() - start
    return Filled(missing, appending, time.perf_counter() - begun)


def proofs(log: Appending, number: int) -> tuple[int, list[float]]:
    """Milliseconds of proving that many entries of the log, picked at random; each proof is verified."""
    with log.store.begin() as unit:
        signed = open_checkpoint(unit.log.checkpoint(), SIGNER.verifier)
    spent = []
    for index in random.Random(1).sample(range(signed.size), min(number, signed.size)):  # noqa: S311 - seeded
        start = time.perf_counter()
        with log.store.begin() as unit:
            proof = unit.log.inclusion(index, signed.size)
        spent.append(1000 * (time.perf_counter() - start))
        with log.store.begin() as unit:
            leaf = next(unit.log.leaves(index, index + 1))
        verify_inclusion(leaf_hash(leaf), index, signed.size, proof, signed.root)
    return signed.size, sorted(spent)


def limits(single: Mapping[str, float], batch: Mapping[str, float], filled: Filled, median: float) -> str:
    rows = (
        ("Single appends a second", single[UNIT], SINGLE_RATE),
        ("Single appends to " + ROWS_UNIT, single[UNIT] / single[ROWS_UNIT], SINGLE_RATIO),
        ("Single appends to " + ROWS_CALL, single[CALL] / single[ROWS_CALL], SINGLE_RATIO),
        ("Batched, entries a second", batch[UNIT], BATCHED_RATE),
        ("Batched while filling the log, entries a second", filled.entries / filled.appending, BATCHED_RATE),
        ("Inclusion proofs a second", 1000 / median, 1000 / PROOF_MS),
    )
    return table(
        ("", "Measured", "At least", "Ratio"),
        *((what, f"{found:,.2f}", f"{wanted:,.1f}", f"{found / wanted:.2f}") for what, found, wanted in rows),
    )


def spread(size: int, spent: Sequence[float]) -> tuple[str, ...]:
    times = statistics.median(spent), spent[int(0.99 * len(spent))], spent[-1]
    return f"{size:,}", f"{len(spent):,}", *(f"{each:.2f}" for each in times)


def measure(engine: Engine, told: argparse.Namespace) -> tuple[str, ...]:
    peers, entries = Peers.on(engine), map(entry, count())
    single = race(peers.units(), entries, 1, told.singles) | race(peers.calls(), entries, 1, told.singles)
    batches = max(1, told.entries // 10 // told.batch)
    batch = race(peers.units(), entries, told.batch, min(TURNS, batches))
    tenth = spread(*proofs(peers.log, told.proofs))
    filled = fill(peers.log, entries, told.entries, told.batch)
    whole, spent = proofs(peers.log, told.proofs)
    late = race(peers.units(), entries, 1, told.singles)
    return (
        limits(single, batch, filled, statistics.median(spent)),
        NOTE,
        f"Single durable appends, {told.singles:,} each:",
        rates(single),
        f"The same with {whole:,} entries in the log:",
        rates(late),
        f"Batches of {told.batch:,}, each signed once:",
        rates(batch),
        filled.told(),
        "Inclusion proofs, each in a unit of work of its own, in ms:",
        table(("Entries", "Proofs", "Median", "99 %", "Longest"), tenth, spread(whole, spent)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--singles", type=int, default=2_000)
    parser.add_argument("--proofs", type=int, default=1_000)
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    with server() as engine:
        parts = measure(engine, told)
    print("\n\n".join(parts))
    if not told.no_results:
        put("Appending to the log", circumstances(load), *parts)


if __name__ == "__main__":
    main()
