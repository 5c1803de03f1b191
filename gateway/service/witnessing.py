"""Partners' agents as witnesses of the log: what each is shown, and what it brings (DESIGN.md §6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from audit.checkpoint import (
    Checkpoint,
    NoteVerifier,
    open_checkpoint,
    signature_line,
    signatures_by,
    unsafe_read_checkpoint,
)
from audit.cosignature import WitnessVerifier, open_cosigned
from audit.entry import Entry, Json
from audit.errors import NoteError, ProofError
from audit.merkle import verify_consistency
from gateway.bundle.signers import by_any
from gateway.bundle.witness import MAX_NOTE, LogKey, digest_of, verify_alarm, verify_witness_key
from gateway.domain.errors import ConflictError, TooLargeError, VerificationError
from gateway.domain.labels import TYP_LOG_KEY
from gateway.key_ports import Succession
from gateway.party_ports import Partner
from gateway.ports import DisclosureLog, UnitOfWork
from gateway.service.context import Context
from gateway.service.recording import record, the_partner
from gateway.witness_ports import AlarmRecord, CosignedRecord, WitnessRecord

MAX_ALARMS: Final = 20
_DAY: Final = timedelta(days=1)
RELINKED: Final = "log.relinked"
"""The first entry of a log that takes the place of another."""


def shown(ctx: Context, uow: UnitOfWork, partner: Partner, seen: int, council: str = "") -> dict[str, Any]:
    """The log as its witness sees it: signed key, newest checkpoint, proof from the size that it saw last.

    Signed by the generation of the council's keys whose digest `council` is: the one that the witness knows.

    Where the log is not that long there is no proof, and the witness will raise its alarm.
    """
    note = uow.log.checkpoint()
    size = unsafe_read_checkpoint(note).size
    slug, followed = partner.identity.slug, ctx.log_successions.all()
    verifier = _announced(uow.log.verifier, followed)
    key = LogKey(council=ctx.keys.identity.slug, vkey=verifier.vkey, follows=predecessors(uow.log))
    witness = uow.witnesses.get(slug)
    newest = _newest_of(uow, witness) if witness else None
    known = ctx.keys.lineage.serving(council, ctx.clock())
    return {
        "key": ctx.keys.generation(known.number).sign(key.payload, TYP_LOG_KEY),
        "successions": [{"leaf": each.leaf, "proof": each.proof} for each in followed],
        "checkpoint": note.decode(),
        "proof": [node.hex() for node in uow.log.consistency(seen, size)] if 0 < seen < size else [],
        "witness": witness.vkey if witness else "",
        "witnessed": newest.size if newest else 0,
    }


def _announced(verifier: NoteVerifier, followed: Sequence[Succession]) -> NoteVerifier:
    """The newest key of the log that witnesses can be shown to be announced.

    Between a rotation's first step and its entry there is a newer one, which no witness would follow; the
    former signs as well then.
    """
    if not followed:
        return verifier.keys[-1]
    told = Entry.parse(followed[-1].leaf.encode()).body.get("key")
    return next((key for key in verifier.keys if key.vkey == told), verifier)


def predecessors(log: DisclosureLog) -> tuple[str, ...]:
    """The cosigned checkpoints of the log that this one takes the place of, as its first entry has them."""
    leaf = next(iter(log.leaves(0, 1)), None)
    if leaf is None:
        return ()
    first = Entry.parse(leaf)
    follows = first.body.get("follows") if first.kind == RELINKED else None
    return tuple(map(str, follows)) if isinstance(follows, list) else ()


def announce(ctx: Context, partner: Partner, jws: str) -> None:
    """Take the key that a partner's agent cosigns with, and log it where it is new.

    Raises:
        VerificationError: not signed by this partner, or not a key of its witness.
        ConflictError: the key is the log's own or another witness', which would count twice.
    """
    slug, at = partner.identity.slug, ctx.clock()
    verifier = by_any(partner.lineage.accepted(at), lambda each: verify_witness_key(jws, each))
    with ctx.store.begin() as uow:
        before = uow.witnesses.get(slug)
        if before and before.vkey == verifier.vkey:
            return
        others = [
            WitnessVerifier.parse(each.vkey).key for each in uow.witnesses.all() if each.partner != slug
        ]
        if verifier.key in {uow.log.verifier.key, *others}:
            raise ConflictError("this key is in use", place="witness", way_out="Make a key of its own")
        uow.witnesses.announce(WitnessRecord(slug, verifier.vkey, jws, at))
        body: dict[str, Json] = {"partner": slug, "witness": verifier.vkey}
        record(ctx, uow, "witness.announced", actor=the_partner(slug), body=body, at=at)
        uow.commit()


def receive_cosignature(ctx: Context, partner: Partner, data: bytes) -> None:
    """Keep a checkpoint that the partner's witness cosigned: outside the database first, then in it.

    Raises:
        TooLargeError: longer than a note may be.
        ConflictError: the witness' key is not announced.
        VerificationError: not our log's, not this witness' cosignature, or not of the log as it stands.
    """
    slug = partner.identity.slug
    if len(data) > MAX_NOTE:
        raise TooLargeError(f"longer than {MAX_NOTE} bytes", place="cosignature")
    with ctx.store.begin() as uow:
        known = uow.witnesses.get(slug)
        if known is None:
            raise ConflictError("the witness' key is not known", place="cosignature", way_out="Announce it")
        checkpoint, note, at = _cosigned(data, uow.log.verifier, WitnessVerifier.parse(known.vkey))
        check_holds(uow.log, checkpoint)
        newest = _newest_of(uow, known)
        if newest is None or checkpoint.size >= newest.size:
            ctx.cosigned.keep(slug, note)
        kept = CosignedRecord(checkpoint.origin, checkpoint.size, slug, note, at)
        if uow.cosignatures.keep(kept):
            uow.commit()


def receive_alarm(ctx: Context, partner: Partner, jws: str) -> None:
    """Record a witness' alarm, with both checkpoints, for the council's reviewers. Idempotent.

    Raises:
        VerificationError: not signed by this partner.
        ConflictError: this partner has raised many today; the log is not there to be filled.
    """
    slug, at = partner.identity.slug, ctx.clock()
    notice = by_any(partner.lineage.accepted(at), lambda each: verify_alarm(jws, each))
    digest = digest_of(jws)
    with ctx.store.begin() as uow:
        if not uow.witnesses.alarm(AlarmRecord(digest, slug, jws, at)):
            return
        today = [each for each in uow.witnesses.alarms() if each.partner == slug and each.at > at - _DAY]
        if len(today) > MAX_ALARMS:
            raise ConflictError(f"more than {MAX_ALARMS} alarms in a day", place="alarm")
        body: dict[str, Json] = {
            "reason": notice.reason.value,
            "raised_at": notice.at.isoformat(),
            # a partner's texts may hold anything: the log commits to them, the notice itself lies beside it
            **{name: digest_of(getattr(notice, name)) for name in ("seen", "shown", "shown_key")},
            "notice": digest,
        }
        record(ctx, uow, "witness.alarm", actor=the_partner(slug), body=body, at=at)
        uow.commit()


def check_holds(log: DisclosureLog, checkpoint: Checkpoint) -> None:
    """Check that the log as it stands extends a checkpoint.

    Raises:
        VerificationError: it is shorter, or its first entries are others.
    """
    try:
        now = open_checkpoint(log.checkpoint(), log.verifier)
        if checkpoint.size > now.size:
            raise VerificationError("the log is shorter than this checkpoint", place="checkpoint")
        proof = log.consistency(checkpoint.size, now.size)
        verify_consistency(checkpoint.size, now.size, checkpoint.root, now.root, proof)
    except (NoteError, ProofError):
        raise VerificationError("not a checkpoint of the log as it stands", place="checkpoint") from None


def _newest_of(uow: UnitOfWork, witness: WitnessRecord) -> CosignedRecord | None:
    """The newest that this very key cosigned; a new key begins anew."""
    newest = uow.cosignatures.newest(uow.log.verifier.name, witness.partner)
    if newest is None:
        return None
    own = signatures_by(newest.note, [WitnessVerifier.parse(witness.vkey)])[1]
    return newest if own else None


def _cosigned(data: bytes, log: NoteVerifier, witness: WitnessVerifier) -> tuple[Checkpoint, bytes, datetime]:
    """The checkpoint, the note with the log's and this witness' signatures alone, and the time."""
    try:
        checkpoint, (cosignature,) = open_cosigned(data, log, [witness], 1)
        lines = [signature_line(key, signed) for key, signed in signatures_by(data, log.keys)[1]]
        lines += [signature_line(witness, signed) for _, signed in signatures_by(data, [witness])[1][-1:]]
    except NoteError as error:
        raise VerificationError(str(error), place="cosignature") from None
    return checkpoint, checkpoint.text.encode() + b"\n" + b"".join(lines), cosignature.at
