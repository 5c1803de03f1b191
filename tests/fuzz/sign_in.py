"""The token endpoint: the form, and an assertion with any claims under the partner's true signature."""

import json
from dataclasses import replace

from fakes import FakePartyKeys
from proofs import signed_in
from web.webworld import FORM, a_world

from gateway.domain import labels
from gateway.service import access
from gateway.web.bodies import parse_form

WORLD = a_world()
HEALTH = FakePartyKeys("health")
HOLDER = WORLD.holders["agent health"]


def form(data):
    return parse_form(data.decode("ascii", "replace"))


def assertion(data):
    return signed_in(WORLD.context, data.decode("ascii", "replace"))


def claims(data):
    return signed_in(WORLD.context, HEALTH.sign_in(data, labels.TYP_ASSERTION))


def bearer(data):
    token = data.decode("latin-1")
    return access.somebody(WORLD.context, token, shown_with(token))


def access_claims(data):
    """What only the gateway itself signs: a claim of a type that it never writes must do no harm either."""
    token = WORLD.context.keys.sign_in(data, labels.TYP_ACCESS)
    return access.partner_of(WORLD.context, token, shown_with(token))


def proof(data):
    """A DPoP proof of any bytes beside a good token."""
    proofs = (data.decode("latin-1"),)
    return access.partner_of(WORLD.context, HOLDER.token, replace(HOLDER.presented(), proofs=proofs))


def shown_with(token):
    """A request with this token and a true proof for it."""
    return replace(HOLDER, token=token).presented()


WAYS = {
    "form": form,
    "assertion": assertion,
    "claims": claims,
    "bearer": bearer,
    "access claims": access_claims,
    "proof": proof,
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
    ("bearer", HOLDER.token.encode()),
    ("bearer", WORLD.tokens["programme"].encode()),
    ("access claims", _claims(iss="urn:flagstone:council")),
    ("access claims", _claims(iss="urn:flagstone:council", cnf={"jkt": "A" * 43}, key="0" * 64)),
    ("proof", HOLDER.presented().proofs[0].encode()),
]
