"""Decision tables: readable text in, decision out. The tables lie in `policies/` beside this file."""

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from sound_terms import sound_terms

from gateway.domain.people import LIST_SCHEMA, HouseholdList
from policies.decision import AgreementTerms, Question, decide
from policies.loader import builtin, load
from policies.model import DatasetPolicy
from policies.page import Section, markdown, page
from policies.rows import withhold

TABLES = Path(__file__).parent / "policies"
POLICIES = load(builtin())


def _lines(name: str) -> list[str]:
    text = (TABLES / name).read_text().splitlines()
    return [line.rstrip() for line in text if not line.startswith("#")]


def _decisions() -> list[list[str]]:
    rows = [line for line in _lines("decisions.txt") if line]
    return [[cell.strip() for cell in row.split("|")] for row in rows[1:]]


def _question(dataset: str, purpose: str, but: str) -> Question:
    known = POLICIES.datasets.get(dataset)
    terms = sound_terms(
        dataset, known.digest if known else "", since=date(2015, 1, 1), until=date(2035, 12, 31)
    )
    framework = "demo" if dataset == "demo-febrl" else "local"
    return _but(Question(dataset, purpose, framework, terms, households=200, people=800), terms, but)


def _but(question: Question, terms: AgreementTerms, but: str) -> Question:
    match but.split():
        case []:
            return question
        case ["no", "agreement"]:
            return dataclasses.replace(question, agreement=None)
        case ["framework", "is", "nothing"]:
            return dataclasses.replace(question, framework="nothing")
        case ["framework", "is", "left", "out"]:
            return dataclasses.replace(question, framework="")
        case ["list", "is", households, "households", people, "people"]:
            return dataclasses.replace(question, households=int(households), people=int(people))
    return dataclasses.replace(question, agreement=_terms(terms, but))


def _terms(terms: AgreementTerms, but: str) -> AgreementTerms:
    changes: dict[str, object]
    match but.split():
        case ["agreement", "is", "unsigned"]:
            changes = {"signed": False}
        case ["agreement", "is", "revoked"]:
            changes = {"revoked": True}
        case ["agreement", "is", "of", dataset]:
            changes = {"dataset": dataset}
        case ["DPIA", "holds", "to", day]:
            changes = {"dpia_to": date.fromisoformat(day)}
        case ["policy", "document", "holds", "to", day]:
            changes = {"policy_document_to": date.fromisoformat(day)}
        case ["policy", "has", "changed"]:
            changes = {"policy_digest": "0" * 64}
        case ["agreement", "runs", start, end]:
            changes = {"valid_from": date.fromisoformat(start), "valid_to": date.fromisoformat(end)}
        case _:
            raise AssertionError(but)
    return dataclasses.replace(terms, **changes)


@pytest.mark.parametrize(
    ("at", "dataset", "purpose", "but", "answer"),
    [pytest.param(*row, id=" ".join(row[:4])) for row in _decisions()],
)
def test_decision_table(at, dataset, purpose, but, answer):
    """Each line of decisions.txt is decided as it says, with every unmet requirement and no other."""
    decision = decide(_question(dataset, purpose, but), POLICIES, datetime.fromisoformat(at))
    verdict = "permit" if decision.permitted else "refuse"
    assert [verdict, decision.regime, *(unmet.code for unmet in decision.unmet)] == answer.split()


def test_every_dataset_is_in_the_table_with_a_permit_and_a_refusal():
    """No dataset ships without a line that permits it and one that refuses it."""
    told = {(row[1], row[4].split()[0]) for row in _decisions()}
    assert {(name, verdict) for name in POLICIES.datasets for verdict in ("permit", "refuse")} <= told


@pytest.mark.parametrize("story", sorted(TABLES.glob("explained-*.txt")), ids=lambda path: path.stem)
def test_explanation_in_full(story):
    """The three decisions of the demonstration are explained word for word as the file says."""
    asked, _, told = story.read_text().partition("\n\n")
    dataset, purpose, at = asked.split()
    decision = decide(_question(dataset, purpose, ""), POLICIES, datetime.fromisoformat(at))
    assert markdown(f"{dataset}: {purpose}", undated(page(decision, POLICIES))) == told


def undated(sections: Iterable[Section]) -> list[Section]:
    """A page without the set's digest, or any change of any file would change every page."""
    return [
        Section(each.title, tuple(line for line in each.lines if not line.startswith("Policy set ")))
        for each in sections
    ]


def _stories() -> Iterator[tuple[str, list[str], list[list[str]]]]:
    title = ""
    head: list[str] = []
    rows: list[list[str]] = []
    for line in [*_lines("rows.txt"), ""]:
        words = line.split()
        starts = "on" in words and words[0] in POLICIES.datasets
        if (starts or not line) and rows:
            yield title, head, rows
            rows = []
        if starts:
            head = words
        elif "->" in words:
            rows.append(words)
        elif line:
            title = line


def _day(head: list[str]) -> str:
    return head[head.index("on") + 1]


def _policy(head: list[str]) -> DatasetPolicy:
    policy = POLICIES.datasets[head[0]]
    rules = policy.row_rules
    if head[1] == "in":
        rules = dataclasses.replace(rules, areas=tuple(head[2].split(",")))
    if head[1:4] == ["of", "at", "most"]:
        rules = dataclasses.replace(rules, max_household=int(head[4]))
    return dataclasses.replace(policy, row_rules=rules)


def _list(rows: list[list[str]]) -> HouseholdList:
    flags = {"yes": True, "no": False, "-": None}
    people = [
        {
            "line": line,
            "household_id": household,
            "person_id": person,
            "dob": None if dob == "-" else date.fromisoformat(dob),
            "in_education": flags[education.split(",")[0]],
            "own_family": True if "own" in education else None,
            "expecting": True if "expecting" in education else None,
            "consent": flags[consent],
            "met_indicators": None if met == "-" else met.split(","),
            "area": None if area == "-" else area,
        }
        for line, (household, person, dob, education, consent, met, area, *_) in enumerate(rows, start=2)
    ]
    return HouseholdList(pl.DataFrame(people, schema=LIST_SCHEMA))


@pytest.mark.parametrize(
    ("head", "rows"),
    [pytest.param(head, rows, id=f"{title} ({_day(head)})") for title, head, rows in _stories()],
)
def test_row_rules(head, rows):
    """Each block of rows.txt withholds the people that it marks, for the reason given, and no others."""
    asked = head[head.index("asked") + 1 :] if "asked" in head else []
    day = date.fromisoformat(_day(head))
    framework = head[head.index("under") + 1] if "under" in head else "local"
    found = withhold(_list(rows), _policy(head), POLICIES.frameworks[framework], day, asked)
    expected = [(row[1], row[-1]) for row in rows if row[-1] != "->"]
    assert found.select("person_id", "reason").rows() == expected


FRAMEWORKS = [[cell.strip() for cell in row.split("|")] for row in _lines("frameworks.txt") if row][1:]


@pytest.mark.parametrize("row", FRAMEWORKS, ids=" ".join)
def test_frameworks_table(row):
    """Each line of frameworks.txt: what a dataset asks under a framework on a day, or why it may not."""
    day, dataset, framework, answer, codes = row
    at = datetime.fromisoformat(f"{day}T12:00Z")
    question = dataclasses.replace(_question(dataset, "identify", ""), framework=framework)
    terms = dataclasses.replace(question.agreement, valid_from=date(2012, 1, 1))
    decision = decide(dataclasses.replace(question, agreement=terms), POLICIES, at)
    policy = POLICIES.datasets[dataset]
    if decision.permitted:
        assert (answer, codes.split()) == ("permit", [*policy.asked(POLICIES.frameworks[framework])])
    else:
        assert (answer, codes) == ("refuse", " ".join(unmet.code for unmet in decision.unmet))


def test_every_framework_of_every_dataset_is_in_the_table():
    """Each is permitted on some day, and refused on another where the framework has an end."""
    told = {(row[1], row[2], row[3]) for row in FRAMEWORKS}
    for policy in POLICIES.datasets.values():
        for name in policy.frameworks:
            assert (policy.id, name, "permit") in told
            ends = POLICIES.frameworks[name].span.valid_to is not None
            assert not ends or (policy.id, name, "refuse") in told
