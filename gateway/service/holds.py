"""Legal holds: while one stands, nothing of its exchange is destroyed.

A reviewer places it. Who hears of a claim or a complaint is the information governance officer, and a hold
gives nothing to one who may not read results; an operator or a programme user could keep what they use.
"""

from datetime import date, timedelta
from typing import Final

from audit.entry import Json
from gateway.domain.errors import BadInputError, ConflictError, NotFoundError
from gateway.domain.exchange import Exchange, ExchangeId, Role
from gateway.domain.legal_date import legal_date
from gateway.domain.proposals import Act
from gateway.domain.retention import Hold, HoldReason
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service import two_person
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.exchanges import require_not_own
from gateway.service.recording import actor_of, record_exchange, the_gateway

LONGEST: Final = timedelta(days=366)
"""One year at a time: whoever still needs it then places it anew, and the log shows it."""


def place(ctx: Context, user: User, exchange_id: ExchangeId, *, until: date, reason: HoldReason) -> None:
    """Suspend both clocks to the end of a day, in the place of an earlier hold (UK GDPR Article 18(1)(c)).

    The clocks themselves run on: what came due meanwhile is destroyed when the hold ends.

    Raises:
        NotFoundError: no such exchange.
        BadInputError: not a day from today to a year from now.
        ConflictError: all that it could keep is destroyed.
    """
    require_role(user, Role.REVIEWER)
    at = ctx.clock()
    today = legal_date(at)
    if not today <= until <= today + LONGEST:
        raise BadInputError("not a day from today to a year from now", place="until")
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        require_not_own(user, exchange)
        kept = uow.retentions.of(exchange_id, alone=True)
        if all(each.destroyed_at is not None for each in kept.values()):
            raise ConflictError("all that it could keep is destroyed", place="hold")
        uow.holds.place(Hold(exchange_id, until, reason))
        _record(ctx, uow, "exchange.hold-placed", exchange, until, reason, actor_of(ctx, user))
        uow.commit()


def lift(ctx: Context, user: User, exchange_id: ExchangeId) -> None:
    """End a hold before its day, with the approval of a second person.

    Raises:
        NotAllowedError: nobody else approved it, or the user's own exchange.
        NotFoundError: no such exchange, or no hold on it.
    """
    require_role(user, Role.REVIEWER)
    with ctx.store.begin() as uow:
        hold = _held(uow, exchange_id)
        if hold is None:
            raise NotFoundError("there is no hold", place="exchange")
        require_not_own(user, uow.exchanges.get(exchange_id))
        two_person.use(ctx, uow, Act.LIFT_HOLD, str(exchange_id), actor_of(ctx, user))
        _end(ctx, uow, hold, "exchange.hold-lifted", actor_of(ctx, user))
        uow.commit()


def expire(ctx: Context) -> None:
    """End every hold whose last day is over."""
    today = legal_date(ctx.clock())
    with ctx.store.begin() as uow:
        over = uow.holds.over(today)
    for each in over:
        with ctx.store.begin() as uow:
            hold = _held(uow, each.exchange)
            if hold is not None and hold.until < today:
                _end(ctx, uow, hold, "exchange.hold-expired", the_gateway(ctx))
                uow.commit()


def _held(uow: UnitOfWork, exchange_id: ExchangeId) -> Hold | None:
    uow.exchanges.get(exchange_id)
    uow.retentions.of(exchange_id, alone=True)
    return uow.holds.of(exchange_id)


def _end(ctx: Context, uow: UnitOfWork, hold: Hold, kind: str, actor: dict[str, Json]) -> None:
    uow.holds.lift(hold.exchange)
    exchange = uow.exchanges.get(hold.exchange)
    _record(ctx, uow, kind, exchange, hold.until, hold.reason, actor)


def _record(
    ctx: Context,
    uow: UnitOfWork,
    kind: str,
    exchange: Exchange,
    until: date,
    reason: HoldReason,
    actor: dict[str, Json],
) -> None:
    """The reason is committed: whoever receives evidence learns that there was a hold, not why."""
    record_exchange(
        ctx,
        uow,
        kind,
        exchange,
        actor=actor,
        at=ctx.clock(),
        body={"until": until.isoformat()},
        accounted={"reason": reason.value},
    )
