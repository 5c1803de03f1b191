"""Sending, in the order that promise 2 demands: authorise in the log, then hand to the transport.

Each step may be repeated after a crash: it looks at the status first and does nothing twice.
"""

import contextlib
from collections.abc import Collection
from datetime import datetime

from audit.entry import Json
from gateway.domain.errors import ConflictError
from gateway.domain.exchange import Exchange, ExchangeId, Status
from gateway.ports import UnitOfWork
from gateway.service import agreements
from gateway.service.closing import start_clocks
from gateway.service.context import Context
from gateway.service.itemising import PERSON, Values
from gateway.service.recording import record_exchange, resting_on, the_gateway
from gateway.service.sealing import get_sealed
from policies.decision import Decision, Question, decide

BEFORE_ANSWER = (Status.AUTHORISED, Status.SENT)


def authorise(ctx: Context, exchange_id: ExchangeId) -> Status:
    """Decide anew at this moment; record "authorised: to partner", or end it before anything has left.

    Returns:
        The status that the exchange has now.
    """
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        if exchange.status is not Status.PREPARED:
            return exchange.status
        at = ctx.clock()
        decision = decide_or_cancel(ctx, uow, exchange, at)
        if not decision.permitted:
            uow.commit()
            return Status.CANCELLED
        if at >= exchange.expires_at:  # the gateway was down for days
            give_up(ctx, uow, exchange, frm=[Status.PREPARED], at=at)
            uow.commit()
            return Status.EXPIRED
        if not uow.exchanges.advance(exchange_id, Status.AUTHORISED, frm=[Status.PREPARED]):
            return Status.AUTHORISED  # another worker was first
        record_exchange(
            ctx,
            uow,
            "exchange.request-authorised",
            exchange,
            actor=the_gateway(ctx),
            at=at,
            body=resting_on(decision),
            accounted={"request": exchange.request_digest.hex()},
            items=(PERSON, _asked_about(ctx, uow, exchange_id)),
        )
        uow.commit()
    return Status.AUTHORISED


def send(ctx: Context, exchange_id: ExchangeId) -> None:
    """Decide anew, hand the bundle to the transport, then say so; or cancel when nothing permits it any more.

    A crash in between repeats both, and the transport is idempotent. An agent may answer before the status
    says that it was sent: then the status has moved on, and stays there.

    Raises:
        PartnerError: the transport could not hand it over; try again.
    """
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        if exchange.status is not Status.AUTHORISED:
            return
        at = ctx.clock()
        if not decide_or_cancel(ctx, uow, exchange, at).permitted:
            uow.commit()
            return
        bundle = uow.vault.get(exchange_id, "request")
    ctx.transport.send(exchange.partner, exchange_id, bundle)
    with contextlib.suppress(ConflictError), ctx.store.begin() as uow:
        uow.exchanges.advance(exchange_id, Status.SENT, frm=[Status.AUTHORISED])
        uow.commit()


def expire(ctx: Context, exchange_id: ExchangeId) -> None:
    """Give up waiting. Authorised without receipt counts as disclosed, and the entry says so."""
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        if exchange.status not in BEFORE_ANSWER:
            return
        give_up(ctx, uow, exchange, frm=BEFORE_ANSWER, at=ctx.clock())
        uow.commit()


def decide_again(ctx: Context, uow: UnitOfWork, exchange: Exchange, at: datetime) -> Decision:
    """The same question at a later moment: expiry and revocation are checked at every phase (promise 3)."""
    held = uow.agreements.get(exchange.agreement)
    question = Question(
        dataset=exchange.dataset,
        purpose=exchange.purpose,
        framework=exchange.framework,
        agreement=agreements.usable(uow, held, ctx.keys.lineage),
        households=exchange.households,
        people=exchange.slots,
    )
    return decide(question, ctx.policies, at)


def decide_or_cancel(ctx: Context, uow: UnitOfWork, exchange: Exchange, at: datetime) -> Decision:
    """Decide anew; where nothing permits it any more, cancel. The caller commits in both cases."""
    decision = decide_again(ctx, uow, exchange, at)
    if not decision.permitted:
        _cancel_for(ctx, uow, exchange, decision, at)
    return decision


def _asked_about(ctx: Context, uow: UnitOfWork, exchange_id: ExchangeId) -> Values:
    slots = get_sealed(ctx, uow, exchange_id, "slots")
    households = slots["households"]
    return [{"person_id": person, "household_id": households[handle]} for person, handle in slots["people"]]


def _cancel_for(ctx: Context, uow: UnitOfWork, exchange: Exchange, decision: Decision, at: datetime) -> None:
    """Cancel because the decision no longer permits, and say why in the log."""
    if not uow.exchanges.advance(exchange.id, Status.CANCELLED, frm=[exchange.status]):
        return
    disclosed = exchange.status is not Status.PREPARED
    body: dict[str, Json] = {"counts_as_disclosed": disclosed, "decision": decision.to_json()}
    record_exchange(ctx, uow, "exchange.cancelled", exchange, actor=the_gateway(ctx), at=at, body=body)
    uow.mailbox.remove(exchange.id)
    start_clocks(uow, exchange.id, at)
    uow.vault.drop(exchange.id, "flags")  # an answer that may not be released is not kept


def give_up(
    ctx: Context, uow: UnitOfWork, exchange: Exchange, *, frm: Collection[Status], at: datetime
) -> None:
    """End what has waited too long, unless it has left `frm` meanwhile. The caller commits."""
    if not uow.exchanges.advance(exchange.id, Status.EXPIRED, frm=frm):
        return
    body = {"counts_as_disclosed": Status.PREPARED not in frm, "receipt": Status.DELIVERED in frm}
    record_exchange(ctx, uow, "exchange.expired", exchange, actor=the_gateway(ctx), at=at, body=body)
    uow.mailbox.remove(exchange.id)
    start_clocks(uow, exchange.id, at)
    uow.vault.drop(exchange.id, "flags")  # an answer that is given to nobody is not kept
