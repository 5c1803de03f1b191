"""The answer to a data subject, on paper: UK GDPR Article 15(1)(a), (c), (d), (e), (f) and (g).

It names organisations, purposes, law and days. It holds nobody's name, no address, no answer and nothing of
the others in the household: who works for the council or a partner stands there by role.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from audit.entry import Json
from gateway.domain.legal_date import legal_date
from gateway.party_ports import User
from gateway.service import subjects
from gateway.service.context import Context
from gateway.service.recording import actor_of, record
from gateway.service.search_context import SearchContext
from gateway.service.subjects import Asked, Outcome
from policies.model import DatasetPolicy
from policies.page import ROLES
from policies.telling import checks

TYPE: Final = "flagstone/subject-extract/v1"
OUTCOMES: Final = {
    Outcome.NOT_SENT: "Nothing has been sent yet.",
    Outcome.SENT: "The list was sent. No answer has come yet.",
    Outcome.ANSWERED: "The list was sent, and an answer came that nobody at the council has been given yet.",
    Outcome.RELEASED: "The list was sent, and the answer was given to one of the programme team.",
    Outcome.REFUSED: "The list was sent, and the organisation refused to answer.",
    Outcome.FAILED: "The list was sent, and the organisation could not answer.",
    Outcome.EXPIRED: "The list was sent, and no answer came in time.",
    Outcome.CANCELLED: "The list was sent, and the exchange was then cancelled.",
}
_NOT_DISCLOSED: Final = "It was ended before anything was sent."
RIGHTS: Final = (
    "You may ask for a copy of the personal data that we hold about you (UK GDPR Article 15).",
    "You may ask us to put right what is wrong or incomplete (Article 16).",
    "You may ask us to erase it, or to use it no further, in the cases that the law names (Articles 17, 18).",
    "You may object to its use where we rely on a public task (Article 21).",
    "Where a disclosure rests on your consent you may withdraw it at any time (Article 7(3)).",
    "You may complain to us, and to the Information Commissioner (Article 77; ico.org.uk).",
)
NOTE: Final = (
    "We looked for records by comparing the details you gave us with coded copies of those used at the time. "
    "If yours were recorded differently then, we may have missed some; and we may have found a record of "
    "somebody who shares your details. Please tell us if either seems to be so."
)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """An exchange that is left out until somebody has checked that it is safe to tell of it."""

    exchange: str
    dataset: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """`document` and `markdown` say the same, to the data subject; the rest is for the officer alone."""

    document: dict[str, Any]
    markdown: str
    held_back: tuple[HeldBack, ...]
    unreadable: tuple[str, ...]


def make(
    review: SearchContext,
    user: User,
    details: Mapping[str, str],
    reason: subjects.Reason,
    *,
    organisations: Mapping[str, str],
    checked: bool,
) -> Extract:
    """Search, and write down for the data subject what was found; both stand in the log before it is given.

    `organisations`: names of partners by their short name. `checked`: somebody has looked at what is
    otherwise held back, and it may be told.

    Raises:
        as `subjects.search`.
    """
    answer = subjects.search(review, user, details, reason)
    ctx = review.context
    held = tuple(each for each in (_held_back(ctx, asked) for asked in answer.asked) if each.reasons)
    left_out = set() if checked else {each.exchange for each in held}
    told = [asked for asked in answer.asked if asked.exchange not in left_out]
    document = _document(ctx, told, organisations)
    with ctx.store.begin() as uow:
        # neither what was found nor how much: that derives from the person
        body: dict[str, Json] = {"reason": reason.value, "checked": checked}
        record(ctx, uow, "log.extract-made", actor=actor_of(ctx, user), body=body, at=ctx.clock())
        uow.commit()
    return Extract(document, "\n".join(_markdown(document)) + "\n", held, answer.unreadable)


def _held_back(ctx: Context, asked: Asked) -> HeldBack:
    reasons = checks(ctx.policies, asked.dataset, asked.framework, asked.indicators_asked)
    return HeldBack(asked.exchange, asked.dataset, reasons)


def _document(ctx: Context, told: list[Asked], organisations: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": TYPE,
        "controller": ctx.keys.identity.name,
        "made_on": legal_date(ctx.clock()).isoformat(),
        "disclosures": [_disclosure(ctx, asked, organisations) for asked in told],
        "note": NOTE,
        "rights": list(RIGHTS),
    }


def _disclosure(ctx: Context, asked: Asked, organisations: Mapping[str, str]) -> dict[str, Any]:
    framework = ctx.policies.frameworks.get(asked.framework)
    purpose = ctx.policies.purposes.get(asked.purpose)
    found = (framework.find(code) if framework else None for code in asked.indicators_asked)
    told = asked.disclosed or asked.outcome is Outcome.NOT_SENT
    return {
        "on": _day(asked.asked_at),
        "recipient": organisations.get(asked.recipient, asked.recipient),
        "purpose": purpose.title if purpose else asked.purpose,
        "about": [indicator.label for indicator in found if indicator],
        "legal_bases": [_legal_basis(ground) for ground in asked.law],
        "outcome": OUTCOMES[asked.outcome] if told else _NOT_DISCLOSED,
        **({"answer_given_on": _day(asked.released_at)} if asked.released_at else {}),
        **_retention(ctx.policies.datasets.get(asked.dataset), asked.retention_days),
    }


def _legal_basis(ground: Mapping[str, str]) -> dict[str, str]:
    role = ground["role"]
    return {"for": ROLES.get(role, role), "law": ground["title"], "citation": ground["citation"]}


def _retention(policy: DatasetPolicy | None, days: Mapping[str, int]) -> dict[str, Any]:
    """The days are those fixed when the list was taken, whatever the policy says by now."""
    told: dict[str, Any] = {"answer_is_for": policy.recipient} if policy else {}
    if days:
        told |= {"answer_kept_days": days["results"], "this_record_kept_days": days["accounting"]}
    return told


def _day(moment: str) -> str:
    return legal_date(datetime.fromisoformat(moment)).isoformat()


def _markdown(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"# Who {document['controller']} asked about you, and why"
    yield ""
    yield f"Made on {document['made_on']}."
    if not document["disclosures"]:
        yield ""
        yield "No disclosure of your data is listed here."
    for disclosure in document["disclosures"]:
        yield ""
        yield f"## {disclosure['on']}: {disclosure['recipient']}"
        yield ""
        yield from _told(disclosure)
    yield ""
    yield "## What this does not say"
    yield ""
    yield document["note"]
    yield ""
    yield "## Your rights"
    yield ""
    yield from (f"- {right}" for right in document["rights"])


def _told(disclosure: Mapping[str, Any]) -> Iterator[str]:
    yield f"- **Told and asked:** {disclosure['recipient']}"
    yield f"- **Why:** {disclosure['purpose']}"
    if disclosure["about"]:
        yield f"- **Asked, for each household on a list:** {'; '.join(disclosure['about'])}"
    yield f"- **What came of it:** {disclosure['outcome']}"
    if "answer_given_on" in disclosure:
        yield f"- **Answer given on:** {disclosure['answer_given_on']}"
    if "answer_is_for" in disclosure:
        yield f"- **The answer is for:** {disclosure['answer_is_for']}"
        yield (
            f"- **Kept:** the answer {disclosure['answer_kept_days']} days, "
            f"this record {disclosure['this_record_kept_days']} days"
        )
    yield "- **By which law:**"
    yield from (
        f"  - {basis['for']}: {basis['law']} ({basis['citation']})" for basis in disclosure["legal_bases"]
    )
