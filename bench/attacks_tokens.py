"""The tables about tokens: with the exchange's key, without it, and of households (docs/privacy.md)."""

from collections.abc import Iterator
from datetime import date

import polars as pl

from bench.attacks_frequency import Buckets, alignment, buckets, crowds, graph_attack, joined
from bench.attacks_guess import dictionaries, dictionary_attack, population_attack
from bench.attacks_household import shown
from bench.attacks_world import OTHER_SECRET, WHOLE, Told, World, tokens_of
from bench.results import table
from gateway.linkage.normalise import normalise
from gateway.linkage.scheme import V1

BORN = (date(1926, 1, 1), date(2026, 9, 1))
BEARERS = 3  # of a name in the population, for a published table of names to have it
DICTIONARY_SLOTS = 2_000
COUNTRY = {"postcode sectors": 11_000, "surnames": 100_000, "forenames": 20_000}


def with_the_key(made: World, tokens: pl.DataFrame) -> Iterator[Told]:
    yield _population(made, tokens)
    yield _dictionary(made, tokens.head(DICTIONARY_SLOTS))


def _population(made: World, tokens: pl.DataFrame) -> Told:
    def row(name: str, file: pl.DataFrame) -> tuple[str, ...]:
        both = [
            population_attack(tokens, file, made.truth[name], careful=careful) for careful in (True, False)
        ]
        return name, *(f"{share:.2%}" for each in both for share in (each.rightly, each.wrongly))

    head = ("File covers", "Named rightly", "Named wrongly", "Greedy: rightly", "Greedy: wrongly")
    return Told(
        "A population file and the exchange's key",
        table(head, *(row(name, file) for name, file in made.files.items())),
        f"Shares of the list's {tokens.height:,} slots. Greedy: the best candidate, however weak.",
    )


def _dictionary(made: World, tokens: pl.DataFrame) -> Told:
    file = made.files[WHOLE]
    public = dictionaries(
        _published(file["surname"]),
        _published(file["forename"]),
        file["postcode"].drop_nulls().unique(),
        born=BORN,
    )
    steps, known = dictionary_attack(tokens, public)
    sought = [field for field in ("forename", "surname", "dob") if field in known.columns]
    whole = known.drop_nulls(sought).height / known.height if sought else 0.0
    hashes, seconds = sum(step.hashes for step in steps), sum(step.seconds for step in steps)
    rows = [
        (step.gives, f"`{step.key}`", f"{step.hashes:,}", f"{step.seconds:.1f}", f"{step.found:.2%}")
        for step in steps
    ]
    rate = hashes / seconds if seconds else 1.0
    by_slot = COUNTRY["surnames"] + COUNTRY["forenames"]
    country = len(public["dob"]) * COUNTRY["postcode sectors"] + tokens.height * by_slot
    sizes = ", ".join(f"{len(values):,} values of {field}" for field, values in public.items())
    return Told(
        "Public dictionaries and the exchange's key, no file of people",
        table(
            ("Field", "Through match key", "Hashes", "Seconds", "Slots whose field is found"),
            *rows,
            (", ".join(sought), "", f"{hashes:,}", f"{seconds:.1f}", f"{whole:.2%}"),
        ),
        f"{tokens.height:,} slots; {sizes}; {rate / 1e6:.2f} million hashes a second. By arithmetic, with "
        f"dictionaries of a country ({', '.join(f'{size:,} {what}' for what, size in COUNTRY.items())}): "
        f"{country / 1e6:,.0f} million hashes, {country / rate / 60:,.1f} minutes at this rate.",
    )


def _published(names: pl.Series) -> pl.Series:
    """The names that several people bear, without how many: slips of the pen are not among them."""
    counted = names.drop_nulls().str.to_uppercase().alias("name").value_counts(name="rows")
    return counted.filter(pl.col("rows") >= BEARERS)["name"].sort()


def without_the_key(made: World, tokens: pl.DataFrame) -> Iterator[Told]:
    register = tokens_of(made.files[WHOLE])
    yield _buckets(tokens, register)
    yield _alignment(made, tokens, register)
    yield _graph(made, tokens, register)
    yield _crowds(tokens, register)


def _buckets(tokens: pl.DataFrame, register: pl.DataFrame) -> Told:
    def cells(each: Buckets) -> tuple[str, ...]:
        lost = abs(each.most - each.entropy)  # never below 0 but for rounding
        return f"{each.absent:.1%}", f"{each.unique:.2%}", f"{each.largest}", f"{lost:.3f}"

    head = ("null", "alone", "largest", "bits lost")
    rows = [
        (f"`{label}`", *cells(buckets(tokens[label])), *cells(buckets(register[label])))
        for label in V1.labels
    ]
    return Told(
        "Buckets of equal tokens",
        table(
            ("Match key", *(f"List: {name}" for name in head), *(f"Register: {name}" for name in head)), *rows
        ),
        f"{tokens.height:,} slots; {register.height:,} records. Alone: of the rows with a token, those whose "
        "token nobody shares. Bits lost: log2(rows with a token) less the entropy of the tokens; 0 is no "
        "repetition.",
    )


def _alignment(made: World, tokens: pl.DataFrame, register: pl.DataFrame) -> Told:
    """The attacker's knowledge is the most that there can be: the plain register itself."""
    people = [made.listed, made.files[WHOLE]]
    values = [normalise(each) for each in people]
    cases = {
        f"`{key.label}`": (
            [tokens[key.label], register[key.label]],
            [joined(each, key.parts) for each in values],
        )
        for key in V1.keys
    }
    names = [each["surname"].str.to_uppercase() for each in people]
    # any keyed hash of the surname alone would be such a column
    cases["surname alone (no match key; control)"] = [each.hash(7) for each in names], names

    def cells(columns: list[pl.Series], plain: list[pl.Series]) -> tuple[str, ...]:
        one, other = (alignment(*both, plain[1]) for both in zip(columns, plain, strict=True))
        shares = one.rightly, one.guessed, other.rightly, other.certain, other.guessed
        return tuple(f"{share:.3%}" for share in shares)

    head = ("List: right", "List: by chance", "Register: right", "Register: certain", "Register: by chance")
    return Told(
        "Frequency alignment",
        table(("Match key", *head), *((what, *cells(*columns)) for what, columns in cases.items())),
        "The attacker has the register's plain values, which is more than any sample. Certain: rows whose "
        "frequency occurs once on both sides.",
    )


def _graph(made: World, tokens: pl.DataFrame, register: pl.DataFrame) -> Told:
    everybody = tokens_of(made.files[WHOLE], OTHER_SECRET)
    half = tokens_of(made.files["50%"], OTHER_SECRET)
    itself = tokens_of(made.listed, OTHER_SECRET)
    homes = made.listed["household_id"]
    cases = {
        "Register stolen; attacker has that very register in plain": (register, everybody, _same(register)),
        "List stolen; attacker has that very list in plain": (tokens, itself, _same(tokens)),
        "The same, household handles with it": (
            tokens.with_columns(homes),
            itself.with_columns(homes),
            _same(tokens),
        ),
        "List stolen; attacker has a file of everybody": (tokens, everybody, made.truth[WHOLE]),
        "List stolen; attacker has a file of half of them": (tokens, half, made.truth["50%"]),
    }
    found = {what: graph_attack(*case) for what, case in cases.items()}
    return Told(
        "Graph attack: rows told apart by equal tokens and gaps alone",
        table(
            ("", "Different looks", "Unique in their look", "Paired rightly", "Paired wrongly"),
            *(
                (what, *(f"{share:.2%}" for share in (each.looks, each.unique, each.rightly, each.wrongly)))
                for what, each in found.items()
            ),
        ),
        "Weisfeiler-Leman refinement over all match keys at once; no key is needed, equality is all it uses. "
        "Different looks, of the rows: what drawing blindly among rows of one look names, given that table.",
    )


def _crowds(tokens: pl.DataFrame, register: pl.DataFrame) -> Told:
    found = crowds(tokens, register)
    return Told(
        "Crowd behind a slot that shares a token with another",
        table(
            ("Slots that share one", "Least crowd", "Median crowd", "Named at best", "By chance"),
            (
                f"{found.slots:.2%}",
                f"{found.least}",
                f"{found.median}",
                f"{found.named:.3%}",
                f"{1 / register.height:.3%}",
            ),
        ),
        "Crowd: people of the attacker's file of everybody who are in a pair that agrees on the same match "
        "keys (twins, father and son of one name). Named at best: drawing one of the crowd, share of all.",
    )


def _same(rows: pl.DataFrame) -> pl.Series:
    return pl.int_range(rows.height, dtype=pl.UInt32, eager=True)


def households(made: World, tokens: pl.DataFrame) -> Iterator[Told]:
    homes = made.listed["household_id"]
    found = {f"`{label}`": shown(tokens, homes, [label]) for label in V1.labels}
    found["all together"] = shown(tokens, homes, V1.labels)
    yield Told(
        "Households from equal tokens, without handles",
        table(
            ("Match key", "Pairs of slots", "of one household", "of all such pairs", "Slots in a pair"),
            *(
                (what, f"{each.pairs:,}", f"{each.precision:.1%}", f"{each.recall:.2%}", f"{each.slots:.2%}")
                for what, each in found.items()
            ),
        ),
        "What a list of policy granularity `person-indicators` still shows of who lives with whom.",
    )
