"""A council and one partner over in-memory ports, with real cryptography, policies and linkage."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import uuid4

import polars as pl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from fakes import FakeClock, FakeExchangeKeys, FakePartyKeys, FakeSearchKey, FakeStore, FakeTransport

from gateway.bundle.agreement import countersign, verify_proposal
from gateway.bundle.format import bundle_digest
from gateway.bundle.manifest import Attestation
from gateway.bundle.open import Expected, OpenedRequest, open_request, read_own_request
from gateway.bundle.prekey import make_prekey
from gateway.bundle.seal import answer_header, seal_answer
from gateway.bundle.signers import by_any
from gateway.domain.exchange import ExchangeId, Granularity, Role
from gateway.linkage.secret import exchange_secret
from gateway.linkage.selftest import self_test
from gateway.party_ports import Partner, User
from gateway.service import agents, agreements, partners, users
from gateway.service.access import token_hash
from gateway.service.advance import advance
from gateway.service.context import Context
from gateway.service.submit import Submitted, submit
from policies.loader import builtin, load
from policies.model import PolicySet

HEADER = "person_id,household_id,forename,surname,dob,sex,postcode,met_indicators,consent,in_education\n"
LIST = HEADER + "".join(
    f"p{h}{m},h{h},{name},Example{h},{dob},f,LS1 4AP,crime.asb_intervention_12m,{consent},yes\n"
    for h in range(1, 5)
    for m, (name, dob, consent) in enumerate(
        [
            ("Ann", "1985-03-02", "yes"),
            ("Ben", "2014-05-06", "yes"),
            ("Cat", "2016-07-08", "no" if h == 4 else "yes"),
        ]
    )
)


class RealPartner:
    """A trust whose agent opens requests and seals answers as a real one does, but matches nothing itself."""

    def __init__(self, slug: str) -> None:
        self.keys = FakePartyKeys(slug)
        self.before: list[FakePartyKeys] = []
        """Generations of its keys that `keys` has succeeded."""
        self.prekeys: dict[str, X25519PrivateKey] = {}
        self.seen: set[str] = set()

    def make_prekeys(self, count: int, until) -> list[str]:
        made = []
        for _ in range(count):
            name, private = str(uuid4()), X25519PrivateKey.generate()
            self.prekeys[name] = private
            public = private.public_key().public_bytes_raw()
            made.append(make_prekey(name, public, self.keys.identity.slug, until, self.keys.sign))
        return made

    def named(self, digest: str) -> FakePartyKeys:
        """The keys that a request was sent to; those in use where it was sent to none of ours."""
        known = [self.keys, *self.before]
        return next((each for each in known if each.identity.digest.hex() == digest), self.keys)

    def open(self, job: "Job", exchange: ExchangeId, bundle: bytes) -> OpenedRequest:
        lineage = job.context.keys.lineage
        told = by_any(lineage.identities, lambda each: read_own_request(bundle, each))
        council, own = lineage.named(told.sender).identity, self.named(told.recipient)
        digests = frozenset(each.identity.digest.hex() for each in (self.keys, *self.before))

        def derive(manifest):
            shared = self.prekeys[manifest.prekey].exchange(
                X25519PublicKey.from_public_bytes(manifest.one_time)
            )
            return exchange_secret(shared, own.agree(council.exchange), manifest.secret_context)

        return open_request(
            bundle,
            expect=Expected(
                exchange,
                own.identity,
                {job.document.number: job.document},
                forebears={**lineage.forebears, own.identity.digest.hex(): digests},
            ),
            verify_with=council,
            derive=derive,
            seen=self.seen.__contains__,
            now=job.clock(),
        )

    def answer(self, job: "Job", exchange: ExchangeId, met: dict[int, list[str]] | None = None) -> bytes:
        """A sealed answer to what the transport holds; `met`: unit -> codes."""
        bundle = job.transport.sent[exchange][1]
        opened = self.open(job, exchange, bundle)
        flags = pl.DataFrame(
            {
                code: [code in (met or {}).get(unit, []) for unit in range(opened.manifest.units)]
                for code in opened.manifest.indicators
            }
        )
        header = answer_header(
            opened.manifest,
            request_digest=bundle_digest(bundle),
            attestation=Attestation(
                self_test=self_test(), register_date=date(2026, 11, 1), register_complete={"dob": 990}
            ),
            issued_at=job.clock(),
            expires_at=job.clock() + timedelta(days=7),
        )
        sign = self.named(opened.manifest.recipient).sign
        return seal_answer(header, flags, secret=opened.secret, sign=sign, nonce=secrets.token_bytes(12))


@dataclass
class Job:
    """Everything a test of a whole job needs to drive it and to look behind it."""

    context: Context
    store: FakeStore
    clock: FakeClock
    transport: FakeTransport
    partner: RealPartner
    analyst: User
    reviewer: User
    document: object = None
    numbers: list[int] = field(default_factory=lambda: [0])

    @property
    def registered(self) -> Partner:
        with self.store.begin() as uow:
            return uow.partners.get(self.partner.keys.identity.slug)

    def submit(self, content: str = LIST, **changes) -> Submitted:
        self.numbers[0] += 1
        given = {
            "dataset": "health-trust",
            "purpose": "identify",
            "framework": "local",
            "idempotency_key": f"key-{self.numbers[0]:08}",
        }
        return submit(self.context, self.analyst, [content.encode()], **given | changes)

    def sent(self) -> ExchangeId:
        exchange = self.submit().exchange
        self.drive(exchange)
        return exchange

    def drive(self, exchange: ExchangeId) -> str:
        """What a workflow does: steps until nothing moves."""
        status = ""
        while (now := advance(self.context, exchange).status.value) != status:
            status = now
        return status

    def kinds(self) -> list[str]:
        from audit.entry import Entry

        return [Entry.parse(leaf).kind for leaf in self.store.committed.leaves]

    def leaves(self) -> str:
        return b"\n".join(self.store.committed.leaves).decode()


def by_indicator(policies: PolicySet) -> PolicySet:
    """The same policies, health answering by indicator: more can go wrong with many bits than with one."""
    health = replace(policies.datasets["health-trust"], granularity=Granularity.HOUSEHOLD_INDICATORS)
    return replace(policies, datasets={**policies.datasets, health.id: health})


def a_job(
    *,
    sign: bool = True,
    prekeys: int = 5,
    policies: PolicySet | None = None,
    store=None,
    exchange_keys=None,
    transport=None,
    keys=None,
    search_seal=None,
) -> Job:
    """A council whose one partner, `trust`, is enrolled and (if `sign`) bound by an agreement.

    `store` and what follows it take the places of the fakes.
    """
    store, clock, transport = store or FakeStore(), FakeClock(), transport or FakeTransport()
    context = Context(
        store=store,
        keys=keys or FakePartyKeys("council"),
        exchange_keys=exchange_keys or FakeExchangeKeys(),
        policies=policies or by_indicator(load(builtin())),
        search_seal=search_seal or FakeSearchKey(),
        transport=transport,
        clock=clock,
        entropy=secrets.token_bytes,
    )
    trust = RealPartner("trust")
    partners.add(context, trust.keys.identity.to_json(), trust.keys.identity.fingerprint)
    people = []
    for name, role in (("analyst", Role.PROGRAMME), ("officer", Role.REVIEWER)):
        token = users.add(context, name, role)
        with store.begin() as uow:
            people.append(uow.users.by_token(token_hash(token)))
    job = Job(context, store, clock, transport, trust, *people)
    job.document = agreements.propose(
        context,
        number="T-1",
        partner="trust",
        dataset="health-trust",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        dpia="DPIA-1",
        appropriate_policy_document="APD-1",
    )
    if sign:
        jws = agreements.of_partner(context, job.registered, "T-1")["council_jws"]
        document = verify_proposal(jws, context.keys.identity)
        agreements.countersign(context, job.registered, "T-1", countersign(document, trust.keys.sign))
    if prekeys:
        until = clock() + timedelta(days=30)
        agents.publish_prekeys(context, job.registered, trust.make_prekeys(prekeys, until))
    return job
