"""What a permit rests on, entry by entry; found by mutation (tests/mutation.py)."""

import dataclasses
from datetime import UTC, date, datetime

import pytest
from sound_terms import sound_terms

from policies.decision import Question, Unmet, decide
from policies.grounds import grounds, heads
from policies.legs import Case
from policies.loader import builtin, load
from policies.model import ConsentRule, Gateways, LawEntry, Serves, Span

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICIES = load(builtin())


def entry(name: str, *, serves: tuple[Serves, ...] = (), needs=(), needs_any=()) -> LawEntry:
    return LawEntry(
        id=name,
        serves=serves,
        title=name,
        citation=name,
        clause=name,
        span=Span(date(2000, 1, 1), None),
        disclosers=(),
        recipients=(),
        purposes=(),
        limits=(),
        needs=needs,
        needs_any=needs_any,
        needs_consent=False,
        confirmed=True,
    )


HEAD = (Serves.GATEWAY,)


def found(cited: str, *entries: LawEntry) -> str:
    known = {each.id: each for each in entries}
    return " ".join(each.id for each in grounds(cited.split(), Serves.GATEWAY, known.get))


@pytest.mark.parametrize(
    ("cited", "rests_on"),
    [
        ("a", ""),
        ("a b", ""),  # one of two
        ("b c", ""),  # what is needed, without what needs it
        ("a b c", "a b c"),
        ("c b a", "a b c"),
        ("a b c d", "a b c"),
    ],
)
def test_an_entry_stands_with_all_that_it_needs(cited, rests_on):
    """An entry carries nothing until each entry that it needs is cited beside it."""
    known = (entry("a", serves=HEAD, needs=("b", "c")), entry("b"), entry("c"), entry("d"))
    assert found(cited, *known) == rests_on


@pytest.mark.parametrize(
    ("cited", "rests_on"), [("a", ""), ("a d", ""), ("a b", "a b"), ("a c", "a c"), ("a b c", "a b c")]
)
def test_an_entry_stands_with_one_of_those_that_it_needs_any_of(cited, rests_on):
    """One of the alternatives is enough, none is not."""
    known = (entry("a", serves=HEAD, needs_any=("b", "c")), entry("b"), entry("c"), entry("d"))
    assert found(cited, *known) == rests_on


@pytest.mark.parametrize(("cited", "rests_on"), [("a b", ""), ("a c", ""), ("a b c", "a b c")])
def test_an_entry_may_need_both_all_and_any(cited, rests_on):
    """All of the one list and one of the other."""
    known = (entry("a", serves=HEAD, needs=("b",), needs_any=("c", "d")), entry("b"), entry("c"), entry("d"))
    assert found(cited, *known) == rests_on


def test_an_entry_that_needs_itself_never_stands():
    """Nothing is its own support, be it directly or by way of others."""
    assert found("a", entry("a", serves=HEAD, needs=("a",))) == ""
    assert found("a b", entry("a", serves=HEAD, needs=("b",)), entry("b", needs=("a",))) == ""


@pytest.mark.parametrize(
    ("cited", "rests_on"), [("a b", ""), ("a b c", "a b c"), ("b a c", "b a c"), ("a c", "a c")]
)
def test_entries_that_need_each_other_stand_on_a_third(cited, rests_on):
    """Alternatives that name each other carry nothing alone, and everything once one has other support."""
    known = (
        entry("a", serves=HEAD, needs_any=("b", "c")),
        entry("b", serves=HEAD, needs_any=("a", "c")),
        entry("c"),
    )
    assert found(cited, *known) == rests_on


def test_long_ways_of_support_are_walked_once():
    """Sixty entries, each with two ways on to all that follow: told at once, each once."""
    names = [f"e{number:02}" for number in range(60)]
    known = [
        entry(name, serves=HEAD if not number else (), needs_any=tuple(names[number + 1 : number + 3]))
        for number, name in enumerate(names)
    ]
    assert found(" ".join(names), *known) == " ".join(names)


@pytest.mark.parametrize(
    ("cited", "rests_on"), [("a b", ""), ("a b c", "a b c"), ("a b d", "a b d"), ("a c d", "")]
)
def test_what_an_entry_needs_must_stand_itself(cited, rests_on):
    """A needed entry that lacks its own support is no support."""
    known = (entry("a", serves=HEAD, needs=("b",)), entry("b", needs_any=("c", "d")), entry("c"), entry("d"))
    assert found(cited, *known) == rests_on


def test_support_is_told_once_and_only_where_it_stands():
    """What two entries need is told once; an alternative that lacks its own support, not at all."""
    known = (
        entry("a", serves=HEAD, needs=("c",), needs_any=("d", "e")),
        entry("b", serves=HEAD, needs=("c",)),
        entry("c"),
        entry("d"),
        entry("e", needs=("f",)),
    )
    assert found("a b c d e", *known) == "a c d b"


def test_of_the_frameworks_in_force_only_one_may_be_left_out():
    """The framework of the day stands in for one left out; an ended or unknown one is no choice."""
    force = POLICIES.datasets["police-force"]
    for named, chosen in (
        (("local",), "local"),
        (("local", "phase-2"), "local"),
        (("phase-2",), ""),
        (("local", "nothing"), "local"),
    ):
        policy = dataclasses.replace(force, frameworks=named)
        policies = dataclasses.replace(POLICIES, datasets={"police-force": policy})
        assert Case.of(policies, "police-force", "identify", "", NOON.date()).framework == chosen


def test_consent_that_nobody_asks_carries_nothing():
    """An entry that rests on consent counts only where the row rules ask for it."""
    policy = POLICIES.datasets["domestic-abuse-services"]
    assert ask("domestic-abuse-services") == []
    off = dataclasses.replace(policy.row_rules, consent=ConsentRule.OFF)
    unasked = dataclasses.replace(policy, row_rules=off)
    policies = dataclasses.replace(POLICIES, datasets={policy.id: unasked})
    case = Case.of(policies, policy.id, "identify", "local", NOON.date())
    fallen = {leg.role for leg in case.legs() if not case.met(leg)}
    assert {"gateway-request", "gateway-answer", "lawful-basis", "special-category"} <= fallen


def test_only_gateways_reach_topics():
    """A condition is not asked for topics, nor is a case without a dataset."""
    case = Case.of(POLICIES, "police-force", "identify", "local", NOON.date())
    (basis,) = [leg for leg in case.legs() if leg.role == "lawful-basis"]
    assert case.unreached(dataclasses.replace(basis, cited=("ukgdpr.6-1-e",))) == ()
    (gateway,) = [leg for leg in case.legs() if leg.role == "gateway-answer"]
    assert case.unreached(dataclasses.replace(gateway, cited=("oma2007.s14",))) == ()
    nobody = Case.of(POLICIES, "nobody", "identify", "local", NOON.date())
    assert nobody.unreached(gateway) == ()
    assert case.covers(POLICIES.law["cda1998.s115"][0], gateway)
    assert nobody.covers(POLICIES.law["cda1998.s115"][0], gateway)


def test_only_a_gateway_that_stands_reaches_indicators():
    """The topics of a gateway that is cited and lacks what it needs open nothing."""
    (narrow,), (wide,) = POLICIES.law["cda1998.s115"], POLICIES.law["common-law.police"]
    narrow = dataclasses.replace(narrow, topics=("demo",), needs_any=("common-law.police", "cda1998.s17"))
    wide = dataclasses.replace(
        wide, topics=("any",), needs=("hsca2012.s251b",), disclosers=("any",), recipients=("any",)
    )
    law = {**POLICIES.law, narrow.id: (narrow,), wide.id: (wide,)}
    both = Gateways(request=(narrow.id, wide.id, "cda1998.s17"), answer=(narrow.id, wide.id))
    force = dataclasses.replace(POLICIES.datasets["police-force"], gateways=both)
    policies = dataclasses.replace(POLICIES, law=law, datasets={"police-force": force})
    case = Case.of(policies, "police-force", "identify", "local", NOON.date())
    (request,) = [leg for leg in case.legs() if leg.role == "gateway-request"]
    assert heads(request.cited, request.serves, case._finder(request)) == (narrow,)
    assert case.met(request) == ()


def test_an_entry_that_serves_something_else_carries_nothing():
    """Cited, in force and complete, but for another requirement."""
    assert found("a", entry("a", serves=(Serves.EXPORT,))) == ""


def ask(
    asked: str, purpose: str = "identify", *, households: int = 200, people: int = 800, **terms
) -> list[Unmet]:
    held = sound_terms(
        asked, POLICIES.datasets[asked].digest, since=date(2026, 1, 1), until=date(2035, 12, 31)
    )
    held = dataclasses.replace(held, **({"valid_to": date(2026, 12, 31)} | terms))
    question = Question(asked, purpose, "local", held, households=households, people=people)
    return list(decide(question, POLICIES, NOON).unmet)


def codes(*args, **changes) -> list[str]:
    return [unmet.code for unmet in ask(*args, **changes)]


@pytest.mark.parametrize(
    ("households", "people", "code"),
    [
        (1, 2, None),
        (0, 2, "list-too-small"),
        (1, 1, "list-too-small"),
        (15_000, 50_000, None),
        (15_001, 50_000, "list-too-large"),
        (15_000, 50_001, "list-too-large"),
    ],
)
def test_both_sizes_of_a_list_are_limited(households, people, code):
    """The policy's least and greatest numbers, of households and of people, are the last allowed."""
    assert codes("health-trust", households=households, people=people) == ([code] if code else [])


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"valid_from": date(2026, 11, 22)}, None),
        ({"valid_from": date(2026, 11, 23)}, "agreement-not-begun"),
        ({"valid_to": date(2026, 11, 22)}, None),
        ({"valid_to": date(2026, 11, 21)}, "agreement-expired"),
        ({"signed": False}, "agreement-unsigned"),
        ({"revoked": True}, "agreement-revoked"),
        ({"dataset": "police-force"}, "agreement-other-dataset"),
        ({"policy_digest": "00" * 32}, "agreement-other-policy"),
    ],
)
def test_an_agreement_counts_from_its_first_day_to_its_last(terms, code):
    """Both days are within; each defect of an agreement is one unmet requirement of its own."""
    assert codes("health-trust", **terms) == ([code] if code else [])


def test_what_is_forbidden_is_called_forbidden():
    """A prohibition that covers the purpose is unmet as one that no policy can meet, others are not."""
    unmet = {each.code: each.forbidden for each in ask("health-trust", "serious-violence")}
    assert unmet.pop("forbidden") is True
    assert not any(unmet.values())


def test_a_case_of_an_unknown_dataset_has_no_legs():
    """Where there is no dataset there is nothing to stand on, and no error."""
    assert list(Case.of(POLICIES, "unknown", "identify", "local", NOON.date()).legs()) == []


def test_a_requirement_is_not_confirmed_unless_said_so():
    """Unread law is the default."""
    assert Unmet("c", "r", "c", "c", "r", forbidden=False).confirmed is False


def test_topics_are_a_gateways_matter():
    """A condition that names topics carries and is offered all the same; a gateway only by its topics."""
    (basis,) = POLICIES.law["ukgdpr.6-1-e"]
    law = {**POLICIES.law, basis.id: (dataclasses.replace(basis, topics=("demo",)),)}
    policies = dataclasses.replace(POLICIES, law=law)
    case = Case.of(policies, "police-force", "identify", "local", NOON.date())
    (condition,) = [leg for leg in case.legs() if leg.role == "lawful-basis"]
    assert [each.id for each in case.met(condition)] == [basis.id]
    assert basis.id in {each.id for each in case.offered(condition)}
    (gateway,) = [leg for leg in case.legs() if leg.role == "gateway-answer"]
    uncited = dataclasses.replace(gateway, cited=())
    offered = {each.id for each in case.offered(uncited)}
    assert offered == {"cda1998.s115", "common-law.police", "dea2017.s35"}
    narrow = dataclasses.replace(POLICIES.law["dea2017.s35"][0], topics=("benefits",))
    apart = dataclasses.replace(policies, law={**law, narrow.id: (narrow,)})
    there = Case.of(apart, "police-force", "identify", "local", NOON.date())
    assert {each.id for each in there.offered(uncited)} == offered - {narrow.id}
    nobody = Case.of(policies, "nobody", "identify", "local", NOON.date())
    assert {each.id for each in nobody.offered(uncited)} >= offered
