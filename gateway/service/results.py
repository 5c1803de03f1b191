"""Handing back the flags."""

from typing import Any

from gateway.domain.errors import ConflictError
from gateway.domain.exchange import ExchangeId, Role, Status
from gateway.ports import User
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.exchanges import visible
from gateway.service.sealing import get_sealed

NO_FLAG = "no flag returned: not evidence of absence"


def read(ctx: Context, user: User, exchange_id: ExchangeId) -> dict[str, Any]:
    """Flags per unit and withheld rows with reasons, in an order that says nothing.

    Raises:
        NotFoundError: no such exchange of this user, or its result was destroyed.
        ConflictError: nothing has been released (yet).
    """
    require_role(user, Role.PROGRAMME)
    with ctx.store.begin() as uow:
        exchange = visible(uow, user, exchange_id)
        if exchange.status is not Status.RELEASED:
            raise ConflictError(f"nothing is released: the exchange is {exchange.status}", place="results")
        result = get_sealed(ctx, uow, exchange_id, "result")
        withheld = get_sealed(ctx, uow, exchange_id, "withheld")
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
