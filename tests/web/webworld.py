"""A gateway over in-memory ports, with real use cases, users of each role and two partners."""

import asyncio
import io
import itertools
import json
import os
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from urllib.parse import urlencode
from uuid import UUID

import canary
import httpx
from fakes import FakeClock, FakeExchangeKeys, FakePartyKeys, FakeSearchKey, FakeStore
from fastapi import FastAPI
from jobworld import by_indicator
from people import WEB_LIST
from proofs import URL, Holder, signed_in
from starlette.applications import Starlette
from starlette.routing import Mount

from adapters.transports.mailbox import MailboxTransport
from gateway import telemetry
from gateway.bundle.agreement import countersign, verify_proposal
from gateway.bundle.prekey import make_prekey
from gateway.domain import labels
from gateway.domain.exchange import ExchangeId, Role
from gateway.domain.sessions import SignInRules, Way
from gateway.pages.browser import Browser, csrf_token
from gateway.party_ports import Partner
from gateway.service import agreements, dispatch, sessions, users
from gateway.service.context import Context
from gateway.service.search_context import SearchContext
from gateway.web.app import create_app
from gateway.web.openapi import document
from policies.loader import builtin, load
from policies.model import PolicySet

MAX_UPLOAD = 200_000
LIST = WEB_LIST.encode()
QUERY = {"dataset": "health-trust", "purpose": "identify", "framework": "local"}
QUESTION = {
    "reason": "subject-access",
    "person": {"forename": "Annquill", "surname": "Marchquill", "dob": "1985-03-02"},
}
FORM = {
    "grant_type": "client_credentials",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": "not.signed.at-all",
}


class CountingEntropy:
    """Bytes that never repeat, the same in every run."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self, n: int) -> bytes:
        return next(self._count).to_bytes(8, "big").rjust(n, b"\xa5")[-n:]


@dataclass
class World:
    """The gateway and everything a test needs to call it and to look behind it."""

    context: Context
    store: FakeStore
    clock: FakeClock
    lines: io.StringIO
    observer: telemetry.Telemetry
    submitted: list[ExchangeId] = field(default_factory=list)
    answered: list[ExchangeId] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    app: FastAPI = None

    def call(self, caller: str | None, method: str, path: str, **options):
        """One request as a user of `tokens` or an agent of `holders`, which takes a new nonce by itself."""
        headers = dict(options.pop("headers", {}))
        answer = self._once(caller, method, path, headers, options)
        if caller in self.holders and "DPoP-Nonce" in answer.headers:
            self.holders[caller].nonce = answer.headers["DPoP-Nonce"]
            if "use_dpop_nonce" in answer.headers.get("WWW-Authenticate", ""):
                return self._once(caller, method, path, headers, options)
        return answer

    def _once(self, caller, method, path, headers, options) -> httpx.Response:
        return asyncio.run(
            self._call(method, path, headers | self.credentials(caller, method, path), options)
        )

    def browse(self, name: str) -> str:
        """Begin a user's session, with a second factor; its secret, which the browser's cookie holds."""
        with self.store.begin() as uow:
            user = uow.users.named(name)
            secret, _ = sessions.begin(self.context, uow, user, Way.PROVIDER, multi_factor=True)
            uow.commit()
        return secret

    def in_browser(self, secret: str) -> dict[str, str]:
        """What a page of ours sends with a session's cookie."""
        cookie = f"{Browser(URL).session_cookie}={secret}"
        return {"Cookie": cookie, "X-CSRF-Token": csrf_token(secret), "Origin": URL}

    def credentials(self, caller: str | None, method: str, path: str) -> dict[str, str]:
        """The headers by which a caller signs in."""
        if caller in self.holders:
            return self.holders[caller].headers(method, URL + path)
        return {"Authorization": f"Bearer {self.tokens[caller]}"} if caller is not None else {}

    async def _call(self, method: str, path: str, headers: dict, options: dict) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        written = self.lines.tell()
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            answer = await client.request(method, path, headers=headers, **options)
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        canary.tell(test, self.lines.getvalue()[written:].encode())
        if answer.is_error:
            canary.tell(test, str(answer.headers).encode() + answer.content)
        return answer

    def submit(self, caller: str = "programme", key: str = "key-00000001", **changes):
        return self.call(
            caller,
            "POST",
            "/v1/exchanges",
            params=QUERY | changes.pop("params", {}),
            content=changes.pop("content", LIST),
            headers={"Idempotency-Key": key, "Content-Type": "text/csv"} | changes.pop("headers", {}),
        )

    def sent(self) -> UUID:
        """A submission of the programme user that lies in the mailbox of `health`."""
        exchange = UUID(self.submit().json()["exchange"])
        dispatch.authorise(self.context, ExchangeId(exchange))
        dispatch.send(self.context, ExchangeId(exchange))
        return exchange

    def assertion(self, slug: str, *, signer: FakePartyKeys | None = None, **changes) -> str:
        now = int(self.clock().timestamp())
        claims = {
            "iss": slug,
            "sub": slug,
            "aud": "urn:flagstone:council",
            "iat": now,
            "exp": now + 60,
            "jti": self.context.entropy(16).hex(),
        }
        payload = json.dumps(claims | changes).encode()
        return (signer or FakePartyKeys(slug)).sign_in(payload, labels.TYP_ASSERTION)


def at_any_time(policies: PolicySet) -> PolicySet:
    """The same policies without an interval: tests submit one list again and again."""
    datasets = {name: replace(policy, repeat_days=0) for name, policy in policies.datasets.items()}
    return replace(policies, datasets=datasets)


def a_world(rules: SignInRules | None = None) -> World:
    store, clock = FakeStore(), FakeClock()
    context = Context(
        store=store,
        keys=FakePartyKeys(),
        exchange_keys=FakeExchangeKeys(),
        policies=at_any_time(by_indicator(load(builtin()))),
        search_seal=FakeSearchKey(),
        transport=MailboxTransport(store),
        clock=clock,
        entropy=CountingEntropy(),
        rules=rules or SignInRules(),
        address_key=bytes(32),
    )
    lines = io.StringIO()
    world = World(context, store, clock, lines, telemetry.Telemetry(lines))
    world.app = create_app(
        context,
        review=SearchContext(context, context.search_seal, per_day=3),
        on_submitted=world.submitted.append,
        on_answered=world.answered.append,
        max_upload=MAX_UPLOAD,
        observer=world.observer,
        public_url=URL,
        browser=Browser(URL),
    )
    _add_users(world)
    for slug, dataset in (("health", "health-trust"), ("police", "police-force")):
        _add_partner(world, slug, dataset)
    for slug in ("health", "police"):
        name = f"custodian {slug}"
        world.tokens[name] = users.add(world.context, name, Role.CUSTODIAN, partner=slug)
    return world


def _add_users(world: World) -> None:
    for name, role in (
        ("programme", Role.PROGRAMME),
        ("other programme", Role.PROGRAMME),
        ("reviewer", Role.REVIEWER),
        ("operator", Role.OPERATOR),
    ):
        world.tokens[name] = users.add(world.context, name, role)
    world.tokens["unknown"] = "fst_" + "A" * 43


def _add_partner(world: World, slug: str, dataset: str) -> None:
    context, keys = world.context, FakePartyKeys(slug)
    with world.store.begin() as uow:
        uow.partners.add(Partner(keys.identity, context.clock()))
        uow.commit()
    agreements.propose(
        context,
        number=f"{slug}-1",
        partner=slug,
        dataset=dataset,
        valid_from=date(2026, 1, 1),
        valid_to=date(2027, 12, 31),
        dpia="DPIA 1",
        appropriate_policy_document="APD 1",
    )
    world.holders[f"agent {slug}"] = signed_in(context, world.assertion(slug))
    if slug != "health":
        return
    with world.store.begin() as uow:
        proposal = uow.agreements.get("health-1").council_jws
    document = verify_proposal(proposal, context.keys.identity)
    agreements.countersign(
        context, Partner(keys.identity, context.clock()), "health-1", countersign(document, keys.sign)
    )
    world.call(
        "agent health", "POST", "/v1/agent/prekeys", json={"prekeys": prekeys(world, "health", 3)}
    ).raise_for_status()


def prekeys(world: World, slug: str, count: int) -> list[str]:
    keys, expires = FakePartyKeys(slug), world.clock() + timedelta(days=7)
    # any 32 bytes are an X25519 public key (RFC 7748 §5)
    return [make_prekey(f"k{i}", bytes([9 + i]) * 32, slug, expires, keys.sign) for i in range(count)]


# --- a well-formed request for each route ------------------------------------------------------------


@dataclass
class RawCall:
    """What an ASGI call gave back, and how much of the body the application took."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    finished: bool = False
    chunks_read: int = 0


@dataclass(frozen=True)
class Call:
    """One request to one route."""

    method: str
    path: str
    params: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    type: str | None = None
    content: bytes = b""

    def send(self, world: World, caller: str | None, shown: dict[str, str] | None = None) -> httpx.Response:
        """`caller`: by bearer token; `shown`: other headers of a credential."""
        headers = self.headers | ({"Content-Type": self.type} if self.type else {}) | (shown or {})
        return world.call(
            caller, self.method, self.path, params=self.params, headers=headers, content=self.content
        )

    def send_raw(
        self, world: World, caller: str | None, chunks: list[bytes], scheme: str = "http"
    ) -> RawCall:
        """Send the body in chunks of our own, without a declared length, and see how many were taken."""
        headers = {"host": "gateway"} | {name.lower(): value for name, value in self.headers.items()}
        headers |= {"content-type": self.type} if self.type else {}
        signed = world.credentials(caller, self.method, self.path)
        headers |= {name.lower(): value for name, value in signed.items()}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": scheme,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": urlencode(self.params).encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("gateway", 80),
        }
        return asyncio.run(raw_call(world.app, scope, chunks))


async def raw_call(app, scope: dict, chunks: list[bytes | None]) -> RawCall:
    """One ASGI call; a chunk of None is a client that hangs up."""
    call, waiting = RawCall(), list(chunks)

    async def receive() -> dict:
        if not waiting:
            await asyncio.Event().wait()  # the client is still there and has nothing more to say
        if waiting[0] is None:
            return {"type": "http.disconnect"}
        call.chunks_read += 1
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            call.status = message["status"]
            call.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            call.body += message.get("body", b"")
            call.finished = not message.get("more_body", False)

    await app(scope, receive, send)
    return call


FORM_TYPE = "application/x-www-form-urlencoded"
_JWS = {"type": "application/jose", "content": b"not.signed.at-all"}
_BODIES = {
    "POST /v1/exchanges/{exchange}/hold": {"params": {"until": "2026-12-31", "reason": "complaint"}},
    "POST /v1/token": {"type": "application/x-www-form-urlencoded", "content": urlencode(FORM).encode()},
    "POST /v1/lists/check": {"type": "text/csv", "content": LIST},
    "POST /v1/exchanges": {
        "type": "text/csv",
        "content": LIST
        + b"4,h1,Danquill,Marchquill,2018-09-10,m,LS1 4AP,crime.asb_intervention_12m,yes,yes\n",
        "params": QUERY,
        "headers": {"Idempotency-Key": "key-00000002"},
    },
    "POST /v1/log/subject": {"type": "application/json", "content": json.dumps(QUESTION).encode()},
    "POST /v1/log/subject/extract": {"type": "application/json", "content": json.dumps(QUESTION).encode()},
    "POST /v1/exchanges/{exchange}/destroy": {"params": {"clock": "results"}},
    "POST /v1/proposals": {
        "params": {"act": "lift-hold", "reason": "routine", "exchange": str(UUID(int=0))},
    },
    "POST /v1/review/{alert}/close": {"params": {"reason": "expected"}},
    "POST /v1/agent/prekeys": {"type": "application/json", "content": b'{"prekeys": ["not.signed.at-all"]}'},
    "POST /v1/log/evidence/{exchange}": {"type": "application/json", "content": b'{"openings": true}'},
    "PUT /v1/agent/exchanges/{exchange}/answer": {
        "type": "application/octet-stream",
        "content": b"no bundle",
    },
    "PUT /v1/agent/exchanges/{exchange}/refusal": _JWS,
    "PUT /v1/agent/agreements/{number}/signature": _JWS,
    "PUT /v1/agent/agreements/{number}/revocation": _JWS,
    "PUT /v1/agent/witness": _JWS,
    "PUT /v1/agent/certificate": _JWS,
    "POST /v1/enrolment": _JWS,
    "PUT /v1/agent/cosignature": {"type": "text/plain", "content": b"no note"},
    "PUT /v1/agent/alarm": _JWS,
    "PUT /v1/agent/council-keys": _JWS,
    "GET /signin/link": {"params": {"code": "none"}},
    "POST /signin/link": {"type": FORM_TYPE, "content": b"code=none", "headers": {"Origin": URL}},
    "POST /signin/backchannel-logout": {"type": FORM_TYPE, "content": b"logout_token=none"},
    "POST /session/token": {"type": FORM_TYPE, "content": b""},
    "POST /signout": {"type": FORM_TYPE, "content": b""},
    "POST /v1/agent/succession": {"type": "application/jose+json", "content": b"{}"},
}


@cache
def operations() -> dict[str, dict]:
    """Every operation of the contract by `METHOD /path`."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def routes(app: Starlette) -> set[str]:
    """Every `METHOD /path` that the application itself would answer, whether its document says so or not."""
    return set(_routes(app.routes, ""))


def _routes(table, before: str):
    for route in table:
        if isinstance(route, Mount) and not route.routes:
            yield f"MOUNT {before}{route.path}"  # whatever lies beneath
        elif isinstance(route, Mount):
            yield from _routes(route.routes, before + route.path)
        elif hasattr(route, "original_router"):  # FastAPI's, of what was included
            yield from _routes(route.original_router.routes, before + route.include_context.prefix)
        else:
            methods = getattr(route, "methods", None) or {"ANY"}
            yield from (f"{method} {before}{route.path}" for method in methods - {"HEAD"})


def well_formed(route: str, exchange: UUID) -> Call:
    """A request that lacks nothing but the right caller (and, for an agent's documents, a true signature)."""
    method, _, path = route.partition(" ")
    filled = path.format(
        exchange=exchange, number="health-1", index=0, clock="results", alert=exchange, proposal=exchange
    )
    call = Call(method, filled, **_BODIES.get(route, {}))
    return (
        replace(call, params=call.params | {"exchange": str(exchange)}) if "exchange" in call.params else call
    )
