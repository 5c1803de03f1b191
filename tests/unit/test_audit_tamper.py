"""20,200 ways to tamper with an exported log of 10,000 entries; 200 of them in every run."""

import io
import random
from collections import Counter

import pytest
from tampering import EXPORT, KNOWN, LEAVES, MUTATIONS, SIZE, TRUST, Tampered, checkpoint_of, signed

from audit import verify
from audit.entry import check_leaf
from audit.errors import ExportError
from audit.verify import verify_export


@pytest.fixture
def fast(monkeypatch):
    """Leaves known to be well formed are not parsed again 20,000 times.

    Whether they are the signed ones is found by their hashes, as always.
    """
    monkeypatch.setattr(verify, "check_leaf", lambda leaf: None if leaf in KNOWN else check_leaf(leaf))


def fails(tampered: Tampered) -> str:
    """Why it does not verify; "" when it does."""
    try:
        verify_export(io.BytesIO(tampered.export), TRUST, tampered.seen)
    except ExportError as error:
        return str(error)
    return ""


REASONS = {"re-sign with another key": "no trusted key", "roll back": "rolled back", "fork": "forked"}
"""What must be said of these, and no other."""


def tamper(times: int, seed: int) -> Counter[str]:
    """How many of each kind were tried, all of them found."""
    tried: Counter[str] = Counter()
    for number in range(times):
        rng = random.Random(f"{seed} {number}")  # noqa: S311 - seeded, so that a failure repeats
        kind = list(MUTATIONS)[number % len(MUTATIONS)]
        tampered = MUTATIONS[kind](rng)
        place = f"{kind}, number {number} of seed {seed}"
        assert tampered.export != EXPORT, f"{place}: altered nothing"
        assert REASONS.get(kind, "") in fails(tampered) != "", f"{place}: not found"
        if tampered.seen:
            alone = fails(Tampered(tampered.export))
            assert not alone, f"{place}: found for another reason than the checkpoint seen before"
        tried[kind] += 1
    return tried


def test_tampering_is_found(fast):
    """200 seeded mutations of nine kinds are all found; rollback and fork by the checkpoint seen before."""
    tried = tamper(200, 0)
    assert tried.keys() == MUTATIONS.keys()
    assert min(tried.values()) >= 22


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1, 11))
def test_much_tampering_is_found(fast, seed):
    """20,000 more, in ten parts."""
    assert sum(tamper(2000, seed).values()) == 2000


def untouched(size: int, seen: int | None) -> None:
    """An untouched log of that size verifies, also beside any checkpoint of its own past."""
    remembered = checkpoint_of(LEAVES[:seen]) if seen is not None else None
    verified = verify_export(io.BytesIO(signed(LEAVES[:size])), TRUST, remembered)
    assert (verified.checkpoint.size, verified.seen) == (size, seen)
    assert [each.witness.name for each in verified.cosigned] == ["witness.example/w1"]


@pytest.mark.parametrize("size", [*range(10), 255, 256, 257, 511, 512, 513, 1000, 4096, SIZE])
def test_untouched_logs_are_not_rejected(size):
    """Logs of varied size verify, alone and beside checkpoints from their first to their last entry."""
    rng = random.Random(size)  # noqa: S311 - seeded
    for seen in (None, size, rng.randrange(size + 1)):
        untouched(size, seen)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_untouched_logs_are_not_rejected(fast):
    """2,000 logs of random size, each beside a random checkpoint of its past, verify."""
    rng = random.Random(20261129)  # noqa: S311 - seeded
    for _ in range(2000):
        size = rng.randrange(SIZE + 1)
        untouched(size, rng.randrange(size + 1))
