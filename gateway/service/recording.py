"""How a use case writes to the disclosure log: one call, inside the transaction of the change it records."""

from collections.abc import Mapping
from datetime import datetime

from audit.entry import SALT_BYTES, Entry, Json, commit
from gateway.domain.exchange import Exchange
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.itemising import Values, seal_items
from gateway.service.sealing import ACCOUNTING, put_sealed
from policies.decision import Decision

OPENINGS = "openings/"
"""Where an entry's openings lie in the vault: this, after the clock's prefix, and the entry's id."""
SMALL = 10
"""Counts below this stand in a leaf as commitments only (DESIGN.md §6)."""


def actor_of(ctx: Context, user: User) -> dict[str, Json]:
    """A user, by opaque id: names stand in an erasable table."""
    organisation = user.partner or ctx.keys.identity.slug
    return {"id": str(user.id), "role": user.role.value, "organisation": organisation}


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
    entry = Entry(ctx.new_id(), kind, at, {"actor": dict(actor), **body})
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
    accounted: Mapping[str, Json] | None = None,
    private: Mapping[str, Json] | None = None,
    items: tuple[str, Values] | None = None,
) -> None:
    """Append an entry about an exchange.

    What derives from persons stands in the leaf as salted commitments only, by path; the salts and values
    are sealed under the exchange's keys, so that destroying them erases it and breaks no proof. `accounted`
    is kept for as long as the account of who was told about whom, `private` for as long as the results;
    `items`, a path of `itemising` and a value for each person or unit, for as long as its path says.
    """
    entry_id = ctx.new_id()
    leaf: dict[str, Json] = {"actor": dict(actor), **about(exchange), **(body or {})}
    commitments: dict[str, Json] = {}
    for clock, values in ((ACCOUNTING, accounted), ("", private)):
        openings: dict[str, Json] = {}
        for path, value in (values or {}).items():
            salt = ctx.entropy(SALT_BYTES)
            openings[path] = {"salt": salt.hex(), "value": value}
            commitments[path] = commit(salt, entry_id, path, value)
        if openings:
            put_sealed(ctx, uow, exchange.id, f"{clock}{OPENINGS}{entry_id}", openings)
    if commitments:
        leaf["commitments"] = commitments
    if items:
        leaf["items"] = seal_items(ctx, uow, exchange.id, entry_id, *items)
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


def resting_on(decision: Decision) -> dict[str, Json]:
    """What a permit rests on, for each disclosure's entry: the decision is taken anew at each of them."""
    grounds: list[Json] = [
        {"role": ground.role, "id": ground.id, "citation": ground.citation}
        for ground in (decision.basis.grounds if decision.basis else ())
    ]
    return {
        "legal_basis": {
            "regime": decision.regime,
            "policy_set": decision.policy_set,
            "engine": decision.engine,
            "grounds": grounds,
        }
    }


def split_counts(**values: int) -> tuple[dict[str, Json], dict[str, Json]]:
    """Split counts into (those a leaf may show, those it may only commit to, by path `counts/NAME`)."""
    shown: dict[str, Json] = {name: n for name, n in values.items() if n >= SMALL}
    private: dict[str, Json] = {f"counts/{name}": n for name, n in values.items() if n < SMALL}
    return shown, private
