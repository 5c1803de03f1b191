"""A gateway over in-memory ports, with real use cases, users of each role and two partners."""

import asyncio
import io
import itertools
import json
import os
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID

import canary
import httpx
from fakes import FakeClock, FakeExchangeKeys, FakePartyKeys, FakeSearchKey, FakeStore
from fastapi import FastAPI
from jobworld import by_indicator
from people import WEB_LIST
from proofs import URL, Holder, signed_in

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
