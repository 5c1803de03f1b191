"""What cosigned checkpoints are for: reviewers read them, a release may wait for one, a start checks them."""

from typing import Any

from audit.checkpoint import Checkpoint, open_checkpoint, unsafe_read_checkpoint
from audit.errors import NoteError
from gateway.bundle.signers import by_any
from gateway.bundle.witness import verify_alarm
from gateway.domain.errors import NotFoundError, StoreAlteredError, VerificationError
from gateway.domain.exchange import Exchange, Role
from gateway.party_ports import User
from gateway.ports import UnitOfWork
from gateway.service.access import require_role
from gateway.service.context import Context
from gateway.service.witnessing import check_holds
from gateway.witness_ports import AlarmRecord, CosignedRecord, WitnessRecord
from policies.model import CosignedBy


class RolledBackError(StoreAlteredError):
    """The database holds less, or other, than a witness has cosigned: it was restored from a backup."""

    code = "rolled-back"


def checkpoint(ctx: Context, user: User, cosigned: int = 0) -> bytes:
    """The newest checkpoint with the cosignatures it has, or the newest that `cosigned` witnesses signed.

    Raises:
        NotFoundError: so many witnesses have not cosigned any one checkpoint.
    """
    require_role(user, Role.REVIEWER)
    with ctx.store.begin() as uow:
        return newest_note(uow, cosigned)


def newest_note(uow: UnitOfWork, cosigned: int = 0) -> bytes:
    """The newest checkpoint with the cosignatures it has, or the newest that `cosigned` witnesses signed.

    Raises:
        NotFoundError: so many witnesses have not cosigned any one checkpoint.
    """
    origin = uow.log.verifier.name
    if not cosigned:
        note = uow.log.checkpoint()
        return _with(note, uow.cosignatures.at(origin, unsafe_read_checkpoint(note).size))
    size = uow.cosignatures.largest(origin, cosigned)
    if size is None:
        raise NotFoundError("no checkpoint is cosigned by so many witnesses", place="log checkpoint")
    records = uow.cosignatures.at(origin, size)
    return _with(_lines(records[0])[0], records)


def best_note(uow: UnitOfWork, least: int) -> bytes:
    """The newest cosigned checkpoint of at least `least` entries, or else the newest of all."""
    size = uow.cosignatures.largest(uow.log.verifier.name, 1)
    return newest_note(uow, 1 if size is not None and size >= least else 0)


def witnesses(ctx: Context, user: User) -> dict[str, Any]:
    """Every witness with its key and what it cosigned last, and every alarm, the newest first."""
    require_role(user, Role.REVIEWER)
    with ctx.store.begin() as uow:
        return {
            "witnesses": [_witness(uow, each) for each in uow.witnesses.all()],
            "alarms": [_alarm(uow, each) for each in uow.witnesses.alarms()],
        }


def waits_for(ctx: Context, uow: UnitOfWork, exchange: Exchange) -> tuple[str, ...]:
    """Whose cosignature the release of a delivered exchange still waits for, by its policy."""
    policy = ctx.policies.datasets.get(exchange.dataset)
    wanted = (policy.cosigned_by if policy else None) or ()
    return tuple(each.value for each in wanted if not _covered(uow, exchange, each))


def check_not_rolled_back(ctx: Context) -> None:
    """Compare the database's log with the cosigned checkpoints kept outside it.

    Raises:
        RolledBackError: it is shorter, has another root, or is another log.
    """
    for partner, note in ctx.cosigned.all().items():
        with ctx.store.begin() as uow:
            try:
                check_holds(uow.log, _remembered(uow, note))
            except (NoteError, VerificationError):
                raise RolledBackError(
                    f"it lacks what the witness of {partner} has cosigned: an older backup was restored",
                    place="the disclosure log",
                    way_out=(
                        "Restore a newer backup; where there is none, open a new log that is linked to the "
                        "old: flagstone log relink --reason ..."
                    ),
                ) from None


def _remembered(uow: UnitOfWork, note: bytes) -> Checkpoint:
    return open_checkpoint(note, uow.log.verifier)


def _covered(uow: UnitOfWork, exchange: Exchange, by: CosignedBy) -> bool:
    """A checkpoint over the delivery's entry is cosigned.

    Under a log that took the place of the delivery's, any checkpoint covers it: the first entry holds the
    old one's last checkpoint.
    """
    origin = uow.log.verifier.name
    place = uow.cosignatures.delivered(exchange.id) or (origin, uow.log.size())
    size = place[1] if place[0] == origin else 1
    if by is CosignedBy.PARTNER:
        able = [exchange.partner]
    else:
        able = [each.partner for each in uow.witnesses.all() if each.partner != exchange.partner]
        able = [slug for slug in able if uow.partners.get(slug).revoked_at is None]
    newest = (uow.cosignatures.newest(origin, slug) for slug in able)
    return any(each and each.size >= size for each in newest)


def _witness(uow: UnitOfWork, record: WitnessRecord) -> dict[str, Any]:
    newest = uow.cosignatures.newest(uow.log.verifier.name, record.partner)
    return {
        "partner": record.partner,
        "key": record.vkey,
        "size": newest.size if newest else None,
        "at": newest.at.isoformat() if newest else None,
    }


def _alarm(uow: UnitOfWork, record: AlarmRecord) -> dict[str, Any]:
    witness = uow.partners.get(record.partner)
    notice = by_any(witness.lineage.identities, lambda each: verify_alarm(record.jws, each))
    told = {name: getattr(notice, name) for name in ("seen", "shown", "shown_key")}
    return {
        "partner": record.partner,
        "reason": notice.reason.value,
        "raised_at": notice.at.isoformat(),
        "received_at": record.at.isoformat(),
        "notice": record.jws,
        **told,
    }


def _lines(record: CosignedRecord) -> tuple[bytes, bytes]:
    """A kept note without the cosignature, and the cosignature's line."""
    log_part, _, line = record.note.removesuffix(b"\n").rpartition(b"\n")
    return log_part + b"\n", line + b"\n"


def _with(note: bytes, records: list[CosignedRecord]) -> bytes:
    return note + b"".join(_lines(each)[1] for each in records)
