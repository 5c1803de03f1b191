"""Keys that succeed others, as the agent sees it: the council's that come in, and its own that go out.

Before everything else of a round, so that whatever follows is judged by the keys of this moment. Each step
leaves a durable mark, and a kill repeats the rest.
"""

from datetime import datetime, timedelta
from typing import Final

from adapters.agent.approvals import CUSTODIAN
from adapters.agent.context import Agent
from adapters.transports.mailbox import KeysShown, State
from adapters.transports.wire import GatewayRefusedError, GatewaySignInError
from audit.entry import Json
from gateway.bundle.errors import ExpiredError, UnconfirmedError
from gateway.bundle.succession import (
    USUAL_OVERLAP,
    RotationReason,
    SuccessionDocument,
    check_automatic,
    check_fingerprint,
    facts,
    follow_up,
    keys_taken,
    make_succession,
    read_succession,
)
from gateway.domain.errors import ConflictError, NotFoundError

ANNOUNCED: Final = "keys.succession-announced"
ACCEPTED: Final = "keys.succession-accepted"
ENDED: Final = "keys.succession-ended"
COUNCIL: Final = "council.keys-succeeded"


def poll(agent: Agent) -> State:
    """One look at the gateway.

    Where it knows this agent by its next keys only, because its acknowledgement was lost and the overlap is
    over since, the agent signs in with those.

    Raises:
        PartnerError: the gateway can't be reached, or turned the caller away.
    """
    seen, known = agent.witness.size(), agent.council.lineage.current.digest
    try:
        return agent.gateway.state(seen, known)
    except GatewaySignInError:
        if agent.keys.pending() is None:
            raise
    with agent.gateway.signed_in_as(agent.keys.prepare()):
        return agent.gateway.state(seen, known)


def follow(agent: Agent, shown: KeysShown | None) -> None:
    """Accept the council's new keys, say so, and bring this agent's own on their way.

    Raises:
        UnconfirmedError: the council's keys wait for the custodian, and the overlap is over: nothing is
            answered.
        VerificationError: what is shown does not follow the keys known here; nothing is answered.
        GatewayUnavailableError: it is said at the next round.
    """
    if shown is None:
        return  # a gateway of before there were successions
    _follow_own(agent, shown.own)  # first: by these keys the rest of the round signs in
    _end_overlaps(agent)
    _follow_council(agent, shown.successions)
    _tell_taken(agent, shown.taken)


def rotate(
    agent: Agent, reason: RotationReason, overlap: datetime | timedelta = USUAL_OVERLAP
) -> SuccessionDocument:
    """Make this partner's next keys and their succession; the running agent brings it to the gateway.

    The old keys stay in use until the gateway says that it has accepted the new ones.

    Raises:
        ConflictError: new keys are on their way already, and the gateway may know them by now.
        BadInputError: the overlap is shorter or longer than allowed.
        LogUnavailableError: the own log can't be written.
    """
    if agent.keys.pending() is not None:
        raise ConflictError(
            "new keys are made already, and the council has not accepted them yet",
            place="agent rotate-keys",
            way_out="Let the agent run, and look at flagstone agent keys",
        )
    now, old = agent.clock(), agent.keys.lineage.current
    signer, new = agent.keys.generation(old.number), agent.keys.prepare()
    document = follow_up(old, new.identity, reason, now, overlap)
    agent.journal.record(ANNOUNCED, facts(document), by=CUSTODIAN)
    # commit point: from here on every round tells the gateway until it knows
    agent.keys.announce(make_succession(document, signer.sign, new.sign, new.sign_in))
    return document


def confirm(agent: Agent, fingerprint: str) -> SuccessionDocument:
    """Accept the council's keys up to those of this fingerprint, as its staff read it out.

    Raises:
        NotFoundError: no keys of the council wait.
        VerificationError: the fingerprint is another one, or a succession does not hold.
    """
    shown = poll(agent).keys
    waiting = shown.successions if shown else ()
    if not waiting:
        raise NotFoundError("no keys of the council wait", place="agent confirm-keys")
    check_fingerprint(read_succession(waiting[-1]).identity, fingerprint)
    for succession in waiting:
        document = _accept(agent, succession, by=CUSTODIAN)
    return document


def _follow_council(agent: Agent, successions: tuple[str, ...]) -> None:
    for succession in successions:
        document = read_succession(succession)
        try:
            check_automatic(document, agent.clock())
        except ExpiredError:
            raise _unconfirmed() from None
        if agent.confirm_successions:
            # the old keys still serve
            agent.events.warning("council-keys-wait", fingerprint=document.identity.fingerprint)
            return
        _accept(agent, succession)


def _tell_taken(agent: Agent, taken: str | None) -> None:
    """Say which keys of the council are known here, where the gateway asks and knows another answer."""
    known = agent.council.lineage.current.identity
    if taken is None or taken == known.digest.hex():
        return
    told = keys_taken(agent.keys.identity.slug, known, agent.clock(), agent.keys.sign)
    try:
        agent.gateway.put_council_keys(told)
    except GatewayRefusedError as error:
        agent.events.error("council-keys-not-taken", status=error.answered, detail=str(error))


def _accept(agent: Agent, succession: str, *, by: str = "agent") -> SuccessionDocument:
    document = agent.council.check(succession)
    agent.journal.record(COUNCIL, facts(document), by=by)
    agent.council.accept(succession)
    agent.events.warning("council-keys-succeeded", fingerprint=document.identity.fingerprint)
    return document


def _follow_own(agent: Agent, own: str) -> None:
    """`own`: the digest of this partner's keys as the gateway knows them."""
    pending = agent.keys.pending()
    if pending is None:
        if own and own != agent.keys.lineage.current.digest:
            agent.events.error("own-keys-differ", detail="the gateway knows other keys of ours than these")
        return
    document = read_succession(pending)
    if own == document.identity.digest.hex():
        agent.journal.record(ACCEPTED, facts(document))
        agent.keys.use()  # commit point
        agent.events.info("own-keys-in-use", fingerprint=document.identity.fingerprint)
        return
    try:
        agent.gateway.put_succession(pending)
    except GatewayRefusedError as error:
        agent.events.error("own-keys-not-accepted", status=error.answered, detail=str(error))


def _end_overlaps(agent: Agent) -> None:
    """Destroy own keys that nobody accepts any more: what was sent under them has had its time."""
    now = agent.clock()
    for each in agent.keys.lineage.generations:
        if not each.accepted(now) and each.number in agent.keys.held():
            body: dict[str, Json] = {"sequence": each.number, "fingerprint": each.identity.fingerprint}
            agent.journal.record(ENDED, body)
            agent.keys.destroy(each.number)


def _unconfirmed() -> UnconfirmedError:
    return UnconfirmedError(
        "the council has new keys, and the old ones vouch for nothing any more",
        place="council's keys",
        way_out="Nothing is answered until they are confirmed: compare the fingerprint by telephone, then "
        "flagstone agent confirm-keys",
    )
