"""Destruction before time: a reviewer's act, approved by another; the sweep then does it as on its day."""

from audit.entry import Json
from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.legal_date import legal_date
from gateway.domain.proposals import Act
from gateway.domain.retention import RetentionClock
from gateway.party_ports import User
from gateway.service import two_person
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.exchanges import require_not_own
from gateway.service.recording import actor_of, record_exchange


def order(ctx: Context, user: User, exchange_id: ExchangeId, clock: RetentionClock) -> None:
    """Make one clock of an ended exchange due today (`gateway.service.erasure` destroys within minutes).

    Raises:
        NotAllowedError: no reviewer, the user's own exchange, or no approval of a second person.
        NotFoundError: no such exchange or clock.
        ConflictError: it has not ended, is destroyed, or a legal hold stands.
    """
    require_role(user, Role.REVIEWER)
    at = ctx.clock()
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        require_not_own(user, exchange)
        kept = uow.retentions.of(exchange_id, alone=True).get(clock)
        if kept is None:
            raise NotFoundError("there is none", place="clock")
        if kept.destroyed_at is not None:
            raise ConflictError("it is destroyed", place="destroy")
        if kept.due is None:
            raise ConflictError("the exchange has not ended", place="destroy", way_out="Have it cancelled")
        if uow.holds.of(exchange_id) is not None:
            raise ConflictError("a legal hold stands", place="destroy", way_out="Have it lifted first")
        actor = actor_of(ctx, user)
        two_person.use(
            ctx, uow, Act.DESTROY_EARLY, two_person.about(Act.DESTROY_EARLY, exchange_id, clock), actor
        )
        uow.retentions.bring_forward(exchange_id, clock, legal_date(at))
        body: dict[str, Json] = {"clock": clock.value, "due_before": kept.due.isoformat()}
        record_exchange(ctx, uow, "exchange.destruction-ordered", exchange, actor=actor, at=at, body=body)
        uow.commit()
