"""The mailbox: the gateway keeps bundles until the partner's agent fetches them. Both ends stand here.

Neither end judges or records: they carry bytes.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Final, TypeVar
from uuid import UUID

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from adapters.transports.wire import GatewayUnavailableError, SignIn, Wire
from gateway.bundle.certificate import MAX_CERTIFICATE
from gateway.bundle.succession import MAX_SUCCESSION
from gateway.domain.exchange import ExchangeId
from gateway.key_ports import PartyKeys
from gateway.ports import Store

_SMALL: Final = 1 << 20
_BUNDLE: Final = 132 << 20
_OCTETS: Final = {"Content-Type": "application/octet-stream"}
_JOSE: Final = {"Content-Type": "application/jose"}
_JOSE_JSON: Final = {"Content-Type": "application/jose+json"}
_TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class AgreementLine(_Answer):
    """One agreement as the gateway lists it. `status`: proposed, in-force, revoked or expired."""

    number: str = Field(max_length=64)
    dataset: str = Field(max_length=100)
    status: str = Field(max_length=20)


class SuccessionShown(_Answer):
    """That a key took another's place: an entry of the log, and its proof under the key before."""

    leaf: str = Field(max_length=70_000)
    proof: str = Field(max_length=20_000)


class LogShown(_Answer):
    """The gateway's log as it shows it to this witness; the texts are judged by the agent.

    `key`: JWS of the council; `successions`: how it came after earlier keys; `proof`: from the size that was
    asked about, in hex; `witness`, `witnessed`: the key that the gateway knows of this witness ("": none),
    and the newest size cosigned with it.
    """

    key: str = Field(max_length=400_000)
    checkpoint: str = Field(max_length=4096)
    proof: tuple[str, ...] = Field(max_length=64)
    successions: tuple[SuccessionShown, ...] = Field(default=(), max_length=100)
    witness: str = Field(max_length=300)
    witnessed: int = Field(ge=0)


class CertificateLine(_Answer):
    """A certificate of destruction that this agent has not taken yet."""

    exchange: UUID
    clock: str = Field(max_length=20)


class KeysShown(_Answer):
    """What the gateway says of keys; the signed texts are judged by the agent.

    `successions`: the council's, oldest first, after the keys that were asked about; `taken`: by which digest
    this agent has said that it knows the council, None where there is but one; `own`: the digest of this
    partner's keys as the gateway knows them.
    """

    successions: tuple[Annotated[str, Field(max_length=MAX_SUCCESSION)], ...] = Field(max_length=100)
    taken: str | None = Field(max_length=64)
    own: str = Field(max_length=64)


class State(_Answer):
    """What waits for this agent. `prekeys`: how many unclaimed ones the gateway holds."""

    time: AwareDatetime
    prekeys: int = Field(ge=0)
    log: LogShown
    waiting: tuple[UUID, ...] = Field(max_length=10_000)
    agreements: tuple[AgreementLine, ...] = Field(max_length=10_000)
    certificates: tuple[CertificateLine, ...] = Field((), max_length=1_000)
    keys: KeysShown | None = None


class AgreementPapers(_Answer):
    """The signed forms of one agreement, as the gateway holds them."""

    number: str
    council_jws: str
    partner_jws: str | None
    revoked: bool


_Parsed = TypeVar("_Parsed", bound=_Answer)


class MailboxClient:
    """The agent's end. Every method raises what `Wire.call` raises."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @classmethod
    def over(cls, http: httpx.Client, sign_in: SignIn) -> "MailboxClient":
        return cls(Wire(http, sign_in))

    def state(self, seen: int = 0, council: str = "") -> State:
        """What waits.

        `seen`: the size of the log that this witness saw last; `council`: hex digest of the identity by
        which this agent knows the council.
        """
        path = f"/v1/agent/state?seen={seen}&council={council}"
        return _parse(State, self._wire.call("GET", path, limit=_SMALL))

    def signed_in_as(self, keys: PartyKeys) -> AbstractContextManager[None]:
        """Sign in by other keys of this partner while the block lasts."""
        return self._wire.signed_in_as(keys)

    def put_succession(self, succession: str) -> None:
        """Bring this partner's next keys. Idempotent."""
        self._wire.call("POST", "/v1/agent/succession", succession.encode(), _JOSE_JSON)

    def put_council_keys(self, jws: str) -> None:
        """Say by which keys this agent knows the council. Idempotent."""
        self._wire.call("PUT", "/v1/agent/council-keys", jws.encode(), _JOSE)

    def publish_prekeys(self, prekeys: Sequence[str]) -> None:
        """Leave signed prekeys, 200 at most, at the gateway."""
        body = TypeAdapter(dict[str, list[str]]).dump_json({"prekeys": list(prekeys)})
        self._wire.call("POST", "/v1/agent/prekeys", body, {"Content-Type": "application/json"})

    def fetch_request(self, exchange: ExchangeId) -> bytes:
        return self._wire.call("GET", f"/v1/agent/exchanges/{exchange}/request", limit=_BUNDLE)

    def put_answer(self, exchange: ExchangeId, bundle: bytes) -> None:
        """Idempotent: the same bytes again are acknowledged again."""
        self._wire.call("PUT", f"/v1/agent/exchanges/{exchange}/answer", bundle, _OCTETS)

    def put_refusal(self, exchange: ExchangeId, notice: bytes) -> None:
        """Idempotent, like `put_answer`."""
        self._wire.call("PUT", f"/v1/agent/exchanges/{exchange}/refusal", notice, _JOSE)

    def certificate(self, exchange: ExchangeId, clock: str) -> bytes:
        path = f"/v1/agent/exchanges/{exchange}/certificates/{clock}"
        return self._wire.call("GET", path, limit=MAX_CERTIFICATE)

    def take_certificate(self, exchange: ExchangeId, clock: str) -> None:
        """Say that it is kept here. Idempotent."""
        self._wire.call("POST", f"/v1/agent/exchanges/{exchange}/certificates/{clock}/taken")

    def agreement(self, number: str) -> AgreementPapers:
        return _parse(AgreementPapers, self._wire.call("GET", f"/v1/agent/agreements/{number}", limit=_SMALL))

    def put_signature(self, number: str, jws: str) -> None:
        self._wire.call("PUT", f"/v1/agent/agreements/{number}/signature", jws.encode(), _JOSE)

    def put_revocation(self, number: str, jws: str) -> None:
        self._wire.call("PUT", f"/v1/agent/agreements/{number}/revocation", jws.encode(), _JOSE)

    def put_witness(self, jws: str) -> None:
        """Announce the key that this agent cosigns with."""
        self._wire.call("PUT", "/v1/agent/witness", jws.encode(), _JOSE)

    def put_certificate(self, jws: str) -> None:
        """Announce a TLS client certificate. Idempotent."""
        self._wire.call("PUT", "/v1/agent/certificate", jws.encode(), _JOSE)

    def put_cosignature(self, note: str) -> None:
        """Hand out a checkpoint with this witness' cosignature on it. Idempotent."""
        self._wire.call("PUT", "/v1/agent/cosignature", note.encode(), _TEXT)

    def put_alarm(self, jws: str) -> None:
        """Tell that the log is not the one that was seen before. Idempotent."""
        self._wire.call("PUT", "/v1/agent/alarm", jws.encode(), _JOSE)


class MailboxTransport:
    """The gateway's end: `Transport` by putting the bundle where the agent will look."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def send(self, partner: str, exchange: ExchangeId, bundle: bytes) -> None:
        with self._store.begin() as uow:
            uow.mailbox.post(partner, exchange, bundle)
            uow.commit()


def _parse(model: type[_Parsed], body: bytes) -> _Parsed:
    try:
        return model.model_validate_json(body)
    except ValidationError:
        raise GatewayUnavailableError(
            "the answer is not of the documented form",
            place="gateway",
            way_out="Check the URL, and that agent and gateway are of fitting versions",
        ) from None
