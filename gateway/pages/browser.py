"""What a browser is told and must say: cookies, the token against forged requests, which page asks."""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.domain import labels
from gateway.domain.errors import NotAllowedError

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "X-CSRF-Token"
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # not `no-referrer`, under which browsers send `Origin: null` with our own forms
    "Referrer-Policy": "same-origin",
}
_LOOPBACK_HOST: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Browser:
    """How browsers reach this installation. `origin`: of its public URL; "" for whatever name of loopback.

    `tls`: whether loopback is served with TLS, where there is no public URL.
    """

    origin: str = ""
    tls: bool = False

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https://") if self.origin else self.tls

    @property
    def session_cookie(self) -> str:
        # browsers refuse the prefix without Secure and Path=/, or with a Domain (RFC 6265bis §4.1.3.2)
        return "__Host-flagstone" if self.secure else "flagstone"

    @property
    def attempt_cookie(self) -> str:
        return f"{self.session_cookie}-sign-in"

    def cookie(self, name: str, value: str, seconds: int | None = None) -> str:
        """A `Set-Cookie` value; without `seconds` it lasts as long as the browser is open.

        Lax, not Strict: the way back from the provider is a navigation that another site began.
        """
        age = "" if seconds is None else f"; Max-Age={seconds}"
        return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{'; Secure' if self.secure else ''}"

    def check_same_site(self, headers: Mapping[str, str]) -> None:
        """Raise NotAllowedError unless the browser says that a page of ours made the request."""
        site, origin, own = headers.get("sec-fetch-site"), headers.get("origin"), self._own(headers)
        if site is None and origin is None:
            raise NotAllowedError("the request does not say which page made it", place="browser")
        if site not in (None, "same-origin") or origin not in (None, own):
            raise NotAllowedError("another site made the request", place="browser")

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Raise NotAllowedError when the page was asked for by a name that is not loopback's, or not ours.

        A name of somebody else's that resolves to this machine (DNS rebinding) is refused so.
        """
        self._own(headers)

    def _own(self, headers: Mapping[str, str]) -> str:
        host = headers.get("host", "")
        if self.origin:
            if host.lower() != urlsplit(self.origin).netloc.lower():
                raise NotAllowedError("not the name that FLAGSTONE_PUBLIC_URL gives", place="browser")
            return self.origin
        if not _LOOPBACK_HOST.fullmatch(host):
            raise NotAllowedError("not a name of this machine alone", place="browser")
        return f"{'https' if self.tls else 'http'}://{host}"


def csrf_token(secret: str) -> str:
    """The synchroniser token of a session, from the secret that its browser holds."""
    digest = hmac.digest(secret.encode(), labels.CSRF, "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def check_csrf(secret: str, given: str) -> None:
    """Raise NotAllowedError unless `given` is the token of this session."""
    if not hmac.compare_digest(csrf_token(secret).encode(), given.encode()):
        raise NotAllowedError("the form is not of this session", place="browser", way_out="Load it again")
