"""People to tokens: HMAC-SHA-256 of each match key, cut to 128 bits.

The keys reach Polars inside expressions. A serialised plan would contain them: plans here are never
serialised, shown or logged.
"""

from collections.abc import Collection, Mapping
from typing import Final

import polars as pl
import polars_hash as plh

from gateway.domain.errors import BadInputError
from gateway.domain.people import IDENTIFYING
from gateway.linkage.normalise import SEPARATOR, normalise
from gateway.linkage.scheme import V1, MatchKey, Scheme

TOKEN_BYTES: Final = 16
KEY_BYTES: Final = 32


def tokenise(
    people: pl.DataFrame,
    keys: Mapping[str, bytes],
    scheme: Scheme = V1,
    identifiers: Collection[str] | None = None,
) -> pl.DataFrame:
    """One `pl.Binary` column of 16 bytes for each match key's label, in the rows' order.

    A token is HMAC-SHA-256(hex of the key, the parts joined with U+001F), cut; null where a part is not
    known. `keys`: label -> 32 bytes. `identifiers`: the columns of `IDENTIFYING` that may feed a key; None
    allows all.

    Raises:
        BadInputError: the keys are not exactly one of 32 bytes for each label, or an identifier is unknown.
    """
    if set(keys) != set(scheme.labels) or any(len(key) != KEY_BYTES for key in keys.values()):
        raise BadInputError("not one key of 32 bytes for each match key", place="token keys")
    allowed = set(IDENTIFYING if identifiers is None else identifiers)
    if not allowed <= set(IDENTIFYING):
        raise BadInputError("not columns that linkage may read", place="identifiers")
    forbidden = set(IDENTIFYING) - allowed
    parts = normalise(people.with_columns(pl.lit(None).alias(column) for column in forbidden), scheme)
    return parts.select(_token(key, keys[key.label]) for key in scheme.keys)


def _token(match_key: MatchKey, key: bytes) -> pl.Expr:
    message = plh.concat_str(match_key.parts, separator=SEPARATOR)  # null where a part is null
    digest = message.chash.hmac_sha256(key=key.hex())
    # cutting the hexadecimal text as bytes is twice as fast as slicing characters
    cut = digest.cast(pl.Binary).bin.head(2 * TOKEN_BYTES).bin.decode("hex")
    return cut.alias(match_key.label)
