"""The command line as a client of the gateway's API."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.cli.output import say
from gateway.domain.errors import ConfigurationError, FlagstoneError, RefusedError
from gateway.domain.network import LOOPBACK
from gateway.service.sessions import BREAK_GLASS_TOKEN
from gateway.settings import read_settings

_EXIT_CODES = {400: 5, 401: 2, 403: 2, 404: 3, 409: 3, 410: 3, 413: 3, 415: 3, 422: 3, 429: 2, 502: 6}
"""By HTTP status; a policy's refusal is told apart from a missing right by its problem type."""
_TIMEOUT = httpx.Timeout(30.0, read=300.0, write=300.0)


@contextmanager
def api() -> Iterator[httpx.Client]:
    """A client that carries the user's token and turns problems into our errors.

    Raises:
        ConfigurationError: FLAGSTONE_TOKEN is not set, or the list would go over a network in the clear.
        FlagstoneError: the gateway can't be reached.
    """
    settings = read_settings()
    if settings.token is None:
        raise ConfigurationError(
            "not set",
            place="FLAGSTONE_TOKEN",
            way_out="Make a token on the gateway's page /session, or ask the operator for one",
        )
    token = settings.token.get_secret_value().strip()
    if not (token.isascii() and token.isprintable() and token):
        raise ConfigurationError(
            "empty, or no token", place="FLAGSTONE_TOKEN", way_out="It begins with fst_, fss_ or fsb_"
        )
    if token.startswith(BREAK_GLASS_TOKEN):
        shout()
    headers = {"Authorization": f"Bearer {token}"}
    # the proxy settings of the environment are for the world outside, not for this machine
    outside = not _on_this_machine(settings.gateway)
    try:
        with httpx.Client(
            base_url=settings.gateway, headers=headers, timeout=_TIMEOUT, trust_env=outside
        ) as client:
            yield client
    except httpx.TransportError as error:
        raise FlagstoneError(
            f"the gateway can't be reached ({type(error).__name__})",
            place="FLAGSTONE_GATEWAY",
            way_out="Is `flagstone serve` running there?",
        ) from None


def shout() -> None:
    """Say that this is the way in past the identity provider."""
    say("BREAK-GLASS: in past the identity provider. It is logged, and the reviewers are alerted")


def _on_this_machine(url: str) -> bool:
    parts = urlsplit(url)
    local = parts.hostname in LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigurationError(
            "names and a token would go over the network in the clear",
            place="FLAGSTONE_GATEWAY",
            way_out="Use an https:// URL",
        )
    return local


def call(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    content: Iterable[bytes] | None = None,
    json: Any = None,
) -> Any:
    """One request; its JSON.

    Raises:
        GatewayError: the gateway reported a problem.
    """
    answer = client.request(method, path, params=params, headers=headers, content=content, json=json)
    raise_problem(answer)
    return answer.json() if answer.content else None


class GatewayError(FlagstoneError):
    """A problem that the gateway reported; `problem` is its document, `exit_code` the one it stands for."""

    def __init__(self, problem: dict[str, Any], status: int) -> None:
        self.problem = problem
        refused = str(problem.get("type", "")).endswith(f":{RefusedError.code}")
        self.exit_code = RefusedError.exit_code if refused else _EXIT_CODES.get(status, 1)
        wrong = "; ".join(f"{each['name']} {each['reason']}" for each in problem.get("parameters") or ())
        super().__init__(
            f"{wrong}. See --help"
            if wrong
            else str(problem.get("detail") or f"the gateway answered {status}")
        )


def raise_problem(answer: httpx.Response) -> None:
    """Raise GatewayError for an RFC 9457 problem."""
    if answer.is_success:
        return
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    raise GatewayError(problem if isinstance(problem, dict) else {}, answer.status_code)
