"""The disclosure log inside a PostgreSQL transaction: insert-only tables under one advisory lock."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Row, func, select, text

from audit.checkpoint import NoteVerifier, Signer
from audit.entry import Entry
from audit.errors import NoteError, ProofError, StoreError
from audit.log import Log
from audit.merkle import HASH_BYTES
from audit.store import Head, NodeId
from gateway.db.engine import ByteStrings, Session
from gateway.db.log_tables import log_checkpoints, log_leaves
from gateway.domain.errors import FlagstoneError, LogUnavailableError

_PAGE: Final = 1000  # leaves a query; a leaf has about 1 kB

# one statement however many nodes are asked for, answered in the order of the question
_NODES: Final = text(
    "SELECT n.hash FROM unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[])) "
    'WITH ORDINALITY AS asked (level, "index", place) '
    'JOIN flagstone.log_nodes n ON n.level = asked.level AND n."index" = asked."index" ORDER BY asked.place'
)

_HEAD: Final = text("SELECT size, subtrees, checkpoint FROM flagstone.log_head()")
_APPEND: Final = text(
    "SELECT size, subtrees, checkpoint FROM flagstone.log_append("
    "CAST(:size AS bigint), CAST(:subtrees AS bytea), CAST(:checkpoint AS bytea), "
    "CAST(:leaves AS bytea[]), CAST(:hashes AS bytea), CAST(:note AS bytea))"
)


class PostgresLogStore:
    """`audit.store.Store` over one session.

    The lock is an advisory one, taken by the functions `log_head` and `log_append` (migration 0003).
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def head(self) -> Head:
        return _head(self._session.run(_HEAD).one())

    def size(self) -> int:
        last = self._session.run(select(func.max(log_leaves.c.index))).scalar_one()
        return 0 if last is None else int(last) + 1

    def nodes(self, ids: Sequence[NodeId]) -> list[bytes]:
        asked = {"levels": [level for level, _ in ids], "indexes": [index for _, index in ids]}
        nodes = [bytes(node) for node in self._session.run(_NODES, asked).scalars()]
        if len(nodes) != len(ids):
            raise StoreError("a node is missing")
        return nodes

    def write(
        self, after: Head, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes
    ) -> Head | None:
        if not leaves:
            raise StoreError("nothing to add")
        asked = {
            "size": after.size,
            "subtrees": b"".join(after.subtrees) or None,
            "checkpoint": after.checkpoint,
            "leaves": ByteStrings(leaves),
            "hashes": b"".join(nodes[node] for node in sorted(nodes)),
            "note": checkpoint,
        }
        present = self._session.run(_APPEND, asked).one_or_none()
        return None if present is None else _head(present)

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        for first, end in pairwise([*range(start, stop, _PAGE), stop]):
            page = select(log_leaves.c.leaf).where(log_leaves.c.index >= first, log_leaves.c.index < end)
            leaves = self._session.run(page.order_by(log_leaves.c.index)).scalars().all()
            if len(leaves) != end - first:
                raise StoreError("a leaf is missing")
            yield from map(bytes, leaves)

    def checkpoint(self) -> bytes | None:
        newest = select(log_checkpoints.c.note).order_by(log_checkpoints.c.size.desc()).limit(1)
        note = self._session.run(newest).scalar_one_or_none()
        return None if note is None else bytes(note)


def _head(row: Row[Any]) -> Head:
    joined = row.subtrees or b""
    subtrees = tuple(joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES))
    if len(subtrees) != row.size.bit_count():
        raise StoreError("a node is missing")
    return Head(row.size, subtrees, row.checkpoint)


class Memory:
    """Where the log was when this process last committed to it; its threads share it.

    The next append goes on from here if the store is still here. A store that is behind was rolled back.
    """

    head: Head | None = None


class PostgresDisclosureLog:
    """`gateway.ports.DisclosureLog`. `appended`: this unit of work has entries to make durable."""

    def __init__(self, session: Session, signer: Signer, memory: Memory) -> None:
        self._session = session
        self._memory = memory
        self._log = Log(PostgresLogStore(session), signer, memory.head)
        self.appended = False

    @property
    def verifier(self) -> NoteVerifier:
        return self._log.verifier

    def committed(self) -> None:
        """The unit of work is durable: the next append goes on from its last."""
        if self.appended:
            self._memory.head = self._log.head

    def append(self, entries: Sequence[Entry]) -> None:
        self.appended = True
        try:
            self._log.append(entries)
        except (FlagstoneError, NoteError, ProofError, StoreError):
            self._session.fail()
            raise LogUnavailableError(
                "the disclosure log can't be written, so nothing was done", place="log"
            ) from None
        except BaseException:
            # whoever swallows this: the rest of the unit must not become durable without its entries
            self._session.fail()
            raise

    def size(self) -> int:
        return self._log.size()

    def checkpoint(self) -> bytes:
        return self._log.checkpoint()

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        return self._log.leaves(start, stop)

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """RFC 9162 leaf hashes [start, stop), as they were stored with the leaves."""
        return self._log.leaf_hashes(start, stop)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return self._log.inclusion(index, size)

    def consistency(self, size1: int, size2: int) -> list[bytes]:
        return self._log.consistency(size1, size2)
