"""Questions for `decide`, many near a permit, and policy sets that something was taken from or added to.

All from a seeded generator: the same seed gives the same questions.
"""

import dataclasses
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sound_terms import sound_terms

from policies.decision import Question
from policies.model import ConsentRule, DatasetPolicy, PolicySet, Serves, Span

LONDON = ZoneInfo("Europe/London")
_DAY = timedelta(days=1)
_LONG = timedelta(days=400)
_TODAY = date(2026, 11, 22)

Asked = tuple[Question, datetime]
Spoil = Callable[[random.Random, Question, date, PolicySet], Question]


def questions(
    rng: random.Random, policies: PolicySet, number: int, names: tuple[str, ...] = ()
) -> list[Asked]:
    """Each of the set's datasets in turn (or of `names`), asked beyond reproach but for 0 to 2 things."""
    days = borders(policies)
    turns = names or tuple(policies.datasets)
    return [_question(rng, policies, policies.datasets[turns[n % len(turns)]], days) for n in range(number)]


def borders(policies: PolicySet) -> list[date]:
    """The days on which a regime, law, framework or dataset begins, and those after which one ends."""
    spans = [version.span for versions in policies.law.values() for version in versions]
    for part in (policies.regimes, policies.frameworks, policies.datasets):
        spans += [item.span for item in part.values()]
    return sorted({span.valid_from for span in spans} | {span.valid_to for span in spans if span.valid_to})


def _question(rng: random.Random, policies: PolicySet, dataset: DatasetPolicy, days: list[date]) -> Asked:
    at = _moment(rng, dataset, days)
    on = at.astimezone(LONDON).date()
    asked = _beyond_reproach(rng, dataset, policies, on)
    for spoil in rng.choices(SPOILS, k=rng.choice((0, 0, 0, 1, 1, 2))):
        asked = spoil(rng, asked, on, policies)
    return asked, at


def _moment(rng: random.Random, dataset: DatasetPolicy, days: list[date]) -> datetime:
    """Any minute of a day near today, of any day of the dataset, or around the midnights of a border."""
    if rng.random() < 0.4:
        day = rng.choice(days) + rng.choice((-1, 0, 0, 1)) * _DAY
        near = timedelta(minutes=rng.choice((-61, -60, -1, 0, 1, 59, 60, 720)))
        return (datetime.combine(day, time(), ZoneInfo("UTC")) + near).astimezone(rng.choice((LONDON, None)))
    last = min(dataset.span.valid_to or date(2031, 1, 1), date(2031, 1, 1))
    early = rng.randrange((last - dataset.span.valid_from).days + 1) * _DAY
    day = dataset.span.valid_from + early if rng.random() < 0.5 else min(_TODAY, last)
    return datetime.combine(day, time(rng.randrange(24), rng.randrange(60)), LONDON)


def _beyond_reproach(rng: random.Random, dataset: DatasetPolicy, policies: PolicySet, on: date) -> Question:
    terms = sound_terms(dataset.id, dataset.digest, since=on - _LONG, until=on + _LONG)
    held = [
        f for f in dataset.frameworks if f in policies.frameworks and policies.frameworks[f].span.holds(on)
    ]
    names = held + [""] * (len(held) == 1)
    return Question(
        dataset=dataset.id,
        purpose=rng.choice(dataset.purposes or ("identify",)),
        framework=rng.choice(names or [""]),
        agreement=terms,
        households=rng.choice((dataset.min_households, dataset.max_households)),
        people=rng.choice((dataset.min_people, dataset.max_people)),
    )


def _terms(asked: Question, **changes: object) -> Question:
    if asked.agreement is None:
        return asked
    return dataclasses.replace(asked, agreement=dataclasses.replace(asked.agreement, **changes))


def _near(rng: random.Random, on: date) -> date:
    return on + rng.choice((-1, 0, 1)) * _DAY


def _size(rng: random.Random, asked: Question, on: date, policies: PolicySet) -> Question:
    dataset = policies.datasets.get(asked.dataset)
    if dataset is None:
        return asked
    what = rng.choice(("people", "households"))
    limit = getattr(dataset, f"{rng.choice(('min', 'max'))}_{what}")
    return dataclasses.replace(asked, **{what: rng.choice((0, limit - 1, limit, limit + 1))})


SPOILS: tuple[Spoil, ...] = (
    lambda rng, asked, on, policies: dataclasses.replace(
        asked, dataset=rng.choice([*policies.datasets, "nobody", ""])
    ),
    lambda rng, asked, on, policies: dataclasses.replace(
        asked, purpose=rng.choice([*policies.purposes, "whim", "any", ""])
    ),
    lambda rng, asked, on, policies: dataclasses.replace(
        asked, framework=rng.choice([*policies.frameworks, "fashion", "", ""])
    ),
    lambda rng, asked, on, policies: dataclasses.replace(asked, agreement=None),
    lambda rng, asked, on, policies: _terms(asked, signed=False),
    lambda rng, asked, on, policies: _terms(asked, revoked=True),
    lambda rng, asked, on, policies: _terms(asked, dataset=rng.choice([*policies.datasets, "nobody"])),
    lambda rng, asked, on, policies: _terms(asked, policy_digest="0" * 64),
    lambda rng, asked, on, policies: _terms(asked, valid_from=_near(rng, on)),
    lambda rng, asked, on, policies: _terms(asked, valid_to=_near(rng, on)),
    lambda rng, asked, on, policies: _terms(asked, dpia_to=_near(rng, on)),
    lambda rng, asked, on, policies: _terms(asked, policy_document_to=_near(rng, on)),
    _size,
    _size,
)


def spoilt(rng: random.Random, policies: PolicySet, number: int) -> PolicySet:
    """The set with a number of random changes, each of one thing."""
    for _ in range(number):
        policies = rng.choice(CHANGES)(rng, policies)
    return policies


def _put(policies: PolicySet, part: str, key: str, value: object) -> PolicySet:
    return dataclasses.replace(policies, **{part: {**getattr(policies, part), key: value}})


def _gone(rng: random.Random, policies: PolicySet, part: str) -> PolicySet:
    """One item of a part removed, whoever cites it."""
    items = getattr(policies, part)
    key = rng.choice([*items, None])
    return dataclasses.replace(policies, **{part: {k: v for k, v in items.items() if k != key}})


def _less(rng: random.Random, thing: object, *names: str) -> object:
    """One item gone of one of its tuples."""
    name = rng.choice(names)
    items = getattr(thing, name)
    drop = rng.randrange(len(items)) if items else 0
    return dataclasses.replace(thing, **{name: items[:drop] + items[drop + 1 :]})


def _of_dataset(change: Callable[[random.Random, DatasetPolicy], DatasetPolicy]) -> Callable:
    def changed(rng: random.Random, policies: PolicySet) -> PolicySet:
        if not policies.datasets:
            return policies
        key = rng.choice([*policies.datasets])
        return _put(policies, "datasets", key, change(rng, policies.datasets[key]))

    return changed


def _citation(rng: random.Random, dataset: DatasetPolicy) -> DatasetPolicy:
    ways = ("purposes", "frameworks", "indicators", "confidentiality", "conditions")
    return _less(rng, dataset, *ways)


def _power(rng: random.Random, dataset: DatasetPolicy) -> DatasetPolicy:
    return dataclasses.replace(dataset, gateways=_less(rng, dataset.gateways, "request", "answer"))


def _condition(rng: random.Random, dataset: DatasetPolicy) -> DatasetPolicy:
    names = ("regimes", "request", "lawful_basis", "special_category", "offence", "export")
    drawn = [_less(rng, each, *names) if rng.random() < 0.6 else each for each in dataset.conditions]
    return dataclasses.replace(dataset, conditions=tuple(drawn))


def _rules(rng: random.Random, dataset: DatasetPolicy) -> DatasetPolicy:
    consent = rng.choice([*ConsentRule])
    rules = dataclasses.replace(dataset.row_rules, consent=consent, indicator_met=rng.random() < 0.5)
    return dataclasses.replace(dataset, row_rules=rules)


def _kind(rng: random.Random, dataset: DatasetPolicy) -> DatasetPolicy:
    return dataclasses.replace(dataset, partner_kind=rng.choice(("health", "police", "school", "prison")))


def _consent_off(rng: random.Random, policies: PolicySet) -> PolicySet:
    """No dataset asks for consent any more."""
    off = {
        key: dataclasses.replace(each, row_rules=dataclasses.replace(each.row_rules, consent=ConsentRule.OFF))
        for key, each in policies.datasets.items()
    }
    return dataclasses.replace(policies, datasets=off)


def _expiry(rng: random.Random, policies: PolicySet) -> PolicySet:
    """A dataset, framework or regime ends sooner."""
    part = rng.choice(("datasets", "frameworks", "regimes"))
    items = getattr(policies, part)
    if not items:
        return policies
    key = rng.choice([*items])
    return _put(policies, part, key, dataclasses.replace(items[key], span=_shorter(rng, items[key].span)))


def _shorter(rng: random.Random, span: Span) -> Span:
    last = min(span.valid_to or date(2031, 1, 1), date(2031, 1, 1))
    days = max((last - span.valid_from).days, 0)
    return Span(span.valid_from, span.valid_from + rng.randrange(days + 1) * _DAY)


def _emptied(rng: random.Random, policies: PolicySet) -> PolicySet:
    """No dataset cites anything for one of the conditions any more."""
    name = rng.choice(("special_category", "offence", "export"))
    kept = policies.datasets
    for key, each in kept.items():
        conditions = tuple(dataclasses.replace(one, **{name: ()}) for one in each.conditions)
        kept = {**kept, key: dataclasses.replace(each, conditions=conditions)}
    return dataclasses.replace(policies, datasets=kept)


def _reach(rng: random.Random, policies: PolicySet) -> PolicySet:
    """A gateway that reaches a part of its topics only."""
    gateways = [key for key, versions in policies.law.items() if Serves.GATEWAY in versions[0].serves]
    if not gateways:
        return policies
    key = rng.choice(gateways)
    fewer = [
        dataclasses.replace(v, topics=tuple(rng.sample(v.topics, len(v.topics) // 2)))
        for v in policies.law[key]
    ]
    return _put(policies, "law", key, tuple(fewer))


def touched(before: PolicySet, after: PolicySet) -> tuple[str, ...]:
    """The datasets that are not as they were, or that cite law that is not."""
    changed = {key for key in before.law if before.law[key] != after.law.get(key)}
    return tuple(
        key
        for key, each in after.datasets.items()
        if each != before.datasets.get(key) or not changed.isdisjoint(_cited(each))
    )


def _of_law(change: Callable) -> Callable:
    """One version of an entry changed; rather one that some dataset cites."""

    def changed(rng: random.Random, policies: PolicySet) -> PolicySet:
        cited = {key for each in policies.datasets.values() for key in _cited(each)} & policies.law.keys()
        key = rng.choice(sorted(cited) or [*policies.law])
        versions = list(policies.law[key])
        place = rng.randrange(len(versions))
        versions[place] = change(rng, versions[place], policies)
        return _put(policies, "law", key, tuple(versions))

    return changed


def _cited(dataset: DatasetPolicy) -> Iterator[str]:
    yield from (*dataset.gateways.request, *dataset.gateways.answer, *dataset.confidentiality)
    for each in dataset.conditions:
        yield from (*each.request, *each.lawful_basis, *each.special_category, *each.offence, *each.export)


def _neighbours(rng: random.Random, policies: PolicySet) -> tuple[str, ...]:
    """Entries that stand together in some dataset: what an entry may be made to need."""
    dataset = policies.datasets[rng.choice([*policies.datasets])] if policies.datasets else None
    cited = sorted({*_cited(dataset)}) if dataset else []
    return tuple(rng.sample(cited, min(len(cited), rng.choice((1, 1, 2)))))


CHANGES: tuple[Callable[[random.Random, PolicySet], PolicySet], ...] = (
    *(_of_dataset(change) for change in (_citation, _power, _condition, _rules, _kind)),
    _consent_off,
    _expiry,
    _emptied,
    _reach,
    _reach,
    *(
        lambda rng, policies, part=part: _gone(rng, policies, part)
        for part in ("law", "purposes", "regimes", "frameworks")
    ),
    *(
        _of_law(change)
        for change in (
            lambda rng, law, _: dataclasses.replace(law, span=_shorter(rng, law.span)),
            lambda rng, law, _: dataclasses.replace(law, commenced=False),
            lambda rng, law, _: dataclasses.replace(law, needs_consent=not law.needs_consent),
            lambda rng, law, _: _less(rng, law, "disclosers", "recipients", "purposes", "topics"),
            lambda rng, law, _: _less(rng, law, "needs", "needs_any"),
            lambda rng, law, policies: dataclasses.replace(law, needs=_neighbours(rng, policies)),
            lambda rng, law, policies: dataclasses.replace(law, needs_any=_neighbours(rng, policies)),
            lambda rng, law, _: dataclasses.replace(law, serves=(*law.serves, rng.choice([*Serves]))),
            lambda rng, law, _: dataclasses.replace(law, serves=(Serves.PROHIBITION,)),
        )
    ),
)
