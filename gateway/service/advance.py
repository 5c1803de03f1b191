"""The next step of an exchange, whatever it is: what a durable workflow repeats until the end."""

from datetime import datetime, timedelta
from typing import Final

from gateway.domain.exchange import ENDED, Exchange, ExchangeId, Status
from gateway.service.closing import close
from gateway.service.context import Context
from gateway.service.dispatch import authorise, expire, send
from gateway.service.release import lapse, release

LONGEST_WAIT: Final = timedelta(days=7)
"""After the last day for an answer: how long a release may wait for a witness' cosignature."""


def advance(ctx: Context, exchange_id: ExchangeId) -> Exchange:
    """Take the one step that the exchange's status calls for; waiting is a step that changes nothing.

    Every step looks at the status in its own transaction, so repeating one after a crash is harmless, and
    two processes that take the same step at once take it once.

    Returns:
        The exchange after the step.
    """
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
    match exchange.status:
        case Status.PREPARED:
            authorise(ctx, exchange_id)
        case Status.AUTHORISED | Status.SENT if ctx.clock() >= exchange.expires_at:
            expire(ctx, exchange_id)
        case Status.AUTHORISED:
            send(ctx, exchange_id)
        case Status.DELIVERED:
            waits = release(ctx, exchange_id) is Status.DELIVERED
            if waits and ctx.clock() >= exchange.expires_at + LONGEST_WAIT:
                lapse(ctx, exchange_id)
        case ended if ended in ENDED:
            close(ctx, exchange_id)
    with ctx.store.begin() as uow:
        return uow.exchanges.get(exchange_id)


def rests(exchange: Exchange, now: datetime) -> bool:
    """Whether only the partner can move it on: it is sent, and its time has not run out."""
    return exchange.status is Status.SENT and now < exchange.expires_at
