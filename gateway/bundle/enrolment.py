"""Enrolment by a code read out by telephone: what the partner's agent brings, and what the gateway answers.

The code itself never travels. A key made slowly from it authenticates both identities to both sides, so that
somebody between them who has not the code can put in neither other keys nor another gateway; to find the code
by trying takes 2^44 scrypts on average, and it lives for minutes. Both sides compare fingerprints besides.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field

from gateway.bundle.documents import Digest, Document, IdentityField
from gateway.bundle.errors import WrongKeyError
from gateway.bundle.jws import extract_jws, verify_jws
from gateway.domain import labels
from gateway.domain.errors import BadInputError
from gateway.domain.identity import Identity

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: no I, L, O and U
SYMBOLS: Final = 9  # 45 random bits; a check symbol follows
ENTROPY: Final = 8
_HEARD: Final = str.maketrans("OIL", "011", " -")
_PLACE: Final = "enrolment"

Sign = Callable[[bytes, str], str]
Agree = Callable[[bytes], bytes]
"""`PartyKeys.agree`: X25519 with a peer's public key."""


def new_code(entropy: bytes) -> str:
    """A code of ten symbols, as it is read out, from `ENTROPY` random bytes."""
    number = int.from_bytes(entropy, "big")
    text = "".join(ALPHABET[number >> 5 * place & 31] for place in range(SYMBOLS))
    return _shown(text + next(each for each in ALPHABET if _checksum(text + each) == 1))


def read_code(heard: str) -> str:
    """The code as typed: any case, O for 0, I or L for 1, blanks and hyphens anywhere.

    Raises:
        BadInputError: not a code, or a symbol is not as it was read out.
    """
    text = heard.upper().translate(_HEARD)
    if len(text) != SYMBOLS + 1 or not set(text) <= set(ALPHABET) or _checksum(text) != 1:
        raise BadInputError("not a code: it was misheard or mistyped", place="code", way_out="Ask again")
    return _shown(text)


def _shown(text: str) -> str:
    return f"{text[:5]}-{text[5:]}"


def _checksum(text: str) -> int:
    """ISO 7064, hybrid system for 32 symbols: 1 when the check symbol is right."""
    check = 16
    for symbol in text:
        check = ((check or 32) * 2 % 33 + ALPHABET.index(symbol)) % 32
    return check


def code_key(code: str, partner: str) -> bytes:
    """The 32 bytes that both sides know by the code (scrypt, RFC 7914): 32 MiB, a tenth of a second."""
    salt = labels.ENROLMENT_CODE + partner.encode()
    return Scrypt(salt=salt, length=32, n=1 << 15, r=8, p=1).derive(code.encode())


class Enrolment(Document):
    """What the agent brings, signed by the signing key.

    `council`: digest of the council's identity as the agent saw it; `auth`: JWS by the sign-in key;
    `exchange`: proof of the agreement key; `code`: proof of the code.
    """

    type: Literal["flagstone/enrolment/v1"] = "flagstone/enrolment/v1"
    identity: IdentityField
    council: Digest
    auth: Annotated[str, Field(max_length=1024)]
    exchange: Digest
    code: Digest


@dataclass(frozen=True, slots=True)
class Parties:
    """Who enrols where: what every proof is over."""

    partner: Identity
    council: Identity

    @property
    def transcript(self) -> bytes:
        return hashlib.sha256(self.partner.digest + self.council.digest).digest()

    def proof_of_code(self, key: bytes) -> str:
        return hmac.digest(key, labels.ENROLMENT_REQUEST + self.transcript, "sha256").hex()

    def answer(self, key: bytes) -> str:
        """By which the agent knows that the gateway, with this very identity, knows the code."""
        return hmac.digest(key, labels.ENROLMENT_ANSWER + self.transcript, "sha256").hex()

    def proof_of_exchange(self, shared: bytes) -> str:
        info = labels.ENROLMENT_EXCHANGE + self.transcript
        return HKDF(SHA256(), length=32, salt=None, info=info).derive(shared).hex()


def make_enrolment(parties: Parties, key: bytes, *, sign: Sign, sign_in: Sign, agree: Agree) -> str:
    """The signed document. `key`: `code_key` of the code and the partner's short name."""
    document = Enrolment(
        identity=parties.partner,
        council=parties.council.digest.hex(),
        auth=sign_in(parties.transcript, labels.TYP_ENROLMENT_KEY),
        exchange=parties.proof_of_exchange(agree(parties.council.exchange)),
        code=parties.proof_of_code(key),
    )
    return sign(document.payload, labels.TYP_ENROLMENT)


def verify_enrolment(token: str, council: Identity, agree: Agree) -> Enrolment:
    """What was brought, once its sender has proved to have all three private keys of the identity in it.

    The code is for the caller to check (`Parties.proof_of_code`).

    Raises:
        VerificationError: malformed, a key is not the sender's, or it is for another council.
    """
    brought = Enrolment.parse(extract_jws(token).payload)
    Enrolment.verify(token, labels.TYP_ENROLMENT, brought.identity)
    if brought.council != council.digest.hex():
        raise WrongKeyError("it is for another council's keys", place=_PLACE)
    parties = Parties(brought.identity, council)
    if verify_jws(brought.auth, labels.TYP_ENROLMENT_KEY, brought.identity.auth) != parties.transcript:
        raise WrongKeyError("the sign-in key is not the sender's", place=_PLACE)
    shared = parties.proof_of_exchange(agree(brought.identity.exchange))
    if not hmac.compare_digest(shared, brought.exchange):
        raise WrongKeyError("the exchange key is not the sender's", place=_PLACE)
    return brought
