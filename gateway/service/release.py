"""From a delivered answer to flags per household: log before release, in one transaction with it."""

from typing import Any

from gateway.domain.exchange import Exchange, ExchangeId, Granularity, Status
from gateway.service.closing import start_clocks
from gateway.service.context import Context
from gateway.service.cosigned import waits_for
from gateway.service.dispatch import decide_or_cancel, give_up
from gateway.service.itemising import UNIT
from gateway.service.recording import record_exchange, resting_on, the_gateway
from gateway.service.sealing import get_sealed, put_sealed


def release(ctx: Context, exchange_id: ExchangeId) -> Status:
    """Record "authorised: to programme" and make the result readable.

    Returns:
        RELEASED; DELIVERED while the policy waits for a cosignature; CANCELLED when nothing permits the
        release any more; or the status it had already.
    """
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        if exchange.status is not Status.DELIVERED:
            return exchange.status
        at = ctx.clock()
        decision = decide_or_cancel(ctx, uow, exchange, at)
        if not decision.permitted:
            uow.commit()
            return Status.CANCELLED
        if waits_for(ctx, uow, exchange):
            return Status.DELIVERED
        if not uow.exchanges.advance(exchange_id, Status.RELEASED, frm=[Status.DELIVERED]):
            return Status.RELEASED  # another worker was first
        answer = get_sealed(ctx, uow, exchange_id, "flags")
        result = _result(exchange, answer, get_sealed(ctx, uow, exchange_id, "slots"))
        put_sealed(ctx, uow, exchange_id, "result", result)
        uow.vault.drop(exchange_id, "flags")
        flagged = sum(1 for unit in result["units"] if unit["flags"])
        record_exchange(
            ctx,
            uow,
            "exchange.release-authorised",
            exchange,
            actor=the_gateway(ctx),
            at=at,
            body={"released_to": str(exchange.submitted_by), **resting_on(decision)},
            # what was given, even how often, derives from persons: committed, never shown
            private={"counts/units_flagged": flagged},
            items=(UNIT, result["units"]),
        )
        start_clocks(uow, exchange_id, at)
        uow.commit()
    return Status.RELEASED


def lapse(ctx: Context, exchange_id: ExchangeId) -> None:
    """Give up waiting for a cosignature: the answer came, is given to nobody, and its clocks start."""
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        if exchange.status is not Status.DELIVERED:
            return
        give_up(ctx, uow, exchange, frm=[Status.DELIVERED], at=ctx.clock())
        uow.commit()


def _result(exchange: Exchange, answer: dict[str, Any], slot_map: dict[str, Any]) -> dict[str, Any]:
    named = zip(_units(exchange, slot_map), answer["flags"], strict=True)
    return {
        "units": [name | {"flags": met} for name, met in named],
        "register_date": answer["register_date"],
        "register_complete": answer["register_complete"],
    }


def _units(exchange: Exchange, slot_map: dict[str, Any]) -> list[dict[str, str]]:
    households = slot_map["households"]
    if exchange.granularity is Granularity.PERSON_INDICATORS:
        return [
            {"household_id": households[handle], "person_id": person} for person, handle in slot_map["people"]
        ]
    return [{"household_id": name} for name in households]
