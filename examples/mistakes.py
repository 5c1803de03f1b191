"""How a source writes people down: typing errors, old addresses, short names, swapped fields, gaps."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from examples.draw import Draws, Groups
from examples.names import table
from examples.population import REFERENCE

_LETTERS: Final = "aeiorstlnmdu"
_SHORTEST: Final = 4  # letters a name must have for a slip in its middle
_SWAPPABLE: Final = 12  # days that could be months


@dataclass(frozen=True, slots=True)
class Profile:
    """Rates per row (`moved`: per household), in the order in which they are applied."""

    moved: float
    renamed: float  # of those who have a former surname
    short_name: float  # of those whose name has a short form
    plain_letters: float  # accents left out
    one_barrel: float  # of double-barrelled surnames
    forename_slip: float
    surname_slip: float
    names_swapped: float
    day_month_swapped: float
    dob_slip: float
    postcode_slip: float
    no_forename: float
    no_dob: float
    no_postcode: float
    capitals: float
    no_nhs_number: float  # of listed people
    wrong_nhs_number: float  # of listed people: someone else's


PROFILES: Final = {
    "typical": Profile(
        moved=0.06, renamed=0.03, short_name=0.05, plain_letters=0.3, one_barrel=0.2, forename_slip=0.012,
        surname_slip=0.015, names_swapped=0.004, day_month_swapped=0.005, dob_slip=0.006, postcode_slip=0.006,
        no_forename=0.001, no_dob=0.003, no_postcode=0.015, capitals=0.1, no_nhs_number=0.5,
        wrong_nhs_number=0.002,
    ),
    "hard": Profile(
        moved=0.16, renamed=0.08, short_name=0.12, plain_letters=0.5, one_barrel=0.4, forename_slip=0.04,
        surname_slip=0.05, names_swapped=0.015, day_month_swapped=0.02, dob_slip=0.025, postcode_slip=0.02,
        no_forename=0.008, no_dob=0.012, no_postcode=0.05, capitals=0.2, no_nhs_number=0.7,
        wrong_nhs_number=0.005,
    ),
}  # fmt: skip
"""`typical` is a well-kept case system, `hard` one filled by telephone."""


class _Hand:
    """Applies slips to a frame, each from its own stream."""

    def __init__(self, draws: Draws, people: pl.DataFrame) -> None:
        self.draws = draws
        self.people = people

    def change(self, name: str, rate: float, when: pl.Expr, **columns: pl.Expr) -> None:
        """Replace `columns` in the rows that are drawn and for which `when` holds."""
        hit = pl.lit(self.draws.below(name, self.people.height, rate)) & when
        self.people = self.people.with_columns(
            **{column: pl.when(hit).then(value).otherwise(column) for column, value in columns.items()}
        )

    def slip(self, column: str, rate: float) -> None:
        """One letter left out, doubled, swapped with the next or replaced; never the first."""
        size = self.people.height
        uniform = self.draws.uniform(f"{column}-place", size)
        kind = pl.lit(self.draws.whole(f"{column}-kind", size, 0, 4))
        other = pl.lit(
            self.draws.whole(f"{column}-letter", size, 0, len(_LETTERS)).replace_strict(
                dict(enumerate(_LETTERS)), return_dtype=pl.String
            )
        )
        text = pl.col(column)
        at = 1 + (pl.lit(uniform) * (text.str.len_chars() - 2)).floor().cast(pl.Int64)
        before, here, after = text.str.slice(0, at), text.str.slice(at, 1), text.str.slice(at + 1)
        following, rest = text.str.slice(at + 1, 1), text.str.slice(at + 2)
        slipped = (
            pl.when(kind == 0)
            .then(before + after)
            .when(kind == 1)
            .then(before + here + here + after)
            .when(kind == 2)  # noqa: PLR2004 - the third of four kinds
            .then(before + following + here + rest)
            .otherwise(before + other + after)
        )
        self.change(f"{column}-slip", rate, text.str.len_chars() >= _SHORTEST, **{column: slipped})


def _short_names(draws: Draws, forename: pl.Series) -> pl.Series:
    names = table("nicknames").select(pl.lit(1).alias("weight"), group="name", name="short")
    known = forename.filter(forename.is_in(names["group"].unique().implode()))
    drawn = Groups.of(names).draw(known, draws.uniform("short", len(known)))
    found = pl.DataFrame({"at": forename.is_in(names["group"].unique().implode()).arg_true(), "short": drawn})
    everyone = pl.DataFrame({"at": pl.int_range(len(forename), dtype=pl.get_index_type(), eager=True)})
    return everyone.join(found, on="at", how="left", maintain_order="left")["short"]


def _plain(name: str) -> pl.Expr:
    """Without accents; letters that do not decompose by table."""
    bare = pl.col(name).str.normalize("NFD").str.replace_all(r"\p{M}", "")
    return bare.str.replace_many(["ł", "Ł", "\N{LATIN SMALL LETTER DOTLESS I}"], ["l", "L", "i"])


def _names(hand: _Hand, profile: Profile) -> None:
    short = pl.lit(_short_names(hand.draws, hand.people["forename"]))
    hand.change("short-name", profile.short_name, short.is_not_null(), forename=short)
    former = pl.col("old_surname")
    hand.change("renamed", profile.renamed, former.is_not_null(), surname=former)
    barrels = pl.col("surname").str.split("-")
    double = pl.col("surname").str.contains(r"^\p{L}{3,}-\p{L}{3,}$")
    hand.change("one-barrel", profile.one_barrel, double, surname=barrels.list.last())
    always = pl.lit(value=True)
    plain = {name: _plain(name) for name in ("forename", "surname")}
    hand.change("plain", profile.plain_letters, always, **plain)
    hand.slip("forename", profile.forename_slip)
    hand.slip("surname", profile.surname_slip)
    swapped = {"forename": pl.col("surname"), "surname": pl.col("forename")}
    hand.change("names-swapped", profile.names_swapped, always, **swapped)
    upper = {name: pl.col(name).str.to_uppercase() for name in ("forename", "surname")}
    hand.change("capitals", profile.capitals, always, **upper)


def _birth(hand: _Hand, profile: Profile) -> None:
    dob = pl.col("dob")
    month = pl.when(dob.dt.day() <= _SWAPPABLE).then(dob.dt.day())
    swapped = pl.date(dob.dt.year(), month, dob.dt.month())
    hand.change("day-month", profile.day_month_swapped, swapped <= REFERENCE, dob=swapped)
    days = pl.lit(hand.draws.choice("dob-by", hand.people.height, {-366: 1, -10: 2, -1: 3, -365: 3, -31: 2}))
    hand.change("dob-slip", profile.dob_slip, pl.lit(value=True), dob=dob + pl.duration(days=days))


def _postcode(hand: _Hand, profile: Profile) -> None:
    always = pl.lit(value=True)
    unit = pl.lit(
        hand.draws.whole("unit", hand.people.height, 0, 6).replace_strict(
            dict(enumerate("ABDEFG")), return_dtype=pl.String
        )
    )
    hand.change(
        "postcode-slip", profile.postcode_slip, always, postcode=pl.col("postcode").str.head(-1) + unit
    )


def write_down(draws: Draws, people: pl.DataFrame, profile: Profile, households: int) -> pl.DataFrame:
    """The same rows as a source has them; a wrong value stays a valid one. `household` is below `households`.

    NHS numbers are left alone: how many a source holds is not a matter of slips.
    """
    hand = _Hand(draws, people)
    moved = draws.below("moved", households, profile.moved)
    hand.people = people.with_columns(
        postcode=pl.when(pl.lit(moved.gather(people["household"]))).then("old_postcode").otherwise("postcode")
    )
    _names(hand, profile)
    _birth(hand, profile)
    _postcode(hand, profile)
    always, nothing = pl.lit(value=True), pl.lit(None)
    hand.change("no-forename", profile.no_forename, always, forename=nothing)
    hand.change("no-dob", profile.no_dob, always, dob=nothing)
    hand.change("no-postcode", profile.no_postcode, always, postcode=nothing)
    return hand.people
