"""Ways to tamper with an exported log of 10,000 entries, by chance but repeatably."""

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from audit_samples import entry, signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, NoteSigner
from audit.cosignature import Cosigner
from audit.export import TILE, write_export
from audit.merkle import EMPTY_ROOT, leaf_hash, node_hash
from audit.trust import Trust

SIZE = 10_000
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
WITNESS = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
TRUST = Trust(signer().verifier, (WITNESS.verifier,), quorum=1)

LEAVES = [entry(number).leaf() for number in range(SIZE)]
OTHERS = [entry(number).leaf() for number in range(SIZE, 2 * SIZE)]
"""Another log's: as many entries, each well formed, under the same key."""
KNOWN = frozenset(LEAVES + OTHERS)
_HASHED = {leaf: leaf_hash(leaf) for leaf in KNOWN}


@dataclass(frozen=True, slots=True)
class Tampered:
    """An export that must not verify: at all, or (`seen`) beside a checkpoint that was seen before."""

    export: bytes
    seen: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Signed:
    """What `write_export` needs, of any leaves, signed by anybody."""

    entries: Sequence[bytes]
    by: NoteSigner

    def checkpoint(self) -> bytes:
        root = _root([_hash(leaf) for leaf in self.entries])
        note = self.by.sign(Checkpoint(self.by.name, len(self.entries), root).text)
        return note + WITNESS.cosign(note, AT)

    def leaves(self, start, stop):
        return iter(self.entries[start:stop])

    def leaf_hashes(self, start, stop):
        return map(_hash, self.entries[start:stop])


def signed(leaves: Sequence[bytes], by: NoteSigner | None = None) -> bytes:
    """The export of these leaves: consistent in itself, signed and cosigned."""
    out = io.BytesIO()
    write_export(_Signed(leaves, by or signer()), out)
    return out.getvalue()


def checkpoint_of(leaves: Sequence[bytes]) -> bytes:
    return _Signed(leaves, signer()).checkpoint()


def _hash(leaf: bytes) -> bytes:
    return _HASHED.get(leaf) or leaf_hash(leaf)


def _root(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1 worked out level by level, not as `audit.merkle` does."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=False)
        hashes = [node_hash(*pair) for pair in pairs] + hashes[len(hashes) & ~1 :]
    return hashes[0] if hashes else EMPTY_ROOT


EXPORT = signed(LEAVES)
_LINES = EXPORT.split(b"\n")[:-1]
_OTHER_LINES = signed(OTHERS).split(b"\n")[:-1]  # laid out alike: every line has its counterpart
_FIRST = _LINES.index(b"tile 0 256")
_LAST_TILE = SIZE - SIZE % TILE


def _hash_line(number: int) -> int:
    return _FIRST + number // TILE * (2 * TILE + 1) + 1 + number % TILE


def _leaf_line(number: int) -> int:
    return _hash_line(number) + min(TILE, SIZE - number // TILE * TILE)


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"


def _spots(rng: random.Random) -> tuple[list[slice], list[slice]]:
    """The lines of two different things of one kind: any lines, entries with their hashes, full tiles."""
    one, two = sorted(rng.sample(range(SIZE), 2))
    first, second = sorted(rng.sample(range(SIZE // TILE), 2))
    begin, end = sorted(rng.sample(range(len(_LINES)), 2))
    return rng.choice(
        [
            (_slices(begin), _slices(end)),
            (_slices(_leaf_line(one)), _slices(_leaf_line(two))),
            (_slices(_hash_line(one), _leaf_line(one)), _slices(_hash_line(two), _leaf_line(two))),
            ([_tile(first)], [_tile(second)]),
        ]
    )


def _slices(*lines: int) -> list[slice]:
    return [slice(line, line + 1) for line in lines]


def _tile(number: int) -> slice:
    """The hashes and leaves of a full tile, not its header."""
    begin = _hash_line(number * TILE)
    return slice(begin, begin + 2 * TILE)


def _flip(rng: random.Random) -> Tampered:
    at = rng.randrange(len(EXPORT))
    return Tampered(EXPORT[:at] + bytes([EXPORT[at] ^ (1 << rng.randrange(8))]) + EXPORT[at + 1 :])


def _drop(rng: random.Random) -> Tampered:
    lines = list(_LINES)
    for spot in reversed(_spots(rng)[0]):
        del lines[spot]
    return Tampered(_joined(lines))


def _swap(rng: random.Random) -> Tampered:
    lines = list(_LINES)
    for one, two in zip(*_spots(rng), strict=True):
        lines[one], lines[two] = lines[two], lines[one]
    return Tampered(_joined(lines))


def _duplicate(rng: random.Random) -> Tampered:
    """Doubled where it stands, or over another's place."""
    lines = list(_LINES)
    ones, twos = _spots(rng)
    doubled = rng.random() < 0.5
    for one, two in reversed(list(zip(ones, twos, strict=True))):
        if doubled:
            lines[one] = lines[one] * 2
        else:
            lines[two] = lines[one]
    return Tampered(_joined(lines))


def _truncate(rng: random.Random) -> Tampered:
    """The end cut off: anywhere, or after a whole line or tile."""
    tile = _tile(rng.randrange(SIZE // TILE)).start - 1
    whole = _joined(_LINES[: rng.choice([rng.randrange(1, len(_LINES)), tile])])
    return Tampered(rng.choice([EXPORT[: rng.randrange(len(EXPORT))], whole]))


def _splice(rng: random.Random) -> Tampered:
    """Something of another log in the same place: a part, all from a line on, or the checkpoint."""
    lines = list(_LINES)
    at = rng.randrange(len(_LINES) - 1)
    checkpoint = slice(2, _FIRST)
    for spot in rng.choice([_spots(rng)[0], [slice(at, len(_LINES))], [checkpoint]]):
        lines[spot] = _OTHER_LINES[spot]
    if lines in (_LINES, _OTHER_LINES):  # a line that both logs have
        return _splice(rng)
    return Tampered(_joined(lines))


def _other_history(rng: random.Random) -> tuple[int, list[bytes]]:
    """The first entry that differs, and the leaves: one altered, dropped, added, or two swapped."""
    one, two = sorted(rng.sample(range(SIZE), 2))
    leaves = list(LEAVES)
    kind = rng.randrange(4)
    if kind == 0:
        leaves[one] = leaves[one].replace(b"health-trust", b"police-force")
    elif kind == 1:
        del leaves[one]
    elif kind == 2:
        leaves.insert(one, OTHERS[two])
    else:
        leaves[one], leaves[two] = leaves[two], leaves[one]
    return one, leaves


def _resign(rng: random.Random) -> Tampered:
    """Another history, or the same one, consistent in itself, under a key of the log's name."""
    leaves = rng.choice([LEAVES, _other_history(rng)[1]])
    return Tampered(signed(leaves, signer(rng.randrange(2, 256))))


def _roll_back(rng: random.Random) -> Tampered:
    """The log as it was, truly signed, to whom saw it longer."""
    now, then = sorted(rng.sample(range(SIZE + 1), 2))
    return Tampered(signed(LEAVES[:now]), checkpoint_of(LEAVES[:then]))


def _fork(rng: random.Random) -> Tampered:
    """Another history, signed and cosigned by the log's own key and witness, to whom saw the true one."""
    first, leaves = _other_history(rng)
    then = rng.randrange(first + 1, len(leaves) + 1)
    return Tampered(signed(leaves), checkpoint_of(LEAVES[:then])) if then <= SIZE else _fork(rng)


MUTATIONS: dict[str, Callable[[random.Random], Tampered]] = {
    "flip a bit": _flip,
    "drop": _drop,
    "swap": _swap,
    "duplicate": _duplicate,
    "truncate": _truncate,
    "splice from another log": _splice,
    "re-sign with another key": _resign,
    "roll back": _roll_back,
    "fork": _fork,
}
