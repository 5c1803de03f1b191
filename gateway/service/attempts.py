"""A try to sign in, kept by the browser alone until it is back from the provider.

The browser's cookie holds a random secret, when the try began and why. State, nonce and PKCE verifier are
keyed hashes under that secret, so the gateway stores nothing for a stranger who merely starts, and a thief of
the database learns nothing. Who changes the time or the reason changes the state, which then does not fit.
"""

import hashlib
import hmac
import re
from datetime import timedelta
from typing import Final

from gateway.domain import labels
from gateway.domain.errors import ConflictError, VerificationError
from gateway.people_ports import Attempt
from gateway.service.context import Context
from gateway.service.sessions import text_of

LONGEST: Final = timedelta(minutes=10)
_COOKIE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.(\d{1,12}\.(?:sign-in|step-up))", re.ASCII)


def new(ctx: Context, *, step_up: bool) -> str:
    """The cookie of a new try."""
    why = "step-up" if step_up else "sign-in"
    return f"{text_of(ctx.entropy(32))}.{int(ctx.clock().timestamp())}.{why}"


def attempt_of(cookie: str) -> Attempt:
    """What the provider is asked with.

    Raises:
        VerificationError: not a cookie that `new` made.
    """
    parts = _COOKIE.fullmatch(cookie)
    if parts is None:
        raise VerificationError("there is no sign-in under way in this browser", place="sign-in")
    secret, rest = parts.groups()

    def derived(what: str) -> str:
        message = labels.SIGN_IN + f"{what}/{rest}".encode()
        return text_of(hmac.digest(secret.encode(), message, "sha256"))

    return Attempt(derived("state"), derived("nonce"), derived("verifier"), rest.endswith("step-up"))


def finish(ctx: Context, cookie: str, state: str) -> Attempt:
    """The try that `cookie` began and `state` belongs to; it is over with this.

    Raises:
        VerificationError: they do not belong together, it took over ten minutes, or it was finished before.
    """
    attempt = attempt_of(cookie)
    if not hmac.compare_digest(attempt.state.encode(), state.encode()):
        raise VerificationError("the answer is not to this browser's question", place="sign-in")
    now = ctx.clock()
    age = now.timestamp() - int(cookie.split(".")[1])
    if not 0 <= age <= LONGEST.total_seconds():
        raise VerificationError("it took longer than ten minutes", place="sign-in", way_out="Start again")
    digest = hashlib.sha256(labels.SIGN_IN + cookie.encode()).digest()
    try:
        with ctx.store.begin() as uow:
            uow.replays.use(digest, now + LONGEST, now)
            uow.commit()
    except ConflictError:
        raise VerificationError("it was finished before", place="sign-in", way_out="Start again") from None
    return attempt
