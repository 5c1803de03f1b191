"""A policy set as one JSON document and back: kept by its digest, so that decisions can be replayed."""

import hashlib
import hmac
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any

from gateway.domain.errors import VerificationError
from policies.model import DATASET_TYPE, PolicySet, digest_of, plain


def to_document(policies: PolicySet) -> bytes:
    """Canonical JSON (RFC 8785: strings, integers, booleans, lists and objects with ASCII keys)."""
    text = json.dumps(plain(policies), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def from_document(document: bytes, digest: str) -> PolicySet:
    """The set that a document holds, also one of an earlier version that knew fewer keys.

    Its digests, and those of its datasets, are over what the document says: so they stay what they were.

    Raises:
        VerificationError: it is not the document of that digest, or it can't be read any more.
    """
    if not hmac.compare_digest(hashlib.sha256(document).hexdigest(), digest):
        raise VerificationError("not the set of its digest", place="policy set")
    try:
        told = json.loads(document)
        policies: PolicySet = _made(PolicySet, told)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise VerificationError("not a policy set that this version reads", place="policy set") from None
    policies.__dict__["digest"] = digest
    for name, dataset in policies.datasets.items():
        dataset.__dict__["digest"] = digest_of(DATASET_TYPE | told["datasets"][name])
    return policies


def _made(kind: Any, value: Any) -> Any:
    """`value` as `kind`, which is one of the types that `plain` takes apart."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(_made(arguments[0], item) for item in value)
    if origin in {Mapping, typing.get_origin(Mapping[str, Any])}:
        return {key: _made(arguments[1], item) for key, item in value.items()}
    if origin in {types.UnionType, typing.Union}:
        return _made(next(each for each in arguments if each is not type(None)), value)
    if is_dataclass(kind):
        return _record(kind, value)
    if issubclass(kind, Enum):
        return kind(value)
    return date.fromisoformat(value) if kind is date else kind(value)


def _record(kind: Any, value: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    names = {each.name: each for each in fields(kind)}
    if unknown := value.keys() - names.keys():
        raise KeyError(min(unknown))
    missing = {name for name, each in names.items() if name not in value and each.default is MISSING}
    optional = {name for name in missing if type(None) in typing.get_args(hints[name])}
    if wanting := missing - optional:
        raise KeyError(min(wanting))
    return kind(**{name: _made(hints[name], item) for name, item in value.items()} | dict.fromkeys(optional))
