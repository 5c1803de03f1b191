"""What the record of processing (UK GDPR Article 30) is written from: policies, agreements, counts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from audit.entry import Json
from gateway.domain.errors import BadInputError
from gateway.domain.exchange import Role
from gateway.domain.legal_date import legal_date
from gateway.party_ports import AgreementRecord, User
from gateway.ports import UnitOfWork
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.generations import proposal
from gateway.service.logs import logged
from gateway.service.recording import actor_of, record
from policies.model import PolicySet


@dataclass(frozen=True, slots=True)
class Agreed:
    """An agreement with the references and last days of its papers. `status`: as of the record's day."""

    number: str
    dataset: str
    partner: str
    status: str
    valid_from: date
    valid_to: date
    dpia: str
    dpia_to: date
    appropriate_policy_document: str
    appropriate_policy_document_to: date


@dataclass(frozen=True, slots=True)
class Processing:
    """Facts alone; `gateway.exports.article30` makes the record of them.

    `counts`: dataset -> kind of entry -> how many entries of the period.
    """

    council: str
    on: date
    since: date | None
    until: date | None
    policies: PolicySet
    agreements: tuple[Agreed, ...]
    counts: Mapping[str, Mapping[str, int]]


def processing(ctx: Context, user: User, since: date | None, until: date | None) -> Processing:
    """The facts for a period, both days inclusive, Europe/London; asking for them is itself recorded.

    Raises:
        NotAllowedError: the user is no reviewer.
        BadInputError: the period ends before it begins.
    """
    require_role(user, Role.REVIEWER)
    if since and until and until < since:
        raise BadInputError("it ends before it begins", place="period", way_out="Give --from before --to")
    at = ctx.clock()
    with ctx.store.begin() as uow:
        counts = _counted(uow, since, until)
        agreed = tuple(_agreed(ctx, held, legal_date(at)) for held in uow.agreements.all())
        body: dict[str, Json] = {"whole": False, "format": "art30"}
        body |= {name: day.isoformat() for name, day in (("from", since), ("to", until)) if day}
        record(ctx, uow, "log.exported", actor=actor_of(ctx, user), body=body, at=at)
        uow.commit()
    return Processing(ctx.keys.identity.name, legal_date(at), since, until, ctx.policies, agreed, counts)


def _counted(uow: UnitOfWork, since: date | None, until: date | None) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for entry in logged(uow):
        on, dataset = legal_date(entry.at), entry.body.get("dataset")
        within = (since is None or since <= on) and (until is None or on <= until)
        if within and entry.kind.startswith("exchange.") and isinstance(dataset, str):
            found.setdefault(dataset, Counter())[entry.kind] += 1
    return found


def _agreed(ctx: Context, held: AgreementRecord, on: date) -> Agreed:
    document = proposal(held.council_jws, ctx.keys.lineage)
    if held.revoked_at is not None:
        status = "revoked"
    elif document.valid_to < on:
        status = "expired"
    else:
        status = "in force" if held.signed_at and document.valid_from <= on else "not in force yet"
    return Agreed(
        number=document.number,
        dataset=document.dataset,
        partner=document.partner.name,
        status=status,
        valid_from=document.valid_from,
        valid_to=document.valid_to,
        dpia=document.dpia,
        dpia_to=document.dpia_to,
        appropriate_policy_document=document.appropriate_policy_document,
        appropriate_policy_document_to=document.appropriate_policy_document_to,
    )
