"""Witnessing, round by round; and the alarm, after which nothing is answered until the custodian has looked.

Each step of an alarm leaves a durable mark, and a kill repeats the rest: the evidence file, the entry in the
own log, the notice to the gateway.
"""

from datetime import datetime
from typing import Final

from adapters.agent.approvals import CUSTODIAN
from adapters.agent.context import Agent
from adapters.agent.journal import PINNED
from adapters.agent.witness import DivergenceError, KeptFile, Seen
from adapters.transports.mailbox import LogShown
from adapters.transports.wire import GatewayRefusedError
from audit.entry import Entry, Json
from gateway.bundle.witness import AlarmNotice, LogKey, Reason, WitnessKey, digest_of
from gateway.domain.errors import (
    BadInputError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    PartnerError,
    VerificationError,
)
from gateway.domain.labels import TYP_ALARM, TYP_WITNESS_KEY

ALARM: Final = "witness.alarm"
_FILE: Final = "alarm.json"


class Evidence(KeptFile):
    """What an alarm rests on, whole: anyone with the council's identity can check it.

    `seen`, `seen_key`: what was cosigned before; `shown`, `shown_key`, `proof`: what came then. Notes are
    C2SP checkpoints, keys the council's JWS. `entry`: the leaf for the own log; `told`: the gateway knows.
    """

    reason: str
    at: str
    seen: str
    seen_key: str
    shown: str
    shown_key: str
    proof: tuple[str, ...]
    entry: str
    told: bool = False


def witness(agent: Agent, shown: LogShown) -> None:
    """Look at the council's log, cosign what extends it, and hand the cosignature out.

    Raises:
        DivergenceError: an alarm stands, or was raised now.
        ConfigurationError: what was seen is lost or damaged.
        GatewayUnavailableError: it is handed out at the next round.
    """
    evidence = alarm(agent)
    if evidence is None:
        _check_memory(agent)
        before = agent.witness.seen()
        try:
            note = agent.witness.look(shown, agent.clock())
        except DivergenceError as error:
            evidence = _raise_alarm(agent, shown, error.why)
        else:
            _note_followed(agent, before)
            _hand_out(agent, shown, note)
            return
    _sound(agent, evidence)
    raise DivergenceError(Reason(evidence.reason))


def alarm(agent: Agent) -> Evidence | None:
    """The alarm that stands, if one does."""
    data = agent.witness.tray.get(_FILE)
    return None if data is None else Evidence.from_bytes(data, _FILE)


def accept_new_log(agent: Agent) -> None:
    """Pin the new log that the alarm is about, once the custodian said yes.

    Raises:
        NotFoundError: no alarm stands.
        ConflictError: it is not about a new log that names the checkpoint which this witness cosigned last.
    """
    with agent.witness.tray.alone():
        evidence = _standing(agent)
        key = _linked_key(agent, evidence)
        body = {"log": key.vkey, "shown": digest_of(evidence.shown), "seen": digest_of(evidence.seen)}
        agent.journal.record("witness.new-log-accepted", body, by=CUSTODIAN)
        agent.witness.turn_to(evidence.shown_key)
        _put_aside(agent, evidence)


def look_again(agent: Agent, reason: str) -> None:
    """Take the alarm back, once the custodian has looked. What was seen stays: a fork raises it at once.

    Raises:
        NotFoundError: no alarm stands.
        BadInputError: no reason, or not one line.
    """
    if not reason.strip() or len(reason) > 500 or not reason.isprintable():  # noqa: PLR2004
        raise BadInputError("not one line of 1 to 500 characters", place="--reason")
    with agent.witness.tray.alone():
        evidence = _standing(agent)
        entry = agent.journal.entry(
            "witness.alarm-closed", {"reason": evidence.reason}, {"why": reason}, by=CUSTODIAN
        )
        agent.journal.append(entry)
        _put_aside(agent, evidence)


def _put_aside(agent: Agent, evidence: Evidence) -> None:
    """The alarm stands no more; its evidence stays."""
    stamp = evidence.at.replace(":", "").replace("+0000", "Z")
    agent.witness.tray.put(f"alarm-{stamp}.json", evidence.to_bytes())
    agent.witness.tray.drop(_FILE)


def _standing(agent: Agent) -> Evidence:
    evidence = alarm(agent)
    if evidence is None:
        raise NotFoundError("no alarm stands", place="witness")
    return evidence


def _linked_key(agent: Agent, evidence: Evidence) -> LogKey:
    if evidence.reason != Reason.NEW_LOG:
        raise ConflictError(
            f"the alarm is about another thing ({evidence.reason}), and a fork is never accepted",
            place="witness",
            way_out="Ask the council; after that, flagstone agent witness look-again",
        )
    key = agent.witness.key(evidence.shown_key)
    seen = agent.witness.seen()
    if seen and seen.key != evidence.shown_key and not agent.witness.linked(key):
        raise ConflictError("the new log does not name what this witness cosigned last", place="witness")
    return key


def _raise_alarm(agent: Agent, shown: LogShown, why: Reason) -> Evidence:
    seen = agent.witness.seen()
    note, key = (seen.note, seen.key) if seen else ("", "")
    texts = {"seen": note, "shown": shown.checkpoint, "shown_key": shown.key}
    # the gateway's texts may hold anything: the log commits to them, the evidence file holds them
    body: dict[str, Json] = {"reason": why.value, **{name: digest_of(text) for name, text in texts.items()}}
    entry = agent.journal.entry(ALARM, body)
    evidence = Evidence(
        reason=why.value,
        at=agent.clock().isoformat(timespec="seconds"),
        seen=note,
        seen_key=key,
        shown=shown.checkpoint,
        shown_key=shown.key,
        proof=tuple(shown.proof),
        entry=entry.leaf().decode(),
    )
    agent.witness.tray.put(_FILE, evidence.to_bytes())  # commit point: from here on nothing is answered
    return evidence


def _sound(agent: Agent, evidence: Evidence) -> None:
    """The own log first, then every round a line for the operator, then the gateway until it knows."""
    agent.journal.append(Entry.parse(evidence.entry.encode()))
    agent.events.error("witness-alarm", why=evidence.reason, since=evidence.at)
    if evidence.told:
        return
    notice = AlarmNotice(
        partner=agent.keys.identity.slug,
        reason=Reason(evidence.reason),
        seen=evidence.seen,
        shown=evidence.shown,
        shown_key=_signed_key(agent, evidence),
        at=datetime.fromisoformat(evidence.at),
    )
    try:
        agent.gateway.put_alarm(agent.keys.sign(notice.payload, TYP_ALARM))
    except PartnerError as error:
        agent.events.warning("witness-alarm-not-told", code=error.code)
    else:
        with agent.witness.tray.alone():
            if agent.witness.tray.get(_FILE):  # the custodian may have closed it meanwhile
                agent.witness.tray.put(_FILE, evidence.model_copy(update={"told": True}).to_bytes())


def _signed_key(agent: Agent, evidence: Evidence) -> str:
    """The log key as it was shown; "" where the council did not sign for one."""
    try:
        return agent.witness.key(evidence.shown_key).vkey
    except VerificationError:
        return ""


def _check_memory(agent: Agent) -> None:
    """A witness that forgot would cosign a log that was rolled back. The own log says whether it saw one."""
    if agent.journal.pinned and agent.witness.seen() is None:
        raise ConfigurationError(
            "what this witness has seen is lost",
            place="witness/seen.json",
            way_out="Restore the file as it was last; nothing is answered without it",
        )


def _note_followed(agent: Agent, before: Seen | None) -> None:
    """An entry where the log's key is another than it was, and was announced by it."""
    after = agent.witness.seen()
    if before and after and before.key != after.key:
        old, new = agent.witness.key(before.key).vkey, agent.witness.key(after.key).vkey
        if old != new:
            agent.journal.record("witness.log-key-followed", {"log": new, "before": old})


def _hand_out(agent: Agent, shown: LogShown, note: str) -> None:
    """The key, where the gateway does not know it; the cosignature, where it has an older one."""
    if not agent.journal.pinned:
        agent.journal.record(
            PINNED, {"log": agent.witness.key(shown.key).vkey, "witness": agent.witness.vkey}
        )
    if shown.witness != agent.witness.vkey:
        document = WitnessKey(partner=agent.keys.identity.slug, vkey=agent.witness.vkey)
        agent.gateway.put_witness(agent.keys.sign(document.payload, TYP_WITNESS_KEY))
        agent.events.info("witness-announced")
    if note and shown.witnessed != agent.witness.size():
        try:
            agent.gateway.put_cosignature(note)
        except GatewayRefusedError as error:
            agent.events.warning("cosignature-not-accepted", status=error.answered)
