"""Policy sets: the one in use is kept and logged, past decisions are replayed, drafts tried."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from datetime import date as Date  # noqa: N812
from typing import Any

from audit.entry import Entry, Json
from gateway.domain.errors import NotFoundError, VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.ports import AgreementRecord, UnitOfWork
from gateway.service import agreements
from gateway.service.context import Context
from gateway.service.recording import SMALL, record, the_gateway
from gateway.service.sealing import get_sealed
from policies.decision import ENGINE, AgreementTerms, Decision, Question, decide
from policies.document import from_document, to_document
from policies.model import PolicySet
from policies.rows import judge, unpacked


def announce(ctx: Context) -> None:
    """Keep the set that decisions are made with from now on; an entry says when it is a new one."""
    with ctx.store.begin() as uow:
        policies, at = ctx.policies, ctx.clock()
        if uow.policy_sets.keep(policies.digest, to_document(policies), at):
            body: dict[str, Json] = {
                "policy_set": policies.digest,
                "engine": ENGINE,
                "datasets": {name: policy.digest for name, policy in policies.datasets.items()},
            }
            record(ctx, uow, "policies.in-use", actor=the_gateway(ctx), body=body, at=at)
            uow.commit()


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision that came out the same. `rows`: how many were withheld; None once they are destroyed."""

    decision: dict[str, Any]
    rows: int | None


def replay(ctx: Context, exchange_id: ExchangeId) -> Replayed:
    """Decide a permitted exchange anew, from the log, the agreement and the policy set of then.

    Raises:
        NotFoundError: no such exchange, or its policy set was not kept.
        VerificationError: the decision, or the withheld rows, come out otherwise; or another engine made it.
    """
    with ctx.store.begin() as uow:
        exchange = uow.exchanges.get(exchange_id)
        logged = _logged(uow, exchange_id)
        if logged["engine"] != ENGINE:
            raise VerificationError("it was decided by another version of the engine", place="replay")
        policies = from_document(uow.policy_sets.get(logged["policy_set"]), logged["policy_set"])
        at = datetime.fromisoformat(logged["at"])
        agreed = _agreed(ctx, uow, uow.agreements.get(exchange.agreement), at)
        question = Question(
            exchange.dataset,
            exchange.purpose,
            exchange.framework,
            agreed,
            exchange.households,
            exchange.slots,
        )
        again = decide(question, policies, at).to_json()
        for key in sorted(logged.keys() | again.keys()):
            if logged.get(key) != again.get(key):
                raise VerificationError(f"`{key}` comes out otherwise than the log says", place="replay")
        return Replayed(again, _rows_again(ctx, uow, exchange_id, policies))


@dataclass(frozen=True, slots=True)
class Compared:
    """One logged request under a draft. `logged`, `draft`: codes of what is unmet, () for a permit."""

    at: datetime
    dataset: str
    purpose: str
    logged: tuple[str, ...]
    draft: tuple[str, ...]
    why: tuple[str, ...]

    @property
    def change(self) -> str:
        """`gains`, `loses` or `same`."""
        if bool(self.logged) == bool(self.draft):
            return "same"
        return "gains" if self.logged else "loses"


def compare(ctx: Context, draft: PolicySet, since: Date) -> list[Compared]:
    """Every logged request since a day, as a draft would have decided it at its moment, oldest first.

    An agreement that fitted the policy of then counts as signed anew on the draft. Counts below ten are not
    in the log: such a list is taken as of nine people. What row rules did to a refused list is not known.
    """
    start = datetime.combine(since, time.min, UTC)
    with ctx.store.begin() as uow:
        entries = [e for e in _entries(uow) if e.kind in _DECIDED and e.at >= start]
        return [_compared(ctx, uow, entry, draft) for entry in entries]


_DECIDED = ("exchange.permitted", "exchange.refused")


def _compared(ctx: Context, uow: UnitOfWork, entry: Entry, draft: PolicySet) -> Compared:
    logged: Any = entry.body["decision"]
    unmet = tuple(str(each["code"]) for each in logged["unmet"])
    agreed = None
    if logged["agreement"]:
        terms = _agreed(ctx, uow, uow.agreements.get(logged["agreement"]), entry.at)
        policy = draft.datasets.get(logged["dataset"])
        fitted = "agreement-other-policy" not in unmet
        agreed = replace(terms, policy_digest=policy.digest) if terms and policy and fitted else terms
    counts: Any = entry.body["counts"]
    people, households = (_count(counts, name, unmet) for name in ("people", "households"))
    question = Question(logged["dataset"], logged["purpose"], logged["framework"], agreed, households, people)
    decision = decide(question, draft, entry.at)
    codes = tuple(each.code for each in decision.unmet) + _kept_back(unmet)
    return Compared(entry.at, logged["dataset"], logged["purpose"], unmet, codes, _why(decision))


def _count(counts: dict[str, int], name: str, unmet: tuple[str, ...]) -> int:
    return counts.get(name, 0 if "list-too-small" in unmet else SMALL - 1)


def _kept_back(unmet: tuple[str, ...]) -> tuple[str, ...]:
    # the list is gone: whether other row rules would have left a row can't be said
    return tuple(code for code in unmet if code == "every-row-withheld")


def _why(decision: Decision) -> tuple[str, ...]:
    return tuple(f"{each.requirement} ({each.citation})" for each in decision.unmet)


def _agreed(ctx: Context, uow: UnitOfWork, held: AgreementRecord, at: datetime) -> AgreementTerms | None:
    """The terms as they stood at a moment: signatures and revocations that came later had not come yet."""
    partner = uow.partners.get(held.partner)
    if partner.revoked_at is not None and partner.revoked_at <= at:
        return None
    terms = agreements.terms(held, ctx.keys.identity, partner.identity)
    return replace(
        terms,
        signed=held.signed_at is not None and held.signed_at <= at,
        revoked=held.revoked_at is not None and held.revoked_at <= at,
    )


def _rows_again(ctx: Context, uow: UnitOfWork, exchange: ExchangeId, policies: PolicySet) -> int | None:
    try:
        kept, withheld = (get_sealed(ctx, uow, exchange, kind) for kind in ("facts", "withheld"))
    except NotFoundError:
        return None
    policy = policies.datasets[uow.exchanges.get(exchange).dataset]
    again = judge(unpacked(kept), policy.row_rules).select("line", "reason").to_dicts()
    if again != [{"line": row["line"], "reason": row["reason"]} for row in withheld]:
        raise VerificationError("the withheld rows come out otherwise", place="replay")
    return len(withheld)


def _logged(uow: UnitOfWork, exchange: ExchangeId) -> dict[str, Any]:
    for entry in _entries(uow):
        if entry.kind == "exchange.permitted" and entry.body.get("exchange") == str(exchange):
            found: Any = entry.body["decision"]
            return dict(found)
    raise NotFoundError("the log has no permit of this exchange", place="replay")


def _entries(uow: UnitOfWork) -> Iterator[Entry]:
    return (Entry.parse(leaf) for leaf in uow.log.leaves(0, uow.log.size()))
