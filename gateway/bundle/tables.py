"""What is inside a bundle: a request's table of tokens (Parquet), an answer's bitmap of flags."""

import io
from typing import Final

import polars as pl

from gateway.bundle.errors import MalformedError, UnknownColumnError, UnknownFlagError, WrongLengthError
from gateway.bundle.parquet import check_profile
from gateway.domain.exchange import Granularity
from gateway.linkage.scheme import Scheme

TOKEN_BYTES: Final = 16
ANY: Final = "any"
"""The single column of a `household-any` answer."""

_OFF, _ON = "0", "1"


def request_columns(scheme: Scheme, granularity: Granularity) -> dict[str, pl.DataType]:
    """The table's columns in order. Household handles travel only where the answer is by household."""
    handles = {} if granularity is Granularity.PERSON_INDICATORS else {"household": pl.UInt32()}
    return handles | {key.label: pl.Binary() for key in scheme.keys}


def answer_columns(granularity: Granularity, indicators: tuple[str, ...]) -> tuple[str, ...]:
    """The bits of one unit (household, or slot), in order."""
    return (ANY,) if granularity is Granularity.HOUSEHOLD_ANY else indicators


def bitmap_bytes(units: int, columns: int) -> int:
    """Length of the bitmap, known before anything is answered."""
    return (units * columns + 7) // 8


def write_table(table: pl.DataFrame, columns: dict[str, pl.DataType], households: int) -> bytes:
    """Parquet of the profile that `check_profile` accepts. Row i is slot i; further columns stay behind.

    Raises:
        UnknownColumnError: a column is missing or of another type.
        MalformedError: as `check_values`.
    """
    if any(table.schema.get(name) != kind for name, kind in columns.items()):
        raise UnknownColumnError("a column of the scheme is missing or mistyped", place="request table")
    travelling = table.select(list(columns))
    check_values(travelling, households)
    out = io.BytesIO()
    travelling.write_parquet(out, compression="uncompressed", statistics=False)
    return out.getvalue()


def read_table(data: bytes, columns: dict[str, pl.DataType], *, slots: int, households: int) -> pl.DataFrame:
    """Check the file's structure, then read it, then check every value.

    Raises:
        VerificationError: as `check_profile` and `check_values`.
    """
    check_profile(data, columns, slots)
    try:
        table = pl.read_parquet(io.BytesIO(data), use_statistics=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        raise MalformedError("its pages can't be decoded", place="request table") from None
    if table.height != slots:
        raise WrongLengthError("it has other rows than the manifest says", place="request table")
    if table.schema != pl.Schema(columns):
        raise UnknownColumnError("the columns are not those of the scheme", place="request table")
    check_values(table, households)
    return table


def check_values(table: pl.DataFrame, households: int) -> None:
    """Tokens are 16 bytes or null; household numbers are 0 to `households` - 1 and none is missing.

    Raises:
        MalformedError: they are not.
    """
    tokens = pl.col(pl.Binary).bin.size().fill_null(TOKEN_BYTES) == TOKEN_BYTES
    if not table.select(pl.all_horizontal(tokens.all())).item():
        raise MalformedError("a token is not 16 bytes", place="request table")
    if "household" in table.columns:
        numbers = table["household"]
        if numbers.null_count() or numbers.n_unique() != households or numbers.max() != households - 1:
            raise MalformedError("the household numbers are not 0 to n - 1", place="request table")


def pack(flags: pl.DataFrame, columns: tuple[str, ...], units: int) -> bytes:
    """One bit a unit and column: row by row, most significant bit first, zero bits to the next whole byte.

    Raises:
        UnknownFlagError: the columns differ, or one is not Boolean, or a flag is null.
        WrongLengthError: not `units` rows.
    """
    if tuple(flags.columns) != columns or set(flags.dtypes) != {pl.Boolean}:
        raise UnknownFlagError("the flags are not those asked for", place="answer")
    if flags.height != units:
        raise WrongLengthError("not one row a unit", place="answer")
    if any(flags.null_count().row(0)):
        raise UnknownFlagError("a flag is neither set nor unset", place="answer")
    digits = pl.concat_str(pl.when(pl.all()).then(pl.lit(_ON)).otherwise(pl.lit(_OFF)))
    text = "".join(flags.select(digits).to_series())
    length = bitmap_bytes(units, len(columns))
    return int(text.ljust(length * 8, _OFF), 2).to_bytes(length)


def unpack(bitmap: bytes, columns: tuple[str, ...], units: int) -> pl.DataFrame:
    """The inverse of `pack`.

    Raises:
        WrongLengthError: not the length known beforehand.
        MalformedError: a padding bit is set: the only place where an answer could carry something else.
    """
    bits = units * len(columns)
    if len(bitmap) != bitmap_bytes(units, len(columns)):
        raise WrongLengthError("not the length known beforehand", place="answer")
    text = f"{int.from_bytes(bitmap):0{len(bitmap) * 8}b}"
    if _ON in text[bits:]:
        raise MalformedError("a padding bit is set", place="answer")
    step = len(columns)
    return pl.DataFrame(
        {name: pl.Series(list(text[place:bits:step])) == _ON for place, name in enumerate(columns)}
    )
