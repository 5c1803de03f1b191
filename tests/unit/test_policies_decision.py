"""`decide` on sets that no loader would pass, and the values it works with."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest
import rfc8785
from sound_terms import sound_terms

from gateway.domain.errors import BadInputError
from gateway.domain.legal_date import legal_date
from policies.decision import ENGINE, Basis, Question, Unmet, decide, refuse_for
from policies.loader import builtin, load
from policies.model import PolicySet, Span
from policies.requirements import REQUIREMENTS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICIES = load(builtin())


def _ask(policies: PolicySet, dataset: str, purpose: str = "identify", framework: str = "local") -> Question:
    terms = sound_terms(
        dataset,
        policies.datasets[dataset].digest if dataset in policies.datasets else "",
        since=date(2026, 1, 1),
        until=date(2035, 12, 31),
    )
    terms = dataclasses.replace(terms, valid_to=date(2026, 12, 31))
    return Question(dataset, purpose, framework, terms, households=200, people=800)


def _with(dataset: str, **changes: object) -> PolicySet:
    changed = dataclasses.replace(POLICIES.datasets[dataset], **changes)
    return dataclasses.replace(POLICIES, datasets={**POLICIES.datasets, dataset: changed})


def _codes(policies: PolicySet, dataset: str, framework: str = "local") -> list[str]:
    decision = decide(_ask(policies, dataset, framework=framework), policies, NOON)
    return [unmet.code for unmet in decision.unmet]


def _other_framework() -> PolicySet:
    other = dataclasses.replace(POLICIES.frameworks["local"], id="other")
    return dataclasses.replace(POLICIES, frameworks={**POLICIES.frameworks, "other": other})


@pytest.mark.parametrize(
    ("dataset", "changes", "code"),
    [
        ("police-force", {"indicators": ("crime.nothing",)}, "indicator-not-in-framework"),
        ("police-force", {"conditions": ()}, "lawful-basis"),
        ("police-force", {"conditions": ()}, "offence"),
        ("police-force", {"conditions": ()}, "export"),
        ("health-trust", {"conditions": ()}, "special-category"),
        ("health-trust", {"confidentiality": ()}, "confidentiality"),
        ("health-trust", {"confidentiality": ("ca2004.s10",)}, "confidentiality"),
        ("police-force", {"span": Span(date(2015, 4, 1), date(2026, 11, 21))}, "dataset-not-in-force"),
        ("police-force", {"partner_kind": "prison"}, "gateway-answer"),
    ],
)
def test_decide_trusts_no_loader(dataset, changes, code):
    """A dataset that the loader would have refused is refused by `decide` on its own."""
    assert code in _codes(_with(dataset, **changes), dataset)


def test_a_framework_that_the_dataset_does_not_use_is_refused():
    """A known framework is not enough: the dataset's policy must name it."""
    assert _codes(_other_framework(), "police-force", "other") == ["framework-not-allowed"]


def test_a_framework_may_be_left_out_only_when_there_is_one():
    """Of two frameworks none is chosen for the asker."""
    two = dataclasses.replace(POLICIES.datasets["police-force"], frameworks=("local", "other"))
    policies = dataclasses.replace(_other_framework(), datasets={"police-force": two})
    assert _codes(policies, "police-force", "") == ["framework-unknown"]
    assert _codes(policies, "police-force", "other") == []


def test_every_requirement_has_its_words():
    """Each requirement names a clause, a way to meet it, and a provision that the law folder has.

    Only the papers of an agreement were not asked for by the Act of 1998.
    """
    for code, requirement in REQUIREMENTS.items():
        assert all((requirement.requirement, requirement.clause, requirement.remedy))
        for regime in POLICIES.regimes.values():
            provision = requirement.provision(regime)
            assert provision in POLICIES.law or (
                code in {"dpia-expired", "policy-document-expired"} and regime.id == "dpa-1998"
            )


def test_the_empty_set_refuses_with_reasons():
    """With no policies at all each unmet requirement still bears a citation, a clause and a remedy."""
    decision = decide(_ask(PolicySet(), "health-trust"), PolicySet(), NOON)
    assert [unmet.code for unmet in decision.unmet] == [
        "regime-unknown",
        "dataset-unknown",
        "purpose-unknown",
        "framework-unknown",
    ]
    assert all(unmet.citation and unmet.clause and unmet.remedy for unmet in decision.unmet)


def test_what_was_typed_is_not_repeated():
    """Unknown ids, which may be anything, stand in no part of a decision."""
    asked = Question("Ann Example", "Bob Example", "Cat Example", None, households=1, people=1)
    told = str(decide(asked, POLICIES, NOON).to_json())
    assert "Example" not in told
    assert "'dataset': 'unknown'" in told


@pytest.mark.parametrize(
    ("dataset", "purpose"),
    [
        ("health-trust", "identify"),
        ("police-force", "identify"),
        ("health-trust", "results-claim"),
        ("x", "y"),
    ],
)
def test_a_decision_is_canonical_json_to_the_standard_library_too(dataset, purpose):
    """A decision's JSON is accepted by RFC 8785, holds no null and no float, and is the same every time."""
    asked = _ask(POLICIES, dataset, purpose)
    first, second = (decide(asked, POLICIES, NOON).to_json() for _ in range(2))
    assert rfc8785.dumps(first) == rfc8785.dumps(second)
    assert "None" not in str(first)


def test_a_decision_says_what_it_was_made_with():
    """The moment, the legal day, the digest of the policies and the engine's version stand in a decision."""
    told = decide(_ask(POLICIES, "police-force"), POLICIES, NOON).to_json()
    assert told["at"] == "2026-11-22T12:00:00.000Z"
    assert told["legal_date"] == "2026-11-22"
    assert (told["policy_set"], told["engine"]) == (POLICIES.digest, ENGINE)


def test_unconfirmed_law_is_named():
    """A permit resting on law that nobody has read at its source says which."""
    decision = decide(_ask(POLICIES, "police-force"), POLICIES, NOON)
    assert "UK GDPR Article 10" in decision.unconfirmed
    assert "Crime and Disorder Act 1998 s.115" not in decision.unconfirmed
    assert decision.to_json()["unconfirmed"] == list(decision.unconfirmed)


def test_citations_of_a_permit_are_named_once():
    """The citations shown to a custodian are each there once, and a refusal has none."""
    permit = decide(_ask(POLICIES, "police-force"), POLICIES, NOON)
    assert len(set(permit.citations)) == len(permit.citations) > 0
    assert decide(_ask(POLICIES, "police-force", "whim"), POLICIES, NOON).citations == ()


@pytest.mark.parametrize(
    ("day", "citation"),
    [("2016-06-01", "DPA 1998 Schedule 1 principle 3"), ("2026-11-22", "UK GDPR Article 5(1)(c)")],
)
def test_a_permit_can_be_refused_for_what_the_rows_show(day, citation):
    """`refuse_for` turns a permit into a refusal for that, by the law of its day, without its basis."""
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    permit = decide(_ask(POLICIES, "police-force"), POLICIES, at)
    refused = refuse_for(permit, "every-row-withheld", POLICIES)
    assert (refused.permitted, refused.basis) == (False, None)
    unmet = refused.unmet[-1]
    assert (unmet.code, unmet.citation) == ("every-row-withheld", citation)


@pytest.mark.parametrize(
    "changes",
    [
        {"permitted": False},
        {"unmet": (Unmet("c", "r", "c", "c", "r", forbidden=False),)},
        {"basis": None},
        {"permitted": False, "unmet": (Unmet("c", "r", "c", "c", "r", forbidden=False),)},
        {"permitted": False, "basis": Basis(())},
    ],
)
def test_a_decision_cannot_contradict_itself(changes):
    """No decision is both permitted and unmet, refused without reason, or permitted without a basis."""
    permit = decide(_ask(POLICIES, "police-force"), POLICIES, NOON)
    with pytest.raises(BadInputError, match="a permit has a basis and nothing unmet"):
        dataclasses.replace(permit, **changes)


def test_a_moment_needs_its_zone():
    """A moment without a time zone has no legal day."""
    with pytest.raises(BadInputError, match="the moment has no time zone"):
        decide(_ask(POLICIES, "police-force"), POLICIES, NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        ("2000-03-26", "2000-10-29"),
        ("2018-03-25", "2018-10-28"),
        ("2020-03-29", "2020-10-25"),
        ("2024-03-31", "2024-10-27"),
        ("2026-03-29", "2026-10-25"),
        ("2027-03-28", "2027-10-31"),
    ],
)
def test_legal_days_are_those_of_london(began, ended):
    """The legal day begins at 23:00Z while summer time lasts, and at 00:00Z for the rest of the year."""
    first, last = date.fromisoformat(began), date.fromisoformat(ended)
    start = datetime(first.year, 1, 1, 23, 30, tzinfo=UTC)
    for moment in (start + timedelta(days=days) for days in range(365)):
        ahead = timedelta(days=1 if first <= moment.date() < last else 0)
        assert legal_date(moment) == moment.date() + ahead
        assert legal_date(moment - timedelta(hours=1)) == moment.date()


def test_spans_must_run_forwards():
    """A span that ends before it begins can't be made."""
    with pytest.raises(BadInputError, match="valid_to lies before valid_from"):
        Span(date(2026, 2, 2), date(2026, 2, 1))


def test_a_policy_digest_is_that_of_its_canonical_json():
    """The digest that agreements bind is SHA-256 of the RFC 8785 bytes of the embedded policy."""
    import hashlib

    for policy in POLICIES.datasets.values():
        assert policy.digest == hashlib.sha256(rfc8785.dumps(policy.to_json())).hexdigest()


def test_only_known_kinds_of_question_are_remembered():
    """What anybody typed is never kept; a known question is worked out once for each period."""
    fresh = dataclasses.replace(POLICIES)
    for typed in (("x", "identify", "local"), ("prison", "x", "local"), ("prison", "identify", "x")):
        decide(_ask(fresh, *typed), fresh, NOON)
    assert fresh.remembered == {}
    for framework in ("local", "local", ""):
        decide(_ask(fresh, "prison", framework=framework), fresh, NOON)
    assert sorted(kind[:3] for kind in fresh.remembered) == [
        ("prison", "identify", ""),
        ("prison", "identify", "local"),
    ]
    assert (
        decide(_ask(fresh, "prison"), fresh, NOON).basis is decide(_ask(fresh, "prison"), fresh, NOON).basis
    )
    before = datetime(2026, 2, 4, 12, tzinfo=UTC)
    assert decide(_ask(fresh, "prison"), fresh, before).regime == "uk-gdpr"
    assert len(fresh.remembered) == 3


def _asked(dataset, day, framework="", purpose="identify", **terms):
    question = dataclasses.replace(_ask(POLICIES, dataset, purpose), framework=framework)
    agreement = dataclasses.replace(question.agreement, valid_from=date(2012, 1, 1), **terms)
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    fresh = dataclasses.replace(POLICIES)  # remembers no ruling
    return decide(dataclasses.replace(question, agreement=agreement), fresh, at)


def test_what_else_was_not_read_at_its_source_is_named():
    """The days of a regime, and the wording of the indicators asked; nothing where all was read."""
    told = _asked("health-trust", "2024-01-01", "supporting-families")
    assert told.unread == (
        "the days of UK GDPR with the Data Protection Act 2018",
        (
            "the wording of sf3.child_mental_health, sf3.adult_mental_health, sf4.adult_substance, "
            "sf4.child_substance in Supporting Families (October 2022 to March 2025)"
        ),
    )
    assert told.unconfirmed[-2:] == told.unread
    assert _asked("health-trust", "2026-11-22", "local").unread == ()
    assert _asked("nobody", "2026-11-22", "local").unread == ()
    assert _asked("health-trust", "2026-11-22", "nothing").unread == ()


def test_a_requirement_is_confirmed_as_its_provision_is():
    """The principles of 1998 were read, the GDPR's articles not yet; papers are the agreement's terms."""
    old = _asked("dwp-benefits", "2016-06-01", "phase-2", "support", dpia_to=date(2015, 1, 1))
    told = {unmet.code: (unmet.citation, unmet.confirmed) for unmet in old.unmet}
    assert told["purpose-not-allowed"] == ("DPA 1998 Schedule 1 principle 2", True)
    assert told["dpia-expired"] == ("The agreement's own terms", True)
    new = _asked("dwp-benefits", "2026-11-22", "local", "support", dpia_to=date(2015, 1, 1))
    told = {unmet.code: (unmet.citation, unmet.confirmed) for unmet in new.unmet}
    assert told["purpose-not-allowed"] == ("UK GDPR Article 5(1)(b)", False)
    assert told["dpia-expired"] == ("UK GDPR Article 35", False)
    (before, *_) = _asked("dwp-benefits", "1999-06-01", "phase-2").unmet
    assert (before.citation, before.confirmed) == (
        "Data-protection law, of which this policy set has no text for the day",
        False,
    )


def test_a_framework_left_out_is_answered_with_those_in_force():
    """Where several could be meant, or none, the remedy says which."""
    several = {u.code: u.remedy for u in _asked("school-census", "2024-01-01").unmet}
    assert several["framework-unknown"] == (
        "Name a framework of the policy folder. Now in force: local, supporting-families"
    )
    none = {u.code: u.remedy for u in _asked("school-census", "2010-01-01").unmet}
    assert none["framework-unknown"] == (
        "Name a framework of the policy folder. None of the dataset's is in force"
    )
    nobody = {u.code: u.remedy for u in _asked("nobody", "2026-11-22").unmet}
    assert nobody["framework-unknown"] == "Name a framework of the policy folder"
