"""The token endpoint: the form, and an assertion with any claims under the partner's true signature."""

import json

from fakes import FakePartyKeys
from web.webworld import FORM, a_world

from gateway.domain import labels
from gateway.service import access
from gateway.web.bodies import parse_form

WORLD = a_world()
HEALTH = FakePartyKeys("health")


def form(data):
    return parse_form(data.decode("ascii", "replace"))


def assertion(data):
    return access.issue_token(WORLD.context, data.decode("ascii", "replace"))


def claims(data):
    return access.issue_token(WORLD.context, HEALTH.sign_in(data, labels.TYP_ASSERTION))


def bearer(data):
    return access.somebody(WORLD.context, data.decode("latin-1"))


def access_claims(data):
    """What only the gateway itself signs: a claim of a type that it never writes must do no harm either."""
    return access.partner_of(WORLD.context, WORLD.context.keys.sign_in(data, labels.TYP_ACCESS))


WAYS = {
    "form": form,
    "assertion": assertion,
    "claims": claims,
    "bearer": bearer,
    "access claims": access_claims,
}


def _claims(**changes):
    now = int(WORLD.clock().timestamp())
    told = {"iss": "health", "sub": "health", "aud": "urn:flagstone:council", "iat": now, "exp": now + 60}
    return json.dumps(told | {"jti": "j1"} | changes).encode()


SEEDS = [
    ("form", "&".join(f"{name}={value}" for name, value in FORM.items()).encode()),
    ("assertion", WORLD.assertion("health").encode()),
    ("claims", _claims()),
    ("claims", _claims(aud=["urn:flagstone:council"], jti="j2")),
    ("bearer", WORLD.tokens["agent health"].encode()),
    ("bearer", WORLD.tokens["programme"].encode()),
    ("access claims", _claims(iss="urn:flagstone:council")),
]
