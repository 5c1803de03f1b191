"""What every signed document shares: strict fields, and one canonical form in bytes (RFC 8785)."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Self
from uuid import UUID

import rfc8785
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)

from gateway.bundle.errors import MalformedError
from gateway.bundle.jws import verify_jws
from gateway.domain.errors import BadInputError
from gateway.domain.identity import Identity

_MAX_DEPTH: Final = 16
_SAFE_INTEGER: Final = 2**53 - 1  # RFC 8785 §3.2.2.3


def _decode(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _identity(value: object) -> object:
    try:
        return Identity.from_json(value) if isinstance(value, dict) else value
    except BadInputError as error:
        raise ValueError(error.reason) from None


def _whole_utc_second(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ValueError("no time zone")
    return at.astimezone(UTC).replace(microsecond=0)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("a value stands twice")
    return values


def _plain_json(value: Any, depth: int = 0) -> Any:
    """Strings, safe integers, booleans, null, lists, ASCII-keyed objects: bytes alike in every language."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        if not all(isinstance(key, str) and key.isascii() for key in value):
            raise ValueError("a key is not ASCII")
        return {key: _plain_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item, depth + 1) for item in value]
    if isinstance(value, int) and abs(value) > _SAFE_INTEGER:
        raise ValueError("an integer beyond 2^53")
    if isinstance(value, str):
        value.encode()  # a lone surrogate has no UTF-8
    if value is None or isinstance(value, str | int):
        return value
    raise ValueError("not plain JSON")


Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Key32 = Annotated[
    bytes,
    BeforeValidator(_decode),
    Field(min_length=32, max_length=32),
    PlainSerializer(_encode),
]
Der = Annotated[
    bytes,
    BeforeValidator(_decode),
    Field(min_length=1, max_length=4096),
    PlainSerializer(_encode),
]
Instant = Annotated[
    datetime,
    AfterValidator(_whole_utc_second),
    PlainSerializer(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")),
]
Day = Annotated[date, PlainSerializer(date.isoformat)]
ExchangeField = Annotated[UUID, PlainSerializer(str)]
IdentityField = Annotated[InstanceOf[Identity], BeforeValidator(_identity), PlainSerializer(Identity.to_json)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$")]
Codes = Annotated[tuple[Code, ...], AfterValidator(_distinct), Field(max_length=100)]
Number = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]
Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_printable)]
Permille = Annotated[int, Field(ge=0, le=1000)]
PlainJson = Annotated[dict[str, Any], AfterValidator(_plain_json)]

Sign = Callable[[bytes, str], str]
"""`PartyKeys.sign`: payload and `typ` in, compact JWS out."""


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of plain JSON."""
    return rfc8785.dumps(value)


class Document(BaseModel):
    """A frozen, strictly parsed document whose only accepted form on the wire is its canonical one."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    def __repr__(self) -> str:
        # never the fields: a repr ends up in tracebacks and logs
        return f"{type(self).__name__}()"

    __str__ = __repr__

    @property
    def payload(self) -> bytes:
        """Canonical JSON bytes (RFC 8785): what is signed."""
        return canonical(self.model_dump(mode="json"))

    @property
    def fields(self) -> dict[str, Any]:
        """The fields as they are, to build a document that has more."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @property
    def digest(self) -> str:
        """SHA-256 of the payload, hex."""
        return hashlib.sha256(self.payload).hexdigest()

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Parse strictly.

        Raises:
            MalformedError: a field is missing, unknown or malformed, or the bytes are not the canonical ones
                (so that two readers can't understand one document differently: RFC 8785 §1).
        """
        try:
            document = cls.model_validate_json(payload)
        except ValidationError as error:
            raise MalformedError(cls._defect(error), place=cls.__name__) from None
        if document.payload != payload:
            raise MalformedError(
                "the bytes are not canonical JSON", place=cls.__name__, way_out="Write it as RFC 8785 says"
            )
        return document

    @classmethod
    def verify(cls, token: str | bytes, typ: str, signer: Identity) -> Self:
        """Check the signature of `signer` over the received bytes, then parse.

        Raises:
            VerificationError: as `verify_jws` and `parse`.
        """
        return cls.parse(verify_jws(token, typ, signer.signing))

    @classmethod
    def _defect(cls, error: ValidationError) -> str:
        # the name of an unknown field is the sender's text: it could carry a value, so it is not repeated
        places = [str(item["loc"][0]) if item["loc"] else "" for item in error.errors(include_input=False)]
        known = sorted({place for place in places if place in cls.model_fields})
        return (
            f"missing or malformed: {', '.join(known)}" if known else "not this document, or unknown fields"
        )
