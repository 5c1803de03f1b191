"""The agent's calls before it is enrolled: the council's identity, and bringing its own."""

from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.transports.wire import GatewayUnavailableError, call_openly

_PATH: Final = "/v1/enrolment"
_JOSE: Final = {"Content-Type": "application/jose"}


class _Enrolled(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    answer: str = Field(pattern=r"^[0-9a-f]{64}$")


def council_document(http: httpx.Client) -> bytes:
    """The council's identity document, as whoever answers has it. Raises what `call_openly` raises."""
    return call_openly(http, "GET", _PATH)


def bring(http: httpx.Client, jws: str) -> str:
    """Bring the signed enrolment; the gateway's proof that it knows the code, hex.

    Raises what `call_openly` raises.
    """
    try:
        return _Enrolled.model_validate_json(call_openly(http, "POST", _PATH, jws.encode(), _JOSE)).answer
    except ValidationError:
        raise GatewayUnavailableError("the answer is not of the documented form", place="gateway") from None
