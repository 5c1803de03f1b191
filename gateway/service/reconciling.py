"""Two-sided receipts: the council's log and a partner agent's own, entry by entry (DESIGN.md §6). Pure.

Each side's entries of one exchange must tell one story. What only one side tells, or what the two tell
differently, is a finding; so is an authorised request without a receipt, which counts as disclosed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

AUTHORISED: Final = "exchange.request-authorised"
_COUNCIL: Final = {
    "exchange.delivered": "answered",
    "exchange.declined": "declined",
    "exchange.failed": "failed",
}
"""Kinds of the council's log that rest on the partner's signed receipt."""
_AGENT: Final = {
    "answer.sealed": "answered",
    "request.declined": "declined",
    "request.failed": "failed",
    "request.rejected": "failed",  # what the council is told of a refusal without details
}
RECEIVED: Final = "request.received"
_FACTS: Final = (
    "agreement",
    "dataset",
    "purpose",
    "framework",
    "granularity",
    "indicators_asked",
)
"""What both sides' entries say of a request."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable; `differs`: the two logs contradict each other, else it is for follow-up."""

    exchange: str
    code: str
    text: str
    differs: bool


@dataclass(slots=True)
class Story:
    """What one log tells of an exchange: bodies by kind, digests by name (`request`, `answer`)."""

    bodies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def outcome(self, kinds: Mapping[str, str]) -> str | None:
        return next((told for kind, told in kinds.items() if kind in self.bodies), None)


Stories = Mapping[str, Story]


def stories(
    entries: Iterable[tuple[str, str, Mapping[str, Any]]],
    digests: Callable[[str, str], Mapping[str, str]] = lambda *_: {},
) -> dict[str, Story]:
    """By exchange, from (entry id, kind, body). `digests`: what an entry (id, kind) commits to."""
    found: defaultdict[str, Story] = defaultdict(Story)
    for entry, kind, body in entries:
        exchange = body.get("exchange")
        if isinstance(exchange, str):
            found[exchange].bodies.setdefault(kind, body)
            found[exchange].digests |= digests(entry, kind)
    return dict(found)


def reconcile(council: Stories, agent: Stories, partner: str) -> list[Finding]:
    """Every finding about one partner's exchanges, in the order of the council's log."""
    sent = {
        exchange: story
        for exchange, story in council.items()
        if story.bodies.get(AUTHORISED, {}).get("recipient") == partner
    }
    findings = []
    for exchange, story in sent.items():
        findings += _both(exchange, story, agent.get(exchange, Story()))
    for exchange in agent.keys() - sent.keys():
        text = "the partner's log tells of it, and the council's log never authorised it"
        findings.append(Finding(exchange, "not-authorised", text, differs=True))
    return findings


def _both(exchange: str, council: Story, agent: Story) -> list[Finding]:
    def finding(code: str, text: str, *, differs: bool = True) -> Finding:
        return Finding(exchange, code, text, differs)

    findings = [*_facts(finding, council, agent), *_digests(finding, council, agent)]
    ours, theirs = council.outcome(_COUNCIL), agent.outcome(_AGENT)
    if ours is None:
        reached = (
            "the partner's log says it was received" if agent.bodies else "nor is it in the partner's log"
        )
        text = f"authorised without a receipt, so it counts as disclosed; {reached}"
        findings.append(finding("no-receipt", text, differs=False))
        if theirs is not None and "reply.not-accepted" not in agent.bodies:
            findings.append(
                finding("reply-missing", f"the partner's log says {theirs}, the council's has no reply")
            )
    elif theirs is None:
        text = f"the council's log says {ours}, and the partner's log has no such reply"
        findings.append(finding("not-replied", text))
    elif ours != theirs:
        findings.append(finding("outcome-differs", f"the council's log says {ours}, the partner's {theirs}"))
    return findings


def _facts(finding: Callable[..., Finding], council: Story, agent: Story) -> list[Finding]:
    sent, received = council.bodies[AUTHORISED], agent.bodies.get(RECEIVED)
    if received is None:
        return []
    names = [name for name in _FACTS if sent.get(name) != received.get(name)]
    return [finding("request-differs", f"the two logs differ on {', '.join(names)}")] if names else []


def _digests(finding: Callable[..., Finding], council: Story, agent: Story) -> list[Finding]:
    names: Sequence[str] = [
        name
        for name in ("request", "answer")
        if name in council.digests and name in agent.digests
        if council.digests[name] != agent.digests[name]
    ]
    return [finding(f"{name}-digest", f"the {name}'s bytes were others on the two sides") for name in names]
