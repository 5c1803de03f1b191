"""The command line as a client of the gateway's API."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from gateway.domain.errors import ConfigurationError, FlagstoneError, RefusedError
from gateway.settings import read_settings

_EXIT_CODES = {400: 5, 401: 2, 403: 2, 404: 3, 409: 3, 413: 3, 415: 3, 422: 3, 502: 6}
"""By HTTP status; a policy's refusal is told apart from a missing right by its problem type."""
_TIMEOUT = httpx.Timeout(30.0, read=300.0, write=300.0)


@contextmanager
def api() -> Iterator[httpx.Client]:
    """A client that carries the user's token and turns problems into our errors.

    Raises:
        ConfigurationError: FLAGSTONE_TOKEN is not set.
        FlagstoneError: the gateway can't be reached.
    """
    settings = read_settings()
    if settings.token is None:
        raise ConfigurationError("not set", place="FLAGSTONE_TOKEN", way_out="Ask the operator for a token")
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    try:
        with httpx.Client(base_url=settings.gateway, headers=headers, timeout=_TIMEOUT) as client:
            yield client
    except httpx.TransportError as error:
        raise FlagstoneError(
            f"the gateway can't be reached ({type(error).__name__})",
            place="FLAGSTONE_GATEWAY",
            way_out="Is `flagstone serve` running there?",
        ) from None


def call(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    content: Iterable[bytes] | None = None,
) -> Any:
    """One request; its JSON.

    Raises:
        GatewayError: the gateway reported a problem.
    """
    answer = client.request(method, path, params=params, headers=headers, content=content)
    raise_problem(answer)
    return answer.json() if answer.content else None


class GatewayError(FlagstoneError):
    """A problem that the gateway reported; `problem` is its document, `exit_code` the one it stands for."""

    def __init__(self, problem: dict[str, Any], status: int) -> None:
        self.problem = problem
        refused = str(problem.get("type", "")).endswith(f":{RefusedError.code}")
        self.exit_code = RefusedError.exit_code if refused else _EXIT_CODES.get(status, 1)
        super().__init__(str(problem.get("detail") or f"the gateway answered {status}"))


def raise_problem(answer: httpx.Response) -> None:
    """Raise GatewayError for an RFC 9457 problem."""
    if answer.is_success:
        return
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    raise GatewayError(problem if isinstance(problem, dict) else {}, answer.status_code)
