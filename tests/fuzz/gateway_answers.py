"""What an agent reads from its gateway: every answer of the mailbox, and of the token endpoint."""

import json

import httpx
from fakes import FakePartyKeys
from web.webworld import a_world

from adapters.transports.mailbox import MailboxClient
from adapters.transports.wire import SignIn

WORLD = a_world()
TOKEN = {"access_token": "t", "token_type": "Bearer", "expires_in": 300}
SIGN_IN = SignIn(FakePartyKeys("health"), "council", WORLD.clock, WORLD.context.entropy)


def _answered(ask, status=200, *, token=None):
    """Ask a gateway that answers anything with these bytes, but the sign-in, which it answers well."""

    def read(data):
        def answer(request):
            if request.url.path == "/v1/token" and token is None:
                return httpx.Response(200, json=TOKEN)
            return httpx.Response(status, content=data)

        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://gateway") as http:
            return ask(MailboxClient.over(http, SIGN_IN))

    return read


WAYS = {
    "state": _answered(lambda client: client.state(3)),
    "papers": _answered(lambda client: client.agreement("health-1")),
    "refused": _answered(lambda client: client.put_refusal("x", b"y"), 409),
    "turned away": _answered(lambda client: client.state(), 401),
    "token": _answered(lambda client: client.state(), token="any"),
}
PAPERS = {"number": "health-1", "council_jws": "a.b.c", "partner_jws": None, "revoked": False}
PROBLEM = {"type": "urn:flagstone:problem:conflict", "title": "Conflict", "status": 409, "detail": "no"}
SEEDS = [
    ("state", WORLD.call("agent health", "GET", "/v1/agent/state").content),
    ("papers", json.dumps(PAPERS).encode()),
    ("refused", json.dumps(PROBLEM).encode()),
    ("turned away", json.dumps({"error": "invalid_client", "error_description": "no"}).encode()),
    ("token", json.dumps(TOKEN).encode()),
]
