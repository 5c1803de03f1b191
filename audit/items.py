"""One item for each person that an entry is about, so that one can be proved without showing another.

An item is a salted commitment (`audit.entry.commit`). The items of an entry are the leaves, 32 bytes each, of
an RFC 9162 tree whose root and size stand in the entry. They are shuffled and padded with random bytes to a
power of two, 16 at least: neither an item's place nor the size tells who is meant or how many there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from audit.entry import SALT_BYTES, Json, commit
from audit.errors import ProofError
from audit.merkle import (
    HASH_BYTES,
    Frontier,
    NodeId,
    appended_nodes,
    inclusion_proof,
    leaf_hash,
    verify_inclusion,
)

MIN_LEAVES: Final = 16
MAX_LEAVES: Final = 1 << 24
_KEY_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Sealed:
    """What opens every item, in the order of the tree: to be kept sealed.

    `values`: None for padding; `salts`: of padding the leaf itself.
    """

    salts: Sequence[bytes]
    values: Sequence[Mapping[str, Json] | None]

    @classmethod
    def shuffled(cls, values: Sequence[Mapping[str, Json]], entropy: Callable[[int], bytes]) -> Self:
        """Pad and shuffle, by sorting under 64-bit random keys; a salt for each leaf.

        Raises:
            ProofError: there are more than 2^24 values.
        """
        size = padded(len(values))
        keys = memoryview(entropy(_KEY_BYTES * size)).cast("Q").tolist()
        salts = entropy(SALT_BYTES * size)
        padding: list[Mapping[str, Json] | None] = [None] * (size - len(values))
        mixed = [value for _, value in sorted(zip(keys, [*values, *padding], strict=True), key=_key)]
        return cls([salts[at : at + SALT_BYTES] for at in range(0, len(salts), SALT_BYTES)], mixed)


@dataclass(frozen=True, slots=True)
class Item:
    """One opened item with its place in the tree and its RFC 9162 inclusion proof."""

    salt: bytes
    value: Json
    index: int
    proof: tuple[bytes, ...]


class ItemTree:
    """The tree of one entry's items, under one path such as `items/person`."""

    __slots__ = ("_frontier", "_nodes", "_sealed")

    def __init__(self, sealed: Sealed, entry: UUID, path: str) -> None:
        """Raise EntryError when a value is outside the subset of JSON that entries hold."""
        self._sealed = sealed
        self._frontier = Frontier()
        pairs = zip(sealed.salts, sealed.values, strict=True)
        leaves = (s if v is None else bytes.fromhex(commit(s, entry, path, v)) for s, v in pairs)
        self._nodes = appended_nodes(self._frontier, map(leaf_hash, leaves))

    def to_json(self) -> dict[str, Json]:
        """What stands in the entry."""
        return {"root": self._frontier.root().hex(), "size": self._frontier.size}

    def item(self, index: int) -> Item:
        """Open one item.

        Raises:
            ProofError: padding stands there, or nothing.
        """
        proof = inclusion_proof(index, self._frontier.size, self._read)
        value = self._sealed.values[index]
        if value is None:
            raise ProofError("items: padding stands there")
        return Item(self._sealed.salts[index], value, index, tuple(proof))

    def _read(self, ids: Sequence[NodeId]) -> list[bytes]:
        return [self._nodes[node] for node in ids]


def padded(count: int) -> int:
    """The size of the tree for that many items.

    Raises:
        ProofError: it would be over 2^24.
    """
    if count > MAX_LEAVES:
        raise ProofError(f"items: more than {MAX_LEAVES}")
    return max(MIN_LEAVES, 1 << (count - 1).bit_length())


def verify_item(item: Item, entry: UUID, path: str, items: Json) -> None:
    """The item is one of those to which the entry commits; `items` is what stands there.

    Raises:
        ProofError: it is not proven, or `items` is not a root and a size that is a power of two.
        EntryError: as `commit`.
    """
    root, size = _committed(items)
    leaf = bytes.fromhex(commit(item.salt, entry, path, item.value))
    verify_inclusion(leaf_hash(leaf), item.index, size, item.proof, root)


def _committed(items: Json) -> tuple[bytes, int]:
    if not isinstance(items, Mapping) or items.keys() != {"root", "size"}:
        raise ProofError("items: not a root and a size")
    size, text = items["size"], items["root"]
    if type(size) is not int or not MIN_LEAVES <= size <= MAX_LEAVES or size.bit_count() != 1:
        raise ProofError(f"items: the size is not a power of two from {MIN_LEAVES} to {MAX_LEAVES}")
    try:
        root = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        root = b""
    if len(root) != HASH_BYTES or root.hex() != text:
        raise ProofError("items: the root is not 64 lower-case hex digits")
    return root, size


def _key(keyed: tuple[int, object]) -> int:
    return keyed[0]
