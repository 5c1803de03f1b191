"""The end of a clock: what it protects is destroyed, for good and on time, and the partner is told.

The order of the steps, for each clock of each exchange that is due:

1. One transaction deletes the rows, appends the entry of the destruction and marks the clock as destroyed.
2. The keys are destroyed. From here on no copy of the rows opens, in whatever old backup.
3. Another transaction keeps the certificate: the council's signed word that 1 and 2 are done.

A key is never destroyed without an entry, since 2 comes after the commit of 1. No entry claims a destruction
that is not carried out: the mark made in 1 stays without a certificate until 2 is done, and each sweep takes
up every such mark again; destroying a key twice does no harm. So after a crash anywhere the rest follows, and
outsiders get a certificate only once nothing is left. The reverse order, keys first, could destroy what a
crash then leaves unrecorded for ever, and what a hold placed in between wanted kept.
"""

from collections.abc import Callable, Iterable
from typing import Final

from audit.entry import Json
from gateway.bundle.certificate import make_certificate
from gateway.domain.alerts import Rule
from gateway.domain.errors import FlagstoneError, LogUnavailableError, StoreUnavailableError
from gateway.domain.legal_date import legal_date
from gateway.domain.retention import Retention, RetentionClock
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.generations import proposal, speaking
from gateway.service.recording import record_exchange, the_gateway
from gateway.service.sealing import ACCOUNT_KEY, ACCOUNTING, PROBE_KEY, SEAL_KEY, SECRET, TAGS_KEY

KEYS: Final = {
    RetentionClock.RESULTS: (SECRET, SEAL_KEY),
    RetentionClock.ACCOUNTING: (TAGS_KEY, ACCOUNT_KEY),
}
_KINDS: Final = {
    RetentionClock.RESULTS: "exchange.results-destroyed",
    RetentionClock.ACCOUNTING: "exchange.account-destroyed",
}
_AT_ONCE: Final = 500
"""Destructions a sweep; what is left is done by the next one, a minute later."""


def destroy_due(ctx: Context) -> None:
    """Finish what a crash interrupted, then destroy what is due today. The work grows with what is due alone.

    Raises:
        LogUnavailableError, StoreUnavailableError: the rest waits for the next sweep.
        FlagstoneError: some could not be destroyed; all others were.
    """
    with ctx.store.begin() as uow:
        interrupted = uow.retentions.uncertified(_AT_ONCE)
    _each(interrupted, lambda kept: _finish(ctx, kept))
    with ctx.store.begin() as uow:
        due = uow.retentions.due(legal_date(ctx.clock()), _AT_ONCE)
    _each(due, lambda kept: _destroy(ctx, kept))


def destroy_returned(ctx: Context) -> None:
    """Destroy again the keys that came back from a backup; to be run at each start. Looks at every key.

    The entry says that they were back, and so that a backup of keys was put in place.
    """
    for clock, names in KEYS.items():
        living = {each for name in names for each in ctx.exchange_keys.older_than(name, ctx.clock())}
        with ctx.store.begin() as uow:
            found = [uow.retentions.of(exchange_id).get(clock) for exchange_id in living]
        for kept in found:
            # without a certificate it lives rightly, or `destroy_due` is about to finish
            if kept is not None and kept.certificate is not None:
                _destroy_again(ctx, kept)


def _destroy_again(ctx: Context, kept: Retention) -> None:
    with ctx.store.begin() as uow:
        _record(ctx, uow, kept, "exchange.keys-destroyed-again")
        uow.commit()
    _destroy_keys(ctx, kept)


def _destroy(ctx: Context, found: Retention) -> None:
    with ctx.store.begin() as uow:
        kept = uow.retentions.of(found.exchange, alone=True)[found.clock]
        if kept.destroyed_at is not None or uow.holds.of(kept.exchange) is not None:
            return  # another sweep was first, or a hold was placed meanwhile
        _delete_rows(uow, kept)
        _record(ctx, uow, kept, _KINDS[kept.clock])
        uow.retentions.destroyed(kept.exchange, kept.clock, ctx.clock(), uow.log.size() - 1)
        uow.commit()  # commit point: from here on every sweep goes on until nothing is left
    _finish(ctx, kept)


def _delete_rows(uow: UnitOfWork, kept: Retention) -> None:
    of_account = kept.clock is RetentionClock.ACCOUNTING
    for kind in uow.vault.kinds(kept.exchange):
        # what remembers that somebody was asked about has a clock of its own (`gateway.service.probes`)
        if kind != PROBE_KEY and kind.startswith(ACCOUNTING) == of_account:
            uow.vault.drop(kept.exchange, kind)
    if of_account:
        # that two lists differ in one household says something of that family (`gateway.service.probes`)
        uow.alerts.forget(Rule.NEAR_OVERLAP, str(kept.exchange))
    else:
        uow.mailbox.remove(kept.exchange)
        uow.submissions.forget(kept.exchange)


def _finish(ctx: Context, found: Retention) -> None:
    """Destroy the keys, then certify it, once."""
    _destroy_keys(ctx, found)
    with ctx.store.begin() as uow:
        kept = uow.retentions.of(found.exchange, alone=True)[found.clock]
        if kept.certificate is None:
            uow.retentions.certify(kept.exchange, kept.clock, _certificate(ctx, uow, kept))
            uow.commit()


def _destroy_keys(ctx: Context, kept: Retention) -> None:
    for name in KEYS[kept.clock]:
        ctx.exchange_keys.destroy(kept.exchange, name)


def _certificate(ctx: Context, uow: UnitOfWork, kept: Retention) -> str:
    if kept.entry is None:
        raise FlagstoneError("nothing was destroyed yet", place="certificate")
    exchange = uow.exchanges.get(kept.exchange)
    partner = uow.partners.get(exchange.partner)
    agreement = proposal(uow.agreements.get(exchange.agreement).council_jws, ctx.keys.lineage)
    known = ctx.keys.generation(speaking(ctx.keys, uow, partner, agreement, ctx.clock).number)
    return make_certificate(
        known.identity,
        partner.identity,
        known.sign,
        exchange=exchange.id,
        request_digest=exchange.request_digest.hex(),
        clock=kept.clock,
        destroyed_at=ctx.clock(),
        log_entry=kept.entry,
        key_backup_days=ctx.key_backup_days,
    )


def _record(ctx: Context, uow: UnitOfWork, kept: Retention, kind: str) -> None:
    body: dict[str, Json] = {
        "clock": kept.clock.value,
        "kept_days": kept.days,
        "due": str(kept.due),
        "key_backup_days": ctx.key_backup_days,
    }
    exchange = uow.exchanges.get(kept.exchange)
    record_exchange(ctx, uow, kind, exchange, actor=the_gateway(ctx), at=ctx.clock(), body=body)


def _each(found: Iterable[Retention], step: Callable[[Retention], None]) -> None:
    """One that fails does not keep the others from their end."""
    failed: set[str] = set()
    for kept in found:
        try:
            step(kept)
        except (LogUnavailableError, StoreUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must go
            failed.add(type(error).__name__)
    if failed:
        raise FlagstoneError(
            f"some could not be destroyed ({', '.join(sorted(failed))})",
            place="sweep",
            way_out="Can the gateway write its folder of exchange keys? The next sweep tries again",
        )
