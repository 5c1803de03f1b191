"""The council's own keys: the log says which are in use, and when others come into use."""

from gateway.service.context import Context
from gateway.service.recording import record, the_gateway

_MARK = "keys-in-use"


def announce_keys(ctx: Context) -> None:
    """Record the fingerprint of the keys that the gateway starts with, once for each set and each log.

    Raises:
        LogUnavailableError: the log can't be written; the gateway must not start.
    """
    fingerprint = ctx.keys.identity.fingerprint
    with ctx.store.begin() as uow:
        log, _, before = uow.marks.get(_MARK).rpartition(" ")
        if (log, before) == (uow.log.verifier.name, fingerprint):
            return
        uow.marks.put(_MARK, f"{uow.log.verifier.name} {fingerprint}")
        body = {"fingerprint": fingerprint} | ({"before": before} if before not in ("", fingerprint) else {})
        record(ctx, uow, "keys.in-use", actor=the_gateway(ctx), body=body, at=ctx.clock())
        uow.commit()
