"""Successions: a party's new keys, vouched for by its old signing key and proved by the new ones.

A succession travels as JWS JSON serialisation (RFC 7515 §7.2.1): one payload, three signatures, told apart by
their `typ`. The exchange key (X25519) can't sign; it is bound by the three signed statements, and possession
shows at first use: without it both sides derive different secrets and the key confirmation of the first
request does not hold. To bind a stranger's exchange key gains nobody anything: the secret is bound to both
identities.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from gateway.bundle.documents import Code, Digest, Document, IdentityField, Instant, Sign, canonical
from gateway.bundle.errors import (
    ExpiredError,
    MalformedError,
    MissingLinkError,
    NotYetValidError,
    OversizeError,
    SupersededError,
    UsedKeyError,
    WrongKeyError,
    WrongPredecessorError,
)
from gateway.bundle.jws import verify_any, verify_jws
from gateway.domain.errors import BadInputError, VerificationError
from gateway.domain.identity import Identity
from gateway.domain.labels import TYP_KEYS_TAKEN, TYP_SUCCESSION, TYP_SUCCESSOR, TYP_SUCCESSOR_AUTH
from gateway.domain.lineage import Generation, Lineage

MAX_SUCCESSION: Final = 16 * 1024
"""Bytes of one succession as it travels."""
MAX_GENERATIONS: Final = 200
LONGEST_OVERLAP: Final = timedelta(days=400)
LEAST_SCHEDULED: Final = timedelta(days=91)
"""A scheduled overlap outlasts every exchange: a policy grants 90 days for an answer at most."""
USUAL_OVERLAP: Final = timedelta(days=120)
"""So much longer that a succession may also travel for a month."""
_SKEW: Final = timedelta(minutes=2)
_TYPES: Final = (TYP_SUCCESSION, TYP_SUCCESSOR, TYP_SUCCESSOR_AUTH)


class RotationReason(StrEnum):
    """Why keys are replaced. Loss of the signing key itself is not among them: see docs/key-succession.md."""

    SCHEDULED = "scheduled"
    SUSPECTED = "suspected-compromise"  # of the exchange or the auth key


_ReasonField = Annotated[
    RotationReason, BeforeValidator(lambda text: RotationReason(text) if isinstance(text, str) else text)
]


class SuccessionDocument(Document):
    """One party's statement that `identity` takes the place of the identity with the digest `predecessor`.

    `fingerprint`: the predecessor's, as people compare it; `sequence`: 1 for the first succession;
    `valid_from`: from when the new keys are in use; `overlap_to`: until when the old ones are accepted beside
    them.
    """

    type: Literal["flagstone/succession/v1"] = "flagstone/succession/v1"
    sequence: Annotated[int, Field(ge=1, le=MAX_GENERATIONS)]
    predecessor: Digest
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[A-Z2-7]{4}(-[A-Z2-7]{4}){7}$")]
    identity: IdentityField
    reason: _ReasonField
    valid_from: Instant
    overlap_to: Instant

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        overlap = self.overlap_to - self.valid_from
        if not timedelta(0) < overlap <= LONGEST_OVERLAP:
            raise ValueError("an overlap of another length than more than none and 400 days at most")
        if self.reason is RotationReason.SCHEDULED and overlap < LEAST_SCHEDULED:
            raise ValueError("a scheduled overlap is shorter than an exchange may last")
        return self


def facts(document: SuccessionDocument) -> dict[str, str | int]:
    """What either side's log says of a succession: all of it is public."""
    return {
        "sequence": document.sequence,
        "fingerprint": document.identity.fingerprint,
        "before": document.fingerprint,
        "reason": document.reason.value,
        "valid_from": document.valid_from.isoformat(),
        "overlap_to": document.overlap_to.isoformat(),
        "succession": document.digest,
    }


def _one_way(text: str) -> str:
    """Base64url without padding, in the one way to write its bytes (RFC 4648 §3.5)."""
    if _encoded(_decoded(text)) != text:
        raise ValueError("bits that stand for nothing")
    return text


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_Base64Url = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$"), AfterValidator(_one_way)]


class _Signature(BaseModel):
    model_config = Document.model_config
    protected: _Base64Url
    signature: _Base64Url


class _Envelope(BaseModel):
    """RFC 7515 §7.2.1, without unprotected headers."""

    model_config = Document.model_config
    payload: _Base64Url
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=3, max_length=3)]


class KeysTaken(Document):
    """A partner's word that it knows the council by the identity with this digest."""

    type: Literal["flagstone/keys-taken/v1"] = "flagstone/keys-taken/v1"
    partner: Code
    council: Digest
    at: Instant


def make_succession(document: SuccessionDocument, old: Sign, new: Sign, auth: Sign) -> str:
    """The signed succession. `old`: the predecessor's `PartyKeys.sign`; `new`, `auth`: the successor's
    `sign` and `sign_in`.
    """
    signed = [sign(document.payload, typ) for sign, typ in zip((old, new, auth), _TYPES, strict=True)]
    parts = [each.split(".") for each in signed]
    signatures = [{"protected": protected, "signature": signature} for protected, _, signature in parts]
    return canonical({"payload": parts[0][1], "signatures": signatures}).decode()


def read_succession(token: str | bytes) -> SuccessionDocument:
    """What a succession says, strictly parsed; nothing of it is verified.

    Raises:
        OversizeError: longer than `MAX_SUCCESSION`.
        MalformedError: not of the form, or not in its one canonical form.
    """
    return _opened(token)[0]


def verify_succession(token: str | bytes, lineage: Lineage) -> SuccessionDocument:
    """The succession, if it follows the last generation of `lineage`.

    Raises:
        SupersededError: it is no newer than what is known.
        MissingLinkError: one before it was left out.
        WrongPredecessorError: it follows other keys.
        WrongSignatureError: the old signing key, the new one or the new auth key did not sign it.
        WrongKeyError: it is about another organisation.
        UsedKeyError: a key is not new.
        VerificationError: as `read_succession` and `verify_jws`.
    """
    # its place first, by what it says itself, so that a refusal can name what is wrong: this trusts nothing
    document, signed = _opened(token)
    current = lineage.current
    _check_place(document, lineage)
    for jws, typ, key in zip(
        signed,
        _TYPES,
        (current.identity.signing, document.identity.signing, document.identity.auth),
        strict=True,
    ):
        verify_jws(jws, typ, key)
    if (document.identity.slug, document.identity.name) != (current.identity.slug, current.identity.name):
        raise WrongKeyError("it is about another organisation", place="succession")
    if document.fingerprint != current.identity.fingerprint:
        raise WrongPredecessorError("the fingerprint is not its predecessor's", place="succession")
    if current.since and document.valid_from < current.since:
        raise WrongPredecessorError("it begins before its predecessor does", place="succession")
    _check_new(document.identity, lineage)
    return document


def extended(lineage: Lineage, document: SuccessionDocument) -> Lineage:
    """The lineage with one verified succession more. Its overlap cuts off longer ones of before."""
    end = document.overlap_to
    ended = (replace(each, until=min(each.until or end, end)) for each in lineage.generations)
    return Lineage((*ended, Generation(document.sequence, document.identity, document.valid_from)))


@lru_cache(maxsize=256)
def lineage_of(enrolled: Identity, tokens: tuple[str, ...]) -> Lineage:
    """The chain from the enrolled identity through signed successions, oldest first; all are public.

    Raises:
        VerificationError: as `verify_succession`, of the first link that does not hold.
    """
    lineage = Lineage.of(enrolled)
    for token in tokens:
        lineage = extended(lineage, verify_succession(token, lineage))
    return lineage


def check_automatic(document: SuccessionDocument, now: datetime) -> None:
    """Check that the old key may vouch alone at this moment, without a person who compares fingerprints.

    Raises:
        NotYetValidError: it begins later.
        ExpiredError: its overlap is over: the old key counts for nothing any more, not even for this.
    """
    if document.valid_from > now + _SKEW:
        raise NotYetValidError("these keys are of a later time", place="succession", way_out="Set the clocks")
    if document.overlap_to <= now:
        raise ExpiredError(
            "it came after its overlap, when the old key vouches for nothing any more",
            place="succession",
            way_out="Compare the new fingerprint by telephone and confirm it",
        )


def check_fingerprint(identity: Identity, told: str) -> None:
    """Compare a fingerprint that was read out.

    Raises:
        VerificationError: it is another one.
    """
    given = told.replace(" ", "").replace("-", "").upper()
    if not hmac.compare_digest(given.encode(), identity.fingerprint.replace("-", "").encode()):
        raise VerificationError(
            "these keys have another fingerprint",
            place="fingerprint",
            way_out="Ask for it again by telephone; if it still differs, somebody else made these keys",
        )


def keys_taken(partner: str, council: Identity, at: datetime, sign: Sign) -> str:
    """A partner's acknowledgement of the council's keys, as compact JWS."""
    return sign(KeysTaken(partner=partner, council=council.digest.hex(), at=at).payload, TYP_KEYS_TAKEN)


def verify_keys_taken(token: str | bytes, partners: Sequence[Identity]) -> KeysTaken:
    """The acknowledgement that one of a partner's identities signed.

    Raises:
        VerificationError: as `verify_any` and `Document.parse`.
        WrongKeyError: it names another partner.
    """
    payload = verify_any(token, TYP_KEYS_TAKEN, [each.signing for each in partners])
    document = KeysTaken.parse(payload)
    if document.partner != partners[0].slug:
        raise WrongKeyError("it names another partner", place="keys taken")
    return document


def _opened(token: str | bytes) -> tuple[SuccessionDocument, list[str]]:
    """The document, unverified, and the three signatures as compact JWS."""
    raw = token.encode(errors="replace") if isinstance(token, str) else token
    if len(raw) > MAX_SUCCESSION:
        raise OversizeError("longer than a succession may be", place="succession")
    try:
        envelope = _Envelope.model_validate_json(raw)
        payload = _decoded(envelope.payload)
    except (ValueError, RecursionError):
        raise MalformedError("not a succession", place="succession") from None
    if canonical(envelope.model_dump(mode="json")) != raw:
        raise MalformedError("the bytes are not canonical JSON", place="succession")
    signed = [f"{each.protected}.{envelope.payload}.{each.signature}" for each in envelope.signatures]
    return SuccessionDocument.parse(payload), signed


def _check_place(document: SuccessionDocument, lineage: Lineage) -> None:
    current = lineage.current
    # a pinned identity may itself be of a later generation: its first successor tells which
    first = len(lineage.generations) == 1 and document.predecessor == current.digest
    if document.sequence <= current.number or lineage.named(document.identity.digest.hex()):
        raise SupersededError(
            "it is no newer than the succession known here", place="succession", way_out="Make the next one"
        )
    if document.sequence > current.number + 1 and not first:
        raise MissingLinkError(
            "one before it is missing", place="succession", way_out="Send all of them, oldest first"
        )
    if document.predecessor != current.digest:
        raise WrongPredecessorError("it follows other keys than those known here", place="succession")


def _check_new(identity: Identity, lineage: Lineage) -> None:
    keys = [identity.signing, identity.exchange, identity.auth]
    earlier = {
        key
        for each in lineage.generations
        for key in (each.identity.signing, each.identity.exchange, each.identity.auth)
    }
    if len(set(keys)) < len(keys) or not earlier.isdisjoint(keys):
        raise UsedKeyError(
            "a key of it was used before", place="succession", way_out="Make three new key pairs"
        )


def follow_up(
    old: Generation,
    new: Identity,
    reason: RotationReason,
    now: datetime,
    overlap: datetime | timedelta = USUAL_OVERLAP,
) -> SuccessionDocument:
    """The document by which `new` succeeds `old` from now on. `overlap`: its end, or how long it lasts.

    Raises:
        BadInputError: the overlap is shorter or longer than allowed.
    """
    start = now.replace(microsecond=0)
    try:
        return SuccessionDocument(
            sequence=old.number + 1,
            predecessor=old.digest,
            fingerprint=old.identity.fingerprint,
            identity=new,
            reason=reason,
            valid_from=start,
            overlap_to=start + overlap if isinstance(overlap, timedelta) else overlap,
        )
    except ValidationError:
        raise BadInputError(
            f"a scheduled overlap lasts {LEAST_SCHEDULED.days} days at least, any other longer than nothing, "
            f"and none longer than {LONGEST_OVERLAP.days} days",
            place="overlap",
            way_out="A shorter one cuts off exchanges under way: for suspected compromise only",
        ) from None
