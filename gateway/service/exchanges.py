"""What a programme team sees of its exchanges, and cancelling one."""

from typing import Any

from gateway.domain.errors import ConflictError, NotAllowedError, NotFoundError
from gateway.domain.exchange import ENDED, Exchange, ExchangeId, Role, Status
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service.access import require_role
from gateway.service.closing import close, start_clocks
from gateway.service.context import Context
from gateway.service.cosigned import waits_for
from gateway.service.recording import actor_of, record_exchange


def listing(ctx: Context, user: User) -> list[dict[str, Any]]:
    """A programme user's own, those that a custodian's organisation was asked, or all; newest first."""
    require_role(user, Role.PROGRAMME, Role.CUSTODIAN, Role.REVIEWER)
    mine = user.id if user.role is Role.PROGRAMME else None
    with ctx.store.begin() as uow:
        found = uow.exchanges.all(submitted_by=mine, partner=user.partner)
        return [_summary(exchange) for exchange in found]


def show(ctx: Context, user: User, exchange_id: ExchangeId) -> dict[str, Any]:
    """One exchange; once delivered, whose cosignature its release waits for.

    Not told to a custodian: it takes looking at other organisations' witnesses.

    Raises:
        NotFoundError: there is none that this user may see.
    """
    require_role(user, Role.PROGRAMME, Role.CUSTODIAN, Role.REVIEWER)
    with ctx.store.begin() as uow:
        exchange = visible(uow, user, exchange_id)
        told = user.role is not Role.CUSTODIAN and exchange.status is Status.DELIVERED
        waits = waits_for(ctx, uow, exchange) if told else ()
        return _summary(exchange) | _kept(uow, exchange_id) | {"waits_for": list(waits)}


def cancel(ctx: Context, user: User, exchange_id: ExchangeId) -> None:
    """Stop waiting for an answer or a cosignature. What was sent was disclosed, and the log says so.

    Raises:
        NotFoundError: no such exchange of this user.
        ConflictError: it has been answered or has ended.
    """
    require_role(user, Role.PROGRAMME)
    with ctx.store.begin() as uow:
        exchange = visible(uow, user, exchange_id)
        if exchange.status is Status.CANCELLED:
            return
        waits = exchange.status is Status.DELIVERED and waits_for(ctx, uow, exchange)
        if exchange.status in ENDED or (exchange.status is Status.DELIVERED and not waits):
            raise ConflictError(f"too late: the exchange is {exchange.status}", place="cancel")
        at, before = ctx.clock(), exchange.status
        if not uow.exchanges.advance(exchange_id, Status.CANCELLED, frm=[before]):
            return
        body = {"counts_as_disclosed": before is not Status.PREPARED}
        record_exchange(ctx, uow, "exchange.cancelled", exchange, actor=actor_of(ctx, user), at=at, body=body)
        uow.mailbox.remove(exchange_id)
        uow.vault.drop(exchange_id, "flags")
        start_clocks(uow, exchange_id, at)
        uow.commit()
    close(ctx, exchange_id)


def visible(uow: UnitOfWork, user: User, exchange_id: ExchangeId) -> Exchange:
    """The exchange, if this user may know of it.

    Raises:
        NotFoundError: there is none, or it is somebody else's or another organisation's.
    """
    exchange = uow.exchanges.get(exchange_id)
    somebody_else_s = user.role is Role.PROGRAMME and exchange.submitted_by != user.id
    if somebody_else_s or (user.role is Role.CUSTODIAN and exchange.partner != user.partner):
        raise NotFoundError("there is none", place="exchange")  # the words for what does not exist
    return exchange


def require_not_own(user: User, exchange: Exchange) -> None:
    """Raise NotAllowedError for whoever reviews what they once submitted, under an earlier role."""
    if exchange.submitted_by == user.id:
        raise NotAllowedError("another person reviews one's own exchange", place="exchange")


def _kept(uow: UnitOfWork, exchange_id: ExchangeId) -> dict[str, Any]:
    """Until when what is kept, and what has been destroyed; no word of why something is held."""
    told: dict[str, Any] = {}
    for clock, kept in uow.retentions.of(exchange_id).items():
        told[f"{clock}_due"] = kept.due
        told[f"{clock}_destroyed_at"] = kept.destroyed_at
    hold = uow.holds.of(exchange_id)
    return told | {"held_until": hold.until if hold else None}


def _summary(exchange: Exchange) -> dict[str, Any]:
    return {
        "exchange": str(exchange.id),
        "status": exchange.status.value,
        "partner": exchange.partner,
        "dataset": exchange.dataset,
        "purpose": exchange.purpose,
        "framework": exchange.framework,
        "agreement": exchange.agreement,
        "granularity": exchange.granularity.value,
        "indicators": list(exchange.indicators),
        "submitted_at": exchange.submitted_at.isoformat(),
        "expires_at": exchange.expires_at.isoformat(),
        "households": exchange.households,
        "people": exchange.slots,
    }
