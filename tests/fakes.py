"""In-memory ports: real behaviour, no database, no files, no network.

`FakeStore` isolates like PostgreSQL at read committed: a unit of work reads what is committed until its
first write; from then on it alone may write, on its own copy, until it ends. tests/contract holds it to
the same tests as the PostgreSQL store. The hooks of `FakeStore` and `FakeTransport` make a step fail
before or after it took effect.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from fake_keys import FakeKeys
from fake_store import FakeStore, FakeUnitOfWork, Hooks

from adapters.keys.search import SEARCH, FileSearchSeal, opener_of
from gateway.domain.errors import ConflictError, NotFoundError, VerificationError
from gateway.domain.exchange import Exchange, ExchangeId, Granularity, Role, Status
from gateway.domain.identity import Identity
from gateway.domain.lineage import Lineage
from gateway.key_ports import Use
from gateway.party_ports import AgreementRecord, Partner, PrekeyRecord, User

__all__ = [
    "NOON",
    "FakeClock",
    "FakeExchangeKeys",
    "FakePartyKeys",
    "FakeSearchKey",
    "FakeStore",
    "FakeTransport",
    "FakeUnitOfWork",
    "FakeUses",
    "Hooks",
    "a_partner",
    "a_prekey",
    "a_user",
    "an_agreement",
    "an_exchange",
]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


# --- examples of what a store holds -----------------------------------------------------------------


def a_partner(slug: str = "health", **changes) -> Partner:
    partner = Partner(FakePartyKeys(slug).identity, added_at=NOON)
    return replace(partner, **changes)


def an_agreement(number: str = "A-1", partner: str = "health", **changes) -> AgreementRecord:
    record = AgreementRecord(
        number=number,
        partner=partner,
        dataset="health-trust",
        digest="00" * 32,
        council_jws="council.signed.this",
        partner_jws=None,
        proposed_at=NOON,
    )
    return replace(record, **changes)


def a_user(name: str = "Ann", role: Role = Role.PROGRAMME, **changes) -> User:
    token_hash = hashlib.sha256(name.encode()).digest()
    return replace(User(uuid4(), name, role, token_hash, created_at=NOON), **changes)


def a_prekey(id: str = "p1", partner: str = "health", **changes) -> PrekeyRecord:  # noqa: A002
    public = hashlib.sha256(f"{partner}/{id}".encode()).digest()
    record = PrekeyRecord(partner, id, public, "prekey.signed.this", expires_at=NOON + timedelta(days=7))
    return replace(record, **changes)


def an_exchange(**changes) -> Exchange:
    exchange = Exchange(
        id=ExchangeId(uuid4()),
        partner="health",
        agreement="A-1",
        dataset="health-trust",
        purpose="identify",
        framework="local",
        granularity=Granularity.HOUSEHOLD_INDICATORS,
        indicators=("health.adult_mental_health", "health.child_mental_health"),
        submitted_by=UUID(int=7),
        submitted_at=NOON,
        expires_at=NOON + timedelta(days=7),
        status=Status.PREPARED,
        prekey="p1",
        request_digest=hashlib.sha256(b"request").digest(),
        households=2,
        slots=5,
    )
    return replace(exchange, **changes)


# --- keys, transport, time ---------------------------------------------------------------------------


class FakeExchangeKeys:
    """`gateway.key_ports.ExchangeKeys` in memory."""

    def __init__(self, clock: Callable[[], datetime] = lambda: NOON) -> None:
        self.keys: dict[tuple[ExchangeId, str], bytes] = {}
        self.put_at: dict[tuple[ExchangeId, str], datetime] = {}
        self._clock = clock

    def put(self, exchange: ExchangeId, name: str, key: bytes) -> None:
        self.put_at.setdefault((exchange, name), self._clock())
        if self.keys.setdefault((exchange, name), key) != key:
            raise ConflictError("another key has this name", place="exchange keys")

    def get(self, exchange: ExchangeId, name: str) -> bytes:
        if (exchange, name) not in self.keys:
            raise NotFoundError("there is none", place="exchange keys")
        return self.keys[exchange, name]

    def destroy(self, exchange: ExchangeId, name: str) -> None:
        self.keys.pop((exchange, name), None)
        self.put_at.pop((exchange, name), None)

    def older_than(self, name: str, moment: datetime) -> list[ExchangeId]:
        return [exchange for (exchange, key), at in self.put_at.items() if key == name and at < moment]


class FakeSearchKey:
    """`gateway.review_ports.SearchSeal` and `SearchKey` in one; `gone`: the private half is away."""

    def __init__(self) -> None:
        self._keys = FakeKeys()
        self._keys.create(SEARCH, Use.AGREE, datetime(2026, 1, 1, tzinfo=UTC))
        self._seal = FileSearchSeal(self._keys)
        self.gone = False

    def seal(self, exchange: ExchangeId, key: bytes) -> bytes:
        return self._seal.seal(exchange, key)

    def opener(self) -> Callable[[ExchangeId, bytes], bytes]:
        if self.gone:
            raise NotFoundError("there is no such key", place="key folder")
        return opener_of(self._keys, self._keys.known(SEARCH))


class FakePartyKeys:
    """`gateway.key_ports.OwnKeys` of one generation, with real keys, the same for the same slug."""

    def __init__(self, slug: str = "council", name: str | None = None) -> None:
        def seed(use: str) -> bytes:
            return hashlib.sha256(f"{slug}/{use}".encode()).digest()

        self._signing = Ed25519PrivateKey.from_private_bytes(seed("signing"))
        self._auth = Ed25519PrivateKey.from_private_bytes(seed("auth"))
        self._exchange = X25519PrivateKey.from_private_bytes(seed("exchange"))
        self._name = name or slug.title()
        self._slug = slug

    successions = ()

    @property
    def lineage(self) -> Lineage:
        return Lineage.of(self.identity)

    def generation(self, number: int) -> "FakePartyKeys":
        if number:
            raise NotFoundError("never in use", place="keys")
        return self

    def pending(self) -> None:
        return None

    def held(self) -> tuple[int, ...]:
        return (0,)

    def destroy(self, number: int) -> None:
        raise ConflictError("these keys are in use", place="keys")

    @property
    def identity(self) -> Identity:
        return Identity(
            self._slug,
            self._name,
            signing=self._signing.public_key().public_bytes_raw(),
            exchange=self._exchange.public_key().public_bytes_raw(),
            auth=self._auth.public_key().public_bytes_raw(),
        )

    def sign(self, payload: bytes, typ: str) -> str:
        from gateway.bundle.jws import sign_jws

        return sign_jws(payload, typ, self._signing)

    def sign_in(self, payload: bytes, typ: str) -> str:
        from gateway.bundle.jws import sign_jws

        return sign_jws(payload, typ, self._auth)

    def agree(self, peer: bytes) -> bytes:
        try:
            return self._exchange.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError:
            raise VerificationError("not a usable X25519 public key", place="key agreement") from None


class FakeUses:
    """`gateway.ports.Uses` in memory."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, datetime], int] = {}

    def count(self, bucket: str, window: datetime) -> int:
        self.used[bucket, window] = self.used.get((bucket, window), 0) + 1
        return self.used[bucket, window]

    def forget(self, before: datetime) -> None:
        self.used = {key: used for key, used in self.used.items() if key[1] >= before}


class FakeTransport:
    """`gateway.ports.Transport`: keeps what was sent, in order."""

    def __init__(self) -> None:
        self.sent: dict[ExchangeId, tuple[str, bytes]] = {}
        self.before_send: Callable[[], None] = lambda: None
        self.after_send: Callable[[], None] = lambda: None

    def send(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        self.before_send()
        self.sent.setdefault(exchange, (partner, bundle))
        self.after_send()


class FakeClock:
    """`gateway.ports.Clock` that stands still until told otherwise."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        """Move on by a `timedelta` given by its keywords."""
        self.now += timedelta(**duration)
