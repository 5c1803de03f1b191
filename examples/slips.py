"""Slips of the keyboard, the ear and the scanner, over whole columns; each gives a wrong value or null.

Null: this value can't be garbled so. Every function takes a stream of its own.
"""

from datetime import date
from typing import Final

import polars as pl

from examples.draw import Draws

_NEIGHBOURS: Final = {
    "a": "sqz", "b": "vnh", "c": "xvd", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy",
    "i": "uok", "j": "hku", "k": "jli", "l": "kop", "m": "njk", "n": "bmh", "o": "ipl", "p": "olo",
    "q": "waw", "r": "etf", "s": "adw", "t": "ryg", "u": "yij", "v": "cbg", "w": "qes", "x": "zcs",
    "y": "tuh", "z": "xas",
}  # fmt: skip
"""Letters beside each letter of a British keyboard."""

_EAR: Final = (
    ("ph", "f"), ("ck", "k"), ("ie", "y"), ("ey", "y"), ("th", "t"), ("ee", "ea"), ("ai", "ay"), ("gh", ""),
    ("wh", "w"), ("ll", "l"), ("nn", "n"), ("tt", "t"), ("ss", "s"), ("rr", "r"), ("mm", "m"), ("z", "s"),
    ("v", "w"), ("ou", "u"), ("ei", "ie"), ("oo", "u"), ("c", "k"), ("k", "c"), ("i", "e"), ("e", "a"),
    ("o", "u"), ("a", "e"),
)  # fmt: skip
"""What the ear confuses, the more telling first: the first that occurs after the first letter is used."""

_EYE: Final = (
    ("rn", "m"), ("cl", "d"), ("li", "h"), ("vv", "w"), ("nn", "m"), ("m", "rn"), ("d", "cl"),
    ("h", "b"), ("u", "v"), ("l", "i"), ("i", "l"), ("e", "c"), ("n", "r"), ("a", "o"),
)  # fmt: skip
"""What optical reading confuses, letters by letters: digits in names are refused at intake."""

_SHORTEST: Final = 3
_FIRST_LETTER: Final = 0.07  # of keyboard slips: people look at the first letter
_CUT: Final = 0.6  # of a name that is cut off, what is left at least
_SWAPPABLE: Final = 12  # days that could be months
_LOOKALIKE: Final = {"0": "O", "1": "I", "5": "S", "8": "B"}


def _first_of(table: tuple[tuple[str, str], ...], name: pl.Expr) -> pl.Expr:
    rest = name.str.slice(1)
    chosen = pl.coalesce(
        pl.when(rest.str.contains(one, literal=True)).then(rest.str.replace(one, other, literal=True))
        for one, other in table
    )
    return name.str.head(1) + chosen


def _keyed(draws: Draws, name: pl.Expr, size: int) -> dict[str, pl.Expr]:
    length = name.str.len_chars().cast(pl.Int64)
    first = pl.lit(draws.below("first", size, _FIRST_LETTER))
    inside = 1 + (pl.lit(draws.uniform("place", size)) * (length - 1)).floor().cast(pl.Int64)
    place = pl.when(first).then(0).otherwise(inside)
    before, letter, after = name.str.head(place), name.str.slice(place, 1), name.str.slice(place + 1)
    lower = letter.str.to_lowercase()
    keys = draws.whole("key", size, 0, 3)
    beside = pl.coalesce(
        pl.when(pl.lit(keys == key)).then(
            lower.replace_strict(
                {a: b[key] for a, b in _NEIGHBOURS.items()}, default=None, return_dtype=pl.String
            )
        )
        for key in range(3)
    )
    wrong = pl.when(place == 0).then(beside.str.to_uppercase()).otherwise(beside)
    cut = (length * (_CUT + (1 - _CUT) * pl.lit(draws.uniform("cut", size)))).floor().cast(pl.Int64)
    return {
        "beside": before + wrong + after,
        "left out": before + after,
        "doubled": before + letter + lower + after,
        "put in": before + letter + beside + after,
        "swapped": before + after.str.head(1) + letter + after.str.slice(1),
        "cut off": name.str.head(cut),
    }


def mistyped(draws: Draws, names: pl.Series) -> pl.Series:
    """Each name with one slip: 24% a key beside, 22% a letter left out, 12% doubled, 6% put in, 14% swapped,
    3% cut off, 13% heard wrong, 6% read wrong by a machine.
    """
    size, name = len(names), pl.col("name")
    kinds = {
        "beside": 24,
        "left out": 22,
        "doubled": 12,
        "put in": 6,
        "swapped": 14,
        "cut off": 3,
        "ear": 13,
        "eye": 6,
    }
    slips = {**_keyed(draws, name, size), "ear": _first_of(_EAR, name), "eye": _first_of(_EYE, name)}
    kind = pl.lit(draws.choice("kind", size, dict(enumerate(kinds.values()))))
    found = pl.coalesce(pl.when(kind == number).then(slips[slip]) for number, slip in enumerate(kinds))
    long = name.str.len_chars() >= _SHORTEST
    wrong = names.alias("name").to_frame().select(pl.when(long & (found != name)).then(found))
    return wrong.to_series()


def day_and_month_swapped(births: pl.Series, latest: date) -> pl.Series:
    dob = pl.col("dob")
    month = pl.when(dob.dt.day() <= _SWAPPABLE).then(dob.dt.day())
    swapped = pl.date(dob.dt.year(), month, dob.dt.month())
    return _earlier(births, swapped, latest)


def _earlier(births: pl.Series, value: pl.Expr, latest: date) -> pl.Series:
    dob = pl.col("dob")
    wrong = value.is_between(date(1900, 1, 1), latest) & (value != dob)
    return births.alias("dob").to_frame().select(pl.when(wrong).then(value)).to_series()


def misdated(draws: Draws, births: pl.Series, latest: date) -> pl.Series:
    """Each date with one part wrong: 30% the day, by 1 or 10 or a digit; 22% the month; 40% the year, by 1,
    by 10, two digits swapped; 8% all, as of another person.
    """
    size = len(births)
    dob = pl.col("dob")
    year, month, day = (
        dob.dt.year().cast(pl.Int64),
        dob.dt.month().cast(pl.Int64),
        dob.dt.day().cast(pl.Int64),
    )
    step = pl.lit(draws.choice("step", size, {1: 4, -1: 4, 10: 2, -10: 2}))
    small = pl.lit(draws.choice("small", size, {1: 5, -1: 5, 2: 1, -2: 1, 3: 1, 6: 1}))
    turned = year // 100 * 100 + year % 10 * 10 + year % 100 // 10
    days = pl.lit(draws.whole("days", size, -2000, 2000))
    kind = pl.lit(draws.choice("kind", size, {0: 22, 1: 8, 2: 22, 3: 30, 4: 10, 5: 8}))

    def dated(y: pl.Expr, m: pl.Expr, d: pl.Expr) -> pl.Expr:
        fits = d.is_between(1, 28) & m.is_between(1, 12)
        return pl.date(
            pl.when(fits).then(y), pl.when(fits).then(m).otherwise(1), pl.when(fits).then(d).otherwise(1)
        )

    value = (
        pl.when(kind == 0)
        .then(dated(year, month, day + step))
        .when(kind == 1)
        .then(dated(year, month, day % 10 * 10 + day // 10))
        .when(kind == 2)  # noqa: PLR2004 - the third kind
        .then(dated(year, month + small, day))
        .when(kind == 3)  # noqa: PLR2004
        .then(dated(year + step, month, day))
        .when(kind == 4)  # noqa: PLR2004
        .then(dated(turned, month, day))
        .otherwise(dob + pl.duration(days=days))
    )
    return _earlier(births, value, latest)


def misplaced(draws: Draws, postcodes: pl.Series, letters: str) -> pl.Series:
    """Each postcode with one slip that leaves it well formed: 45% one of the last two letters, 25% these two
    swapped, 15% the sector's digit, 15% the district's number.
    """
    size, code = len(postcodes), pl.col("code")
    letter = pl.lit(draws.one_of("letter", size, list(letters)))
    digit = pl.lit(draws.whole("digit", size, 0, 10).cast(pl.String))
    kind = pl.lit(draws.choice("kind", size, {0: 23, 1: 22, 2: 25, 3: 15, 4: 15}))
    outward = code.str.slice(2).str.extract("^([0-9]+)")
    value = (
        pl.when(kind == 0)
        .then(code.str.head(-1) + letter)
        .when(kind == 1)
        .then(code.str.head(-2) + letter + code.str.tail(1))
        .when(kind == 2)  # noqa: PLR2004 - the third kind
        .then(code.str.head(-2) + code.str.tail(1) + code.str.head(-1).str.tail(1))
        .when(kind == 3)  # noqa: PLR2004
        .then(code.str.head(-3) + digit + code.str.tail(2))
        .otherwise(
            code.str.head(2) + (outward.cast(pl.Int64) % 9 + 1).cast(pl.String) + " " + code.str.tail(3)
        )
    )
    return postcodes.alias("code").to_frame().select(pl.when(value != code).then(value)).to_series()


def lookalikes(postcodes: pl.Series) -> pl.Series:
    """The sector's digit as the letter it looks like: a postcode that no intake takes."""
    code = pl.col("code")
    wrong = code.str.head(-2).str.tail(1).replace_strict(_LOOKALIKE, default=None, return_dtype=pl.String)
    return postcodes.alias("code").to_frame().select(code.str.head(-3) + wrong + code.str.tail(2)).to_series()
