"""Taking away never gives: over the shipped policies, with anything at all removed from them first."""

import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sound_terms import sound_terms

from policies.decision import Question, decide
from policies.loader import builtin, load
from policies.model import Conditions, DatasetPolicy, PolicySet, Span

SHIPPED = load(builtin())
DIGEST = SHIPPED.digest
DAYS = st.dates(date(2014, 1, 1), date(2030, 12, 31))
BORDERS = [r.span.valid_from for r in SHIPPED.regimes.values()]

Change = Callable[[PolicySet], PolicySet]


def _without(items: tuple, item: object) -> tuple:
    return tuple(other for other in items if other != item)


def _less_conditions(conditions: Conditions) -> Iterator[Conditions]:
    for field in ("regimes", "request", "lawful_basis", "special_category", "offence", "export"):
        for item in getattr(conditions, field):
            kept = _without(getattr(conditions, field), item)
            yield dataclasses.replace(conditions, **{field: kept})


def _less(policy: DatasetPolicy) -> Iterator[DatasetPolicy]:
    """The dataset with one of its permissions gone."""
    for field in ("purposes", "frameworks", "confidentiality", "conditions"):
        for item in getattr(policy, field):
            yield dataclasses.replace(policy, **{field: _without(getattr(policy, field), item)})
    for leg in ("request", "answer"):
        for item in getattr(policy.gateways, leg):
            kept = _without(getattr(policy.gateways, leg), item)
            yield dataclasses.replace(policy, gateways=dataclasses.replace(policy.gateways, **{leg: kept}))
    for one in policy.conditions:
        for less in _less_conditions(one):
            conditions = tuple(less if c == one else c for c in policy.conditions)
            yield dataclasses.replace(policy, conditions=conditions)
    if policy.max_people > policy.min_people:
        yield dataclasses.replace(policy, max_people=policy.max_people // 2)


def _put(policies: PolicySet, part: str, key: str, value: object) -> PolicySet:
    return dataclasses.replace(policies, **{part: {**getattr(policies, part), key: value}})


def _removals(policies: PolicySet) -> Iterator[PolicySet]:
    """The set with one permission gone: of a dataset, or a law, purpose, regime or framework whole."""
    for key, policy in policies.datasets.items():
        yield from (_put(policies, "datasets", key, less) for less in _less(policy))
    for part in ("datasets", "purposes", "regimes"):
        for key in getattr(policies, part):
            kept = {k: v for k, v in getattr(policies, part).items() if k != key}
            yield dataclasses.replace(policies, **{part: kept})
    for key, versions in policies.law.items():
        if "prohibition" not in versions[0].serves:
            yield dataclasses.replace(policies, law={k: v for k, v in policies.law.items() if k != key})
        for version in versions:
            for field in ("disclosers", "recipients", "purposes"):
                less = dataclasses.replace(version, **{field: getattr(version, field)[1:]})
                if "prohibition" not in version.serves:
                    yield _put(policies, "law", key, _swap(versions, version, less))


def _swap(versions: tuple, old: object, new: object) -> tuple:
    return tuple(new if version == old else version for version in versions)


def _expiries(policies: PolicySet, end: date) -> Iterator[PolicySet]:
    """The set with one thing ending on a day, or ending sooner."""

    def ends(span: Span) -> Span | None:
        sooner = span.valid_from <= end and (span.valid_to is None or end < span.valid_to)
        return Span(span.valid_from, end) if sooner else None

    for part in ("datasets", "frameworks", "regimes"):
        for key, item in getattr(policies, part).items():
            if span := ends(item.span):
                yield _put(policies, part, key, dataclasses.replace(item, span=span))
    for key, versions in policies.law.items():
        for version in versions:
            if "prohibition" not in version.serves and (span := ends(version.span)):
                ended = dataclasses.replace(version, span=span)
                yield _put(policies, "law", key, _swap(versions, version, ended))


def _permitted(policies: PolicySet, asked: Question, at: datetime) -> bool:
    """Decide with an agreement to the very policy as it is now: only the law and the policy speak."""
    policy = policies.datasets.get(asked.dataset)
    vars(policies).setdefault("digest", "not asked for")  # of a whole set it takes longer than to decide
    terms = dataclasses.replace(asked.agreement, policy_digest=policy.digest) if policy else asked.agreement
    return decide(dataclasses.replace(asked, agreement=terms), policies, at).permitted


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A question that has a fair chance of a permit."""
    dataset = draw(st.sampled_from([*SHIPPED.datasets, "nobody"]))
    terms = sound_terms(dataset, since=date(2014, 1, 1), until=date(2031, 1, 1))
    purpose = draw(st.sampled_from(["identify"] * 4 + [*SHIPPED.purposes, "whim"]))
    people = draw(st.sampled_from([2, 800, 40_000, 60_000]))
    return Question(dataset, purpose, draw(st.sampled_from(["local", "", "x"])), terms, people // 2, people)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """Any day, often one beside a border of the regimes."""
    near = st.builds(lambda day, off: day + timedelta(days=off), st.sampled_from(BORDERS), st.integers(-1, 1))
    return datetime.combine(draw(near | DAYS), datetime.min.time(), UTC) + timedelta(
        hours=draw(st.integers(0, 23))
    )


@given(questions(), moments(), st.randoms(use_true_random=False))
def test_removing_a_permission_never_permits(asked, at, rng):
    """Along a path of removals a refusal stays a refusal."""
    path = [SHIPPED]
    for _ in range(4):
        path.append(rng.choice(list(_removals(path[-1]))))
    verdicts = [_permitted(policies, asked, at) for policies in path]
    assert all(before or not after for before, after in pairwise(verdicts))


def test_each_single_removal_never_permits():
    """Each permission of the shipped set, removed alone, permits nothing new; and every kind of it counts."""
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    asked = [_plain(dataset, "identify") for dataset in SHIPPED.datasets] + [
        _plain("health-trust", "support")
    ]
    before = {question: _permitted(SHIPPED, question, at) for question in asked}
    assert any(before.values())
    lost = 0
    for less in _removals(SHIPPED):
        touched = {k for k, policy in SHIPPED.datasets.items() if less.datasets.get(k) is not policy}
        after = {q: _permitted(less, q, at) for q in asked if not touched or q.dataset in touched}
        assert all(before[question] or not verdict for question, verdict in after.items())
        lost += any(before[question] != verdict for question, verdict in after.items())
    assert lost > 200


def _plain(dataset: str, purpose: str) -> Question:
    terms = sound_terms(dataset, since=date(2014, 1, 1), until=date(2031, 1, 1))
    return Question(dataset, purpose, "local", terms, households=200, people=800)


@given(questions(), moments(), DAYS, st.randoms(use_true_random=False))
def test_adding_an_expiry_never_lengthens(asked, at, end, rng):
    """A set in which something ends, or ends sooner, permits nothing that it did not permit before."""
    shorter = list(_expiries(SHIPPED, end))
    if shorter and _permitted(rng.choice(shorter), asked, at):
        assert _permitted(SHIPPED, asked, at)


@given(questions(), moments(), DAYS)
def test_a_shorter_agreement_never_lengthens(asked, at, end):
    """An agreement that ends sooner permits nothing that the longer one did not."""
    for last in ("valid_to", "dpia_to", "policy_document_to"):
        shorter = dataclasses.replace(asked, agreement=dataclasses.replace(asked.agreement, **{last: end}))
        if _permitted(SHIPPED, shorter, at):
            assert end > asked.agreement.valid_to or _permitted(SHIPPED, asked, at)


def _blocks(text: str) -> list[str]:
    """The tables of a law file, each with its header."""
    return [part for part in re.split(r"(?m)^(?=\[\[)", text) if part.startswith("[[")]


@settings(max_examples=25)  # each loads the whole folder
@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_file_order_changes_nothing(rng, files):
    """The law, shuffled and dealt into any number of files under any names, is the same policy set."""
    blocks = [b for path in sorted((builtin() / "law").glob("*.toml")) for b in _blocks(path.read_text())]
    rng.shuffle(blocks)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "law").mkdir()
        for number in range(files):
            (folder / "law" / f"{rng.getrandbits(32)}-{number}.toml").write_text(
                "\n".join(blocks[number::files])
            )
        for room in ("frameworks", "datasets"):
            (folder / room).symlink_to(builtin() / room)
        assert load(folder) == SHIPPED
        assert load(folder).digest == DIGEST


@given(questions(), moments())
def test_an_empty_folder_refuses_everything(asked, at):
    """With nothing loaded every question is refused."""
    with tempfile.TemporaryDirectory() as name:
        assert not _permitted(load(Path(name)), asked, at)


@given(questions(), moments())
def test_deciding_is_pure(asked, at):
    """The same question at the same moment gives the same decision, byte for byte."""
    fresh = dataclasses.replace(SHIPPED)  # remembers nothing yet
    assert decide(asked, SHIPPED, at) == decide(asked, fresh, at)
