"""What a request brings beside its token: how it was addressed, and its proofs."""

from urllib.parse import urlsplit

from fastapi import Request

from gateway.domain.network import LOOPBACK
from gateway.service.constraint import Presented
from gateway.web.tls import certificate_of


def presented(request: Request, public_url: str | None) -> Presented:
    """`public_url`: under which callers reach the gateway, as the operator set it."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return Presented(
        method=request.method,
        url=_base(request, public_url) + path.decode("latin-1"),
        scheme=request.headers.get("authorization", "").partition(" ")[0].lower(),
        proofs=tuple(request.headers.getlist("dpop")),
        certificate=certificate_of(request.scope),
    )


def hand_out(request: Request, nonce: str) -> None:
    """Let the answer carry a nonce for the caller's next proofs (RFC 9449 §8.2)."""
    if nonce:
        request.state.headers = {"DPoP-Nonce": nonce}


def _base(request: Request, public_url: str | None) -> str:
    """Scheme and authority that proofs must name.

    What a `Host` header says is believed of this very machine alone: elsewhere a gateway that somebody else
    runs could pass proofs made for itself on to this one, with its own name in that header.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    try:
        local = urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        local = False
    return (
        f"{request.scope['scheme']}://{host}" if local else "https://flagstone-public-url-is-not-set.invalid"
    )
