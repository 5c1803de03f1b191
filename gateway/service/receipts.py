"""Digests of what travelled, for a reviewer or custodian who compares them with the partner's own log."""

import hashlib

from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import ExchangeId, Role
from gateway.party_ports import User
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.exchanges import visible


def digests(ctx: Context, user: User, exchange_id: ExchangeId) -> dict[str, str | None]:
    """SHA-256, hex, of the request bundle and of the answer bundle; None where it is not kept any more.

    Raises:
        NotFoundError: no such exchange, or another organisation's.
    """
    require_role(user, Role.CUSTODIAN, Role.REVIEWER)
    with ctx.store.begin() as uow:
        exchange = visible(uow, user, exchange_id)
        try:
            answer = hashlib.sha256(uow.vault.get(exchange_id, "answer")).hexdigest()
        except NotFoundError:
            answer = None
    return {"request": exchange.request_digest.hex(), "answer": answer}
