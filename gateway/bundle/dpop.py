"""Proofs of possession, by which a stolen access token alone is worth nothing (DPoP, RFC 9449).

A proof is a JWS over one request, made with a key that the access token names. Ed25519 and nothing else.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey
from joserfc.jws import CompactSignature, serialize_compact
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.bundle.errors import MalformedError, OversizeError, WrongAlgorithmError, WrongSignatureError
from gateway.bundle.jws import ALGORITHM, extract_jws, require_signature
from gateway.domain.errors import VerificationError
from gateway.domain.labels import TYP_PROOF

MAX_PROOF: Final = 2048
PROOF_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 30

_PLACE: Final = "DPoP proof"
_KEY_BYTES: Final = 32
_PORTS: Final = {"http": 80, "https": 443}
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")  # RFC 3986 §2.3
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")


class StaleProofError(VerificationError):
    """Made too long ago, or by a clock that is ahead."""


class OtherRequestError(VerificationError):
    """Made for another request, or for another token."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds. `thumbprint`: of its key (RFC 7638, SHA-256, base64url); `id`: its `jti`."""

    thumbprint: str
    id: str
    nonce: str | None


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    jti: Annotated[str, Field(pattern=r"^[!-~]{16,128}$")]  # RFC 9449 §4.2: at least 96 random bits
    htm: Annotated[str, Field(max_length=16)]
    htu: Annotated[str, Field(max_length=1024)]
    iat: int
    ath: Annotated[str, Field(max_length=64)] | None = None
    nonce: Annotated[str, Field(max_length=512)] | None = None


class Prover:
    """Makes proofs with one key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = OKPKey.import_key(key)
        self._jwk = _jwk(key.public_key().public_bytes_raw())

    @property
    def thumbprint(self) -> str:
        return _thumbprint(self._jwk)

    def prove(
        self,
        method: str,
        url: str,
        *,
        id: str,  # noqa: A002 - an id is called one here
        now: int,
        token: str | None = None,
        nonce: str | None = None,
    ) -> str:
        """The value of the `DPoP` header for one request. `now`: Unix seconds; `id` is never used again."""
        claims: dict[str, str | int] = {"jti": id, "htm": method, "htu": normal_url(url), "iat": now}
        if token is not None:
            claims["ath"] = token_hash(token)
        if nonce is not None:
            claims["nonce"] = nonce
        header = {"alg": ALGORITHM, "jwk": self._jwk, "typ": TYP_PROOF}
        return serialize_compact(header, json.dumps(claims).encode(), self._key, algorithms=[ALGORITHM])


def verify_proof(proof: str, *, method: str, url: str, token: str | None, now: int) -> Proof:
    """Check a proof as RFC 9449 §4.3 lists it, save nonce and replay, which need a store.

    `url`: of the request, as its sender wrote it; `token`: the access token beside it, None where there is
    none; `now`: Unix seconds.

    Raises:
        OversizeError: longer than `MAX_PROOF`.
        MalformedError: not a JWS, or a claim is missing or malformed.
        WrongAlgorithmError: header or key is not of the one form that is read here.
        WrongSignatureError: not signed by the key that it shows.
        OtherRequestError: `htm`, `htu` or `ath` is not of this request.
        StaleProofError: not made now.
    """
    if len(proof) > MAX_PROOF:
        raise OversizeError("longer than a proof may be", place=_PLACE)
    parts = extract_jws(proof)
    public = _public_key(parts)
    try:
        require_signature(parts, public)
    except WrongSignatureError:
        raise WrongSignatureError("not signed by the key that it shows", place=_PLACE) from None
    claims = _claims(parts.payload)
    if claims.htm != method:
        raise OtherRequestError("htm is another method", place=_PLACE)
    if normal_url(claims.htu) != normal_url(url):
        raise OtherRequestError(
            "htu is another address",
            place=_PLACE,
            way_out="The agent's [gateway] url and the gateway's FLAGSTONE_PUBLIC_URL must be the same",
        )
    if not now - PROOF_SECONDS - LEEWAY_SECONDS <= claims.iat <= now + LEEWAY_SECONDS:
        raise StaleProofError("not made now", place=_PLACE, way_out="Synchronise the clock (NTP)")
    if token is not None and not hmac.compare_digest((claims.ath or "").encode(), token_hash(token).encode()):
        raise OtherRequestError("ath is of another token", place=_PLACE)
    return Proof(_thumbprint(_jwk(public)), claims.jti, claims.nonce)


def token_hash(token: str) -> str:
    """`ath`: base64url of the token's SHA-256 (RFC 9449 §4.2)."""
    return _base64url(hashlib.sha256(token.encode()).digest())


def normal_url(url: str) -> str:
    """Scheme, authority and path in the normal form of RFC 3986 §6.2.2 and §6.2.3; query and fragment go.

    Raises:
        MalformedError: not an absolute http or https URL, or one with a user or dot segments.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise MalformedError("not a URL", place=_PLACE)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise MalformedError("not a URL", place=_PLACE) from None
    path = _ENCODED.sub(_normal_octet, parts.path) or "/"
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc or {".", ".."} & set(path.split("/")):
        raise MalformedError("not the URL of a request", place=_PLACE)
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port in {None, _PORTS[parts.scheme]} else f"{shown}:{port}"
    return f"{parts.scheme}://{authority}{path}"


def _normal_octet(encoded: re.Match[str]) -> str:
    octet = unquote(encoded[0], encoding="latin-1")
    return octet if _UNRESERVED.fullmatch(octet) else encoded[0].upper()


def _public_key(parts: CompactSignature) -> bytes:
    """The key in the header, which must be exactly `alg`, `typ` and a public Ed25519 `jwk` (RFC 8037 §2)."""
    header = parts.protected
    jwk = header.get("jwk")
    if header != {"alg": ALGORITHM, "jwk": jwk, "typ": TYP_PROOF}:
        raise WrongAlgorithmError(
            "the header is not alg Ed25519, typ dpop+jwt and a jwk", place=_PLACE, way_out="Sign with Ed25519"
        )
    text = jwk.get("x") if isinstance(jwk, dict) else None
    try:
        public = base64.urlsafe_b64decode(text + "=") if isinstance(text, str) else b""
    except ValueError:
        public = b""
    # a private key, another curve and another spelling of the same bytes all differ from this
    if len(public) != _KEY_BYTES or jwk != _jwk(public):
        raise WrongAlgorithmError("the jwk is not a public Ed25519 key alone", place=_PLACE)
    return public


def _claims(payload: bytes) -> _Claims:
    try:
        return _Claims.model_validate_json(payload)
    except ValidationError:
        raise MalformedError(
            "jti, htm, htu or iat is missing, or a claim is malformed", place=_PLACE
        ) from None


def _jwk(public: bytes) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)}


def _thumbprint(jwk: dict[str, str]) -> str:
    return OKPKey.import_key({**jwk}).thumbprint()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
