"""The bench of what an answer's time tells can see a difference, and sees none where there is none."""

import random

import pytest

from bench.timing import KINDS, difference


def turns(seed: int, slower: float = 0.0, count: int = 200) -> list[float]:
    """Times of a noisy machine: most alike, some far off."""
    draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
    return [20 * (1 + slower) + draw.expovariate(0.5) + (draw.random() < 0.05) * 100 for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_no_difference_is_seen_where_there_is_none(seed):
    """Two samples of the same turns, outliers and all, are not told apart."""
    assert not difference(turns(seed), turns(seed + 100)).seen


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("slower", [0.05, -0.05])
def test_a_planted_difference_is_seen(seed, slower):
    """A kind that takes a twentieth more, or less, stands out of the same noise."""
    found = difference(turns(seed), turns(seed + 100, slower))
    assert found.seen
    assert (found.share > 0.5) is (slower > 0)


def test_the_measure_has_a_scale():
    """The share is 1 where every turn took longer, 0 where none did, a half for the very same turns."""
    same = difference([1, 2, 3], [1, 2, 3])
    assert (same.share, same.sigmas) == (0.5, 0)
    assert difference([1, 2], [3, 4]).share == 1
    assert difference([3, 4], [1, 2]).share == 0


def test_the_four_silent_kinds_are_timed():
    """What the answer's bits hide is what is timed."""
    assert set(KINDS) == {"not on the register", "no flag", "objected", "tied"}
