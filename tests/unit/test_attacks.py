"""The attacks of bench/attacks.py find a weakness that is planted, and only then: so the bench can fail."""

import re
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from bundle_world import COUNCIL, PREKEY, TRUST, header, secret_of

from bench import attacks, attacks_exchanges, attacks_tokens
from bench.attacks_differ import differing, singled_out
from bench.attacks_frequency import alignment, buckets, crowds, graph_attack, signatures
from bench.attacks_guess import dictionaries, dictionary_attack, population_attack
from bench.attacks_household import shown
from bench.attacks_size import (
    answer_lengths,
    answering_time,
    correlation,
    filled,
    nulls_from_length,
    patterns,
    table_bytes,
)
from bench.attacks_world import OTHER_SECRET, SECRET, SOMEBODY, fields_of, only, tokens_of, world
from examples.generator import POLICE_INDICATORS, generate
from gateway.linkage.scheme import V1
from gateway.linkage.secret import exchange_secret, one_time_public, x25519
from gateway.service.preparing import _shuffle

WHOLE = "100%"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def small():
    return world("7", 30, 1500, (1.0,))


@pytest.fixture(scope="module")
def tokens(small):
    return tokens_of(small.listed)


def public(people: pl.DataFrame) -> dict[str, pl.Series]:
    """Dictionaries that hold these people's values, among ninety days and a few names."""
    return dictionaries(
        pl.concat([people["surname"], pl.Series(["Okafor", "Nowak"])]),
        pl.concat([people["forename"], pl.Series(["Zainab", "Owen"])]),
        pl.concat([people["postcode"], pl.Series(["JB1 1AA"])]),
        born=(date(1961, 1, 1), date(1961, 4, 1)),
    )


def copies(*sizes: int) -> pl.Series:
    """Values that occur so often."""
    return pl.concat([pl.Series([f"v{i}"] * size) for i, size in enumerate(sizes)])


def test_a_population_file_names_the_list_under_its_key(small, tokens):
    """Whoever holds the exchange's secret and a file of everybody names nearly every slot."""
    named = population_attack(tokens, small.files[WHOLE], small.truth[WHOLE], careful=True)
    assert named.rightly > 0.9
    assert named.wrongly < 0.02


def test_a_population_file_names_nobody_without_the_key(small, tokens):
    """Under another exchange's secret the same file names not a single slot."""
    file, truth = small.files[WHOLE], small.truth[WHOLE]
    named = population_attack(tokens, file, truth, careful=False, secret=OTHER_SECRET)
    assert (named.rightly, named.wrongly) == (0, 0)


def test_a_table_of_unkeyed_hashes_falls_to_anybody(small):
    """A planted weakness: under a secret that everybody knows, an outsider is a curious partner."""
    known = bytes(32)
    weak = tokens_of(small.listed, known)
    named = population_attack(weak, small.files[WHOLE], small.truth[WHOLE], careful=True, secret=known)
    assert named.rightly > 0.9


def test_public_dictionaries_spell_a_person_out_under_the_key():
    """With the key, lists of names, days and postcodes are enough: no file of people is needed."""
    steps, known = dictionary_attack(tokens_of(SOMEBODY), public(SOMEBODY))
    assert {step.gives for step in steps} >= {"dob", "forename", "surname"}
    sought = ["dob", "forename", "surname"]
    assert known.select(sought).row(0) == SOMEBODY.select(sought).row(0)


def test_public_dictionaries_find_nothing_without_the_key():
    """Under another secret no field of anybody comes out."""
    steps, known = dictionary_attack(tokens_of(SOMEBODY), public(SOMEBODY), OTHER_SECRET)
    assert {step.found for step in steps} <= {0.0}
    assert all(known[step.gives].null_count() == 1 for step in steps)


def test_a_person_outside_the_dictionaries_is_not_found():
    """The attack finds what it tries, and claims nothing else."""
    other = SOMEBODY.with_columns(dob=date(1975, 6, 5))
    assert {step.found for step in dictionary_attack(tokens_of(other), public(SOMEBODY))[0]} <= {0.0}


def test_tokens_of_one_key_alone_are_those_of_the_scheme():
    """The attacks hash one match key at a time and get the scheme's own tokens."""
    whole = tokens_of(SOMEBODY)
    assert all(tokens_of(SOMEBODY, SECRET, only(key)).item() == whole[key.label].item() for key in V1.keys)


def test_no_match_key_reads_a_single_field():
    """Every match key needs two columns or more: none can be searched by one short dictionary."""
    assert all(len(fields_of(key)) > 1 for key in V1.keys)


def test_buckets_are_counted():
    """Of three equal values, one single and one missing: shares, the largest and the entropy lost."""
    found = buckets(pl.Series(["a", "a", "a", "b", None]))
    assert (found.absent, found.unique, found.largest) == (pytest.approx(0.2), 0.25, 3)
    assert found.most - found.entropy == pytest.approx(2 - 0.8113, abs=1e-4)
    assert buckets(pl.Series([None], dtype=pl.Binary)).absent == 1


def test_uneven_frequencies_fall_to_alignment():
    """A planted weakness: values of different frequency are named rightly, whatever the hash."""
    values = copies(50, 20, 5, 2)
    assert alignment(values.hash(3), values, values).rightly == 1
    assert alignment(values.hash(3), values, values).certain == 1


def test_even_frequencies_withstand_alignment():
    """Where every value occurs once, alignment is a guess, and nothing is certain."""
    values = copies(*[1] * 2000)
    found = alignment(values.hash(3), values, values)
    assert found.rightly < 0.01
    assert found.certain == 0


def test_a_telling_structure_falls_to_the_graph_attack():
    """A planted weakness: rows of unlike neighbourhoods are paired rightly under any key."""
    own = pl.DataFrame({"a": copies(1, 2, 3), "b": copies(3, 2, 1), "c": pl.Series(list("uuvwxy"))})
    stolen = own.select(pl.all().hash(5)).reverse()
    found = graph_attack(stolen, own, pl.Series([5, 4, 3, 2, 1, 0], dtype=pl.UInt32))
    assert found.unique == found.rightly > 0.5
    assert found.wrongly == 0


def test_rows_that_share_nothing_look_alike():
    """Without repetition and gaps there is one look for all: the graph attack pairs nobody."""
    rows = pl.DataFrame({"a": copies(*[1] * 50), "b": copies(*[1] * 50)})
    assert signatures(rows).n_unique() == 1
    assert graph_attack(rows, rows, pl.Series(range(50))).rightly == 0


def test_a_kind_of_pair_that_two_people_share_names_them():
    """A planted weakness: the only twins of the file are a crowd of two, and everybody else is not."""
    people = pl.concat([SOMEBODY] * 10).with_columns(
        surname=pl.Series([f"Name{chr(65 + i) * 3}" for i in range(10)]),
        dob=pl.Series([date(1960 + i, 1 + i, 2 + i) for i in range(10)]),
        postcode=pl.Series([f"JB{i} {i}AA" for i in range(10)]),
        nhs_number=pl.lit(None, pl.String),
    )
    twins = people.with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(pl.col(name).first()).otherwise(name).alias(name)
        for name in ("surname", "dob", "postcode")
    ).with_columns(forename=pl.Series(["Ada", "Beth", *[f"Cl{chr(97 + i) * 4}" for i in range(8)]]))
    found = crowds(tokens_of(twins), tokens_of(twins, OTHER_SECRET))
    assert (found.least, found.slots) == (2, 0.2)
    assert crowds(tokens_of(people.head(1)), tokens_of(people)).least is None


def test_a_household_key_gives_households_away():
    """A planted weakness: a token of surname and address joins all members, and nobody else."""
    homes = pl.Series(["h1", "h1", "h1", "h2", "h2", "h3"])
    found = shown(pl.DataFrame({"home": homes.hash(1), "own": pl.Series(range(6))}), homes, ["home", "own"])
    assert (found.pairs, found.precision, found.recall) == (4, 1.0, 1.0)
    assert found.slots == pytest.approx(5 / 6)


def test_tokens_of_one_person_each_give_no_household_away():
    """Where nothing repeats, no pair is found; a token shared by strangers counts against precision."""
    homes = pl.Series(["h1", "h1", "h2"])
    assert shown(pl.DataFrame({"own": pl.Series(range(3))}), homes, ["own"]).pairs == 0
    assert shown(pl.DataFrame({"own": pl.Series([1, 2, 1])}), homes, ["own"]).precision == 0


def test_the_length_of_a_request_tells_its_gaps():
    """A leak that docs/privacy.md admits: length and slots give the number of null tokens, nearly."""
    tokens = tokens_of(generate("7", 150, []).household_list)
    nulls = sum(tokens.null_count().row(0))
    assert nulls_from_length(table_bytes(tokens), tokens.height) == pytest.approx(nulls, rel=0.1)


def test_filling_the_gaps_hides_them(tokens):
    """With a random token for each null there is one pattern, and real tokens stay as they were."""
    full = filled(tokens, 1)
    assert patterns(full).height == 1 < patterns(tokens).height
    assert full.select(pl.all().is_null().any()).row(0) == (False,) * len(V1.labels)
    label = V1.labels[0]
    assert full[label].filter(tokens[label].is_not_null()).equals(tokens[label].drop_nulls())


@pytest.mark.parametrize("units", [1, 8, 1001])
def test_an_answer_is_as_long_whatever_is_met(units):
    """Without a flag, with a third and with all: one length."""
    assert len(answer_lengths(units, POLICE_INDICATORS)) == 1


def test_answering_is_timed_on_the_agents_own_code(small, tokens):
    """The clock runs over a whole answer."""
    assert answering_time(tokens, small.files[WHOLE], POLICE_INDICATORS) > 0


def test_correlation_is_of_ranks():
    """What grows together has 1, what falls -1."""
    assert correlation([1, 2, 3], [1, 10, 1000]) == pytest.approx(1)
    assert correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


@pytest.mark.parametrize(("secrets", "alike"), [((OTHER_SECRET, SECRET), False), ((SECRET, SECRET), True)])
def test_successive_lists_share_no_token_unless_they_share_a_key(small, secrets, alike):
    """Under a fresh key nothing of a list recurs; a planted shared key shows at once; joiners are seen."""
    row = small.listed.select("person_id").with_columns(small.truth[WHOLE].alias("row"))
    first, second = small.listed.head(-3), small.listed
    found = differing(first, second, small.files[WHOLE], row, secrets, overlap=1.0)
    assert (found.shared_tokens > 0) is alike
    assert found.there == 3
    assert found.right + found.wrong <= 3


def test_asking_twice_singles_out_whose_household_has_no_other_flag():
    """Only a flag that stands alone in its household shows by leaving its person out."""
    homes = pl.Series(["one flag", "one flag", "two flags", "two flags", "none", "none", "alone"])
    flags = pl.Series([True, False, True, True, False, False, True])
    found = singled_out(homes, flags)
    assert found.people == pytest.approx(3 / 6)
    assert found.flagged == pytest.approx(1 / 3)


def test_the_place_in_the_table_comes_from_random_numbers_alone(small):
    """Slots are shuffled: the order of the file decides neither slots nor household handles."""
    people = small.listed.select("person_id", "household_id")
    falling = SimpleNamespace(
        entropy=lambda size: b"".join(number.to_bytes(8, "little") for number in range(size // 8, 0, -1))
    )
    slots, handles = _shuffle(falling, people)
    assert slots["person_id"].to_list() == people["person_id"].to_list()[::-1]
    assert handles == people["household_id"].unique(maintain_order=True).to_list()[::-1]


def test_the_report_runs_and_numbers_its_tables(monkeypatch):
    """Every table is made at a small size, each with a title of its own."""
    monkeypatch.setattr(attacks_tokens, "BORN", (date(2000, 1, 1), date(2000, 3, 1)))
    monkeypatch.setattr(attacks_exchanges, "REPEATS", 2)
    told = list(attacks.report("7", 30, 1500))
    assert len({each.title for each in told}) == len(told) > 10
    assert all("nan" not in each.markdown(1) for each in told)


def test_both_static_keys_open_nothing():
    """Whoever steals both parties' static keys afterwards gets no secret out of any pair of keys it has."""
    manifest = header()
    one_time, prekey = manifest.one_time, one_time_public(PREKEY)
    council, trust = COUNCIL.identity.exchange, TRUST.identity.exchange
    static = x25519(COUNCIL.static, trust)
    within_reach = [
        x25519(stolen.static, public)
        for stolen in (COUNCIL, TRUST)
        for public in (one_time, prekey, council, trust)
    ]
    secrets = {exchange_secret(found, static, manifest.secret_context) for found in within_reach}
    assert len(secrets) > 4
    assert secret_of(manifest) not in secrets


def test_the_privacy_page_names_tests_and_modules_that_exist():
    """Each test and each module that docs/privacy.md leans on is there."""
    page = " ".join((ROOT / "docs" / "privacy.md").read_text().split())
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > 20
    assert [name for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []
    modules = re.findall(r"`((?:gateway|policies|adapters)/[\w/]+\.py)`", page)
    assert [path for path in modules if not (ROOT / path).exists()] == []


def test_the_privacy_page_cites_tables_that_exist():
    """Each table that docs/privacy.md cites opens a title in bench/ATTACKS.md, and each of those is cited."""
    page = " ".join((ROOT / "docs" / "privacy.md").read_text().split())
    cited = set(re.findall(r'table "([^"]+)"', page))
    titles = re.findall(r"^## Table \d+\. (.+)$", (ROOT / "bench" / "ATTACKS.md").read_text(), re.MULTILINE)
    assert all(sum(title.startswith(name) for title in titles) == 1 for name in cited)
    assert all(any(title.startswith(name) for name in cited) for title in titles)
