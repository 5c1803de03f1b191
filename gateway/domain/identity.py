"""Who an organisation is: its public keys and their fingerprint."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gateway.domain.errors import BadInputError

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KEY_BYTES = 32
_KEYS = ("signing", "exchange", "auth")


def check_slug(slug: str, place: str) -> None:
    """Refuse a name that is not fit for a URL path, a file name and a log leaf alike.

    Raises:
        BadInputError: the slug has other characters, or is longer than 63.
    """
    if not _SLUG.fullmatch(slug):
        raise BadInputError(
            "not a short name", place=place, way_out="Use 1 to 63 of a-z, 0-9 and hyphens inside"
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """An organisation's public keys, 32 raw bytes each.

    `signing` (Ed25519) signs bundles, prekeys and agreements; `exchange` (X25519) is the static key of the
    exchange secret; `auth` (Ed25519) signs in at the gateway (RFC 7523). A council's `auth` key signs the
    access tokens that it issues.
    """

    slug: str
    name: str
    signing: bytes
    exchange: bytes
    auth: bytes

    def __post_init__(self) -> None:
        check_slug(self.slug, "identity slug")
        if not 1 <= len(self.name) <= 200 or not self.name.isprintable():  # noqa: PLR2004
            raise BadInputError("not a name of 1 to 200 printable characters", place="identity name")
        for key in _KEYS:
            if len(getattr(self, key)) != _KEY_BYTES:
                raise BadInputError("not 32 bytes", place=f"identity key {key}")

    def to_json(self) -> dict[str, str]:
        """The identity document, as it is exchanged in enrolment and embedded in agreements."""
        keys = {key: base64.b64encode(getattr(self, key)).decode() for key in _KEYS}
        return {"type": "flagstone/identity/v1", "slug": self.slug, "name": self.name} | keys

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Parse an identity document strictly.

        Raises:
            BadInputError: a key is missing, unknown or malformed.
        """
        if set(document) != {"type", "slug", "name", *_KEYS} or document["type"] != "flagstone/identity/v1":
            raise BadInputError("not an identity document", place="identity")
        if not all(isinstance(value, str) for value in document.values()):
            raise BadInputError("every value must be a string", place="identity")
        try:
            keys = {key: base64.b64decode(document[key], validate=True) for key in _KEYS}
        except ValueError:
            raise BadInputError("a key is not base64", place="identity") from None
        return cls(slug=document["slug"], name=document["name"], **keys)

    @property
    def digest(self) -> bytes:
        """SHA-256 over the canonical document: what both sides bind and compare."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).digest()

    @property
    def fingerprint(self) -> str:
        """The digest's first 160 bits in base32, in groups of four, to be read out by telephone."""
        text = base64.b32encode(self.digest[:20]).decode()
        return "-".join(text[i : i + 4] for i in range(0, len(text), 4))
