"""The disclosure log, its index and the search tags in memory, over the unit's state; see `fake_store`."""

from collections.abc import Iterator, Mapping, Sequence

from audit.checkpoint import NoteSigner
from audit.entry import Entry
from audit.log import Log
from audit.merkle import complete_subtrees
from audit.store import Head
from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import ExchangeId
from gateway.review_ports import IndexRow, Wanted


class _LogStore:
    """`audit.store.Store`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def head(self) -> Head:
        self.unit.write()
        subtrees = self.nodes(complete_subtrees(0, self.size()))
        return Head(self.size(), tuple(subtrees), self.checkpoint())

    def size(self) -> int:
        return len(self.unit.state.leaves)

    def nodes(self, ids: Sequence[tuple[int, int]]) -> list[bytes]:
        return [self.unit.state.nodes[each] for each in ids]

    def write(
        self, after: Head, leaves: Sequence[bytes], nodes: Mapping[tuple[int, int], bytes], checkpoint: bytes
    ) -> Head | None:
        present = self.head()
        if present != after:
            return present
        state = self.unit.write()
        if nodes.keys() & state.nodes.keys():
            raise RuntimeError("a log store is append-only")
        state.leaves.extend(leaves)
        state.nodes.update(nodes)
        state.checkpoints.append(checkpoint)
        return None

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        return iter(self.unit.state.leaves[start:stop])

    def checkpoint(self) -> bytes | None:
        return self.unit.state.checkpoints[-1] if self.unit.state.checkpoints else None


class FakeDisclosureLog(Log):
    """A real log over memory."""

    def __init__(self, unit, signer: NoteSigner) -> None:
        super().__init__(_LogStore(unit), signer)
        self._unit = unit

    def append(self, entries: Sequence[Entry]) -> None:
        self._unit.failed = True  # until the append is through, as in PostgreSQL
        self._unit.hooks.before_append()
        super().append(entries)
        self._unit.hooks.after_append()
        self._unit.failed = False


class FakeLogIndex:
    """`gateway.review_ports.LogIndex`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def following(self) -> int:
        return max(self.unit.state.log_index, default=-1) + 1

    def add(self, rows: Sequence[IndexRow]) -> None:
        index = self.unit.write().log_index
        for row in rows:
            index.setdefault(row.index, row)

    def find(self, wanted: Wanted, *, before: int | None, limit: int) -> list[int]:
        return _find(self.unit.state.log_index, wanted, before, limit)

    def count(self, wanted: Wanted) -> int:
        return sum(1 for _ in _wanted(self.unit.state.log_index, wanted))


class FakeEarlierLog:
    """`gateway.review_ports.EarlierLog`."""

    def __init__(self, number: int, leaves: list[bytes], index: dict[int, IndexRow]) -> None:
        self.number = number
        self._leaves, self._index = leaves, index

    def size(self) -> int:
        return len(self._leaves)

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        return iter(self._leaves[start:stop])

    def find(self, wanted: Wanted, *, before: int | None, limit: int) -> list[int]:
        return _find(self._index, wanted, before, limit)


def _find(index: Mapping[int, IndexRow], wanted: Wanted, before: int | None, limit: int) -> list[int]:
    found = [i for i in _wanted(index, wanted) if before is None or i < before]
    return sorted(found, reverse=True)[:limit]


def _wanted(index: Mapping[int, IndexRow], wanted: Wanted) -> Iterator[int]:
    for number, row in index.items():
        same = ("exchange", "dataset", "recipient", "purpose")
        among = ((wanted.user, row.users), (wanted.law, row.law), (wanted.refusal, row.refusals))
        if (
            row.kind.startswith(wanted.kind)
            and all(getattr(wanted, name) in ("", getattr(row, name)) for name in same)
            and all(not value or value in values for value, values in among)
            and (wanted.since is None or row.at >= wanted.since)
            and (wanted.until is None or row.at < wanted.until)
        ):
            yield number


class FakeSubjectTags:
    """`gateway.review_ports.SubjectTags`."""

    def __init__(self, unit) -> None:
        self.unit = unit

    def exchanges(self) -> list[ExchangeId]:
        return [exchange for exchange, kind in self.unit.state.vault if kind == "accounting/tags"]

    def get(self, exchange: ExchangeId) -> bytes:
        tags = self.unit.state.vault.get((exchange, "accounting/tags"))
        if tags is None:
            raise NotFoundError("there is none", place="search tags")
        return tags
