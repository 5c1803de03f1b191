"""Rates and quotas, counted in the store, so that every process of the gateway counts the same.

A fixed window of a minute for each rate: one small statement, in a transaction of its own. A quota is counted
from the exchanges themselves, in the transaction that would add one.
"""

import hmac
import ipaddress
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.allowances import Rate
from gateway.domain.errors import ConfigurationError, TooManyError
from gateway.domain.legal_date import legal_date, start_of
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service.context import Context

_WINDOW: Final = timedelta(minutes=1)
_KEPT: Final = timedelta(hours=1)
_IPV6_SITE: Final = 64  # bits: what one customer is given at least


def take(ctx: Context, rate: Rate, who: str) -> None:
    """Count one use; `who` is an opaque id, a partner's slug or what `address_bucket` gives.

    Raises:
        TooManyError: this minute's are used up.
        StoreUnavailableError: it can't be counted, so it is not done.
    """
    now = ctx.clock()
    window = now.replace(second=0, microsecond=0)
    allowed = ctx.allowances.a_minute(rate)
    if ctx.uses.count(f"{rate}:{who}", window) > allowed:
        raise TooManyError(
            f"more than {allowed} a minute",
            place=f"limit {rate}",
            way_out="Go on when Retry-After is over",
            limit=rate.value,
            retry_after=_seconds(now, window + _WINDOW),
        )


def address_bucket(ctx: Context, address: str) -> str:
    """A network address as a keyed hash; of IPv6 the first 64 bits, which are one site's.

    Keyed, because the four thousand million addresses of IPv4 are soon tried; with the day, so that buckets
    of two days can't be joined.

    Raises:
        ConfigurationError: the context has no key for it.
    """
    if not ctx.address_key:
        raise ConfigurationError("there is no key for counts by address", place="rates")
    try:
        known = ipaddress.ip_address(address)
        network = ipaddress.ip_network((known, _IPV6_SITE if known.version > 4 else 32), strict=False)  # noqa: PLR2004
        told = network.network_address.packed
    except ValueError:
        told = b"unknown"
    day = legal_date(ctx.clock()).isoformat().encode()
    return hmac.digest(ctx.address_key, b"address/" + day + b"/" + told, "sha256")[:16].hex()


def check_quotas(ctx: Context, uow: UnitOfWork, user: User, agreement: str, people: int) -> None:
    """Whether one exchange more, about so many people, is within the day's quotas; a twin waits meanwhile.

    Raises:
        TooManyError: it is not; nothing was kept.
    """
    now, most = ctx.clock(), ctx.allowances
    today = legal_date(now)
    lists, asked = uow.exchanges.counted(start_of(today), agreement=agreement)
    own, _ = uow.exchanges.counted(start_of(today), submitted_by=user.id)
    for limit, found, allowed in (
        ("lists-a-day", lists + 1, most.lists_a_day),
        ("people-a-day", asked + people, most.people_a_day),
        ("submissions-a-day", own + 1, most.submissions_a_day),
    ):
        if found > allowed:
            raise TooManyError(
                f"more than {allowed} on one day",
                place=f"limit {limit}",
                way_out="Go on tomorrow, or have the operator raise it",
                limit=limit,
                retry_after=until_tomorrow(now),
            )


def until_tomorrow(now: datetime) -> int:
    """Seconds to the next day in London."""
    return _seconds(now, start_of(legal_date(now) + timedelta(days=1)))


def forget_uses(ctx: Context) -> None:
    """Drop the counts of windows that are over."""
    ctx.uses.forget(ctx.clock() - _KEPT)


def _seconds(now: datetime, then: datetime) -> int:
    return max(1, -int((now - then).total_seconds() // 1))
