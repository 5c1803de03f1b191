"""Keys in a home's folders: an organisation's own, those of exchanges, and an agent's prekeys."""

import json
import re
import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from adapters.keys.folder import SecretFolder
from adapters.keys.held import HeldKey, check_usable
from adapters.keys.places import Places
from adapters.keys.ring import Keyring
from adapters.keys.wrapping import SEALING, Wrapping, generation_of
from gateway.bundle.jws import sign_jws
from gateway.domain import labels
from gateway.domain.errors import BadInputError, ConfigurationError, ConflictError, NotFoundError
from gateway.domain.exchange import ExchangeId
from gateway.domain.identity import Identity
from gateway.key_ports import KeyInfo, KeyProvider, Use
from gateway.linkage.secret import one_time_public, x25519

_KEY_BYTES: Final = 32
_IDENTITY: Final = "identity.json"
_SEALED_BEFORE: Final = frozenset({"tags"})
_SECRET_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
PARTY: Final = {"signing": Use.SIGN, "exchange": Use.AGREE, "auth": Use.SIGN}
"""An organisation's kinds of key: the parts of its identity, each with generations."""


class FilePartyKeys:
    """`PartyKeys`: `identity.json` in a folder, and its private keys wherever the folder's ring has them.

    The identity says which generation of each kind is in use: the one whose public half it names.
    """

    def __init__(self, identity: Identity, provider: KeyProvider) -> None:
        self._identity = identity
        self._provider = provider
        self._keys = {kind: _named(provider, identity, kind) for kind in PARTY}

    @classmethod
    def load(cls, folder: Path, places: Places = Places()) -> Self:  # noqa: B008 (frozen)
        """Read the identity, and use each key once.

        Raises:
            ConfigurationError: the folder or a key is missing, open to others or damaged, or the private
                keys are not those of the identity.
        """
        ring = party_ring(folder, places)
        keys = cls(FileIdentity.load(folder).identity, ring)
        for info in keys._keys.values():
            check_usable(ring, info)
        return keys

    @property
    def identity(self) -> Identity:
        return self._identity

    def sign(self, payload: bytes, typ: str) -> str:
        return sign_jws(payload, typ, HeldKey(self._provider, self._keys["signing"]))

    def sign_in(self, payload: bytes, typ: str) -> str:
        return sign_jws(payload, typ, HeldKey(self._provider, self._keys["auth"]))

    def agree(self, peer: bytes) -> bytes:
        return self._provider.agree(self._keys["exchange"].ref, peer)

    def __repr__(self) -> str:
        return f"FilePartyKeys({self._identity.slug})"


def party_ring(folder: Path, places: Places = Places()) -> Keyring:  # noqa: B008
    """The generations of an organisation's keys."""
    return places.ring(folder, PARTY)


def _named(provider: KeyProvider, identity: Identity, kind: str) -> KeyInfo:
    for info in provider.known(kind):
        if info.public == getattr(identity, kind):
            return info
    raise ConfigurationError("the private keys are not those of the identity", place="keys")


class FileIdentity:
    """`PartyKeys` of a process that signs for nobody: the folder holds `identity.json` and no private key."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the identity.

        Raises:
            ConfigurationError: it is missing, open to others or damaged.
        """
        try:
            return cls(Identity.from_json(json.loads(SecretFolder(folder).get(_IDENTITY))))
        except (NotFoundError, BadInputError, ValueError):
            raise ConfigurationError(
                "the identity document is missing or damaged", place="keys", way_out="Copy keys/identity.json"
            ) from None

    @property
    def identity(self) -> Identity:
        return self._identity

    def sign(self, payload: bytes, typ: str) -> str:  # noqa: ARG002 - the port's
        raise _no_private_key()

    def sign_in(self, payload: bytes, typ: str) -> str:  # noqa: ARG002
        raise _no_private_key()

    def agree(self, peer: bytes) -> bytes:  # noqa: ARG002
        raise _no_private_key()


def _no_private_key() -> ConfigurationError:
    return ConfigurationError("this process holds no private key of the organisation", place="keys")


def create_party_keys(folder: Path, slug: str, name: str, places: Places = Places()) -> FilePartyKeys:  # noqa: B008
    """Make an organisation's three key pairs in `folder` (made 0700 if missing).

    Raises:
        BadInputError: the slug or the name is not fit.
        ConflictError: the folder holds an identity already. Keys are never overwritten.
    """
    Identity(slug=slug, name=name, **dict.fromkeys(PARTY, bytes(32)))  # refuses what is not fit
    files = SecretFolder(folder)
    files.create()
    if _IDENTITY in files.names():
        raise ConflictError("there are keys already", place="keys", way_out="Use another folder")
    ring = party_ring(folder, places)
    for left in ring.known():
        # without an identity document a key is the leftover of a creation that never ended
        if left.ref.kind in {*PARTY, SEALING}:
            ring.destroy(left.ref, datetime.now(UTC))
    public = {kind: ring.create(kind, use, datetime.now(UTC)).public for kind, use in PARTY.items()}
    if places.protected:
        ring.create(SEALING, Use.SEAL, datetime.now(UTC))
    identity = Identity(slug=slug, name=name, **public)
    # commit point: the identity comes last, so that a folder that has one has all its keys
    files.put({_IDENTITY: json.dumps(identity.to_json(), indent=1).encode()})
    return FilePartyKeys.load(folder, places)


class FileExchangeKeys:
    """`ExchangeKeys` over one folder, a file for each exchange and name.

    Where `sealing` has a sealing key the files lie sealed for it, but for those of search tags: they are
    sealed to the search key, and are read where there is no other.
    """

    def __init__(self, folder: Path, sealing: KeyProvider | None = None) -> None:
        self._secrets = SecretFolder(folder)
        self._secrets.create()
        self._wrapping = Wrapping(sealing)

    def put(self, exchange: ExchangeId, name: str, key: bytes) -> None:
        file = _exchange_file(exchange, name)
        stored = key if name in _SEALED_BEFORE else self._wrapping.sealed(key, _exchange_aad(file))
        try:
            self._secrets.put({file: stored})
        except ConflictError:
            if self.get(exchange, name) != key:  # the same key is sealed to other bytes each time
                raise

    def get(self, exchange: ExchangeId, name: str) -> bytes:
        file = _exchange_file(exchange, name)
        return self._wrapping.opened(self._secrets.get(file), _exchange_aad(file))

    def destroy(self, exchange: ExchangeId, name: str) -> None:
        self._secrets.destroy(_exchange_file(exchange, name))

    def older_than(self, name: str, moment: datetime) -> list[ExchangeId]:
        found = (file.partition(".") for file in self._secrets.older_than(moment))
        return [ExchangeId(uuid.UUID(exchange)) for exchange, _, key in found if key == name]

    def seal_raw(self) -> int:
        """Seal the files that lie there raw; how many. While nobody else uses the folder."""
        done = 0
        for file, stored in self._secrets.contents():
            if generation_of(stored) is None and file.partition(".")[2] not in _SEALED_BEFORE:
                self._secrets.replace(file, self._wrapping.sealed(stored, _exchange_aad(file)))
                done += 1
        return done


class FilePrekeys:
    """The private halves of an agent's one-time prekeys, by id; sealed as those of exchanges are."""

    def __init__(self, folder: Path, sealing: KeyProvider | None = None) -> None:
        self._secrets = SecretFolder(folder)
        self._secrets.create()
        self._wrapping = Wrapping(sealing)

    def make(self, count: int) -> list[tuple[str, bytes]]:
        """`count` new pairs, durable on return: (id, X25519 public key)."""
        made = {str(uuid.uuid4()): secrets.token_bytes(_KEY_BYTES) for _ in range(count)}
        self._secrets.put({id_: self._wrapping.sealed(key, _prekey_aad(id_)) for id_, key in made.items()})
        return [(prekey, one_time_public(private)) for prekey, private in made.items()]

    def agree(self, prekey: str, peer: bytes) -> bytes:
        """X25519 of the prekey with `peer`, 32 bytes.

        Raises:
            NotFoundError: never made, or destroyed.
            VerificationError: the result is all zero.
        """
        return x25519(self._wrapping.opened(self._secrets.get(prekey), _prekey_aad(prekey)), peer)

    def destroy(self, prekey: str) -> None:
        """Idempotent. What was sealed for this prekey opens never again."""
        self._secrets.destroy(prekey)

    def destroy_older(self, moment: datetime) -> None:
        """Destroy those made before `moment`, by the file system's clock."""
        for prekey in self._secrets.older_than(moment):
            self._secrets.destroy(prekey)

    def ids(self) -> list[str]:
        return self._secrets.names()

    def seal_raw(self) -> int:
        """As `FileExchangeKeys.seal_raw`."""
        done = 0
        for prekey, stored in self._secrets.contents():
            if generation_of(stored) is None:
                self._secrets.replace(prekey, self._wrapping.sealed(stored, _prekey_aad(prekey)))
                done += 1
        return done


def _exchange_file(exchange: ExchangeId, name: str) -> str:
    if not _SECRET_NAME.fullmatch(name):
        raise ConfigurationError("not a name for an exchange key", place="exchange keys")
    return f"{exchange}.{name}"


def _exchange_aad(file: str) -> bytes:
    return labels.EXCHANGE_KEY_AAD + file.encode()


def _prekey_aad(prekey: str) -> bytes:
    return labels.PREKEY_AAD + prekey.encode()
