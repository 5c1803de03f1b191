"""Policy sets: the one in use is kept and logged, past decisions are replayed."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from audit.entry import Json
from gateway.domain.errors import NotFoundError, VerificationError
from gateway.domain.exchange import ExchangeId
from gateway.party_ports import AgreementRecord
from gateway.ports import UnitOfWork
from gateway.service import agreements
from gateway.service.context import Context
from gateway.service.logs import logged
from gateway.service.recording import record, the_gateway
from gateway.service.sealing import get_sealed
from policies.decision import ENGINE, AgreementTerms, Question, decide
from policies.document import from_document, to_document
from policies.model import PolicySet
from policies.rows import judge, unpacked

_MARK: Final = "policies-in-use"


def announce(ctx: Context) -> None:
    """Keep the set that decisions are made with from now on; an entry says when it is another than before."""
    with ctx.store.begin() as uow:
        policies, at = ctx.policies, ctx.clock()
        in_use = f"{uow.log.verifier.name} {policies.digest}"  # a new log is told anew
        if uow.marks.get(_MARK) != in_use:
            uow.policy_sets.keep(policies.digest, to_document(policies), at)
            uow.marks.put(_MARK, in_use)
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
        agreed = agreed_then(ctx, uow, uow.agreements.get(exchange.agreement), at)
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


def agreed_then(ctx: Context, uow: UnitOfWork, held: AgreementRecord, at: datetime) -> AgreementTerms | None:
    """The terms as they stood at a moment: signatures and revocations that came later had not come yet."""
    partner = uow.partners.get(held.partner)
    if partner.revoked_at is not None and partner.revoked_at <= at:
        return None
    terms = agreements.terms(held, ctx.keys.lineage, partner.lineage)
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
    for entry in logged(uow):
        if entry.kind == "exchange.permitted" and entry.body.get("exchange") == str(exchange):
            found: Any = entry.body["decision"]
            return dict(found)
    raise NotFoundError("the log has no permit of this exchange", place="replay")
