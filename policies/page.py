"""A decision as a page that a council's lawyer can read: what is asked, by which law, what would change it.

One list of sections, for every screen: `gateway.cli.policy` prints them, `markdown` writes them.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.domain.exchange import Granularity, Release
from gateway.domain.legal_date import legal_date
from policies.model import ConsentRule, CosignedBy, DatasetPolicy, Onward, PolicySet, RowRules
from policies.rows import REASONS
from policies.verdict import Decision, Ground, Unmet

ROLES: Final = {
    "gateway-request": "Power to send the list",
    "request-lawful-basis": "Lawful basis of sending the list",
    "request-special-category": "Condition for special-category data in the list",
    "request-offence": "Basis for offence data in the list",
    "gateway-answer": "Power to answer",
    "lawful-basis": "Lawful basis of the answer",
    "special-category": "Condition for special-category data in the answer",
    "offence": "Basis for offence data in the answer",
    "export": "Leaving law-enforcement rules",
    "confidentiality": "Route through confidentiality",
}
_LIST: Final = frozenset(role for role in ROLES if "request" in role)
_GRANULARITY: Final = {
    Granularity.HOUSEHOLD_ANY: "one bit a household: whether any indicator is met, not which",
    Granularity.HOUSEHOLD_INDICATORS: "one bit a household and indicator, not whose it is",
    Granularity.PERSON_INDICATORS: "one bit a person and indicator",
}
_RELEASE: Final = {
    Release.AUTOMATIC: "answers leave the partner's agent without further approval",
    Release.TWO_APPROVE: "two of the partner's custodians approve each answer, or one refuses it",
    Release.PARTNER_APPROVES: "the partner's custodian approves or refuses each answer",
}

_COSIGNED_BY: Final = {
    CosignedBy.PARTNER: "the partner that answered",
    CosignedBy.OUTSIDE: "another partner",
}
_ONWARD: Final = {
    Onward.NONE: "a flag goes to nobody beyond the recipient named",
    Onward.WITH_CONSENT: "a flag goes further only with the consent of the person",
    Onward.FAMILY_PLAN: "a flag goes to those who plan and give this family's support, for the same purpose",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its statements."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """What the row rules would withhold of a list: people by reason code, with the lines of the file.

    `reached`: how many of its households reach the framework's `threshold`, by the indicators they have met.
    """

    people: int
    lines: dict[str, tuple[int, ...]]
    households: int
    reached: int
    threshold: str


def page(
    decision: Decision, policies: PolicySet, withheld: Withheld | None = None, supposing: str = ""
) -> tuple[Section, ...]:
    """Every section that the decision calls for, in reading order. `supposing`: what was supposed."""
    return tuple(each for each in _sections(decision, policies, withheld, supposing) if each.lines)


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The page as Markdown, one statement a bullet."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", "\n".join(f"- {line}" for line in section.lines)]
    return "\n\n".join(parts) + "\n"


def _sections(
    decision: Decision, policies: PolicySet, withheld: Withheld | None, supposing: str
) -> Iterator[Section]:
    policy = policies.datasets.get(decision.dataset)
    yield Section("Decision", tuple(_verdict(decision, policies, supposing)))
    yield Section("Forbidden by law", tuple(_prohibitions([u for u in decision.unmet if u.forbidden])))
    yield Section("Not met", tuple(_reasons([u for u in decision.unmet if not u.forbidden])))
    if policy is not None:
        yield Section("What is asked", tuple(_asked(policy, decision, policies)))
        yield Section("The question itself discloses something", tuple(_question(policy)))
    yield Section("Law that the list goes under", tuple(_law(decision, policies, _LIST)))
    yield Section("Law of the answer", tuple(_law(decision, policies, ROLES.keys() - _LIST)))
    if policy is not None:
        yield Section("Rows that stay behind", (*_row_rules(policy.row_rules), *_found(withheld)))
        yield Section("Limits and retention", tuple(_limits(policy)))
    yield Section("Unconfirmed law", tuple(_unconfirmed(decision)))


def _verdict(decision: Decision, policies: PolicySet, supposing: str) -> Iterator[str]:
    regime = policies.regimes.get(decision.regime)
    word = "Permitted" if decision.permitted else "Forbidden" if decision.forbidden else "Not permitted"
    yield f"{word}: dataset {decision.dataset}, purpose {decision.purpose}, framework {decision.framework}"
    under = regime.title if regime else "no data-protection law that this set knows"
    yield f"Judged by the law of {legal_date(decision.at).isoformat()}, under: {under}"
    if supposing:
        yield f"Supposing {supposing}"
    yield f"Policy set {decision.policy_set}, engine {decision.engine}"


def _reasons(unmet: Sequence[Unmet]) -> Iterator[str]:
    for each in unmet:
        yield (
            f"Required: {each.requirement[:1].lower()}{each.requirement[1:]} [{each.code}]. "
            f"Asked for by {each.citation}: {each.clause}. What would meet it: {each.remedy}"
        )


def _prohibitions(unmet: Sequence[Unmet]) -> Iterator[str]:
    for each in unmet:
        yield f"{each.citation} forbids this [{each.code}]: {each.clause}. What would meet it: {each.remedy}"


def _asked(policy: DatasetPolicy, decision: Decision, policies: PolicySet) -> Iterator[str]:
    yield f"{policy.title}. Who answers: {policy.controller}. Who is told: {policy.recipient}"
    framework = policies.frameworks.get(decision.framework)
    for code in policy.asked(framework) if framework else ():
        indicator = framework.find(code) if framework else None
        yield f"{indicator.label if indicator else ''} ({code})"
    yield f"The answer is {_GRANULARITY[policy.granularity]}"


def _question(policy: DatasetPolicy) -> Iterator[str]:
    yield (
        "The list tells the partner that the council works with these households, under keyed hashes that "
        "remain personal data. It is a disclosure of its own and is logged before it is sent"
    )
    if policy.row_rules.indicator_met:
        yield "It tells that each household has met an indicator, which may be one of crime, abuse or health"
    yield f"Match keys are made of nothing but: {', '.join(policy.identifiers)}"


def _law(decision: Decision, policies: PolicySet, roles: Collection[str]) -> Iterator[str]:
    for ground in decision.basis.grounds if decision.basis else ():
        if ground.role in roles:
            limits = f" Limits: {'; '.join(ground.limits)}." if ground.limits else ""
            read = _read(ground, policies, legal_date(decision.at))
            yield f"{ROLES[ground.role]}: {ground.citation}, {ground.title}. {ground.clause}.{limits}{read}"


def _read(ground: Ground, policies: PolicySet, on: date) -> str:
    entry = policies.law_on(ground.id, on)
    if not ground.confirmed:
        return " Unconfirmed."
    by = entry.confirmation if entry else None
    return f" Read at its source by {by.by} on {by.on.isoformat()}." if by else ""


def _row_rules(rules: RowRules) -> Iterator[str]:
    if rules.consent is ConsentRule.EXPLICIT:
        yield "People without a recorded yes"
    if rules.areas:
        yield f"People outside {', '.join(rules.areas)}"
    if rules.indicator_met:
        yield "Households in which nobody met an indicator of the framework"
    if rules.dependent_child:
        yield (
            "Households without a dependent child: 0 to 15, or 16 to 18 in full-time education, living with "
            "somebody old enough to be a parent, and without partner or child of their own there"
        )
    if rules.min_household > 1:
        yield f"Households of which fewer than {rules.min_household} people remain"
    yield f"Households of more than {rules.max_household} people"


def _found(withheld: Withheld | None) -> Iterator[str]:
    if withheld is None:
        return
    behind = sum(map(len, withheld.lines.values()))
    yield (
        f"Of this list, {behind} of {withheld.people} people would stay behind, not counting households that "
        "the gateway was asked about of late: only the gateway knows those"
    )
    yield (
        f"{withheld.reached} of {withheld.households} households reach the framework's threshold of "
        f"{withheld.threshold}; it says who is in the programme, and holds nobody back here"
    )
    for code, lines in withheld.lines.items():
        shown = ", ".join(map(str, lines[:20])) + (" and more" if len(lines) > 20 else "")  # noqa: PLR2004
        yield f"{REASONS[code]} [{code}]: {len(lines)}, at line {shown}"


def _limits(policy: DatasetPolicy) -> Iterator[str]:
    yield (
        f"A list has {policy.min_households} to {policy.max_households} households and "
        f"{policy.min_people} to {policy.max_people} people"
    )
    if policy.repeat_days:
        yield f"A household is not asked about again within {policy.repeat_days} days"
    yield f"Passing on: {_ONWARD[policy.onward]}"
    yield f"Release: {_RELEASE[policy.release]}"
    if policy.cosigned_by:
        waits = " and ".join(_COSIGNED_BY[each] for each in policy.cosigned_by)
        yield f"Release waits until the log with the answer's entry is cosigned by {waits}"
    yield f"The partner has {policy.answer_days} days to answer"
    yield f"Results are destroyed after {policy.results_days} days"
    yield f"Who was told about whom is kept for {policy.accounting_days} days"


def _unconfirmed(decision: Decision) -> Iterator[str]:
    if decision.unconfirmed:
        yield (
            "These were not read at their source: a lawyer must check them, or the council confirm the law "
            "among them in a file of its own: " + "; ".join(decision.unconfirmed)
        )
