"""A policy set as Cedar policies and entities: a second opinion on `decide`, in another language.

Written from docs/policies.md and the TOML alone. Of `policies` it takes what was loaded and nothing that
judges. Days, parties, purposes, topics, needs, agreements and sizes are compared by Cedar; only what a
dataset cites, and which versions those are, is spelt out here.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

import cedarpy

from policies.model import Conditions, DatasetPolicy, LawEntry, PolicySet

LONDON = ZoneInfo("Europe/London")
COUNCIL = "council"

SCHEMA = """
entity Council;
entity Folder { purposes: Set<String> };
entity Regime { from: Long, to: Long, part3: Bool };
entity Framework { from: Long, to: Long, codes: Set<String> };
entity Indicator { topics: Set<String> };
entity Law {
    from: Long, to: Long, commenced: Bool, needs_consent: Bool,
    disclosers: Set<String>, recipients: Set<String>, purposes: Set<String>, topics: Set<String>,
};
entity Dataset {
    id: String, digest: String, kind: String, from: Long, to: Long, consent: Bool,
    purposes: Set<String>, codes: Set<String>, answers: Set<String>, tells: Set<String>,
    min_people: Long, max_people: Long, min_households: Long, max_households: Long,
};
type Agreement = {
    dataset: String, digest: String, signed: Bool, revoked: Bool,
    from: Long, to: Long, dpia: Long, document: Long,
};
action send appliesTo {
    principal: Council, resource: Dataset,
    context: {
        day: Long, purpose: String, framework: String, people: Long, households: Long, agreement?: Agreement,
    },
};
"""

LIMITS = """
@id("dataset in force")
forbid (principal, action, resource) unless { resource.from <= context.day && context.day <= resource.to };

@id("purpose known and allowed")
forbid (principal, action, resource) unless {
    Folder::"all".purposes.contains(context.purpose) && resource.purposes.contains(context.purpose)
};

@id("agreement")
forbid (principal, action, resource) unless {
    context has agreement
    && context.agreement.signed && !context.agreement.revoked
    && context.agreement.from <= context.day && context.day <= context.agreement.to
    && context.day <= context.agreement.dpia && context.day <= context.agreement.document
    && context.agreement.dataset == resource.id && context.agreement.digest == resource.digest
};

@id("size")
forbid (principal, action, resource) unless {
    resource.min_people <= context.people && context.people <= resource.max_people
    && resource.min_households <= context.households && context.households <= resource.max_households
};
"""


class Cedar:
    """A policy set made ready for Cedar once; then asked any number of questions."""

    def __init__(self, policies: PolicySet) -> None:
        self.text = "\n\n".join([LIMITS, *_prohibitions(policies), *_permits(policies)])
        self.policies = cedarpy.PolicySet.from_str(self.text)
        self.entities = cedarpy.Entities.from_json_str(json.dumps(list(_entities(policies))), SCHEMA)

    def permits(self, question, at) -> bool:
        """Whether the list may go; an error of evaluation never passes for a permit."""
        answer = cedarpy.is_authorized(request(question, at), self.policies, self.entities)
        assert not (answer.allowed and answer.diagnostics.errors), answer.diagnostics.errors
        return answer.allowed


def request(question, at) -> dict:
    """The question as Cedar takes it; the day is that of London, by the machine's time-zone files."""
    context = {
        "day": at.astimezone(LONDON).date().toordinal(),
        "purpose": question.purpose,
        "framework": question.framework,
        "people": question.people,
        "households": question.households,
    }
    if question.agreement is not None:
        context["agreement"] = _agreement(question.agreement)
    return {
        "principal": 'Council::"council"',
        "action": 'Action::"send"',
        "resource": f"Dataset::{_quoted(question.dataset)}",
        "context": json.dumps(context),
    }


def _agreement(terms) -> dict:
    return {
        "dataset": terms.dataset,
        "digest": terms.policy_digest,
        "signed": terms.signed,
        "revoked": terms.revoked,
        "from": terms.valid_from.toordinal(),
        "to": terms.valid_to.toordinal(),
        "dpia": terms.dpia_to.toordinal(),
        "document": terms.policy_document_to.toordinal(),
    }


def _quoted(text: str) -> str:
    return json.dumps(text)  # ids are plain ASCII, for which Cedar quotes as JSON does


def _entity(kind: str, name: str, /, **attributes) -> dict:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


def _days(span) -> dict:
    return {"from": span.valid_from.toordinal(), "to": (span.valid_to or date.max).toordinal()}


def _entities(policies: PolicySet) -> Iterator[dict]:
    yield _entity("Folder", "all", purposes=list(policies.purposes))
    for regime in policies.regimes.values():
        yield _entity("Regime", regime.id, **_days(regime.span), part3=regime.part3)
    for framework in policies.frameworks.values():
        codes = [indicator.code for indicator in framework.indicators]
        yield _entity("Framework", framework.id, **_days(framework.span), codes=codes)
        for each in framework.indicators:
            yield _entity("Indicator", f"{framework.id}/{each.code}", topics=list(each.topics))
    for versions in policies.law.values():
        yield from (_law(name, version) for name, version in _numbered(versions))
    for dataset in policies.datasets.values():
        yield _dataset(dataset, policies)


def _numbered(versions: Iterable[LawEntry]) -> Iterator[tuple[str, LawEntry]]:
    return ((f"{version.id}#{number}", version) for number, version in enumerate(versions))


def _law(name: str, version: LawEntry) -> dict:
    sets = {key: list(getattr(version, key)) for key in ("disclosers", "recipients", "purposes", "topics")}
    consent = version.needs_consent
    return _entity(
        "Law", name, **_days(version.span), commenced=version.commenced, needs_consent=consent, **sets
    )


def _dataset(dataset: DatasetPolicy, policies: PolicySet) -> dict:
    """`answers` and `tells`: the categories of what the partner answers and of what the list itself tells."""
    used = _used(dataset, policies)
    asked = [i for _, framework in used for i in framework.indicators if i.code in dataset.indicators]
    told = (
        [i for _, framework in used for i in framework.indicators] if dataset.row_rules.indicator_met else []
    )
    return _entity(
        "Dataset",
        dataset.id,
        **_days(dataset.span),
        id=dataset.id,
        digest=dataset.digest,
        kind=dataset.partner_kind,
        consent=dataset.row_rules.consent.value == "explicit",
        purposes=list(dataset.purposes),
        codes=list(dataset.indicators),
        answers=sorted({category.value for indicator in asked for category in indicator.categories}),
        tells=sorted({category.value for indicator in told for category in indicator.categories}),
        min_people=dataset.min_people,
        max_people=dataset.max_people,
        min_households=dataset.min_households,
        max_households=dataset.max_households,
    )


def _used(dataset: DatasetPolicy, policies: PolicySet) -> list:
    return [(name, policies.frameworks[name]) for name in dataset.frameworks if name in policies.frameworks]


def _all(*terms: str) -> str:
    return f"({' && '.join(terms)})" if terms else "true"


def _any(terms: Iterable[str]) -> str:
    found = list(terms)
    return f"({' || '.join(found)})" if found else "false"


def _in_force(thing: str) -> str:
    return f"{thing}.from <= context.day && context.day <= {thing}.to"


def _covers_purpose(law: str) -> str:
    return f'{law}.purposes.containsAny([context.purpose, "any"])'


def _prohibitions(policies: PolicySet) -> Iterator[str]:
    for versions in policies.law.values():
        for name, version in _numbered(versions):
            if "prohibition" in version.serves:
                law = f"Law::{_quoted(name)}"
                ways = [way.parties(law) for way in (_out(policies), _back(policies))]
                terms = _all(f"{law}.commenced", _in_force(law), _covers_purpose(law), _any(ways))
                yield f"@id({_quoted(name)})\nforbid (principal, action, resource) when {{ {terms} }};"


class _Way:
    """One way of disclosure, and what law carries it: terms for what the dataset cites."""

    def __init__(self, policies: PolicySet, discloser: str, recipient: str) -> None:
        self.policies = policies
        self.discloser = discloser
        self.recipient = recipient

    def met(self, cited: Iterable[str], serves: str, and_also: Callable[[str], str] | None = None) -> str:
        """Some cited entry that serves holds, and so does all that it needs, cited as well."""
        known = [key for key in cited if key in self.policies.law]
        return _any(
            _all(
                *([and_also(f"Law::{_quoted(name)}")] if and_also else []),
                self._whole(name, version, known, (key,)),
            )
            for key in known
            for name, version in _numbered(self.policies.law[key])
            if serves in version.serves
        )

    def parties(self, law: str) -> str:
        """It names these parties, or any."""
        return _all(
            f'{law}.disclosers.containsAny([{self.discloser}, "any"])',
            f'{law}.recipients.containsAny([{self.recipient}, "any"])',
        )

    def _whole(self, name: str, version: LawEntry, cited: list[str], path: tuple[str, ...]) -> str:
        """This version holds, and what it needs does, without coming back to an entry on the way here."""
        any_of = [_any(self._cited(each, cited, path) for each in version.needs_any)]
        return _all(
            self._holds(name),
            *(self._cited(needed, cited, path) for needed in version.needs),
            *(any_of if version.needs_any else []),
        )

    def _cited(self, needed: str, cited: list[str], path: tuple[str, ...]) -> str:
        """Some version of an entry that is needed holds whole, and it is cited."""
        versions = _numbered(self.policies.law[needed]) if needed in cited and needed not in path else ()
        return _any(self._whole(name, version, cited, (*path, needed)) for name, version in versions)

    def _holds(self, name: str) -> str:
        law = f"Law::{_quoted(name)}"
        return _all(
            _in_force(law),
            f"{law}.commenced",
            self.parties(law),
            _covers_purpose(law),
            f"(resource.consent || !{law}.needs_consent)",
        )


def _permits(policies: PolicySet) -> Iterator[str]:
    for dataset in policies.datasets.values():
        yield _whatever_the_regime(dataset, policies)
        for conditions in dataset.conditions:
            for regime in conditions.regimes:
                if regime in policies.regimes:
                    yield _permit(dataset, conditions, regime, policies)


def _out(policies: PolicySet) -> _Way:
    return _Way(policies, _quoted(COUNCIL), "resource.kind")


def _back(policies: PolicySet) -> _Way:
    return _Way(policies, "resource.kind", _quoted(COUNCIL))


def _policy(effect: str, dataset: DatasetPolicy, title: str, word: str, terms: list[str]) -> str:
    scope = f'principal, action == Action::"send", resource == Dataset::{_quoted(dataset.id)}'
    joined = "\n    && ".join(terms)
    return f"@id({_quoted(f'{dataset.id} {title}')})\n{effect} ({scope}) {word} {{\n    {joined}\n}};"


def _whatever_the_regime(dataset: DatasetPolicy, policies: PolicySet) -> str:
    """The framework asked is the dataset's, and powers carry the list out and the answer back."""
    confidential = _back(policies).met(dataset.confidentiality, "confidentiality")
    terms = [
        _framework(dataset, policies),
        *_gateways(dataset, policies, _out(policies), dataset.gateways.request),
        *_gateways(dataset, policies, _back(policies), dataset.gateways.answer),
        f'(resource.kind != "health" || {confidential})',
    ]
    return _policy("forbid", dataset, "framework and gateways", "unless", terms)


def _permit(dataset: DatasetPolicy, conditions: Conditions, regime: str, policies: PolicySet) -> str:
    """The list may go to this dataset's partner in this regime, if the law that is cited carries it."""
    out, back = _out(policies), _back(policies)
    day = f"Regime::{_quoted(regime)}"
    told = conditions.request
    law_enforcement = '["police", "prison", "probation"].contains(resource.kind)'
    special, offence = conditions.special_category, conditions.offence
    terms = [
        _in_force(day),
        out.met(told, "lawful-basis"),
        f'(!resource.tells.contains("special") || {out.met(told, "special-category")})',
        f'(!resource.tells.contains("offence") || {out.met(told, "offence")})',
        back.met(conditions.lawful_basis, "lawful-basis"),
        f'(!resource.answers.contains("special") || {back.met(special, "special-category")})',
        f'(!resource.answers.contains("offence") || {back.met(offence, "offence")})',
        f"(!({day}.part3 && {law_enforcement}) || {back.met(conditions.export, 'export')})",
    ]
    return _policy("permit", dataset, f"in {regime}", "when", terms)


def _framework(dataset: DatasetPolicy, policies: PolicySet) -> str:
    """The framework asked, by name or as the only one in force, holds and has something of the dataset."""
    used = [name for name, _ in _used(dataset, policies)]
    held = {name: f"({_in_force(f'Framework::{_quoted(name)}')})" for name in used}
    return _any(
        _all(
            held[name],
            f"Framework::{_quoted(name)}.codes.containsAny(resource.codes)",
            _any(
                [
                    f"context.framework == {_quoted(name)}",
                    _all('context.framework == ""', *(f"!{held[other]}" for other in used if other != name)),
                ]
            ),
        )
        for name in used
    )


def _gateways(
    dataset: DatasetPolicy, policies: PolicySet, way: _Way, cited: tuple[str, ...]
) -> Iterator[str]:
    """A gateway carries the way, and each indicator, as each framework has it, is reached by such a one."""
    yield way.met(cited, "gateway")
    for name, framework in _used(dataset, policies):
        for indicator in framework.indicators:
            if indicator.code in dataset.indicators:
                topics = f"Indicator::{_quoted(f'{name}/{indicator.code}')}.topics"
                yield way.met(cited, "gateway", lambda law, t=topics: _reaches(law, t))


def _reaches(law: str, topics: str) -> str:
    return f'({law}.topics.contains("any") || {law}.topics.containsAny({topics}))'
