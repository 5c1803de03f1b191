"""The two-person rule: one proposes an act, another approves it, and it is done once, within a day.

Who proposed, who decided and that it was done are entries of the log. An act calls `use` in the transaction
in which it is done, so that an approval is never spent without the act, nor the act done without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from audit.entry import Json
from gateway.domain.errors import BadInputError, ConflictError, NotAllowedError
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.proposals import Act, ActReason, Proposal
from gateway.domain.retention import RetentionClock
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service.access import out_of_force, require_role
from gateway.service.context import Context
from gateway.service.exchanges import require_not_own, visible
from gateway.service.recording import actor_of, record


@dataclass(frozen=True, slots=True)
class Who:
    """The roles that may propose an act, and those that may approve it."""

    propose: frozenset[Role]
    approve: frozenset[Role]


_REVIEWERS: Final = frozenset({Role.REVIEWER})
WHO: Final[Mapping[Act, Who]] = {
    Act.LIFT_HOLD: Who(_REVIEWERS, _REVIEWERS),
    Act.DESTROY_EARLY: Who(_REVIEWERS, _REVIEWERS),
    Act.RELEASE_RESULTS: Who(frozenset({Role.PROGRAMME}), _REVIEWERS),
    Act.KEY_EXPORT: Who(frozenset({Role.OPERATOR}), frozenset({Role.OPERATOR, Role.REVIEWER})),
}
PEOPLE: Final = (Role.PROGRAMME, Role.REVIEWER, Role.OPERATOR)


def about(act: Act, exchange: UUID | None, clock: RetentionClock | None) -> str:
    """What a proposal is about, as it is kept.

    Raises:
        BadInputError: the act needs an exchange or a clock that is not given, or takes none.
    """
    if (exchange is None) != (act is Act.KEY_EXPORT) or (clock is None) == (act is Act.DESTROY_EARLY):
        raise BadInputError(
            "the act and what it is about do not go together",
            place="proposal",
            way_out="An exchange for all but key-export, and a clock for destroy-early alone",
        )
    return " ".join(str(part) for part in (exchange, clock) if part is not None)


def propose(
    ctx: Context,
    user: User,
    act: Act,
    reason: ActReason,
    *,
    exchange: UUID | None = None,
    clock: RetentionClock | None = None,
) -> dict[str, Any]:
    """Put an act before a second person.

    Raises:
        NotAllowedError: the role may not propose it, or it is about one's own exchange in review.
        NotFoundError: no such exchange that this user may see.
        ConflictError: the same is proposed already.
    """
    require_role(user, *WHO[act].propose)
    thing, now = about(act, exchange, clock), ctx.clock()
    with ctx.store.begin() as uow:
        _check_exchange(uow, user, thing)
        if any(each.act is act and _stands(ctx, each) for each in uow.proposals.about(thing)):
            raise ConflictError("the same is proposed already", place="proposal")
        until = now + ctx.rules.two_person_within
        made = Proposal(ctx.new_id(), act, thing, reason, user.id, now, until)
        uow.proposals.add(made)
        _record(ctx, uow, "proposal.made", made, actor_of(ctx, user))
        uow.commit()
    return _shown(made)


def decide(ctx: Context, user: User, proposal_id: UUID, *, approve: bool) -> dict[str, Any]:
    """Approve or refuse what another person proposed.

    Raises:
        NotAllowedError: one's own proposal or exchange, or a role that may not.
        NotFoundError: there is none.
        ConflictError: it was decided before, or its time is over.
    """
    require_role(user, *PEOPLE)
    with ctx.store.begin() as uow:
        found, now = uow.proposals.get(proposal_id), ctx.clock()
        require_role(user, *WHO[found.act].approve)
        if found.proposed_by == user.id:
            raise NotAllowedError("another person decides on one's own proposal", place="proposal")
        _check_exchange(uow, user, found.about)
        if not found.waiting(now):
            raise ConflictError("it was decided before, or its time is over", place="proposal")
        decided = replace(found, decided_by=user.id, decided_at=now, approved=approve)
        uow.proposals.put(decided)
        kind = "proposal.approved" if approve else "proposal.refused"
        _record(ctx, uow, kind, decided, actor_of(ctx, user))
        uow.commit()
    return _shown(decided)


def listing(ctx: Context, user: User) -> list[dict[str, Any]]:
    """A user's own, and those of acts that the user's role may approve; newest first."""
    require_role(user, *PEOPLE)
    with ctx.store.begin() as uow:
        found = uow.proposals.all()
    concerned = [act for act, who in WHO.items() if user.role in who.approve]
    return [_shown(each) for each in found if each.proposed_by == user.id or each.act in concerned]


def use(ctx: Context, uow: UnitOfWork, act: Act, thing: str, actor: dict[str, Json]) -> None:
    """Spend an approval of `act` on `thing`. The caller commits, with the act.

    Raises:
        NotAllowedError: none is approved and unspent, or who proposed or approved it may not any more.
    """
    now = ctx.clock()
    for each in uow.proposals.about(thing):
        if each.act is act and each.usable(now) and _both_in_force(uow, each):
            used = replace(each, used_at=now)
            uow.proposals.put(used)
            _record(ctx, uow, "proposal.used", used, actor)
            return
    raise NotAllowedError(
        "this needs the approval of a second person",
        place=act.value,
        way_out=f"One types: flagstone proposal make {act.value}, another: flagstone proposal approve ID",
    )


def release(ctx: Context, uow: UnitOfWork, user: User, exchange_id: ExchangeId) -> None:
    """Let an exchange's results be read, where that needs two people: an approval is spent the first time.

    Raises:
        NotAllowedError: as `use`.
    """
    if not ctx.rules.two_person_release:
        return
    before = uow.proposals.about(str(exchange_id))
    if not any(each.act is Act.RELEASE_RESULTS and each.used_at is not None for each in before):
        use(ctx, uow, Act.RELEASE_RESULTS, str(exchange_id), actor_of(ctx, user))


def _check_exchange(uow: UnitOfWork, user: User, thing: str) -> None:
    if thing:
        exchange = visible(uow, user, ExchangeId(UUID(thing.split(maxsplit=1)[0])))
        if user.role is Role.REVIEWER:
            require_not_own(user, exchange)


def _both_in_force(uow: UnitOfWork, proposal: Proposal) -> bool:
    who = WHO[proposal.act]
    for person, roles in ((proposal.proposed_by, who.propose), (proposal.decided_by, who.approve)):
        user = uow.users.get(person) if person else None
        if user is None or out_of_force(uow, user) or user.role not in roles:
            return False
    return True


def _stands(ctx: Context, proposal: Proposal) -> bool:
    return proposal.waiting(ctx.clock()) or proposal.usable(ctx.clock())


def _record(ctx: Context, uow: UnitOfWork, kind: str, proposal: Proposal, actor: dict[str, Json]) -> None:
    body: dict[str, Json] = {
        "proposal": str(proposal.id),
        "act": proposal.act.value,
        "reason": proposal.reason.value,
    }
    if proposal.about:
        exchange, _, clock = proposal.about.partition(" ")
        body |= {"exchange": exchange} | ({"clock": clock} if clock else {})
    record(ctx, uow, kind, actor=actor, body=body, at=ctx.clock())


def _shown(proposal: Proposal) -> dict[str, Any]:
    exchange, _, clock = proposal.about.partition(" ")
    return {
        "proposal": proposal.id,
        "act": proposal.act,
        "exchange": exchange or None,
        "clock": clock or None,
        "reason": proposal.reason,
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at,
        "expires_at": proposal.expires_at,
        "decided_by": proposal.decided_by,
        "decided_at": proposal.decided_at,
        "approved": proposal.approved,
        "used_at": proposal.used_at,
    }
