"""The disclosure log inside a PostgreSQL transaction: insert-only tables under one advisory lock."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from sqlalchemy import func, insert, select, text

from audit.checkpoint import NoteSigner, NoteVerifier
from audit.entry import Entry
from audit.errors import NoteError, ProofError, StoreError
from audit.log import Log
from audit.store import NodeId
from gateway.db.engine import Session
from gateway.db.tables import log_checkpoints, log_leaves, log_nodes
from gateway.domain.errors import FlagstoneError, LogUnavailableError

LOCK: Final = 0x666C_6167_6C6F_6701
"""The advisory lock that one writer of the log holds until its transaction ends."""

_PAGE: Final = 1000  # leaves a query; a leaf has about 1 kB

# one statement however many nodes are asked for, answered in the order of the question
_NODES: Final = text(
    "SELECT n.hash FROM unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[])) "
    'WITH ORDINALITY AS asked (level, "index", place) '
    'JOIN flagstone.log_nodes n ON n.level = asked.level AND n."index" = asked."index" ORDER BY asked.place'
)


class PostgresLogStore:
    """`audit.store.Store` over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self) -> None:
        self._session.run(select(func.pg_advisory_xact_lock(LOCK)))

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
        self, start: int, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes
    ) -> None:
        if start != self.size():
            raise StoreError("leaves can be added at the end only")
        if not leaves:
            raise StoreError("nothing to add")
        self._session.run(
            insert(log_leaves), [{"index": i, "leaf": leaf} for i, leaf in enumerate(leaves, start)]
        )
        self._session.run(
            insert(log_nodes),
            [{"level": level, "index": index, "hash": node} for (level, index), node in nodes.items()],
        )
        self._session.run(insert(log_checkpoints), {"size": start + len(leaves), "note": checkpoint})

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


class PostgresDisclosureLog:
    """`gateway.ports.DisclosureLog`. `appended`: this unit of work has entries to make durable."""

    def __init__(self, session: Session, signer: NoteSigner) -> None:
        self._session = session
        self._log = Log(PostgresLogStore(session), signer)
        self.appended = False

    @property
    def verifier(self) -> NoteVerifier:
        return self._log.verifier

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
