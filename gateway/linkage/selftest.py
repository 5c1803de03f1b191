"""Does this installation make the tokens that the scheme means? Every answer attests the digest."""

import hashlib
import hmac
from datetime import date
from typing import Final

import polars as pl

from gateway.domain.errors import VerificationError
from gateway.linkage import names
from gateway.linkage.scheme import V1, Scheme
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

_SECRET: Final = hashlib.sha256(b"flagstone/v1/self-test").digest()
_COLUMNS: Final = ["forename", "surname", "dob", "postcode", "nhs_number", "upn", "nino", "uprn"]
_PEOPLE: Final = (
    ("William", "Smith", date(1961, 2, 3), "SW1A 1AA", "9990000018", None, "AA123456C", "100012345678"),
    ("Bill", "Smith", date(1961, 3, 2), "sw1a1aa", "999 000 0018", "", "aa 12 34 56 c", "0100012345678"),
    ("Smith", "William", date(1961, 2, 3), "SW1A 2AA", None, None, "QQ123456C", None),
    ("  Zoë-Ann ", "O'Brien-Łukasz", date(2004, 2, 29), "M1 1AE", None, "H801200001001", None, "1"),
    ("Muhammad Ali", "al-Ḥasan", date(1999, 12, 31), "GIR 0AA", "9990000026", "h801200001001", None, None),
    ("Владимир", "Straße", date(1985, 10, 10), "4223", "1111111111", "A000000000000", "BG123456A", "0"),
    ("Tymczak", "Pfister", date(1901, 1, 1), "ZZ99 3VZ", "0000000000", None, None, "000000000000"),
    ("Ashcraft", "Honeyman", date(1970, 1, 1), "EC1A1BB", "9999999999", None, None, None),
    ("J", "McDonald", date(1950, 6, 15), "0000", "", None, None, None),
    ("Siân", "ap Rhys née Nic Dhòmhnaill", date(1972, 1, 1), "SA1 OIA", None, None, None, None),
    ("Nguyễn Thị", "van der Berg-Smyth", date(1972, 5, 10), "SA1 01A", None, None, None, None),
    ("Baby Girl", "Not known", date(2020, 5, 4), "XX1 1XX", None, None, None, None),
    ("", "   ", None, "", None, None, None, None),
    (None, None, None, None, None, None, None, None),
)


def people() -> pl.DataFrame:
    """Fixed people: some who try every part, and one for each known variant of a name."""
    variants = sorted(
        {name for table in (names.NICKNAMES, names.SURNAMES) for name in (*table, *table.values())}
    )
    named = pl.DataFrame({"forename": variants, "surname": variants}).with_columns(
        dob=pl.lit(date(1980, 7, 20)), postcode=pl.lit("CF10 3AT")
    )
    return pl.concat([pl.DataFrame(_PEOPLE, schema=_COLUMNS, orient="row"), named], how="diagonal")


def self_test(scheme: Scheme = V1) -> str:
    """SHA-256 (hex) over the tokens of `people` under a fixed key, match key by match key.

    Raises:
        VerificationError: it is not the scheme's; this installation's tokens would match nobody's.
    """
    digest = digest_of(scheme)
    if not hmac.compare_digest(digest, scheme.self_test):
        raise VerificationError(
            "this installation does not make the scheme's tokens",
            place=f"self-test of scheme {scheme.version}",
            way_out="Install the release's own locked dependencies",
        )
    return digest


def digest_of(scheme: Scheme) -> str:
    """What `self_test` expects of the scheme; a missing token counts as one zero byte."""
    tokens = tokenise(people(), token_keys(_SECRET, scheme), scheme)
    digest = hashlib.sha256()
    for label in scheme.labels:
        digest.update(b"".join(token or bytes(1) for token in tokens[label]))
    return digest.hexdigest()
