"""Entries, the leaves of the log: RFC 8785 JSON of a subset that the standard library writes byte for byte.

The subset: strings, integers within ±(2^53 - 1) (RFC 8785 §3.2.2.3, RFC 7493 §2.2), booleans, lists, and
objects with ASCII keys. Without floats, null and non-ASCII keys, `json` sorts and writes as RFC 8785 asks.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, NoReturn, Self, TypeAlias
from uuid import UUID

from audit.errors import CommitmentError, EntryError

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json]"

TYPE: Final = "flagstone/entry/v1"
MAX_LEAF_BYTES: Final = (1 << 16) - 1  # what an entry bundle of c2sp.org/tlog-tiles can hold
MAX_DEPTH: Final = 16
MAX_INTEGER: Final = (1 << 53) - 1
SALT_BYTES: Final = 32

_KIND = re.compile(r"[a-z]+(\.[a-z-]+)+")
_FORMS = {
    "id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "kind": _KIND,
    "at": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3])(:[0-9]{2}){2}\.[0-9]{3}Z"),
}
_FIELDS = frozenset({"type", "id", "kind", "at", "body"})
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def canonical(value: Json) -> bytes:
    """RFC 8785 bytes of a value of the subset.

    Raises:
        EntryError: the value is outside the subset; the text says where and why.
    """
    return _utf8(_encode(_copied(value, "value", 0)))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `at` is kept in UTC, cut to milliseconds; `body` is copied, deeply.

    Raises:
        EntryError: a field is malformed, the body is outside the subset, or the leaf is over 65,535 bytes.
    """

    id: UUID
    kind: str
    at: datetime
    body: Mapping[str, Json] = field(repr=False, hash=False)
    _leaf: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise EntryError("kind: not dotted lower-case words")
        if self.at.tzinfo is None:
            raise EntryError("at: a time without a zone")
        at = self.at.astimezone(UTC)
        object.__setattr__(self, "at", at.replace(microsecond=at.microsecond // 1000 * 1000))
        if not isinstance(self.body, Mapping):
            raise EntryError("body: not an object")
        body = _copied(self.body, "body", 1)
        object.__setattr__(self, "body", MappingProxyType(body))
        object.__setattr__(self, "_leaf", self._written(body))
        if len(self._leaf) > MAX_LEAF_BYTES:
            raise EntryError(f"the leaf is longer than {MAX_LEAF_BYTES} bytes")

    def leaf(self) -> bytes:
        """The canonical bytes: what is hashed, stored and exported."""
        return self._leaf

    @classmethod
    def parse(cls, leaf: bytes) -> Self:
        """Parse a leaf strictly: exactly the bytes that `leaf()` writes are accepted.

        Raises:
            EntryError: the bytes are not the canonical leaf of an entry.
        """
        fields = _checked(leaf)
        at = datetime.fromisoformat(fields["at"])
        entry = cls(id=UUID(fields["id"]), kind=fields["kind"], at=at, body=fields["body"])
        if entry.leaf() != leaf:
            raise EntryError("not in canonical form (RFC 8785)")
        return entry

    def _written(self, body: dict[str, Any]) -> bytes:
        at = self.at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
        fields = {"at": at, "body": body, "id": str(self.id), "kind": self.kind, "type": TYPE}
        return _utf8(_encode(fields))


def check_leaf(leaf: bytes) -> None:
    """As `Entry.parse`, for a verifier that needs no entry made of the leaf: nearly twice as fast.

    Raises:
        EntryError: the bytes are not the canonical leaf of an entry.
    """
    _checked(leaf)


def commit(salt: bytes, entry: UUID, path: str, value: Json) -> str:
    """Hex SHA-256(salt (32 bytes) ‖ entry id (16 bytes) ‖ path, UTF-8 ‖ 0x00 ‖ canonical JSON of the value).

    Raises:
        EntryError: the salt is not 32 bytes, the path holds a NUL, or the value is outside the subset.
    """
    if len(salt) != SALT_BYTES:
        raise EntryError(f"salt: not {SALT_BYTES} bytes")
    if "\0" in path:
        raise EntryError("path: holds a NUL, which ends it")
    return hashlib.sha256(salt + entry.bytes + _utf8(path) + b"\0" + canonical(value)).hexdigest()


def open_commitment(commitment: str, salt: bytes, entry: UUID, path: str, value: Json) -> None:
    """Check what a commitment stands for.

    Raises:
        CommitmentError: it was made of something else.
        EntryError: as `commit`.
    """
    if not hmac.compare_digest(commitment.encode(), commit(salt, entry, path, value).encode()):
        raise CommitmentError("the commitment does not open to this value")


def _checked(leaf: bytes) -> dict[str, Any]:
    """The fields of a leaf that is one of an entry, and in canonical form."""
    fields = _envelope(leaf)
    for name, form in _FORMS.items():
        if not isinstance(fields[name], str) or not form.fullmatch(fields[name]):
            raise EntryError("id, kind or at: malformed")
    try:
        datetime.fromisoformat(fields["at"])
    except ValueError:
        raise EntryError("id, kind or at: malformed") from None
    if not isinstance(fields["body"], dict):
        raise EntryError("body: not an object")
    _copied(fields["body"], "body", 1)
    if _utf8(_encode(fields)) != leaf:
        raise EntryError("not in canonical form (RFC 8785)")
    return fields


def _envelope(leaf: bytes) -> dict[str, Any]:
    if len(leaf) > MAX_LEAF_BYTES:
        raise EntryError(f"the leaf is longer than {MAX_LEAF_BYTES} bytes")
    try:
        fields = _decode(leaf.decode())
    except (ValueError, RecursionError):
        raise EntryError("not JSON in UTF-8") from None
    if not isinstance(fields, dict) or fields.keys() != _FIELDS or fields["type"] != TYPE:
        raise EntryError(f"not an object of type {TYPE}")
    return fields


def _no_float(_: str) -> NoReturn:
    raise EntryError("a number that is not an integer")


_decode: Final = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float).decode


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise EntryError("a string holds a lone surrogate, which UTF-8 can't") from None


def _copied(value: Any, place: str, depth: int) -> Any:
    """A deep copy in plain dicts and lists, each part checked. `place` names no key: keys are data too."""
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
        raise EntryError(f"{place}: an integer beyond 2^53 - 1")
    if depth == MAX_DEPTH:
        raise EntryError(f"{place}: nested deeper than {MAX_DEPTH}")
    if isinstance(value, Mapping):
        return {_key(key, place): _copied(item, place, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item, place, depth + 1) for item in value]
    raise EntryError(f"{place}: a value of type {type(value).__name__}; floats and null have no place here")


def _key(key: object, place: str) -> str:
    if not isinstance(key, str) or not key.isascii():
        raise EntryError(f"{place}: a key that is not ASCII text")
    return key
