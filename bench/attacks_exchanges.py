"""The tables about exchanges: lengths, gaps, times, successive lists, collisions (docs/privacy.md)."""

from collections.abc import Iterator
from statistics import median, stdev

import polars as pl

from bench.attacks_differ import differing, singled_out
from bench.attacks_guess import population_attack
from bench.attacks_size import (
    answer_lengths,
    answering_time,
    correlation,
    filled,
    nulls_from_length,
    patterns,
    table_bytes,
)
from bench.attacks_world import OTHER_SECRET, SECRET, WHOLE, Told, World, tokens_of
from bench.results import table
from examples.generator import POLICE_INDICATORS
from gateway.linkage.scheme import V1

NATIONAL_REGISTER, GREATEST_LIST = 60_000_000, 1_000_000
TIMED_REGISTER, TIMED_SHARES, REPEATS = 50_000, (0.0, 0.25, 0.5, 0.75, 1.0), 5
CHANGED = 0.01  # of the households leave, and as many join


def lengths(made: World, tokens: pl.DataFrame) -> Iterator[Told]:
    yield _request(tokens)
    yield _answer(tokens.height)
    yield _gaps(tokens)
    yield _filler(made, tokens)


def _request(tokens: pl.DataFrame) -> Told:
    def row(part: pl.DataFrame) -> tuple[str, ...]:
        length, nulls = table_bytes(part), sum(part.null_count().row(0))
        guess = nulls_from_length(length, part.height)
        return f"{part.height:,}", f"{length:,}", f"{nulls:,}", f"{guess:,.0f}"

    return Told(
        "Length of a request",
        table(
            ("Slots", "Bytes of the table", "Null tokens", "Guessed from length and slots"),
            *(row(tokens.head(tokens.height // share)) for share in (4, 2, 1)),
        ),
        "Length and number of slots stand in the signed manifest, which is not encrypted.",
    )


def _answer(units: int) -> Told:
    sizes = answer_lengths(units, POLICE_INDICATORS)
    return Told(
        "Length of an answer",
        table(
            ("Units", "Different lengths for no flag, a third, every flag"), (f"{units:,}", f"{len(sizes)}")
        ),
    )


def _gaps(tokens: pl.DataFrame) -> Told:
    rows = [(f"`{pattern}`", f"{slots:,}") for pattern, slots in patterns(tokens).rows()]
    labels = ", ".join(f"`{label}`" for label in V1.labels)
    return Told(
        "Which tokens a slot lacks", table(("1: has the token", "Slots"), *rows), f"In the order {labels}."
    )


def _filler(made: World, tokens: pl.DataFrame) -> Told:
    both = {"null where nothing is known": tokens, "random token instead": filled(tokens, 1)}

    def row(what: str, each: pl.DataFrame) -> tuple[str, ...]:
        found = population_attack(each, made.files[WHOLE], made.truth[WHOLE], careful=True)
        return what, f"{found.rightly:.2%}", f"{found.wrongly:.3%}", f"{table_bytes(each):,}"

    return Told(
        "What hiding the gaps would cost",
        table(("", "Slots matched rightly", "wrongly", "Bytes"), *(row(*each) for each in both.items())),
        "At the scheme's threshold: a filler counts as a component that both have and that disagrees.",
    )


def times(made: World, strangers: pl.DataFrame) -> Told:
    """Lists of one length of which ever more people are on the register."""
    file, on = made.files[WHOLE], made.truth[WHOLE].is_not_null()
    size = min(int(on.sum()), strangers.height)
    known, unknown = tokens_of(made.listed.filter(on)), tokens_of(strangers)
    register = pl.concat([file[made.truth[WHOLE].drop_nulls()], file]).unique(
        "person_id", maintain_order=True
    )
    register = register.head(max(TIMED_REGISTER, size))
    spent: dict[float, list[float]] = {share: [] for share in TIMED_SHARES}
    for share in TIMED_SHARES * REPEATS:
        cut = round(size * share)
        asked = pl.concat([known.head(cut), unknown.head(size - cut)])
        spent[share].append(answering_time(asked, register, POLICE_INDICATORS))
    order = correlation(*zip(*((share, each) for share in spent for each in spent[share]), strict=True))
    match = (median(spent[TIMED_SHARES[-1]]) - median(spent[TIMED_SHARES[0]])) / size
    noise = max(stdev(each) for each in spent.values())
    return Told(
        "Time that an agent takes to answer",
        table(
            ("Of the list on the register", "Median, s", "Least, s", "Most, s"),
            *(
                (f"{share:.0%}", f"{median(each):.3f}", f"{min(each):.3f}", f"{max(each):.3f}")
                for share, each in spent.items()
            ),
        ),
        f"{size:,} slots, {register.height:,} records, {REPEATS} runs each, processor time of the agent's "
        f"own code. Rank correlation of share and time: {order:.2f}. One match costs {match * 1e6:,.1f} "
        f"microseconds; the greatest standard deviation of equal runs is {noise * 1e3:,.1f} ms.",
    )


def successive(made: World) -> Iterator[Told]:
    yield _months(made)
    told = singled_out(made.listed["household_id"], made.flagged)
    yield Told(
        "A household asked about whole, then without one member",
        table(
            ("", "Bit of that member given away"),
            ("of everybody in a household of two or more", f"{told.people:.1%}"),
            ("of those among them who have a flag", f"{told.flagged:.1%}"),
            ("asked about beside an invented person instead", "100%"),
        ),
        "Household bits of the police register; the last line is by argument.",
    )


def _months(made: World) -> Told:
    homes = made.listed["household_id"].unique(maintain_order=True)
    changed = max(1, round(len(homes) * CHANGED))
    stay = len(homes) - changed
    lists = [
        made.listed.filter(pl.col("household_id").is_in(part.implode()))
        for part in (homes.head(stay), homes.tail(stay))
    ]
    row = made.listed.select("person_id").with_columns(made.truth[WHOLE].alias("row"))
    secrets = {
        "a key for each exchange, as it is": (OTHER_SECRET, SECRET),
        "one key for both (control)": (SECRET, SECRET),
    }
    found = {
        what: differing(lists[0], lists[1], made.files[WHOLE], row, pair, overlap=1.0)
        for what, pair in secrets.items()
    }
    return Told(
        "Two lists a month apart",
        table(
            ("", "Equal tokens", "Joined or left", "of them seen by the partner", "seen wrongly"),
            *(
                (what, f"{each.shared_tokens:,}", f"{each.there:,}", f"{each.right:,}", f"{each.wrong:,}")
                for what, each in found.items()
            ),
        ),
        f"{lists[0].height:,} and {lists[1].height:,} people, {changed} households joined and as many left; "
        "the partner kept both secrets and has a register with everybody.",
    )


def arithmetic() -> Told:
    def row(what: str, pairs: float) -> tuple[str, ...]:
        return what, f"{pairs:.1e}", *(f"{min(1.0, pairs / 2.0**bits):.0e}" for bits in (128, 64))

    return Told(
        "Chance of a collision, by arithmetic",
        table(
            ("", "Pairs", "Chance at 128 bits", "at 64 bits"),
            row("a slot and a record, any match key", NATIONAL_REGISTER * GREATEST_LIST * len(V1.keys)),
            row("two records, one match key", NATIONAL_REGISTER**2 / 2),
        ),
        f"{GREATEST_LIST:,} slots, {NATIONAL_REGISTER:,} records, {len(V1.keys)} match keys; pairs / 2^bits.",
    )
