"""A draft of the policies, tried on logged requests before it is enforced: who would gain or lose what."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date as Date  # noqa: N812
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import polars as pl

from audit.entry import Entry
from gateway.domain.errors import NotFoundError
from gateway.domain.exchange import ExchangeId
from gateway.domain.legal_date import legal_date
from gateway.ports import UnitOfWork
from gateway.service.context import Context
from gateway.service.logs import logged
from gateway.service.policysets import agreed_then
from gateway.service.recording import SMALL
from gateway.service.sealing import get_sealed
from policies.decision import Decision, Question, decide, refuse_for
from policies.document import from_document
from policies.model import DatasetPolicy, PolicySet
from policies.rows import judge, unpacked


@dataclass(frozen=True, slots=True)
class Compared:
    """One logged request under a draft. `logged`, `draft`: codes of what is unmet, () for a permit.

    `user` is who asked, by opaque id; `recipient` the partner, "" where none had agreed. `why`: for a gain,
    what stood in its way then; else what stands in its way now. `what`: what a permit would give otherwise.
    """

    at: datetime
    user: str
    recipient: str
    dataset: str
    purpose: str
    logged: tuple[str, ...]
    draft: tuple[str, ...]
    why: tuple[str, ...]
    what: tuple[str, ...]

    @property
    def change(self) -> str:
        """`gains`, `loses`, `differs` (permitted both times, with another content) or `same`."""
        if bool(self.logged) != bool(self.draft):
            return "gains" if self.logged else "loses"
        return "differs" if self.what else "same"


def compare(ctx: Context, draft: PolicySet, since: Date) -> list[Compared]:
    """Every logged request since a day in London, as a draft would have decided it then, oldest first.

    An agreement that fitted the policy of then counts as signed anew on the draft. Of a permitted list the
    row rules are judged anew as long as what they look at is kept. Of a refused one the rows are not known,
    and a count below ten, which the log does not show, is taken to fit.
    """
    with ctx.store.begin() as uow:
        entries = [e for e in logged(uow) if e.kind in _DECIDED and legal_date(e.at) >= since]
        return [_compared(ctx, uow, entry, draft) for entry in entries]


_PERMITTED: Final = "exchange.permitted"
_DECIDED: Final = (_PERMITTED, "exchange.refused")


def _compared(ctx: Context, uow: UnitOfWork, entry: Entry, draft: PolicySet) -> Compared:
    body: Any = entry.body
    logged = body["decision"]
    unmet = tuple(str(each["code"]) for each in logged["unmet"])
    rows = _rows(ctx, uow, entry, draft) if entry.kind == _PERMITTED else _Rows(None, ())
    decision = decide(_question(ctx, uow, entry, draft, rows), draft, entry.at)
    if rows.nobody or "every-row-withheld" in unmet:  # the rows of a refused list are gone
        decision = refuse_for(decision, "every-row-withheld", draft)
    codes = tuple(each.code for each in decision.unmet)
    told = [(each["requirement"], each["citation"]) for each in logged["unmet"]]
    now = [(each.requirement, each.citation) for each in decision.unmet]
    agreed = uow.agreements.get(logged["agreement"]) if logged["agreement"] else None
    return Compared(
        at=entry.at,
        user=str(body["actor"]["id"]),
        recipient=agreed.partner if agreed else "",
        dataset=logged["dataset"],
        purpose=logged["purpose"],
        logged=unmet,
        draft=codes,
        why=tuple(f"{requirement} ({citation})" for requirement, citation in now or told),
        what=() if unmet or codes else tuple(_otherwise(uow, logged, decision, draft, rows)),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """People who went and who would go, as (line, household); None where what tells is destroyed."""

    would_go: pl.DataFrame | None
    what: tuple[str, ...]

    @property
    def nobody(self) -> bool:
        return self.would_go is not None and self.would_go.is_empty()


def _rows(ctx: Context, uow: UnitOfWork, entry: Entry, draft: PolicySet) -> _Rows:
    exchange: Any = entry.body["exchange"]
    policy = draft.datasets.get(str(entry.body["dataset"]))
    if policy is None:
        return _Rows(None, ())
    try:
        kept, withheld = (
            get_sealed(ctx, uow, ExchangeId(UUID(exchange)), kind) for kind in ("facts", "withheld")
        )
    except NotFoundError:
        return _Rows(None, ("the row rules can't be tried: what they looked at is destroyed",))
    told = unpacked(kept)
    behind = judge(told, replace(policy.row_rules, areas=()))["line"].to_list()
    then = {row["line"] for row in withheld}
    if policy.row_rules.areas:
        # who lives where was judged by the areas of then, and the areas themselves are not kept
        behind += [row["line"] for row in withheld if row["reason"] == "out-of-area"]
    would_go = told.filter(~pl.col("line").is_in(behind)).select("line", "household_id")
    more, fewer = len(then - {*behind}), len({*behind} - then)
    what = [
        f"{n} more {'row' if n == 1 else 'rows'} {word}"
        for n, word in ((more, "would go"), (fewer, "stay"))
        if n
    ]
    if policy.row_rules.areas:
        what.append("the rule of areas can't be tried on what was kept")
    return _Rows(would_go, tuple(what))


def _question(ctx: Context, uow: UnitOfWork, entry: Entry, draft: PolicySet, rows: _Rows) -> Question:
    body: Any = entry.body
    logged = body["decision"]
    policy = draft.datasets.get(logged["dataset"])
    agreed = None
    if logged["agreement"]:
        terms = agreed_then(ctx, uow, uow.agreements.get(logged["agreement"]), entry.at)
        fitted = all(each["code"] != "agreement-other-policy" for each in logged["unmet"])
        agreed = replace(terms, policy_digest=policy.digest) if terms and policy and fitted else terms
    if rows.would_go is not None:
        households, people = rows.would_go["household_id"].n_unique(), rows.would_go.height
    elif entry.kind == _PERMITTED:
        exchange = uow.exchanges.get(ExchangeId(UUID(body["exchange"])))
        households, people = exchange.households, exchange.slots
    else:
        households, people = (_count(body, policy, name) for name in ("households", "people"))
    return Question(logged["dataset"], logged["purpose"], logged["framework"], agreed, households, people)


def _count(body: Any, policy: DatasetPolicy | None, name: str) -> int:
    """A count of a refused list; one below ten fits the draft, unless it was too small already."""
    shown: int | None = body["counts"].get(name)
    if shown is not None:
        return shown
    if any(each["code"] == "list-too-small" for each in body["decision"]["unmet"]):
        return 0
    least, most = (getattr(policy, f"{end}_{name}") if policy else 0 for end in ("min", "max"))
    return int(max(min(SMALL - 1, most), min(SMALL - 1, least)))


def _otherwise(
    uow: UnitOfWork, logged: Any, decision: Decision, draft: PolicySet, rows: _Rows
) -> Iterator[str]:
    """What a permit would give otherwise: indicators, granularity, release, rows."""
    yield from rows.what
    before = from_document(uow.policy_sets.get(logged["policy_set"]), logged["policy_set"])
    was, now = before.datasets[logged["dataset"]], draft.datasets[logged["dataset"]]
    asked = was.asked(before.frameworks[logged["framework"]])
    asks = now.asked(draft.frameworks[decision.framework])
    for word, codes, others in (("no longer asks", asked, asks), ("asks also", asks, asked)):
        if changed := [code for code in codes if code not in others]:
            yield f"{word}: {', '.join(changed)}"
    for name in ("granularity", "release", "onward", "results_days", "accounting_days"):
        old, new = getattr(was, name), getattr(now, name)
        if old != new:
            yield f"{name.replace('_', ' ')}: {new} instead of {old}"
