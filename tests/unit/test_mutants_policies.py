"""What a permit rests on, entry by entry; found by mutation (tests/mutation.py)."""

import dataclasses
from datetime import UTC, date, datetime

import pytest

from policies.decision import AgreementTerms, Question, Unmet, decide
from policies.grounds import grounds
from policies.legs import Case
from policies.loader import builtin, load
from policies.model import LawEntry, Serves, Span

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


def test_an_entry_that_needs_exactly_all_others_stands():
    """An entry whose needs name every entry that is cited, itself included, stands."""
    assert found("a", entry("a", serves=HEAD, needs=("a",))) == "a"


def test_an_entry_that_serves_something_else_carries_nothing():
    """Cited, in force and complete, but for another requirement."""
    assert found("a", entry("a", serves=(Serves.EXPORT,))) == ""


def ask(
    asked: str, purpose: str = "identify", *, households: int = 200, people: int = 800, **terms
) -> list[Unmet]:
    held = AgreementTerms(
        number="A-1",
        partner="partner",
        dataset=asked,
        policy_digest=POLICIES.datasets[asked].digest,
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        signed=True,
        revoked=False,
        dpia_to=date(2035, 12, 31),
        policy_document_to=date(2035, 12, 31),
    )
    held = dataclasses.replace(held, **terms)
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
