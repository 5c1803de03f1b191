"""The end of an exchange: its secret dies, so that stealing a static key later opens nothing of the past.

From that day on its two clocks run; what they end in is `gateway.service.erasure`.
"""

from datetime import datetime

from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import ENDED, ExchangeId
from gateway.domain.legal_date import legal_date
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.sealing import ACCOUNT_KEY, PROBE_KEY, SEAL_KEY, SECRET, TAGS_KEY


def start_clocks(uow: UnitOfWork, exchange_id: ExchangeId, at: datetime) -> None:
    """In the transaction in which an exchange ends: its days count from the day in London."""
    uow.retentions.start(exchange_id, legal_date(at))


def close(ctx: Context, exchange_id: ExchangeId) -> None:
    """Destroy the exchange secret and the request bundle of an ended exchange. Idempotent."""
    with ctx.store.begin() as uow:
        if uow.exchanges.get(exchange_id).status not in ENDED:
            return
        uow.vault.drop(exchange_id, "request")
        uow.mailbox.remove(exchange_id)
        uow.commit()
    ctx.exchange_keys.destroy(exchange_id, SECRET)


def clear_up(ctx: Context, *, before: datetime) -> None:
    """Destroy what crashes left: secrets of ended exchanges, all keys of submissions never committed.

    Keys of no exchange must have been put before `before`, which leaves a submission time to commit. Closed
    exchanges have no secret, so that the work does not grow with their number.
    """
    orphans = ctx.exchange_keys.older_than(SECRET, before)
    for exchange_id in {*orphans, *ctx.exchange_keys.older_than(SECRET, ctx.clock())}:
        if _exists(ctx, exchange_id):
            close(ctx, exchange_id)
        elif exchange_id in orphans:
            # the secret last, or a crash would hide the others
            for name in (TAGS_KEY, PROBE_KEY, ACCOUNT_KEY, SEAL_KEY, SECRET):
                ctx.exchange_keys.destroy(exchange_id, name)


def _exists(ctx: Context, exchange_id: ExchangeId) -> bool:
    try:
        with ctx.store.begin() as uow:
            uow.exchanges.get(exchange_id)
    except NotFoundError:
        return False
    return True
