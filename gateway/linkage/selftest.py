"""Does this installation make the tokens that the scheme means? Every answer attests the digest."""

import hashlib
import hmac
from datetime import date
from typing import Final

import polars as pl

from gateway.domain.errors import VerificationError
from gateway.linkage.names import NICKNAMES
from gateway.linkage.scheme import V1, Scheme
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import tokenise

_SECRET: Final = hashlib.sha256(b"flagstone/v1/self-test").digest()
_COLUMNS: Final = ["forename", "surname", "dob", "postcode", "nhs_number"]
_PEOPLE: Final = (
    ("William", "Smith", date(1961, 2, 3), "SW1A 1AA", "9990000018"),
    ("Bill", "Smith", date(1961, 3, 2), "sw1a1aa", "999 000 0018"),
    ("Smith", "William", date(1961, 2, 3), "SW1A 2AA", None),
    ("  Zoë-Ann ", "O'Brien-Łukasz", date(2004, 2, 29), "M1 1AE", None),
    ("Muhammad Ali", "al-Ḥasan", date(1999, 12, 31), "GIR 0AA", "9990000026"),
    ("Владимир", "Straße", date(1985, 10, 10), "4223", "1111111111"),
    ("Tymczak", "Pfister", date(1901, 1, 1), "ZZ99 3VZ", "0000000000"),
    ("Ashcraft", "Honeyman", date(1970, 1, 1), "EC1A1BB", "9999999999"),
    ("J", "McDonald", date(1950, 6, 15), "0000", ""),
    ("Baby Girl", "Not known", date(2020, 5, 4), "XX1 1XX", None),
    ("", "   ", None, "", None),
    (None, None, None, None, None),
)


def self_test(scheme: Scheme = V1) -> str:
    """SHA-256 (hex) over the tokens of fixed people, one of each nickname among them, under a fixed key.

    Raises:
        VerificationError: it is not the scheme's; this installation's tokens would match nobody's.
    """
    people = pl.DataFrame(_PEOPLE, schema=_COLUMNS, orient="row")
    born = pl.lit(date(1980, 7, 20)).alias("dob")
    nicknamed = pl.DataFrame({"forename": sorted(NICKNAMES)}).with_columns(born, surname="forename")
    tokens = tokenise(pl.concat([people, nicknamed], how="diagonal"), token_keys(_SECRET, scheme), scheme)
    digest = hashlib.sha256()
    for label in scheme.labels:
        digest.update(b"".join(token or bytes(1) for token in tokens[label]))
    if not hmac.compare_digest(digest.hexdigest(), scheme.self_test):
        raise VerificationError(
            "this installation does not make the scheme's tokens",
            place=f"self-test of scheme {scheme.version}",
            way_out="Install the release's own locked dependencies",
        )
    return digest.hexdigest()
