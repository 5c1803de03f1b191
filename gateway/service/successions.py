"""Successions of keys at the gateway: partners' that come in, and what each is told of the council's."""

from datetime import timedelta
from typing import Any, Final

from audit.entry import Json
from gateway.bundle.errors import ExpiredError, WrongKeyError
from gateway.bundle.succession import (
    RotationReason,
    SuccessionDocument,
    check_automatic,
    check_fingerprint,
    facts,
    read_succession,
    verify_keys_taken,
    verify_succession,
)
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.lineage import Generation
from gateway.party_ports import Partner
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.recording import record, the_gateway, the_operator, the_partner
from gateway.succession_ports import SuccessionRecord

MAX_LISTED: Final = 16
"""Of one poll: the others come once the agent has taken these."""
MAX_A_DAY: Final = 5
"""Of one partner: neither the log nor the chain is there to be filled."""
_DAY: Final = timedelta(days=1)


def receive(ctx: Context, partner: Partner, token: str) -> None:
    """Take a partner's new keys, vouched for by its old ones. The same succession again does nothing.

    Where the operator wants to, or the overlap is over, they wait until somebody has compared fingerprints.

    Raises:
        VerificationError: a subclass names what does not hold.
        ConflictError: another succession of this partner waits already, or it has brought many today.
    """
    slug, at = partner.identity.slug, ctx.clock()
    read_succession(token)
    with ctx.store.begin() as uow:
        if any(each.document == token for each in uow.successions.of(slug)):
            return
        document = verify_succession(token, uow.partners.get(slug).lineage)
        if sum(each.received_at > at - _DAY for each in uow.successions.of(slug)) >= MAX_A_DAY:
            raise ConflictError(
                f"more than {MAX_A_DAY} successions in a day", place="succession", way_out="Wait a day"
            )
        waits = ctx.confirm_successions or _late(ctx, document)
        uow.successions.add(
            SuccessionRecord(
                partner=slug,
                sequence=document.sequence,
                document=token,
                fingerprint=document.identity.fingerprint,
                received_at=at,
                confirmed_at=None if waits else at,
            )
        )
        if not waits:
            _forget_prekeys(uow, slug, document)
        kind = "partner.keys-waiting" if waits else "partner.keys-succeeded"
        record(ctx, uow, kind, actor=the_partner(slug), body={"partner": slug, **facts(document)}, at=at)
        uow.commit()


def confirm(ctx: Context, slug: str, fingerprint: str) -> SuccessionDocument:
    """Accept the keys that wait, once their fingerprint was compared by telephone.

    Raises:
        NotFoundError: there is no such partner, or none of its keys wait.
        ConflictError: the partner was revoked.
        VerificationError: the fingerprint is another one, or the succession does not hold.
    """
    at = ctx.clock()
    with ctx.store.begin() as uow:
        partner = uow.partners.get(slug)
        waiting = next((each for each in uow.successions.of(slug) if each.confirmed_at is None), None)
        if partner.revoked_at is not None:
            raise ConflictError("the partner was revoked", place="partner confirm")
        if waiting is None:
            raise NotFoundError("no keys of this partner wait", place="partner confirm")
        document = verify_succession(waiting.document, partner.lineage)
        check_fingerprint(document.identity, fingerprint)
        uow.successions.confirm(slug, waiting.sequence, at)
        _forget_prekeys(uow, slug, document)
        body: dict[str, Json] = {"partner": slug, **facts(document)}
        record(ctx, uow, "partner.keys-succeeded", actor=the_operator(ctx), body=body, at=at)
        uow.commit()
    return document


def waiting(ctx: Context, slug: str) -> SuccessionRecord | None:
    """A partner's keys that wait for confirmation."""
    with ctx.store.begin() as uow:
        return next((each for each in uow.successions.of(slug) if each.confirmed_at is None), None)


def take(ctx: Context, partner: Partner, token: str) -> None:
    """Keep a partner's signed word that it knows the council by a generation of its keys. Idempotent.

    Raises:
        VerificationError: not signed by this partner, or about keys that are not the council's.
    """
    slug, at = partner.identity.slug, ctx.clock()
    document = verify_keys_taken(token, partner.lineage.accepted(at))
    generation = ctx.keys.lineage.named(document.council)
    if generation is None:
        raise WrongKeyError("these keys were never the council's", place="keys taken")
    with ctx.store.begin() as uow:
        if uow.successions.taken(slug) == document.council:
            return
        uow.successions.take(slug, document.council, token, at)
        body: dict[str, Json] = {
            "partner": slug,
            "fingerprint": generation.identity.fingerprint,
            "sequence": generation.number,
        }
        record(ctx, uow, "keys.succession-taken", actor=the_partner(slug), body=body, at=at)
        uow.commit()


def shown(ctx: Context, uow: UnitOfWork, partner: Partner, known: str) -> dict[str, Any]:
    """What a poll says of keys. `known`: hex digest of the council's identity as the agent knows it, or "".

    `taken`: what the agent has said that it knows; None as long as the council has never rotated its keys.
    """
    lineage = ctx.keys.lineage
    place = next((n for n, each in enumerate(lineage.generations) if each.digest == known), 0)
    rotated = len(lineage.generations) > 1
    return {
        "successions": list(ctx.keys.successions[place : place + MAX_LISTED]),
        "taken": (uow.successions.taken(partner.identity.slug) or "") if rotated else None,
        "own": partner.lineage.current.digest,
    }


def end_overlaps(ctx: Context) -> None:
    """Log the end of each overlap once; then destroy the council's own keys of before.

    They stay as long as an exchange submitted under them is open: by them a repeated submission is known
    again (`gateway.service.submit`). Nobody accepts them for anything any more.
    """
    with ctx.store.begin() as uow:
        for partner in uow.partners.all():
            for each in _ended(ctx, partner.lineage.generations):
                body: dict[str, Json] = {"partner": partner.identity.slug, **_of(each)}
                _log_once(ctx, uow, "partner.keys-ended", each, body)
        own = _ended(ctx, ctx.keys.lineage.generations)
        for each in own:
            _log_once(ctx, uow, "keys.succession-ended", each, _of(each))
        begun = [exchange.submitted_at for exchange in uow.exchanges.unfinished()]
        uow.commit()
    for old, new in zip(own, ctx.keys.lineage.generations[1:], strict=False):
        rests = all(new.since is not None and at > new.since for at in begun)
        if old.number in ctx.keys.held() and rests:
            ctx.keys.destroy(old.number)


def _late(ctx: Context, document: SuccessionDocument) -> bool:
    try:
        check_automatic(document, ctx.clock())
    except ExpiredError:
        return True
    return False


def _forget_prekeys(uow: UnitOfWork, slug: str, document: SuccessionDocument) -> None:
    """Scheduled, the overlap outlives them; else one of them may be a stranger's."""
    if document.reason is not RotationReason.SCHEDULED:
        uow.prekeys.discard(slug)


def _ended(ctx: Context, generations: tuple[Generation, ...]) -> list[Generation]:
    """Those before the current one whose overlap is over, oldest first."""
    now = ctx.clock()
    return [each for each in generations if not each.accepted(now)]


def _of(generation: Generation) -> dict[str, Json]:
    return {"sequence": generation.number, "fingerprint": generation.identity.fingerprint}


def _log_once(
    ctx: Context, uow: UnitOfWork, kind: str, generation: Generation, body: dict[str, Json]
) -> None:
    mark = f"keys-ended-{generation.digest}"
    if not uow.marks.get(mark):
        uow.marks.put(mark, ctx.clock().isoformat())
        record(ctx, uow, kind, actor=the_gateway(ctx), body=body, at=ctx.clock())
