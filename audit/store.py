"""Where a log is kept: the Protocol, and a store of plain files for agents."""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from audit.checkpoint import unsafe_read_checkpoint
from audit.disk import Disk
from audit.errors import NoteError, StoreError
from audit.merkle import HASH_BYTES, NodeId, complete_subtrees

__all__ = ["EMPTY", "FileStore", "Head", "NodeId", "Store"]

END_BYTES: Final = 8
BATCH: Final = 1024
LOCK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log is. `subtrees`: the hashes of `complete_subtrees(0, size)`; `checkpoint`: the newest."""

    size: int
    subtrees: tuple[bytes, ...]
    checkpoint: bytes | None


EMPTY: Final = Head(0, (), None)


class Store(Protocol):
    """Keeps leaves, nodes and the newest checkpoint. It is not trusted: `Log` checks what it hands out.

    Whoever controls a store can withhold or destroy the log; altering it without being found out also takes
    the log's key.
    """

    def head(self) -> Head:
        """Wait until no other writer is at work, keep others out until the transaction ends, and read.

        Raise StoreError when a node is missing.
        """

    def size(self) -> int:
        """How many leaves are written."""

    def nodes(self, ids: Sequence[NodeId]) -> list[bytes]:
        """The 32-byte hashes of these nodes, in this order. Raise StoreError when one is missing."""

    def write(
        self, after: Head, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes
    ) -> Head | None:
        """Add leaves after `after`, the nodes that they complete (level 0 included) and the checkpoint.

        Atomic: all of it or nothing. Where the log is not exactly at `after` nothing is written: then the
        answer is what `head` says. None when it is written.
        """

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Raw leaf bytes of [start, stop), in order. Raise StoreError when one is missing."""

    def checkpoint(self) -> bytes | None:
        """The newest signed checkpoint; None before the first write."""


class FileStore:
    """A log in a folder of append-only files (docs/log-format.md), safe for many processes.

    A transaction begins with `head` or `write`. It ends with a `write` that wrote or failed, or with `close`;
    not with a `write` that answered where the log is. An object belongs to one thread; another thread opens
    its own. The last rename of `write` is the commit point: whatever a killed writer left beyond the
    committed size is overwritten by the next write.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        """Open a store that exists.

        Raises:
            StoreError: there is none here. An empty log must never take the place of a lost one by itself.
        """
        self._folder = folder
        self._disk = disk or Disk()
        self._locked = False
        try:
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            raise StoreError("no log in this folder. Create it once with FileStore.create") from None
        self._files = {name: _open(folder / name) for name in ("leaves", "ends", "nodes")}

    @classmethod
    def create(cls, folder: Path, disk: Disk | None = None) -> Self:
        """Make an empty store in a new or empty folder (0700; its files are 0600).

        Raises:
            StoreError: there is a log already.
        """
        disk = disk or Disk()
        if (folder / "lock").exists():
            raise StoreError("there is a log in this folder already")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("leaves", "ends", "nodes", "lock"):  # the lock file last: it says that the store exists
            os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            disk.sync_folder(folder)
        disk.sync_folder(folder.parent)
        return cls(folder, disk)

    def lock(self) -> None:
        """Keep other writers out. Raise StoreError when another one keeps us out for 30 seconds."""
        until = time.monotonic() + LOCK_SECONDS
        while not self._locked:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._locked = True
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreError("another process has been writing to the log for too long") from None
                time.sleep(0.005)

    def head(self) -> Head:
        self.lock()
        note = self.checkpoint()
        size = _size_of(note) if note else 0
        return Head(size, tuple(self.nodes(complete_subtrees(0, size))), note)

    def size(self) -> int:
        note = self.checkpoint()
        return _size_of(note) if note else 0

    def checkpoint(self) -> bytes | None:
        try:
            return (self._folder / "checkpoint").read_bytes()
        except FileNotFoundError:
            return None

    def nodes(self, ids: Sequence[NodeId]) -> list[bytes]:
        size = self.size()
        if any((index + 1) << level > size for level, index in ids):
            raise StoreError("a node beyond the size of the log")
        return [self._read("nodes", HASH_BYTES * _position(node), HASH_BYTES) for node in ids]

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        if not 0 <= start <= stop <= self.size():
            raise StoreError("leaves beyond the size of the log")
        for first in range(start, stop, BATCH):
            last = min(first + BATCH, stop)
            begins = [self._end(first), *self._ends(first, last)]
            for begin, end in pairwise(begins):
                yield self._read("leaves", begin, end - begin - 1)

    def write(
        self, after: Head, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes
    ) -> Head | None:
        """As the Protocol. After a StoreError the write may have happened or not: `size` tells."""
        present = self.head()
        if present != after:
            return present
        try:
            _check(after.size, leaves, nodes, checkpoint)
            self._write(after.size, leaves, nodes, checkpoint)
        except OSError as error:
            raise StoreError(f"the log can't be written ({os.strerror(error.errno or 0)})") from None
        finally:
            self._unlock()
        return None

    def close(self) -> None:
        """Give up the transaction, if there is one, and the files."""
        self._unlock()
        for file in (self._lock, *self._files.values()):
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(
        self, start: int, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes
    ) -> None:
        begin = self._end(start)
        ends = accumulate((len(leaf) + 1 for leaf in leaves), initial=begin)
        packed = b"".join(end.to_bytes(END_BYTES, "big") for end in list(ends)[1:])
        self._extend("leaves", begin, b"".join(leaf + b"\n" for leaf in leaves))
        self._extend("ends", END_BYTES * start, packed)
        self._extend("nodes", HASH_BYTES * _nodes_of(start), b"".join(nodes[id_] for id_ in _ordered(nodes)))
        new = self._folder / "checkpoint.new"
        self._disk.create(new, checkpoint)
        self._disk.rename(new, self._folder / "checkpoint")  # the commit point
        self._disk.sync_folder(self._folder)

    def _extend(self, name: str, offset: int, data: bytes) -> None:
        """Write at `offset`, the committed end; what lies beyond it is of a writer that was killed."""
        file = self._files[name]
        if os.fstat(file).st_size < offset:
            raise StoreError(f"the file {name} is shorter than the log")
        self._disk.truncate(file, offset)
        self._disk.write(file, data, offset)
        self._disk.sync(file)

    def _end(self, index: int) -> int:
        """Where the leaf before `index` ends."""
        return self._ends(index - 1, index)[0] if index else 0

    def _ends(self, start: int, stop: int) -> list[int]:
        packed = self._read("ends", END_BYTES * start, END_BYTES * (stop - start))
        return [int.from_bytes(packed[i : i + END_BYTES], "big") for i in range(0, len(packed), END_BYTES)]

    def _read(self, name: str, offset: int, length: int) -> bytes:
        data = os.pread(self._files[name], length, offset) if length >= 0 else b""
        if len(data) != length:
            raise StoreError(f"the file {name} is damaged")
        return data

    def _unlock(self) -> None:
        if self._locked:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._locked = False


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        raise StoreError(f"the file {path.name} of the log is missing or closed to us") from None


def _check(start: int, leaves: Sequence[bytes], nodes: Mapping[NodeId, bytes], checkpoint: bytes) -> None:
    size = start + len(leaves)
    if size != _size_of(checkpoint):
        raise StoreError("the checkpoint is not for these leaves")
    if [_position(node) for node in _ordered(nodes)] != list(range(_nodes_of(start), _nodes_of(size))):
        raise StoreError("the nodes are not those that these leaves complete")


def _size_of(checkpoint: bytes) -> int:
    try:
        return unsafe_read_checkpoint(checkpoint).size
    except NoteError:
        raise StoreError("the stored checkpoint is damaged") from None


def _nodes_of(size: int) -> int:
    """How many complete subtrees a tree of `size` leaves has, all levels together."""
    return 2 * size - size.bit_count()


def _position(node: NodeId) -> int:
    """Nodes stand in the order in which they became complete: after their last leaf, by level."""
    level, index = node
    return _nodes_of(((index + 1) << level) - 1) + level


def _ordered(nodes: Mapping[NodeId, bytes]) -> list[NodeId]:
    return sorted(nodes, key=_position)
