"""The end of an exchange: its secret dies, so that stealing a static key later opens nothing of the past."""

from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import ENDED, ExchangeId
from gateway.service.context import Context
from gateway.service.sealing import SEAL_KEY, SECRET


def close(ctx: Context, exchange_id: ExchangeId) -> None:
    """Destroy the exchange secret and the request bundle of an ended exchange. Idempotent."""
    with ctx.store.begin() as uow:
        if uow.exchanges.get(exchange_id).status not in ENDED:
            return
        uow.vault.drop(exchange_id, "request")
        uow.mailbox.remove(exchange_id)
        uow.commit()
    ctx.exchange_keys.destroy(exchange_id, SECRET)


def discard_orphan(ctx: Context, exchange_id: ExchangeId) -> bool:
    """Destroy keys that a crash left before their exchange was committed. False when the exchange exists."""
    with ctx.store.begin() as uow:
        try:
            uow.exchanges.get(exchange_id)
        except NotFoundError:
            for name in (SECRET, SEAL_KEY):
                ctx.exchange_keys.destroy(exchange_id, name)
            return True
    return False
