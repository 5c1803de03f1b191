"""How a source writes people down: typing errors, old addresses, short names, swapped fields, gaps.

docs/example-data.md says where each rate comes from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from examples import slips
from examples.draw import Draws
from examples.names import spelt_otherwise
from examples.population import REFERENCE

_UNIT_LETTERS: Final = "ABDEFGHJLNPQRSTUWXYZ"
_ILL_KEPT, _ILL = 0.15, 3.4  # share of the records badly kept, and how many times the errors they have
_WELL: Final = (1 - _ILL_KEPT * _ILL) / (1 - _ILL_KEPT)  # so that the mean stays what the profile says
_NEWBORN: Final = REFERENCE - timedelta(
    days=42
)  # born after this, a child may be written down without a name
_UNNAMED: Final = 0.3
_MIDDLE_INITIAL: Final = 0.35  # of the middle names that are written
_LAST_PART: Final = 0.6  # of surnames of which one part is left
_AS_SURNAME, _IN_BOTH = 0.4, 0.75  # bounds: of those with one name, as surname; as forename; then in both
_JOINED: Final = 0.5  # of names with other marks: "Obrien", not "O Brien"
_LEAVES_HOME: Final = (17, 35)
_YOUNG_MOVE: Final = 3.0  # times as often as others do people of that age move alone
_TRANSLITERATED: Final = {
    **dict.fromkeys(("pakistani", "bangladeshi", "arabic", "somali"), 3.5),
    **dict.fromkeys(("hindu", "tamil", "sikh", "chinese", "turkish", "polish"), 2.0),
}
"""How many times as often names are spelt otherwise: they were written in other letters first, or by ear."""
_SURNAME_FIRST: Final = {"chinese": 6.0, "tamil": 4.0, "somali": 2.0, "east-african": 3.0}
"""How many times as often names are swapped between the fields."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Rates per row (`moved`: per household) of the list, in the order in which they are applied.

    register: what a register has of each of them.
    """

    register: float
    moved: float
    moved_alone: float
    renamed: float  # of those who have another surname
    short_name: float  # of those who are known by another forename
    other_spelling: float  # of forenames and surnames that have another spelling
    middle_written: float  # of those who have a middle name: in the forename's field
    middle_only: float  # of those: it stands for the forename
    initial_only: float
    plain_letters: float  # accents left out
    marks: float  # of names with apostrophe, hyphen or space: left out or put otherwise
    one_surname: float  # of surnames of two parts: one of them
    forename_slip: float
    surname_slip: float
    names_swapped: float
    day_month_swapped: float
    dob_slip: float
    postcode_slip: float
    sex_wrong: float
    placeholder: float  # "Unknown" for a name, 1 January 1900 for a birth: each this often
    no_forename: float
    no_dob: float
    no_postcode: float
    no_sex: float
    capitals: float  # not an error, and not fewer on a register
    no_nhs_number: float  # of listed people
    wrong_nhs_number: float  # of listed people: someone else's


PROFILES: Final = {
    "typical": Profile(
        register=0.4, moved=0.05, moved_alone=0.012, renamed=0.04, short_name=0.045,
        other_spelling=0.012, middle_written=0.03, middle_only=0.004, initial_only=0.002,
        plain_letters=0.35, marks=0.12, one_surname=0.15, forename_slip=0.012, surname_slip=0.012,
        names_swapped=0.003, day_month_swapped=0.003, dob_slip=0.008, postcode_slip=0.007,
        sex_wrong=0.003, placeholder=0.0005, no_forename=0.001, no_dob=0.003, no_postcode=0.015,
        no_sex=0.005, capitals=0.1, no_nhs_number=0.5, wrong_nhs_number=0.004,
    ),
    "hard": Profile(
        register=0.4, moved=0.125, moved_alone=0.025, renamed=0.10, short_name=0.13,
        other_spelling=0.05, middle_written=0.07, middle_only=0.012, initial_only=0.010,
        plain_letters=0.5, marks=0.3, one_surname=0.3, forename_slip=0.045, surname_slip=0.05,
        names_swapped=0.011, day_month_swapped=0.010, dob_slip=0.031, postcode_slip=0.022,
        sex_wrong=0.008, placeholder=0.002, no_forename=0.006, no_dob=0.011, no_postcode=0.05,
        no_sex=0.02, capitals=0.2, no_nhs_number=0.7, wrong_nhs_number=0.006,
    ),
}  # fmt: skip
"""`typical` is a well-kept case system against a well-kept register, `hard` one filled by telephone."""


class _Hand:
    """Writes a frame down, each kind of error from its own stream; some rows draw most of the errors."""

    def __init__(self, draws: Draws, people: pl.DataFrame, share: float) -> None:
        self.draws = draws
        self.people = people
        self.share = share
        ill = draws.below("ill-kept", people.height, _ILL_KEPT)
        self.care = pl.select(pl.when(ill).then(pl.lit(_ILL)).otherwise(pl.lit(_WELL))).to_series() * share

    def drawn(self, name: str, rate: float | pl.Series) -> pl.Series:
        return self.draws.below(name, self.people.height, self.care * rate)

    def err(self, name: str, rate: float | pl.Series, **columns: pl.Expr) -> None:
        self.change(name, self.drawn(name, rate), **columns)

    def change(self, name: str, hit: pl.Series, **columns: pl.Expr) -> None:
        """Replace `columns` in the rows hit, where all the new values are not null.

        The expressions may use the column `u`, a uniform number.
        """
        rows = self.people.with_row_index("at").filter(hit)
        rows = rows.with_columns(self.draws.uniform(f"{name}-u", rows.height).alias("u"))
        found = rows.select("at", **columns).drop_nulls()
        self.people = self.people.with_columns(
            self.people[column].scatter(found["at"], found[column]) for column in columns
        )

    def garble(
        self, name: str, rate: float | pl.Series, column: str, slip: Callable[[Draws, pl.Series], pl.Series]
    ) -> None:
        """Replace `column` in the rows drawn by what `slip` makes of it, where it can."""
        at = (self.drawn(name, rate) & self.people[column].is_not_null()).arg_true()
        values = self.people[column].gather(at)
        wrong = slip(self.draws.under(name), values)
        self.people = self.people.with_columns(
            self.people[column].scatter(at, pl.select(pl.coalesce(wrong, values)).to_series())
        )

    def clear(self, name: str, rate: float, column: str) -> None:
        empty = pl.lit(None, self.people.schema[column])
        hit = pl.lit(self.drawn(name, rate))
        self.people = self.people.with_columns(pl.when(hit).then(empty).otherwise(column).alias(column))


def _plain(name: str) -> pl.Expr:
    """Without accents; letters that do not decompose by table."""
    bare = pl.col(name).str.normalize("NFD").str.replace_all(r"\p{M}", "")
    return bare.str.replace_many(["ł", "Ł", "\N{LATIN SMALL LETTER DOTLESS I}"], ["l", "L", "i"])


def _addresses(hand: _Hand, profile: Profile, households: int) -> None:
    together = hand.draws.below("moved", households, profile.moved * hand.share).gather(
        hand.people["household"]
    )
    hand.change("moved", together, postcode=pl.col("old_postcode"))
    young = hand.people["age"].is_between(*_LEAVES_HOME).cast(pl.Float64) * (_YOUNG_MOVE - 1) + 1
    hand.err("moved-alone", young * profile.moved_alone, postcode=pl.col("former_home"))


def _other_names(hand: _Hand, profile: Profile) -> None:
    """Names that are the person's as well."""
    _one_name(hand)
    hand.err("short-name", profile.short_name, forename=pl.col("known_as"))
    more = hand.people["origin"].replace_strict(_TRANSLITERATED, default=1.0, return_dtype=pl.Float64)
    hand.err("renamed", profile.renamed, surname=pl.col("old_surname"))
    for column in ("forename", "surname"):
        hand.garble(f"{column}-spelling", more * profile.other_spelling, column, _spelling)
    parts = pl.col("surname").str.extract_groups(r"^(?<one>\p{L}{3,})[- ](?<two>\p{L}{3,})$")
    one = (
        pl.when(pl.col("u") < _LAST_PART).then(parts.struct.field("two")).otherwise(parts.struct.field("one"))
    )
    hand.err("one-surname", profile.one_surname, surname=one)


def _middle_names(hand: _Hand, profile: Profile) -> None:
    """In the forename's field: after it, instead of it; or an initial alone."""
    first, middle = pl.col("forename"), pl.col("middle")
    written = first + " " + pl.when(pl.col("u") < _MIDDLE_INITIAL).then(middle.str.head(1)).otherwise(middle)
    hand.err("middle-only", profile.middle_only, forename=middle)
    hand.err("initial-only", profile.initial_only, forename=first.str.head(1))
    hand.err("middle-written", profile.middle_written, forename=written)


def _one_name(hand: _Hand) -> None:
    """Who has one name alone stands with it in one field, the other empty, or in both."""
    single = pl.col("forename") == pl.col("surname")
    u = pl.lit(hand.draws.uniform("one-name", hand.people.height))
    hand.people = hand.people.with_columns(
        forename=pl.when(~(single & (u < _AS_SURNAME))).then("forename"),
        surname=pl.when(~(single & (u >= _AS_SURNAME) & (u < _IN_BOTH))).then("surname"),
    )


def _spelling(draws: Draws, names: pl.Series) -> pl.Series:
    return spelt_otherwise(names, draws.uniform("other", len(names)))


def _marks(hand: _Hand, profile: Profile) -> None:
    """Accents, apostrophes, hyphens, the space in Mc Donald: a matter of the source, not of care."""
    size = hand.people.height
    for column in ("forename", "surname"):
        plain = hand.draws.below(f"{column}-plain", size, profile.plain_letters)
        hand.change(f"{column}-plain", plain, **{column: _plain(column)})
        marked = hand.draws.below(f"{column}-marks", size, profile.marks)
        name = pl.col(column)
        spaced = name.str.replace_all("['-]", " ").str.replace("^(Ma?c)([A-Z])", "${1} ${2}")
        together = name.str.replace_all("[' -]", "")
        hand.change(
            f"{column}-marks",
            marked,
            **{column: pl.when(pl.col("u") < _JOINED).then(together).otherwise(spaced)},
        )


def _names(hand: _Hand, profile: Profile) -> None:
    _other_names(hand, profile)
    _marks(hand, profile)
    _middle_names(hand, profile)
    hand.garble("forename-slip", profile.forename_slip, "forename", slips.mistyped)
    hand.garble("surname-slip", profile.surname_slip, "surname", slips.mistyped)
    times = hand.people["origin"].replace_strict(_SURNAME_FIRST, default=1.0, return_dtype=pl.Float64)
    swapped = {"forename": pl.col("surname"), "surname": pl.col("forename")}
    hand.err("names-swapped", times * profile.names_swapped, **swapped)


def _birth(hand: _Hand, profile: Profile) -> None:
    hand.garble(
        "day-month",
        profile.day_month_swapped * 2.5,  # two of five days of birth can be a month other than their own
        "dob",
        lambda _, births: slips.day_and_month_swapped(births, REFERENCE),
    )
    hand.garble(
        "dob-slip", profile.dob_slip, "dob", lambda draws, births: slips.misdated(draws, births, REFERENCE)
    )


def _place(hand: _Hand, profile: Profile, *, well_formed: bool) -> None:
    hand.garble(
        "postcode-slip",
        profile.postcode_slip,
        "postcode",
        lambda draws, codes: slips.misplaced(draws, codes, _UNIT_LETTERS),
    )
    if not well_formed:
        hand.garble(
            "lookalike", profile.postcode_slip / 5, "postcode", lambda _, codes: slips.lookalikes(codes)
        )


def _gaps(hand: _Hand, profile: Profile) -> None:
    female = pl.col("sex") == "F"
    other = pl.when(female).then(pl.lit("M")).otherwise(pl.lit("F"))
    hand.err("sex-wrong", profile.sex_wrong, sex=other)
    newborn = pl.when(pl.col("dob") > _NEWBORN).then(pl.lit("Baby"))
    hand.err("unnamed", _UNNAMED, forename=newborn)
    for column, value in (("forename", "Unknown"), ("surname", "Unknown"), ("dob", pl.date(1900, 1, 1))):
        unknown = value if isinstance(value, pl.Expr) else pl.lit(value)
        hand.err(f"{column}-unknown", profile.placeholder, **{column: unknown})
    for column, rate in (
        ("forename", profile.no_forename),
        ("dob", profile.no_dob),
        ("postcode", profile.no_postcode),
        ("sex", profile.no_sex),
    ):
        hand.clear(f"no-{column}", rate, column)


def write_down(
    draws: Draws,
    people: pl.DataFrame,
    profile: Profile,
    households: int,
    *,
    share: float = 1.0,
    well_formed: bool = True,
) -> pl.DataFrame:
    """The same rows as a source has them. `household` is below `households`.

    share: of the profile's rates. well_formed: a wrong value stays one that intake takes. NHS numbers are
    left alone: how many a source holds is not a matter of slips.
    """
    hand = _Hand(draws, people, share)
    _addresses(hand, profile, households)
    _names(hand, profile)
    _birth(hand, profile)
    _place(hand, profile, well_formed=well_formed)
    _gaps(hand, profile)
    capitals = draws.below("capitals", people.height, profile.capitals)
    for name in ("forename", "surname"):
        hand.change(f"{name}-capitals", capitals, **{name: pl.col(name).str.to_uppercase()})
    return hand.people
