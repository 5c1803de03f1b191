"""The council's own keys: the log says which are in use, and when others come into use."""

from datetime import datetime, timedelta

from gateway.bundle.succession import (
    USUAL_OVERLAP,
    RotationReason,
    SuccessionDocument,
    facts,
    follow_up,
    make_succession,
)
from gateway.key_ports import NextKeys
from gateway.service.context import Context
from gateway.service.recording import record, the_gateway, the_operator

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


def rotate(
    ctx: Context, keys: NextKeys, reason: RotationReason, overlap: datetime | timedelta = USUAL_OVERLAP
) -> SuccessionDocument:
    """Bring the next generation of the council's keys into use, without a pause; killed, it is repeated.

    New keys, log entry, signed succession, in use: until the last of these the old ones are in use, and
    whoever repeats it takes up the keys that are there. `overlap`: its end, or how long it lasts.

    Raises:
        BadInputError: the overlap is shorter or longer than allowed.
        LogUnavailableError: the log can't be written.
    """
    old, now = keys.lineage.current, ctx.clock()
    signer, new = keys.generation(old.number), keys.prepare()
    document = follow_up(old, new.identity, reason, now, overlap)
    with ctx.store.begin() as uow:
        record(ctx, uow, "keys.succession-announced", actor=the_operator(ctx), body=facts(document), at=now)
        uow.commit()
    keys.announce(make_succession(document, signer.sign, new.sign, new.sign_in))
    keys.use()  # commit point: every process of this home signs with the new keys from here on
    announce_keys(ctx)
    return document
