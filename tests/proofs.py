"""An agent's access token with what it is bound to, for tests that send requests themselves."""

import json
import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.bundle.dpop import Prover
from gateway.domain import labels
from gateway.service import access
from gateway.service.constraint import Presented, ProofError
from gateway.service.context import Context

URL = "http://gateway"


def a_prover() -> Prover:
    return Prover(Ed25519PrivateKey.generate())


@dataclass
class Holder:
    """Who holds a token and its proof key; `nonce` is the newest that the gateway handed out."""

    context: Context
    prover: Prover = field(default_factory=a_prover)
    token: str = ""
    nonce: str | None = None

    def proof(self, method: str, url: str, token: str | None = None, **changes) -> str:
        usual = {
            "id": secrets.token_hex(16),
            "now": int(self.context.clock().timestamp()),
            "token": token,
            "nonce": self.nonce,
        }
        return self.prover.prove(method, url, **(usual | changes))

    def headers(self, method: str, url: str) -> dict[str, str]:
        """What the agent puts into one request."""
        return {"Authorization": f"DPoP {self.token}", "DPoP": self.proof(method, url, self.token)}

    def presented(self, method: str = "GET", path: str = "/v1/agent/state", **changes) -> Presented:
        """The same, as the use cases see it; `changes` are those of the proof."""
        url = URL + path
        return Presented(method, url, "dpop", (self.proof(method, url, self.token, **changes),))

    def sign_in(self, assertion: str) -> "Holder":
        """Get a token, as an agent does: once more where the gateway hands out a nonce."""
        while True:
            url = f"{URL}/v1/token"
            shown = Presented("POST", url, proofs=(self.proof("POST", url),))
            try:
                issued = access.issue_token(self.context, assertion, shown)
            except ProofError as error:
                if not error.nonce:
                    raise
                self.nonce = error.nonce
            else:
                self.token, self.nonce = issued.token, issued.nonce or self.nonce
                return self


def an_assertion(context: Context, keys) -> str:
    """What the agent with these keys signs in with."""
    slug, now = keys.identity.slug, int(context.clock().timestamp())
    us = f"urn:flagstone:{context.keys.identity.slug}"
    claims = {"iss": slug, "sub": slug, "aud": us, "iat": now, "exp": now + 60, "jti": secrets.token_hex(16)}
    return keys.sign_in(json.dumps(claims).encode(), labels.TYP_ASSERTION)


def signed_in(context: Context, assertion: str) -> Holder:
    return Holder(context).sign_in(assertion)
