"""What the audit tests share: entries, a store in memory, a signer, an exported log."""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import NoteSigner
from audit.entry import Entry
from audit.errors import StoreError
from audit.export import write_export
from audit.log import Log
from audit.merkle import complete_subtrees
from audit.store import Head, NodeId
from audit.verify import Trust

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
KINDS = ("exchange.permitted", "exchange.request-authorised", "exchange.delivered", "exchange.refused")


def entry(number: int) -> Entry:
    """A different entry for each number."""
    body = {"number": number, "dataset": "health-trust", "unmet": ["å", "b"], "forced": number % 2 == 0}
    at = START + timedelta(milliseconds=number)
    return Entry(UUID(int=number, version=4), KINDS[number % len(KINDS)], at, body)


def signer(seed: int = 1, name: str = "flagstone.example/council") -> NoteSigner:
    return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


class MemoryStore:
    """`audit.store.Store` in memory."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.hashes: dict[NodeId, bytes] = {}
        self.note: bytes | None = None

    def head(self) -> Head:
        size = len(self.kept)
        return Head(size, tuple(self.nodes(complete_subtrees(0, size))), self.note)

    def size(self) -> int:
        return len(self.kept)

    def nodes(self, ids: Sequence[NodeId]) -> list[bytes]:
        try:
            return [self.hashes[node] for node in ids]
        except KeyError:
            raise StoreError("a node is missing") from None

    def write(
        self, after: Head, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes
    ) -> Head | None:
        if after != self.head():
            return self.head()
        self.kept += leaves
        self.hashes |= nodes
        self.note = checkpoint
        return None

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        return iter(self.kept[start:stop])

    def checkpoint(self) -> bytes | None:
        return self.note


def log_of(size: int, batch: int = 7, first: int = 0, by: NoteSigner | None = None) -> Log:
    """A log of entries `first` to `first + size`."""
    log = Log(MemoryStore(), by or signer())
    for start in range(first, first + size, batch):
        log.append([entry(number) for number in range(start, min(start + batch, first + size))])
    return log


def exported(log: Log) -> bytes:
    out = io.BytesIO()
    write_export(log, out)
    return out.getvalue()


def trust(by: NoteSigner | None = None) -> Trust:
    return Trust((by or signer()).verifier)
