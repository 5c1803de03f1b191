"""Token files: what `tokens make` writes, told from person files and read."""

from pathlib import Path
from typing import Final

import polars as pl

from gateway.domain.errors import BadInputError, VerificationError
from gateway.linkage.scheme import V1
from gateway.linkage.secret import confirmation
from gateway.linkage.tokens import NAME, TOKEN_BYTES

_MADE_WITH: Final = "flagstone.scheme"  # metadata of a token file
_COLUMNS: Final = (*V1.labels, NAME)
_MADE_UNDER: Final = "flagstone.key-confirmation"


def made_with(secret: bytes) -> dict[str, str]:
    """The metadata of a token file: by which scheme and under which key it was made."""
    return {_MADE_WITH: V1.version, _MADE_UNDER: confirmation(secret).hex()}


def is_tokens(path: Path) -> bool:
    """Whether it is a Parquet file with the columns that `tokens make` writes."""
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
    try:
        columns = pl.read_parquet_schema(path)
    except pl.exceptions.PolarsError:
        return False  # intake says what is wrong with it
    return {"person_id", *_COLUMNS} <= set(columns)


def check_tokens(path: Path, secret: bytes) -> int:
    """The number of rows.

    Raises:
        VerificationError: made under another key or scheme.
        BadInputError: no rows, or other columns than tokens'.
    """
    made = pl.read_parquet_metadata(path)
    if any(made.get(name) != value for name, value in made_with(secret).items()):
        raise VerificationError(
            "made under another key or scheme",
            place=path.name,
            way_out="Make both files with the same key file and release",
        )
    schema = pl.read_parquet_schema(path)
    rows: int = pl.scan_parquet(path).select(pl.len()).collect().item()
    if schema["person_id"] != pl.String or any(schema[label] != pl.Binary for label in _COLUMNS) or not rows:
        raise _no_tokens(path)
    return rows


def tokens_from(path: Path, start: int, count: int) -> pl.DataFrame:
    """Rows of a token file, as `token_table` makes them.

    Raises:
        BadInputError: a value is no token.
    """
    tokens = pl.scan_parquet(path).slice(start, count).select("person_id", *_COLUMNS).collect()
    whole = pl.all_horizontal(
        (pl.col(label).bin.size() == TOKEN_BYTES).all(ignore_nulls=True) for label in _COLUMNS
    )
    if not tokens.select(whole).item():
        raise _no_tokens(path)
    return tokens


def _no_tokens(path: Path) -> BadInputError:
    return BadInputError("its token columns do not hold tokens", place=path.name)
