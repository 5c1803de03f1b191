"""Agreements: proposed by the council, countersigned by the partner, revocable by either at once."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from audit.entry import Json
from gateway.bundle import agreement as signed
from gateway.bundle.agreement import AgreementDocument, Revocation
from gateway.bundle.signers import by_any
from gateway.domain.errors import ConflictError, NotFoundError, StoreAlteredError, VerificationError
from gateway.domain.legal_date import legal_date
from gateway.domain.lineage import Lineage
from gateway.linkage.scheme import V1
from gateway.party_ports import AgreementRecord, Partner
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.generations import heard, in_use, proposal
from gateway.service.recording import record, the_operator, the_partner
from policies.decision import AgreementTerms
from policies.model import PolicySet

_REVIEW: Final = timedelta(days=365)
"""A policy document or impact assessment is reviewed within a year, unless somebody says otherwise."""
NOTICE: Final = timedelta(days=60)
"""How long before its end an agreement is warned of."""


def propose(
    ctx: Context,
    *,
    number: str,
    partner: str,
    dataset: str,
    valid_from: date,
    valid_to: date,
    dpia: str,
    appropriate_policy_document: str,
    dpia_to: date | None = None,
    appropriate_policy_document_to: date | None = None,
) -> AgreementDocument:
    """Draw up an agreement on today's policy and both sides' keys, and sign it for the council.

    `dpia` and `appropriate_policy_document` are the council's references of those documents, `..._to` the
    last days on which they hold: by default those of the agreement, or of its first year.

    Raises:
        NotFoundError: no such partner or dataset.
        ConflictError: the number is taken, or the partner was revoked.
    """
    policy = ctx.policies.datasets.get(dataset)
    if policy is None:
        raise NotFoundError(
            "no policy for this dataset", place="agreement propose", way_out="See `flagstone policy check`"
        )
    keys = in_use(ctx.keys)
    with ctx.store.begin() as uow:
        registered = uow.partners.get(partner)
        if registered.revoked_at is not None:
            raise ConflictError("the partner was revoked", place="agreement propose")
        reviewed = min(valid_to, valid_from + _REVIEW)
        document = AgreementDocument(
            number=number,
            council=keys.identity,
            partner=registered.identity,
            dataset=dataset,
            policy=policy.to_json(),
            policy_digest=policy.digest,
            scheme=V1.version,
            valid_from=valid_from,
            valid_to=valid_to,
            dpia=dpia,
            dpia_to=dpia_to or reviewed,
            appropriate_policy_document=appropriate_policy_document,
            appropriate_policy_document_to=appropriate_policy_document_to or reviewed,
        )
        jws = signed.propose(document, keys.sign)
        uow.agreements.propose(
            AgreementRecord(number, partner, dataset, document.digest, jws, None, ctx.clock())
        )
        body = _about(document)
        record(ctx, uow, "agreement.proposed", actor=the_operator(ctx), body=body, at=ctx.clock())
        uow.commit()
    return document


def revoke(ctx: Context, number: str) -> None:
    """Revoke for the council; effective at the next step of every exchange under it.

    Raises:
        NotFoundError: there is none.
    """
    keys = in_use(ctx.keys)
    with ctx.store.begin() as uow:
        held = uow.agreements.get(number)
        revocation = Revocation(
            number=number,
            agreement_digest=held.digest,
            by=keys.identity.digest.hex(),
            revoked_at=ctx.clock(),
        )
        notice = signed.revoke(revocation, keys.sign)
        uow.agreements.revoke(number, ctx.clock())
        body = {"agreement": number, "digest": held.digest, "notice": notice}
        record(ctx, uow, "agreement.revoked", actor=the_operator(ctx), body=body, at=ctx.clock())
        uow.commit()


def show(ctx: Context, number: str) -> tuple[AgreementDocument, AgreementRecord]:
    """The document, its signature checked, and what has happened to it."""
    with ctx.store.begin() as uow:
        held = uow.agreements.get(number)
    return proposal(held.council_jws, ctx.keys.lineage), held


def ending(ctx: Context, policies: PolicySet) -> list[str]:
    """Agreements in force that end, or whose papers do, within `NOTICE`; and those under another policy."""
    on = legal_date(ctx.clock())
    with ctx.store.begin() as uow:
        held = [record for record in uow.agreements.all() if record.signed_at and not record.revoked_at]
        agreed = [usable(uow, record, ctx.keys.lineage) for record in held]
    return [line for terms in agreed if _holds(terms, on) and terms for line in _ending(terms, policies, on)]


def _ending(agreed: AgreementTerms, policies: PolicySet, on: date) -> Iterator[str]:
    days = {
        "it": agreed.valid_to,
        "its impact assessment": agreed.dpia_to,
        "its appropriate policy document": agreed.policy_document_to,
    }
    for what, last in days.items():
        if last <= on + NOTICE:
            yield f"agreement {agreed.number}: {what} ends on {last.isoformat()}"
    policy = policies.datasets.get(agreed.dataset)
    if policy is None or policy.digest != agreed.policy_digest:
        yield f"agreement {agreed.number}: it embeds another policy than this folder's {agreed.dataset}"


def of_partner(ctx: Context, partner: Partner, number: str) -> dict[str, Any]:
    """What the partner's agent sees of its own agreement.

    Raises:
        NotFoundError: there is none of this partner.
    """
    held = _own(ctx, partner, number)
    return {
        "number": held.number,
        "council_jws": held.council_jws,
        "partner_jws": held.partner_jws,
        "revoked": held.revoked_at is not None,
    }


def countersign(ctx: Context, partner: Partner, number: str, jws: str) -> None:
    """Take the partner's signature; from here on the agreement is in force between its dates.

    Raises:
        VerificationError: the signature is not the partner's, by keys that are accepted still, or on another
            document.
        ConflictError: signed or revoked already.
    """
    held = _own(ctx, partner, number)
    if held.partner_jws == jws:
        return
    document = proposal(held.council_jws, ctx.keys.lineage)
    heard(partner, document.partner.digest.hex(), ctx.clock, place="agreement")
    signed.verify_countersignature(jws, document)
    with ctx.store.begin() as uow:
        uow.agreements.countersign(number, jws, ctx.clock())
        body = _about(document)
        actor = the_partner(partner.identity.slug)
        record(ctx, uow, "agreement.signed", actor=actor, body=body, at=ctx.clock())
        uow.commit()


def revoke_by_partner(ctx: Context, partner: Partner, number: str, jws: str) -> None:
    """Take the partner's signed revocation.

    Raises:
        VerificationError: not the partner's signature, or about another agreement.
    """
    held = _own(ctx, partner, number)
    if held.revoked_at is not None:
        return
    document = proposal(held.council_jws, ctx.keys.lineage)
    forebears = partner.lineage.forebears
    by_any(
        partner.lineage.accepted(ctx.clock()),
        lambda each: signed.verify_revocation(jws, document, each, forebears),
    )
    with ctx.store.begin() as uow:
        uow.agreements.revoke(number, ctx.clock())
        body: dict[str, Json] = {"agreement": number, "digest": held.digest, "notice": jws}
        actor = the_partner(partner.identity.slug)
        record(ctx, uow, "agreement.revoked", actor=actor, body=body, at=ctx.clock())
        uow.commit()


def standing(
    uow: UnitOfWork, council: Lineage, dataset: str, partner: str | None, on: date
) -> AgreementRecord | None:
    """The agreement that a question on this dataset stands on: one in force on the day before any other.

    Raises:
        ConflictError: several partners have agreements for the dataset and none was named.
        StoreAlteredError: as `usable`.
    """
    held = uow.agreements.all(partner=partner, dataset=dataset)
    signed_ones = [record for record in held if record.signed_at and not record.revoked_at]
    in_force = [record for record in signed_ones if _holds(usable(uow, record, council), on)]
    if len({record.partner for record in in_force}) > 1:
        raise ConflictError(
            "several partners have agreements for this dataset",
            place="partner",
            way_out="Name one with --partner",
        )
    return next(iter(in_force or signed_ones or held), None)


def usable(uow: UnitOfWork, record: AgreementRecord, council: Lineage) -> AgreementTerms | None:
    """The terms of an agreement; None when its partner was revoked.

    Raises:
        StoreAlteredError: as `terms`.
    """
    partner = uow.partners.get(record.partner)
    return None if partner.revoked_at else terms(record, council, partner.lineage)


def terms(record: AgreementRecord, council: Lineage, partner: Lineage) -> AgreementTerms:
    """What `decide` needs to know of an agreement; signatures and parties are verified anew each time.

    It holds on for the generations that come after those which signed it.

    Raises:
        StoreAlteredError: a stored signature does not hold, or the document is about something else than the
            record, or names other keys than those of the registered `partner`.
    """
    try:
        document = proposal(record.council_jws, council)
        if record.partner_jws is not None:
            signed.verify_countersignature(record.partner_jws, document)
    except VerificationError:
        raise _altered(record, "a stored signature does not hold") from None
    told = (document.number, document.digest, document.dataset)
    ours = partner.named(document.partner.digest.hex())
    if told != (record.number, record.digest, record.dataset) or ours is None:
        raise _altered(record, "it is not the one that was signed, or the partner's keys are not")
    return AgreementTerms(
        number=document.number,
        partner=document.partner.slug,
        dataset=document.dataset,
        policy_digest=document.policy_digest,
        valid_from=document.valid_from,
        valid_to=document.valid_to,
        signed=record.partner_jws is not None,
        revoked=record.revoked_at is not None,
        dpia_to=document.dpia_to,
        policy_document_to=document.appropriate_policy_document_to,
    )


def _holds(agreed: AgreementTerms | None, on: date) -> bool:
    return agreed is not None and agreed.valid_from <= on <= agreed.valid_to


def _altered(record: AgreementRecord, reason: str) -> StoreAlteredError:
    return StoreAlteredError(reason, place=f"agreement {record.number}", way_out="Tell the operator")


def _own(ctx: Context, partner: Partner, number: str) -> AgreementRecord:
    with ctx.store.begin() as uow:
        held = uow.agreements.get(number)
    if held.partner != partner.identity.slug:
        raise NotFoundError("there is none", place="agreement")  # the words for what does not exist
    return held


def _about(document: AgreementDocument) -> dict[str, Json]:
    return {
        "agreement": document.number,
        "digest": document.digest,
        "partner": document.partner.slug,
        "dataset": document.dataset,
        "policy": document.policy_digest,
        "valid_from": document.valid_from.isoformat(),
        "valid_to": document.valid_to.isoformat(),
    }
