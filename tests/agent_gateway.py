"""What an agent under test talks to: the gateway's routes for agents, and prekeys kept in memory."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import httpx
from council_log import CouncilLog

from audit.checkpoint import unsafe_read_checkpoint
from audit.cosignature import WitnessVerifier, open_cosigned
from gateway.bundle.dpop import verify_proof
from gateway.bundle.errors import WrongSignatureError
from gateway.bundle.jws import verify_any
from gateway.bundle.prekey import verify_prekey
from gateway.bundle.signers import by_any
from gateway.bundle.succession import (
    extended,
    read_succession,
    verify_keys_taken,
    verify_succession,
)
from gateway.bundle.witness import verify_alarm, verify_witness_key
from gateway.domain.errors import NotFoundError
from gateway.domain.labels import TYP_ASSERTION
from gateway.domain.lineage import Lineage
from gateway.linkage.secret import one_time_public, x25519


class FakeGateway:
    """The routes of the agent's API. Fields are what a test looks at, or breaks."""

    def __init__(self, council, partner, clock):
        self.council, self.partner, self.clock = council, partner, clock
        self.offset = timedelta(0)
        self.down = False
        self.lose_next_acknowledgement = False
        self.prekeys = {}
        self.mailbox, self.secrets, self.requests = {}, {}, {}
        self.answers, self.refusals, self.puts = {}, {}, []
        self.log = CouncilLog(council)
        self.witness, self.cosigned, self.alarms = "", [], []
        self.proposals, self.signatures, self.revocations = {}, {}, {}
        self.certificates, self.taken = {}, []
        self.lineage = Lineage.of(partner.identity)
        self.successions, self.council_taken, self.lose_next_succession = [], None, False
        self.tokens = set()
        self.certified = []
        self.tokens, self.nonce = {}, secrets.token_hex(8)

    def __call__(self, request):
        if self.down:
            raise httpx.ConnectError("no route")
        path = request.url.path
        if path == "/v1/token":
            return self._token(request)
        token = request.headers.get("Authorization", "").removeprefix("DPoP ")
        if token not in self.tokens:
            return httpx.Response(401, json={"detail": "the access token is not valid"})
        proof = self._proof(request, token)
        if proof.nonce != self.nonce:
            wanted = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": self.nonce}
            return httpx.Response(401, headers=wanted)
        assert proof.thumbprint == self.tokens[token]
        parts = path.removeprefix("/v1/agent/").split("/")
        response = getattr(self, "_" + parts[0].replace("-", "_"))(request, *parts[1:])
        if request.method == "PUT" and self.lose_next_acknowledgement:
            self.lose_next_acknowledgement = False
            raise httpx.ReadTimeout("lost")
        return response

    def _proof(self, request, token):
        now = int(self.clock().timestamp())
        (proof,) = request.headers.get_list("DPoP")
        return verify_proof(proof, method=request.method, url=str(request.url), token=token, now=now)

    def _token(self, request):
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        try:
            keys = [each.auth for each in self.accepted()]
            claims = json.loads(verify_any(form["client_assertion"], TYP_ASSERTION, keys))
        except WrongSignatureError:
            return httpx.Response(401, json={"error": "invalid_client"})
        issued = datetime.fromtimestamp(claims["iat"], UTC)
        if abs(issued - self.clock() - self.offset) > timedelta(seconds=3600):
            return httpx.Response(401, json={"error": "invalid_client", "error_description": "clock is off"})
        assert claims["aud"] == "urn:flagstone:council"
        assert claims["exp"] - claims["iat"] <= 60
        token = secrets.token_hex(8)
        self.tokens[token] = self._proof(request, None).thumbprint
        return httpx.Response(200, json={"access_token": token, "token_type": "DPoP", "expires_in": 300})

    def _state(self, request):
        lines = [
            {"number": number, "dataset": "health-trust", "status": "proposed"} for number in self.proposals
        ]
        return httpx.Response(
            200,
            json={
                "time": (self.clock() + self.offset).isoformat(),
                "prekeys": len(self.prekeys),
                "waiting": [str(exchange) for exchange in self.mailbox],
                "log": self.log.shown(int(request.url.params.get("seen", 0)))
                | {"witness": self.witness, "witnessed": self.witnessed},
                "agreements": lines,
                "keys": {
                    "successions": self.successions,
                    "taken": self.council_taken,
                    "own": self.lineage.current.digest,
                },
                "certificates": [
                    {"exchange": str(exchange), "clock": clock} for exchange, clock in self.certificates
                ],
            },
        )

    def accepted(self):
        """The partner's identities as this gateway knows them."""
        return self.lineage.accepted(self.clock())

    def _succession(self, request):
        if read_succession(request.content).identity != self.lineage.current.identity:
            self.lineage = extended(self.lineage, verify_succession(request.content, self.lineage))
        if self.lose_next_succession:
            self.lose_next_succession = False
            raise httpx.ReadTimeout("lost")
        return httpx.Response(204)

    def _council_keys(self, request):
        self.council_taken = verify_keys_taken(request.content, self.accepted()).council
        return httpx.Response(204)

    @property
    def witnessed(self):
        """The newest size that this gateway has a cosignature for."""
        return max((unsafe_read_checkpoint(note).size for note in self.cosigned), default=0)

    def _witness(self, request):
        key = by_any(self.accepted(), lambda each: verify_witness_key(request.content, each))
        self.witness = key.vkey
        return httpx.Response(204)

    def _certificate(self, request):
        self.certified.append(request.content)
        return httpx.Response(204)

    def _cosignature(self, request):
        open_cosigned(request.content, self.log.verifier, [WitnessVerifier.parse(self.witness)], 1)
        self.cosigned.append(request.content)
        return httpx.Response(204)

    def _alarm(self, request):
        self.alarms.append(verify_alarm(request.content, self.partner.identity))
        return httpx.Response(204)

    def _prekeys(self, request):
        for jws in json.loads(request.content)["prekeys"]:
            prekey = by_any(self.accepted(), lambda each, jws=jws: verify_prekey(jws, each, self.clock()))
            self.prekeys[prekey.id] = prekey.public
        return httpx.Response(204)

    def _exchanges(self, request, exchange, what, clock=None, taken=None):
        exchange = UUID(exchange)
        if what == "certificates":
            return self._certificates(exchange, clock, taken)
        if what == "request":
            bundle = self.mailbox.get(exchange)
            return httpx.Response(200, content=bundle) if bundle else httpx.Response(404)
        self.puts.append((what, exchange))
        taken = self.answers if what == "answer" else self.refusals
        if exchange in self.answers or exchange in self.refusals:
            return httpx.Response(204 if taken.get(exchange) == request.content else 409)
        taken[exchange] = request.content
        self.mailbox.pop(exchange, None)
        return httpx.Response(204)

    def _certificates(self, exchange, clock, taken):
        jws = self.certificates.get((exchange, clock))
        if taken and jws:
            self.taken.append((exchange, clock))
            if not self.lose_next_acknowledgement:
                del self.certificates[exchange, clock]
            return httpx.Response(204)
        return httpx.Response(200, text=jws) if jws else httpx.Response(404)

    def _agreements(self, request, number, what=None):
        if number not in self.proposals:
            return httpx.Response(404)
        if what is None:
            papers = {"number": number, "council_jws": self.proposals[number]}
            signed = {"partner_jws": self.signatures.get(number), "revoked": number in self.revocations}
            return httpx.Response(200, json=papers | signed)
        kept = self.signatures if what == "signature" else self.revocations
        kept[number] = request.content.decode()
        return httpx.Response(204)


class MemoryPrekeys:
    """Prekeys that survive a restart of the agent without the price of a file each."""

    def __init__(self, clock):
        self.private, self.made_at, self.clock = {}, {}, clock

    def make(self, count):
        made = {str(uuid4()): secrets.token_bytes(32) for _ in range(count)}
        self.private |= made
        self.made_at |= dict.fromkeys(made, self.clock())
        return [(id_, one_time_public(key)) for id_, key in made.items()]

    def agree(self, prekey, peer):
        if prekey not in self.private:
            raise NotFoundError("no such key")
        return x25519(self.private[prekey], peer)

    def destroy_older(self, moment):
        for prekey in [prekey for prekey, at in self.made_at.items() if at < moment]:
            self.destroy(prekey)

    def destroy(self, prekey):
        self.private.pop(prekey, None)
