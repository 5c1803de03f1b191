"""A partner's agent in a temporary folder, and a gateway behind `httpx.MockTransport` that it talks to.

The gateway is a fake; bundles, keys, prekeys, agreements, matching and the agent's log are the real ones.
"""

import hashlib
import json
import secrets
import weakref
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import httpx
import polars as pl
import structlog
from agent_gateway import FakeGateway, MemoryPrekeys
from bundle_world import agreement
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fakes import FakeClock, FakePartyKeys

from adapters.agent.agreements import AgreementBook
from adapters.agent.approvals import Approvals
from adapters.agent.context import Agent
from adapters.agent.council import Council
from adapters.agent.journal import Journal
from adapters.agent.limits import Limits
from adapters.agent.loop import run_once
from adapters.agent.replies import DELETED
from adapters.agent.tray import Tray
from adapters.agent.witness import Witness
from adapters.registers.files import ParquetRegister
from adapters.registers.register import Columns
from adapters.transports.mailbox import MailboxClient
from adapters.transports.wire import SignIn, Wire
from audit.checkpoint import NoteSigner
from audit.cosignature import Cosigner
from audit.entry import Entry
from audit.log import Log
from audit.store import FileStore
from gateway.bundle.agreement import propose, verify_countersignature
from gateway.bundle.documents import canonical
from gateway.bundle.manifest import RequestHeader
from gateway.bundle.open import open_answer
from gateway.bundle.refusal import verify_refusal
from gateway.bundle.seal import seal_request
from gateway.domain.exchange import Granularity, Release
from gateway.domain.people import IDENTIFYING
from gateway.linkage.scheme import V1
from gateway.linkage.secret import exchange_secret, one_time_public, token_keys, x25519
from gateway.linkage.selftest import self_test
from gateway.linkage.tokens import tokenise

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ADULT, CHILD = "health.adult_mental_health", "health.child_mental_health"
POLICY = {
    "purposes": ["identify"],
    "frameworks": ["local"],
    "indicators": [ADULT, CHILD],
    "identifiers": ["forename", "surname", "dob", "postcode", "nhs_number"],
    "granularity": "household-indicators",
    "release": "automatic",
    "expected_overlap_permille": 850,
    "any_postcode": False,
    "span": {"valid_from": "2015-04-01"},
    "min_people": 1,
    "max_people": 1000,
    "min_households": 1,
    "max_households": 500,
}
WITNESS = Cosigner("flagstone/trust/witness", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
_SELF_TEST = self_test(V1)  # worked out once: each of many restarts would take a while
_NAMES = ["Abel", "Bruna", "Cedric", "Dalia", "Edgar", "Fiona", "Gideon", "Hester", "Ivor", "Jemima"]
_SURNAMES = ["Quilter", "Rostrevor", "Sandiford", "Tregenza", "Ullathorne"]


def person(number, **changes):
    """A made-up person, unlike every other number's."""
    fields = {
        "forename": _NAMES[number % 10],
        "surname": _SURNAMES[number // 10 % 5],
        "dob": date(1950, 1, 1) + timedelta(days=397 * number),
        "postcode": f"SW{1 + number % 9}A {number % 10}AA",
    }
    return fields | changes


def people(*numbers, **changes):
    rows = [person(number, **changes) for number in numbers]
    missing = dict.fromkeys(IDENTIFYING)
    return pl.DataFrame([missing | row for row in rows], schema=dict(IDENTIFYING))


def register_of(*rows):
    """Register rows from (person, flags and objection)."""
    defaults = {"objected": False, ADULT: False, CHILD: False}
    return pl.DataFrame([row | defaults | flags for row, flags in rows], infer_schema_length=None)


REGISTER = register_of(
    (person(0), {ADULT: True}),
    (person(1), {CHILD: True}),
    (person(2), {}),
    (person(3), {ADULT: True, CHILD: True, "objected": True}),
    *((person(number), {ADULT: True, CHILD: True}) for number in range(20, 45)),
)


class World:
    """One council, one partner, one agreement in force, one agent over `folder`."""

    def __init__(self, folder, *, policy=None, register=REGISTER, **changes):
        self.folder = folder
        self.council, self.partner = FakePartyKeys("council"), self.own_keys()
        self.clock = FakeClock(NOW)
        self.gateway = FakeGateway(self.council, self.partner, self.clock)
        self.signer = NoteSigner("trust/agent", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
        self.changes = changes
        self.events = []
        self.prekeys = MemoryPrekeys(self.clock)
        register.write_parquet(folder / "register.parquet")
        if not (folder / "log").exists():
            FileStore.create(folder / "log").close()
        self.document = self.agreement(policy=POLICY | (policy or {}))
        self.agent = self.restarted()
        self.agent.agreements.sign(self.propose(self.document), self.document)
        self.round()  # leaves the first prekeys
        self.gateway.puts.clear()

    def agreement(self, number="A-1", *, policy=None, **changes):
        parties = {"council": self.council.identity, "partner": self.partner.identity}
        return agreement(number=number, policy=policy or POLICY, **(parties | changes))

    def propose(self, document, keys=None):
        jws = propose(document, (keys or self.council).sign)
        self.gateway.proposals[document.number] = jws
        return jws

    def own_keys(self):
        """The partner's keys, as a new process finds them."""
        return FakePartyKeys("trust")

    def restarted(self):
        """An agent as a new process would build it: nothing but the folder's files is kept."""
        self.partner = self.own_keys()
        sign_in = SignIn(self.partner, "council", self.clock, secrets.token_bytes)
        http = httpx.Client(base_url="http://127.0.0.1", transport=httpx.MockTransport(self.gateway))
        store = FileStore(self.folder / "log")
        log = Log(store, self.signer)
        weakref.finalize(log, store.close)  # as the kernel does for a process that is gone
        entropy = secrets.token_bytes
        council = Council(Tray(self.folder / "council-keys"), self.council.identity)
        agent = Agent(
            keys=self.partner,
            council=council,
            prekeys=self.prekeys,
            agreements=AgreementBook(Tray(self.folder / "agreements"), self.partner, council),
            approvals=Approvals(Tray(self.folder / "approvals")),
            inbox=Tray(self.folder / "inbox"),
            outbox=Tray(self.folder / "outbox"),
            witness=Witness(Tray(self.folder / "witness"), WITNESS, council),
            certificates=Tray(self.folder / "certificates"),
            journal=Journal(log, Tray(self.folder / "openings"), "trust", self.clock, entropy),
            gateway=MailboxClient(Wire(http, sign_in)),
            limits=Limits(),
            open_register=lambda today: ParquetRegister(self.folder / "register.parquet", today, Columns()),
            self_test=lambda _: _SELF_TEST,
            clock=self.clock,
            entropy=entropy,
            events=structlog.wrap_logger(
                structlog.ReturnLogger(),
                processors=[self._told],
                wrapper_class=structlog.make_filtering_bound_logger("info"),
            ),
        )
        return replace(agent, **self.changes)

    def _told(self, _logger, _level, event):
        self.events.append(dict(event))
        raise structlog.DropEvent

    def ask(self, households, *, signed_by=None, exchange=None, table=None, static=None, **changes):
        """Seal a request for `households` (frames of people) and put it into the mailbox; its id.

        `static`: the partner's exchange key, where it is not that of its current identity.
        """
        council = signed_by or self.council
        exchange = exchange or uuid4()
        prekey, public = next(iter(self.gateway.prekeys.items()), ("none", one_time_public(bytes(32))))
        if "prekey" not in changes:
            self.gateway.prekeys.pop(prekey, None)
        one_time = secrets.token_bytes(32)
        slots = pl.concat(
            frame.with_columns(household=pl.lit(i, pl.UInt32)) for i, frame in enumerate(households)
        )
        header = RequestHeader(
            **{
                "exchange": exchange,
                "sender": council.identity.digest.hex(),
                "recipient": self.partner.identity.digest.hex(),
                "agreement": self.document.number,
                "agreement_digest": self.document.digest,
                "dataset": "health-trust",
                "purpose": "identify",
                "framework": "local",
                "basis": ("UK GDPR Art. 6(1)(e)",),
                "scheme": "v1",
                "identifiers": tuple(self.document.policy["identifiers"]),
                "granularity": Granularity(self.document.policy["granularity"]),
                "indicators": (ADULT, CHILD),
                "households": len(households),
                "slots": slots.height,
                "overlap_permille": 850,
                "release": Release(self.document.policy["release"]),
                "prekey": prekey,
                "one_time": one_time_public(one_time),
                "policy_set": "00" * 32,
                "issued_at": self.clock(),
                "expires_at": self.clock() + timedelta(days=7),
            }
            | changes
        )
        secret = exchange_secret(
            x25519(one_time, public),
            council.agree(static or self.partner.identity.exchange),
            header.secret_context,
        )
        tokens = tokenise(slots, token_keys(secret, V1), V1, header.identifiers)
        table = tokens.insert_column(0, slots["household"])
        sealed = seal_request(
            RequestHeader(**(header.fields | {"scheme": "v1"})),
            table,
            secret=secret,
            sign=self._restated(council.sign, header.scheme),
            nonce=secrets.token_bytes(12),
        )
        self.gateway.mailbox[exchange] = sealed
        self.gateway.secrets[exchange], self.gateway.requests[exchange] = secret, sealed
        return exchange

    @staticmethod
    def _restated(sign, scheme):
        """A signer for a request whose manifest names another scheme than the one it was made with."""

        def resign(payload, typ):
            manifest = json.loads(payload) | {"scheme": scheme}
            return sign(canonical(manifest), typ)

        return resign

    def round(self):
        return run_once(self.agent)

    def flags(self, exchange):
        """The answer's flags, opened as the gateway opens them; rows are units."""
        from gateway.bundle.open import read_own_request

        request = self.gateway.requests[exchange]
        return open_answer(
            self.gateway.answers[exchange],
            request=read_own_request(request, self.council.identity),
            request_digest=hashlib.sha256(request).digest(),
            secret=self.gateway.secrets[exchange],
            sender=self.partner.identity,
            self_test=_SELF_TEST,
            now=self.clock(),
        )

    def refusal(self, exchange):
        """The code of the signed notice, verified."""
        request = self.gateway.requests[exchange]
        return verify_refusal(
            self.gateway.refusals[exchange],
            self.partner.identity,
            exchange=exchange,
            request_digest=hashlib.sha256(request).hexdigest(),
        ).code

    def entries(self):
        with FileStore(self.folder / "log") as store:
            return [Entry.parse(leaf) for leaf in store.leaves(0, store.size())]

    def kinds(self, exchange=None):
        """Kinds of log entries, in order, of one exchange or of all; but DELETED, which follows every end."""
        return [
            entry.kind
            for entry in self.entries()
            if entry.kind != DELETED and (exchange is None or entry.body.get("exchange") == str(exchange))
        ]

    def left(self):
        """What lies in the agent's working folders."""
        folders = ("inbox", "outbox", "approvals")
        return [path.name for folder in folders for path in (self.folder / folder).iterdir()]

    def countersigned(self, number):
        verify_countersignature(self.gateway.signatures[number], self.document)


def check_refused(world, exchange, code, kind="request.rejected"):
    """Run a round: no answer, a verified notice with this code, one entry, nothing left behind."""
    world.round()
    assert world.gateway.answers == {}
    assert world.refusal(exchange) == code
    assert world.kinds(exchange)[-1] == kind
    assert "answer.sealed" not in world.kinds(exchange)
    assert world.left() == []
