"""Scoring: the bits of LINKAGE.md, for the cases that a register full of families brings."""

from math import log2

import pytest

from gateway.domain.errors import BadInputError
from gateway.linkage.scheme import V1
from gateway.linkage.score import score, threshold


def mask(*labels):
    return sum(1 << V1.labels.index(label) for label in labels)


WITHOUT_NHS = mask(*(label for label in V1.labels if "nhs" not in label))
ALL = mask(*V1.labels)
NO_PLACE = mask(*(key.label for key in V1.keys if not {"pc", "sec", "nhs"} & set(key.parts)))
SAME_BUT_MOVED = mask("gs3.dob", "s.dob", "gk.dob", "g1.sS.dob")
TWIN = mask("s.md.pc", "s.dob", "dob.pc", "dob.sec")
NAMESAKE = mask("g3.s.pc", "gk.s3.pc", "gS.sS.pc", "gs.sec")


@pytest.mark.parametrize(
    ("agree", "both", "bits"),
    [
        (WITHOUT_NHS, WITHOUT_NHS, 7 + 4.5 + 14.5 + 13),  # the postcode agrees: the surname counts less
        (ALL, ALL, 7 + 10 + 14.5 + 13 + 25),  # the NHS number agrees: the surname counts in full
        (WITHOUT_NHS, ALL, 7 + 4.5 + 14.5 + 13 - 5),
        (SAME_BUT_MOVED, WITHOUT_NHS, 7 + 10 + 14.5 - 2),
        (SAME_BUT_MOVED, NO_PLACE, 7 + 10 + 14.5),
        (TWIN, WITHOUT_NHS, 4.5 + 14.5 + 13 - 3.5 - 6),
        (TWIN | mask("nhs.s", "nhs.dob"), ALL, 10 + 14.5 + 13 + 25 - 3.5),
        (NAMESAKE, WITHOUT_NHS, 7 + 4.5 + 13 - 4.5),  # father and son
        (mask("gS.sS.pc"), WITHOUT_NHS, 5.5 + 4.5 + 13 - 4.5),
        (mask("g1.s.y.pc"), WITHOUT_NHS, 0 + 4.5 + 6 + 13),  # fuller forenames differ: Amy and Arthur
        (mask("g1.s.y.pc"), mask("g1.s.y.pc", "g1.dob.pc", "s.dob"), 3.5 + 4.5 + 6 + 13),  # one is "A."
        (TWIN | mask("g1.dob.pc", "g1.s.y.pc", "g1.sS.dob"), WITHOUT_NHS, 0 + 4.5 + 14.5 + 13 - 6),
        (mask("gk.md.pc"), WITHOUT_NHS, 7 + 8.5 + 13 - 4),
        (mask("gs3.dob"), WITHOUT_NHS, 5.5 + 7 + 14.5 - 2),
        (mask("gs.sec"), WITHOUT_NHS, 7 + 10 + 9 - 4.5),
        (mask("dob.sec"), mask("dob.sec"), 14.5 + 9),
        (mask("dob.pc"), mask("dob.pc"), 14.5 + 13),  # no forename to differ: no twin
        (0, 0, 0),
    ],
)
def test_score_of_a_set_of_agreeing_keys(agree, both, bits):
    """Each component counts once at its strongest, what both have and no key shows counts against."""
    assert score(agree, both) == bits


def test_a_twin_or_a_namesake_is_not_enough_in_a_large_register():
    """Among a million, neither a twin nor a father of the same name is taken for a person."""
    enough = threshold(1_000_000, 0.85)
    assert score(TWIN, WITHOUT_NHS) < enough
    assert score(NAMESAKE, WITHOUT_NHS) < enough
    assert score(SAME_BUT_MOVED, WITHOUT_NHS) > enough


def test_agreement_never_lowers_a_score():
    """One more agreeing key of a pair that shares its tokens adds evidence, outside the household rule."""
    agree = 0
    last = score(0, NO_PLACE)
    for label in ("s.dob", "g1.sS.dob", "gs3.dob", "gk.dob"):
        agree |= mask(label)
        assert score(agree, NO_PLACE) >= last
        last = score(agree, NO_PLACE)


@pytest.mark.parametrize(
    ("register", "overlap", "bits"),
    [(1, 1, 4), (1_000_000, 1, log2(1_000_000) + 4), (200_000, 0.05, log2(200_000) + log2(20) + 4)],
)
def test_threshold(register, overlap, bits):
    """log2(register size) + log2(1 / overlap) + margin."""
    assert threshold(register, overlap) == pytest.approx(bits)


@pytest.mark.parametrize(
    ("register", "overlap"), [(0, 0.5), (-1, 0.5), (10, 0), (10, -0.1), (10, 1.1), (10, float("nan"))]
)
def test_a_threshold_needs_a_register_and_an_overlap(register, overlap):
    """Nonsense is refused, not turned into a threshold that lets everybody through."""
    with pytest.raises(BadInputError):
        threshold(register, overlap)
