"""What the provider publishes of itself: endpoints (OpenID Connect Discovery 1.0) and signing keys."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.identity.config import safe_url
from adapters.identity.fetching import down, fetch
from gateway.domain.errors import ProviderDownError, VerificationError

KEEP: Final = timedelta(hours=1)
ASK_AGAIN: Final = timedelta(seconds=30)
"""An unknown key id makes us fetch the keys anew, this seldom at most: strangers can name any id."""
STAY_DOWN: Final = timedelta(seconds=5)
_OK: Final = 200


class Metadata(BaseModel):
    """The endpoints that are used here. Whatever else is published is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    metadata: Metadata
    at: datetime


@dataclass(frozen=True, slots=True)
class _Keys:
    keys: KeySet
    at: datetime


class Published:
    """Endpoints and keys, fetched when first needed and kept for an hour. Threads share one."""

    def __init__(self, issuer: str, clock: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._keys: _Keys | None = None
        self._asked_again: datetime | None = None
        self._down_at: datetime | None = None

    def metadata(self) -> Metadata:
        """The endpoints.

        Raises:
            ProviderDownError: they can't be had.
            VerificationError: they are malformed, another issuer's, or not https.
        """
        with self._lock:
            return self._metadata()

    def keys_for(self, kid: str | None) -> KeySet:
        """The signing keys, fetched anew when `kid` is not among them and that was not done just now.

        Raises:
            ProviderDownError, VerificationError: as `metadata`.
        """
        with self._lock:
            kept, now = self._keys, self._clock()
            if kept is not None and now - kept.at < KEEP:
                known = kid is None or any(key.kid == kid for key in kept.keys.keys)
                if known or (self._asked_again and now - self._asked_again < ASK_AGAIN):
                    return kept.keys
                self._asked_again = now
            fetched = _key_set(self._document(self._metadata().jwks_uri))
            self._keys = _Keys(fetched, now)
            return fetched

    def _metadata(self) -> Metadata:
        now = self._clock()
        if self._known is None or now - self._known.at >= KEEP:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            self._known = _Known(_checked(self._document(url), self._issuer), now)
        return self._known.metadata

    def _document(self, url: str) -> Any:
        # whoever waited for the lock meanwhile is told at once, or all our threads would wait in a row
        if self._down_at and self._clock() - self._down_at < STAY_DOWN:
            raise down()
        try:
            status, document = fetch("GET", url, headers={"Accept": "application/json"})
            if status != _OK:
                raise down()
        except ProviderDownError:
            self._down_at = self._clock()
            raise
        return document


def _checked(document: Any, issuer: str) -> Metadata:
    try:
        found = Metadata.model_validate(document)
    except ValidationError:
        raise VerificationError("its metadata is malformed", place="identity provider") from None
    if found.issuer != issuer:
        raise VerificationError("its metadata names another issuer", place="identity provider")
    endpoints = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
    if not all(map(safe_url, endpoints)):
        raise VerificationError("an endpoint of it is not https", place="identity provider")
    return found


def _key_set(document: Any) -> KeySet:
    """The keys that can be used; one of a kind that is not known here is passed over."""
    listed = document.get("keys") if isinstance(document, dict) else None
    usable = []
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("use", "sig") == "sig" and each.get("kty") != "oct":
            try:
                usable.extend(KeySet.import_key_set({"keys": [each]}).keys)
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    if not usable:
        raise VerificationError("it publishes no key that is known here", place="identity provider")
    return KeySet(usable)
