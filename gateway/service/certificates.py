"""Who may have a certificate of destruction: the council's own people, and the partner's agent."""

from typing import Any

from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.retention import RetentionClock
from gateway.party_ports import Partner, User
from gateway.ports import UnitOfWork
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.exchanges import visible

MAX_LISTED = 100
"""Of one poll: the others come up once the agent has taken these."""


def of_exchange(ctx: Context, user: User, exchange_id: ExchangeId) -> list[dict[str, Any]]:
    """The certificates of an exchange, results first; none as long as nothing is destroyed.

    Raises:
        NotFoundError: there is no such exchange that this user may see.
    """
    require_role(user, Role.PROGRAMME, Role.CUSTODIAN, Role.REVIEWER)
    with ctx.store.begin() as uow:
        visible(uow, user, exchange_id)
        kept = uow.retentions.of(exchange_id)
    clocks = [kept[clock] for clock in RetentionClock if clock in kept]
    return [{"clock": each.clock.value, "jws": each.certificate} for each in clocks if each.certificate]


def for_partner(ctx: Context, partner: Partner, exchange_id: ExchangeId, clock: RetentionClock) -> str:
    """The certificate of one clock, as compact JWS.

    Raises:
        NotFoundError: no exchange of this partner, or nothing certified of it.
    """
    with ctx.store.begin() as uow:
        return _certificate(uow, partner, exchange_id, clock)


def taken(ctx: Context, partner: Partner, exchange_id: ExchangeId, clock: RetentionClock) -> None:
    """The partner's agent keeps the certificate: it is not listed any more. Idempotent.

    Raises:
        NotFoundError: as `for_partner`.
    """
    with ctx.store.begin() as uow:
        _certificate(uow, partner, exchange_id, clock)
        uow.retentions.take(exchange_id, clock)
        uow.commit()


def waiting(uow: UnitOfWork, slug: str) -> list[dict[str, str]]:
    """What a poll tells the partner's agent to fetch."""
    untaken = uow.retentions.untaken(slug, MAX_LISTED)
    return [{"exchange": str(each.exchange), "clock": each.clock.value} for each in untaken]


def _certificate(uow: UnitOfWork, partner: Partner, exchange_id: ExchangeId, clock: RetentionClock) -> str:
    exchange = uow.exchanges.get(exchange_id)
    kept = uow.retentions.of(exchange_id).get(clock)
    if exchange.partner != partner.identity.slug or kept is None or kept.certificate is None:
        raise NotFoundError("there is none", place="certificate")
    return kept.certificate
