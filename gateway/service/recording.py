"""How a use case writes to the disclosure log: one call, inside the transaction of the change it records."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from audit.entry import Entry, Json, commit
from gateway.domain.exchange import Exchange
from gateway.ports import UnitOfWork, User
from gateway.service.context import Context
from gateway.service.sealing import put_sealed

_SALT_BYTES = 32
SMALL = 10
"""Counts below this stand in a leaf as commitments only (DESIGN.md §6)."""


def actor_of(ctx: Context, user: User) -> dict[str, Json]:
    """A council user, by opaque id: names stand in an erasable table."""
    return {"id": str(user.id), "role": user.role.value, "organisation": ctx.keys.identity.slug}


def the_gateway(ctx: Context) -> dict[str, Json]:
    return {"id": "gateway", "role": "system", "organisation": ctx.keys.identity.slug}


def the_operator(ctx: Context) -> dict[str, Json]:
    """Whoever holds the shell of the gateway's machine."""
    return {"id": "shell", "role": "operator", "organisation": ctx.keys.identity.slug}


def the_partner(slug: str) -> dict[str, Json]:
    return {"id": "agent", "role": "partner", "organisation": slug}


def record(
    ctx: Context,
    uow: UnitOfWork,
    kind: str,
    *,
    actor: Mapping[str, Json],
    body: Mapping[str, Json],
    at: datetime,
) -> None:
    """Append an entry that derives from no person."""
    entry = Entry(UUID(bytes=ctx.entropy(16), version=4), kind, at, {"actor": dict(actor), **body})
    uow.log.append([entry])


def record_exchange(
    ctx: Context,
    uow: UnitOfWork,
    kind: str,
    exchange: Exchange,
    *,
    actor: Mapping[str, Json],
    at: datetime,
    body: Mapping[str, Json] | None = None,
    private: Mapping[str, Json] | None = None,
) -> None:
    """Append an entry about an exchange.

    `private` is whatever derives from persons, by path: the leaf gets salted commitments, and the salts and
    values are sealed under the exchange's key, so that destroying it erases them and breaks no proof.
    """
    entry_id = UUID(bytes=ctx.entropy(16), version=4)
    openings: dict[str, Json] = {}
    commitments: dict[str, Json] = {}
    for path, value in (private or {}).items():
        salt = ctx.entropy(_SALT_BYTES)
        openings[path] = {"salt": salt.hex(), "value": value}
        commitments[path] = commit(salt, entry_id, path, value)
    leaf: dict[str, Json] = {"actor": dict(actor), **about(exchange), **(body or {})}
    if commitments:
        leaf["commitments"] = commitments
        put_sealed(ctx, uow, exchange.id, f"openings/{entry_id}", openings)
    uow.log.append([Entry(entry_id, kind, at, leaf)])


def about(exchange: Exchange) -> dict[str, Json]:
    """What every entry of an exchange says: who is told, about what, why and under which agreement."""
    return {
        "exchange": str(exchange.id),
        "recipient": exchange.partner,
        "dataset": exchange.dataset,
        "purpose": exchange.purpose,
        "framework": exchange.framework,
        "agreement": exchange.agreement,
        "granularity": exchange.granularity.value,
        "indicators_asked": list(exchange.indicators),
    }


def split_counts(**values: int) -> tuple[dict[str, Json], dict[str, Json]]:
    """Split counts into (those a leaf may show, those it may only commit to, by path `counts/NAME`)."""
    shown: dict[str, Json] = {name: n for name, n in values.items() if n >= SMALL}
    private: dict[str, Json] = {f"counts/{name}": n for name, n in values.items() if n < SMALL}
    return shown, private
