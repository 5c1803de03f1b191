"""UK identifiers: canonical forms, checksums, and the traps of DOMAIN.md §6."""

import string

import polars as pl
import pytest
from stdnum.gb import nhs as stdnum_nhs
from stdnum.gb import upn as stdnum_upn

from gateway.domain import identifiers as ids


def _apply(function, *values):
    return (
        pl.DataFrame({"x": pl.Series(values, dtype=pl.String)}).select(function(pl.col("x")))["x"].to_list()
    )


def _verdict(kind: str, value: str) -> bool:
    canonical = getattr(ids, f"canonical_{kind}")(pl.col("x"))
    valid = getattr(ids, f"valid_{kind}")
    return pl.DataFrame({"x": [value]}).with_columns(x=canonical).select(valid(pl.col("x")))["x"][0]


KINDS = ("nhs_number", "upn", "nino", "pnc_id", "uprn", "postcode", "any_postcode")

GOOD = [
    ("nhs_number", "999 000 0018"),
    ("nhs_number", "943-476-5919"),
    ("nhs_number", "0000000051"),
    ("nino", "ab 12 34 56 c"),
    ("nino", "PP999999A"),
    ("pnc_id", "2003/0062845E"),
    ("pnc_id", "2003/62845e"),
    ("uprn", "1"),
    ("uprn", "100012345678"),
    ("postcode", "nr11aa"),
    ("postcode", "SW1A 1AA"),
    ("postcode", "M1  1AE"),
    ("postcode", "B33 8TH"),
    ("postcode", "CR2 6XH"),
    ("postcode", "EC1A 1BB"),
    ("postcode", "W1A 0AX"),
    ("postcode", "GIR 0AA"),
    ("postcode", "ZZ99 3VZ"),
    ("any_postcode", "4223"),
    ("any_postcode", "sw1a 1aa"),
]
BAD = [
    ("nhs_number", "9990000019"),
    ("nhs_number", "0000000000"),
    ("nhs_number", "9999999999"),
    ("nhs_number", "1111111111"),
    ("nhs_number", "999000001"),
    ("nhs_number", "99900000180"),
    ("nhs_number", "999000001A"),
    ("nhs_number", "٩٩٩٠٠٠٠٠١٨"),
    ("nino", "QQ123456C"),
    ("nino", "DA123456C"),
    ("nino", "AO123456C"),
    ("nino", "AB123456E"),
    ("nino", "AB12345C"),
    *(("nino", prefix + "123456A") for prefix in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")),
    ("pnc_id", "2003/0062845F"),
    ("pnc_id", "2003/0062845I"),
    ("pnc_id", "1803/0062845E"),
    ("pnc_id", "03/0062845E"),
    ("pnc_id", "2003/0062845"),
    ("uprn", "0"),
    ("uprn", "1234567890123"),
    ("uprn", "12A"),
    ("postcode", "NR1"),
    ("postcode", "NR1 1A"),
    ("postcode", "QR1 1AA"),
    ("postcode", "NR1 1CA"),
    ("postcode", "N1I 1AA"),
    ("postcode", "4223"),
    ("upn", "H801200001001I"),
    ("upn", "I801200001001"),
    ("any_postcode", "1"),
    ("any_postcode", "12345678901"),
    ("any_postcode", "42/3"),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_good_identifiers_are_valid(kind, value):
    """What people write for a real identifier is valid once in its canonical form."""
    assert _verdict(kind, value) is True


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_bad_identifiers_are_not(kind, value):
    """A wrong shape, check digit, prefix or placeholder is refused."""
    assert _verdict(kind, value) is False


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_value_has_no_verdict(kind):
    """Null stays null, in the canonical form and in the verdict."""
    assert _apply(getattr(ids, f"canonical_{kind}"), None) == [None]
    assert _apply(getattr(ids, f"valid_{kind}"), None) == [None]


@pytest.mark.parametrize("kind", KINDS)
def test_empty_text_is_never_valid(kind):
    """An empty string is no identifier of any kind."""
    assert _verdict(kind, "") is False


@pytest.mark.parametrize("kind", KINDS)
def test_canonical_is_canonical(kind):
    """Taking the canonical form twice changes nothing."""
    canonical = getattr(ids, f"canonical_{kind}")
    values = [value for name, value in GOOD + BAD if name == kind]
    once = _apply(canonical, *values)
    assert _apply(canonical, *once) == once


def test_nhs_numbers_agree_with_another_implementation():
    """Over 20,000 numbers the checksum agrees with python-stdnum, repeated digits aside."""
    numbers = [f"{n:010}" for n in range(4_000_000_000, 4_000_400_000, 20)]
    assert _apply(ids.valid_nhs_number, *numbers) == [stdnum_nhs.is_valid(number) for number in numbers]


def test_upns_agree_with_another_implementation():
    """For an authority that python-stdnum knows, every check letter agrees, permanent and temporary."""
    bodies = ["801200001001", "801432120200", "30612345678A", "93612345678Z", "20100000000C"]
    upns = [letter + body for body in bodies for letter in string.ascii_uppercase]
    ours = dict(zip(upns, _apply(ids.valid_upn, *upns), strict=True))
    assert ours == {upn: stdnum_upn.is_valid(upn) for upn in upns}
    assert sum(ours.values()) == len(bodies)


@pytest.mark.parametrize("authority", ["838", "839", "940", "941", "942", "943"])
def test_upns_of_newer_councils_pass(authority):
    """An authority missing from python-stdnum's table is no reason to refuse a UPN."""
    upns = [f"{letter}{authority}4000010001"[:13] for letter in ids.CHECK_LETTERS]
    assert sum(_apply(ids.valid_upn, *upns)) == 1
    assert not any(stdnum_upn.is_valid(upn) for upn in upns)


def test_one_pnc_letter_in_23_is_right():
    """Of all letters exactly one checks a serial; I, O and S never do."""
    for serial in ("0000001", "0000022", "0062845", "9999999"):
        verdicts = _apply(
            ids.valid_pnc_id, *(f"1999/{serial}{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        )
        assert sum(verdicts) == 1


def test_pseudo_postcodes_are_told_apart():
    """NHS codes for no fixed abode are recognised, real postcodes are not taken for them."""
    assert _apply(ids.is_pseudo_postcode, "ZZ99 3VZ", "NR1 1AA", None) == [True, False, None]


def test_a_upn_of_zeros_is_none():
    """All zeros pass the check letter; they stand for a number that nobody knows."""
    assert _apply(ids.valid_upn, "A000000000000") == [False]
