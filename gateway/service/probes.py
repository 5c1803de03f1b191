"""Not asked again too soon: which households of a list the partner was asked about within the interval.

An exchange leaves keyed tags of the people it asked about, under a key of its own that stays outside the
database and is destroyed when the interval is over. Nobody is named, nothing enters a log leaf, and tags of
two exchanges can't be joined: a new list is tagged under each living key and compared.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import Exchange, ExchangeId, Status
from gateway.domain.people import HouseholdList
from gateway.linkage.scheme import V1
from gateway.linkage.secret import token_keys
from gateway.linkage.tokens import TOKEN_BYTES, parts_of, tokens_of
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.sealing import PROBE_KEY, get_sealed, put_sealed
from policies.model import DatasetPolicy

LABELS: Final = ("g1.sl.born", "nhs.born", "upn.born", "nino.born")
"""Match keys narrow enough that a stranger seldom shares one: who does stays behind, and nothing is told."""
_UNANSWERED: Final = frozenset({Status.FAILED, Status.EXPIRED, Status.CANCELLED})
_KEY_BYTES: Final = 32
_LEAST_SHARED: Final = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of late: ids of the list's households, and exchanges that asked about nearly this list.

    `nearly`: two lists that differ in one household, and share at least two: their difference is one family.
    """

    households: frozenset[str] = frozenset()
    nearly: tuple[ExchangeId, ...] = ()


def asked_of_late(
    ctx: Context, uow: UnitOfWork, people: HouseholdList, partner: str, policy: DatasetPolicy, at: datetime
) -> Asked:
    """Households of the list of which anybody was asked about within the policy's interval.

    Requests that ended without an answer don't count: they may be made again.
    """
    if not policy.repeat_days:
        return Asked()
    since = at - timedelta(days=policy.repeat_days)
    recent = uow.exchanges.recent(partner, policy.id, since)
    found: set[str] = set()
    nearly: list[ExchangeId] = []
    parts = parts_of(people.frame, V1) if recent else pl.DataFrame()
    for exchange in recent:
        if exchange.status not in _UNANSWERED and (earlier := _earlier(ctx, uow, exchange)):
            key, tags = earlier
            met = _tags(parts, key).select(pl.any_horizontal(pl.all().is_in(tags).fill_null(value=False)))
            shared = set(people.frame["household_id"].filter(met.to_series()))
            found |= shared
            if _differ_in_one(people.households, exchange.households, len(shared)):
                nearly.append(exchange.id)
    return Asked(frozenset(found), tuple(nearly))


def _differ_in_one(households: int, earlier: int, shared: int) -> bool:
    return shared >= _LEAST_SHARED and max(households, earlier) == shared + 1


def remember(
    ctx: Context, uow: UnitOfWork, exchange: ExchangeId, people: HouseholdList, policy: DatasetPolicy
) -> None:
    """Leave the tags of the people an exchange asks about; the key is durable before the unit commits."""
    if not policy.repeat_days:
        return
    key = ctx.entropy(_KEY_BYTES)
    ctx.exchange_keys.put(exchange, PROBE_KEY, key)
    tags = sorted(set(_bytes(_tags(parts_of(people.frame, V1), key))))
    put_sealed(ctx, uow, exchange, PROBE_KEY, base64.b64encode(b"".join(tags)).decode())


def forget(ctx: Context, at: datetime) -> None:
    """Destroy the tags and keys whose interval is over; work grows with the keys that live alone."""
    for exchange_id in ctx.exchange_keys.older_than(PROBE_KEY, at):
        with ctx.store.begin() as uow:
            try:
                exchange = uow.exchanges.get(exchange_id)
            except NotFoundError:
                continue  # being submitted now, or left by a crash: `clear_up` sees to it
            policy = ctx.policies.datasets.get(exchange.dataset)
            if policy and at < exchange.submitted_at + timedelta(days=policy.repeat_days):
                continue
            uow.vault.drop(exchange_id, PROBE_KEY)
            uow.commit()
        ctx.exchange_keys.destroy(exchange_id, PROBE_KEY)


def _earlier(ctx: Context, uow: UnitOfWork, exchange: Exchange) -> tuple[bytes, list[bytes]] | None:
    try:
        key = ctx.exchange_keys.get(exchange.id, PROBE_KEY)
        tags = base64.b64decode(get_sealed(ctx, uow, exchange.id, PROBE_KEY))
    except NotFoundError:
        return None
    return key, [tags[i : i + TOKEN_BYTES] for i in range(0, len(tags), TOKEN_BYTES)]


def _tags(parts: pl.DataFrame, key: bytes) -> pl.DataFrame:
    return tokens_of(parts, token_keys(key, V1), V1, LABELS)


def _bytes(tags: pl.DataFrame) -> Iterator[bytes]:
    columns: Iterable[pl.Series] = tags.get_columns()
    for column in columns:
        yield from column.drop_nulls()
