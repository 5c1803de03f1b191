"""Handing back the flags."""

from typing import Any

from gateway.domain.errors import ConflictError, DestroyedError
from gateway.domain.exchange import ExchangeId, Role, Status
from gateway.domain.legal_date import legal_date
from gateway.domain.retention import RetentionClock
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service import two_person
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.exchanges import visible
from gateway.service.sealing import get_sealed

NO_FLAG = "no flag returned: not evidence of absence"


def read(ctx: Context, user: User, exchange_id: ExchangeId) -> dict[str, Any]:
    """Flags per unit and withheld rows with reasons, in an order that says nothing.

    Raises:
        NotFoundError: no such exchange of this user.
        DestroyedError: the result was destroyed, or is to be gone by now.
        ConflictError: nothing has been released (yet).
        NotAllowedError: a second person must approve the release first.
    """
    require_role(user, Role.PROGRAMME)
    with ctx.store.begin() as uow:
        exchange = visible(uow, user, exchange_id)
        _check_kept(ctx, uow, exchange_id)
        if exchange.status is not Status.RELEASED:
            raise ConflictError(f"nothing is released: the exchange is {exchange.status}", place="results")
        result = get_sealed(ctx, uow, exchange_id, "result")
        withheld = get_sealed(ctx, uow, exchange_id, "withheld")
        two_person.release(ctx, uow, user, exchange_id)
        uow.commit()  # an approval is spent, and the log says so, before anything is handed out
    order = ("household_id", "person_id")
    result["units"].sort(key=lambda unit: tuple(unit.get(name, "") for name in order))
    return {
        "exchange": str(exchange_id),
        "dataset": exchange.dataset,
        "granularity": exchange.granularity.value,
        "indicators": list(exchange.indicators),
        **result,
        "withheld": withheld,
        "note": NO_FLAG,
    }


def _check_kept(ctx: Context, uow: UnitOfWork, exchange_id: ExchangeId) -> None:
    kept = uow.retentions.of(exchange_id).get(RetentionClock.RESULTS)
    if kept is None or kept.due is None:
        return
    if kept.destroyed_at is not None:
        raise DestroyedError(f"destroyed on {legal_date(kept.destroyed_at)}", place="results")
    # whether the sweep has come by or not
    if kept.due <= legal_date(ctx.clock()) and uow.holds.of(exchange_id) is None:
        raise DestroyedError(f"kept until {kept.due}, and about to be destroyed", place="results")
