"""People to tokens: HMAC-SHA-256 of each match key, cut to 128 bits.

The keys reach Polars inside expressions. A serialised plan would contain them: plans here are never
serialised, shown or logged.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import polars as pl
import polars_hash as plh

from gateway.domain.errors import BadInputError
from gateway.domain.people import IDENTIFYING
from gateway.linkage.normalise import SEPARATOR, Known, normalise
from gateway.linkage.scheme import V1, WHOLE_NAME, MatchKey, Scheme

TOKEN_BYTES: Final = 16
KEY_BYTES: Final = 32
NAME: Final = "name"
"""Column of a token table that is no match key."""

_ROWS: Final = 32_000  # at once: what they take stays in the processor's cache
_NO_DIGITS: Final = b"0" * 2 * TOKEN_BYTES
_PAIRS: Final = pl.Array(pl.UInt16, TOKEN_BYTES)


def tokenise(
    people: pl.DataFrame,
    keys: Mapping[str, bytes],
    scheme: Scheme = V1,
    identifiers: Collection[str] | None = None,
    known: Known | None = None,
) -> pl.DataFrame:
    """One `pl.Binary` column of 16 bytes for each match key's label, in the rows' order.

    A token is HMAC-SHA-256(hex of the key, the parts joined with U+001F), cut; null where a part is not
    known. `keys`: label -> 32 bytes. `identifiers`: the columns of `IDENTIFYING` that may feed a key; None
    allows all. `known`: as in `normalise`.

    Raises:
        BadInputError: the keys are not exactly one of 32 bytes for each label, or an identifier is unknown.
    """
    return tokens_of(parts_of(people, scheme, identifiers, known), keys, scheme)


def parts_of(
    people: pl.DataFrame,
    scheme: Scheme = V1,
    identifiers: Collection[str] | None = None,
    known: Known | None = None,
) -> pl.DataFrame:
    """`normalise` of no other columns than `identifiers`.

    Raises:
        BadInputError: an identifier is unknown.
    """
    allowed = set(IDENTIFYING if identifiers is None else identifiers)
    if not allowed <= set(IDENTIFYING):
        raise BadInputError("not columns that linkage may read", place="identifiers")
    forbidden = set(IDENTIFYING) - allowed
    return normalise(people.with_columns(pl.lit(None).alias(column) for column in forbidden), scheme, known)


def tokens_of(
    parts: pl.DataFrame,
    keys: Mapping[str, bytes],
    scheme: Scheme = V1,
    labels: Collection[str] | None = None,
) -> pl.DataFrame:
    """As `tokenise`, of the parts that `normalise` makes, and of the match keys `labels` alone where given.

    Raises:
        BadInputError: the keys are not exactly one of 32 bytes for each label.
    """
    if set(keys) != set(scheme.labels) or any(len(key) != KEY_BYTES for key in keys.values()):
        raise BadInputError("not one key of 32 bytes for each match key", place="token keys")
    return _made(parts, keys, [key for key in scheme.keys if labels is None or key.label in labels])


def token_table(
    people: pl.DataFrame, keys: Mapping[str, bytes], scheme: Scheme = V1, known: Known | None = None
) -> pl.DataFrame:
    """What a token file holds: `person_id`, a column for each match key, and `NAME`.

    `NAME` is the token of the whole name, by which namesakes are counted. It is no match key and never
    travels: a token file stays with whoever has its people. `keys`: as `table_keys` makes them.
    """
    parts = parts_of(people, scheme, known=known)
    tokens = _made(parts, keys, [*scheme.keys, MatchKey(NAME, (WHOLE_NAME,))])
    return tokens.insert_column(0, people["person_id"])


def _made(parts: pl.DataFrame, keys: Mapping[str, bytes], match_keys: Sequence[MatchKey]) -> pl.DataFrame:
    # whole columns of nulls are common: no file has every identifier
    empty = {part for part in parts.columns if parts[part].null_count() == parts.height}
    made = [key for key in match_keys if empty.isdisjoint(key.parts)]
    slices = [_decoded(_digests(rows, keys, made)) for rows in parts.iter_slices(_ROWS)] if made else []
    tokens = pl.concat(slices, rechunk=True) if slices else pl.DataFrame()
    return parts.select(
        tokens[key.label]
        if key.label in tokens.columns
        else pl.repeat(None, parts.height, dtype=pl.Binary).alias(key.label)
        for key in match_keys
    )


def _digests(parts: pl.DataFrame, keys: Mapping[str, bytes], match_keys: Sequence[MatchKey]) -> pl.DataFrame:
    """64 hexadecimal digits of each message, null where a part is null."""
    return parts.select(
        plh.concat_str(key.parts, separator=SEPARATOR)
        .chash.hmac_sha256(key=keys[key.label].hex())
        .alias(key.label)
        for key in match_keys
    )


def _decoded(digests: pl.DataFrame) -> pl.DataFrame:
    """The first `TOKEN_BYTES` bytes that the digits say.

    All columns in arithmetic over pairs of digits, the first digit in the low byte: a tenth of the time that
    `bin.decode` takes, which would be a third of the whole.
    """
    cut = digests.select(pl.all().cast(pl.Binary).bin.head(2 * TOKEN_BYTES))
    # nulls would fall out of the flat columns, which must stay equally long
    pairs = cut.select(pl.all().fill_null(_NO_DIGITS).bin.reinterpret(dtype=_PAIRS).arr.explode())
    # the low half of 0-9 is the digit's value; of a-f, which have bit 6 set, it is 9 less
    values = (pl.all() + (pl.all() & 0x4040) // 0x40 * 9) & 0x0F0F
    # 0x0b0a * 0x1001 has ab in its high byte; wrapping, because a cast that checks takes thrice the time
    flat = pairs.select((values * 0x1001 // 0x100).cast(pl.UInt8, wrap_numerical=True))
    tokens = flat.select(pl.all().reshape((-1, TOKEN_BYTES)).arr.to_list().cast(pl.Binary))
    unknown = (column for column in digests.columns if digests[column].null_count())
    return tokens.with_columns(pl.when(digests[column].is_not_null()).then(column) for column in unknown)


def beside(parts: pl.DataFrame) -> pl.DataFrame:
    """What stays with whoever has the people: `name` and `place` u64, equal where whole name or postcode are.

    For `resolve`, on the partner's own machine and in this process alone: they are neither keyed nor lasting.
    """
    return parts.select(
        pl.when(pl.col(part).is_not_null()).then(pl.col(part).hash()).alias(name)
        for part, name in (("gs", "name"), ("pc", "place"))
    )
