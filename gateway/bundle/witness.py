"""What gateway and agents sign for each other about the disclosure log and its witnesses (DESIGN.md §6).

Keys stand in these documents as C2SP texts (vkey), checkpoints as C2SP signed notes.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from audit.checkpoint import NoteVerifier
from audit.cosignature import WitnessVerifier
from audit.errors import NoteError
from gateway.bundle.documents import Code, Document, Instant
from gateway.bundle.errors import MalformedError, WrongKeyError
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_ALARM, TYP_LOG_KEY, TYP_WITNESS_KEY

MAX_NOTE: Final = 8192
"""Of one checkpoint with its cosignatures, as it travels."""
MAX_PROOF: Final = 64
"""Hashes of a consistency proof: more than a log of 2^60 entries needs."""
MAX_LINKS: Final = 100
ROTATED: Final = "keys.rotated"
"""The entry by which a log's key announces the next."""


def _utf8(text: str) -> str:
    text.encode()  # a lone surrogate has no UTF-8
    return text


VKey = Annotated[str, StringConstraints(max_length=300), AfterValidator(_utf8)]
Note = Annotated[str, StringConstraints(max_length=MAX_NOTE), AfterValidator(_utf8)]


class Reason(StrEnum):
    """Why a witness raised its alarm."""

    SMALLER = "smaller"  # a tree smaller than one that was cosigned: rolled back
    OTHER_ROOT = "other-root"  # two roots of one size: a split view
    INCONSISTENT = "inconsistent"  # no proof that it extends what was cosigned
    OTHER_KEY = "other-key"  # another log key than the pinned one, without a link to it
    NOT_SIGNED = "not-signed"  # a checkpoint that the log's key did not sign
    NEW_LOG = "new-log"  # a new log that names the pinned one as its predecessor: for the custodian to accept


class LogKey(Document):
    """The council's word for its log's key.

    `follows`: cosigned checkpoints of the log that this one takes the place of, the newest of each witness.
    """

    type: Literal["flagstone/log-key/v1"] = "flagstone/log-key/v1"
    council: Code
    vkey: VKey
    follows: Annotated[tuple[Note, ...], Field(max_length=MAX_LINKS)] = ()

    @property
    def verifier(self) -> NoteVerifier:
        """The key. Raise MalformedError where it is none."""
        try:
            return NoteVerifier.parse(self.vkey)
        except NoteError as error:
            raise MalformedError(str(error), place="log key") from None


class WitnessKey(Document):
    """A partner's word for the key its agent cosigns with."""

    type: Literal["flagstone/witness-key/v1"] = "flagstone/witness-key/v1"
    partner: Code
    vkey: VKey


def digest_of(text: str) -> str:
    """SHA-256 in hex: how a log names a text that another party brought, and that may hold anything."""
    return hashlib.sha256(text.encode()).hexdigest()


class AlarmNotice(Document):
    """A witness' signed notice that it was shown what can't be.

    `seen`: what it had cosigned; `shown_key`: empty where the council did not sign for one.
    """

    type: Literal["flagstone/witness-alarm/v1"] = "flagstone/witness-alarm/v1"
    partner: Code
    reason: Reason
    seen: Note
    shown: Note
    shown_key: VKey
    at: Instant


def verify_log_key(token: str | bytes, council: Identity) -> LogKey:
    """The log key that the pinned council signed.

    Raises:
        VerificationError: as `Document.verify`; or it names another council, or no key.
    """
    document = LogKey.verify(token, TYP_LOG_KEY, council)
    if document.council != council.slug:
        raise WrongKeyError("it names another council", place="log key")
    document.verifier  # noqa: B018 - raises
    return document


def witness_name(slug: str) -> str:
    """The name under which a partner's agent cosigns."""
    return f"flagstone/{slug}/witness"


def verify_witness_key(token: str | bytes, partner: Identity) -> WitnessVerifier:
    """The witness key that `partner` signed.

    Raises:
        VerificationError: as `Document.verify`; or it names another partner, or no key of its witness.
    """
    document = WitnessKey.verify(token, TYP_WITNESS_KEY, partner)
    try:
        verifier = WitnessVerifier.parse(document.vkey)
    except NoteError as error:
        raise MalformedError(str(error), place="witness key") from None
    if document.partner != partner.slug or verifier.name != witness_name(partner.slug):
        raise WrongKeyError("it names another partner", place="witness key")
    return verifier


def verify_alarm(token: str | bytes, partner: Identity) -> AlarmNotice:
    """The notice that `partner` signed.

    Raises:
        VerificationError: as `Document.verify`; or it names another partner.
    """
    notice = AlarmNotice.verify(token, TYP_ALARM, partner)
    if notice.partner != partner.slug:
        raise WrongKeyError("it names another partner", place="witness alarm")
    return notice
