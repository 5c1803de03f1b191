"""Failed sign-ins: counted at once, logged by the minute, so that no attacker can fill the log.

One small durable count a failure; the sweep turns each finished minute into at most one entry a reason.
"""

from datetime import timedelta

from gateway.domain.alerts import Caller, Denied
from gateway.domain.errors import NotSignedInError
from gateway.service.context import Context
from gateway.service.recording import record, the_gateway

_MINUTE = timedelta(minutes=1)


def denied(ctx: Context, caller: Caller, reason: Denied, text: str, *, way_out: str = "") -> NotSignedInError:
    """Count a failed sign-in; the error to raise. Nothing that came with it is kept.

    Raises:
        StoreUnavailableError: it can't be counted.
    """
    with ctx.store.begin() as uow:
        uow.sign_ins.failed(caller, reason, ctx.clock().replace(second=0, microsecond=0))
        uow.commit()
    return NotSignedInError(text, way_out=way_out)


def log_denials(ctx: Context) -> None:
    """Record the failures of every finished minute, an entry for each caller and reason. Idempotent.

    Raises:
        LogUnavailableError: the log can't be written; the counts stay.
    """
    now = ctx.clock()
    with ctx.store.begin() as uow:
        taken = uow.sign_ins.take(now.replace(second=0, microsecond=0))
        for each in taken:
            body = {
                "caller": each.caller.value,
                "reason": each.reason.value,
                "count": each.count,
                "since": each.minute.isoformat(),
                "until": (each.minute + _MINUTE).isoformat(),
            }
            record(ctx, uow, "access.denied", actor=the_gateway(ctx), body=body, at=now)
        if taken:
            uow.commit()
