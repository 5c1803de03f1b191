"""Keys in files: an organisation's own, those of exchanges, an agent's prekeys and the log's."""

import json
import re
import uuid
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from adapters.keys.folder import SecretFolder
from audit.checkpoint import NoteSigner
from audit.cosignature import Cosigner
from gateway.bundle.jws import sign_jws
from gateway.domain.errors import BadInputError, ConfigurationError, ConflictError, NotFoundError
from gateway.domain.exchange import ExchangeId
from gateway.domain.identity import Identity
from gateway.linkage.secret import one_time_public, x25519

_KEY_BYTES: Final = 32
_IDENTITY: Final = "identity.json"
_LOG_KEY: Final = "log.json"
_WITNESS_KEY: Final = "witness.key"
_SECRET_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")


class FilePartyKeys:
    """`PartyKeys` over one folder: `identity.json` and three files of 32 raw bytes."""

    def __init__(
        self, identity: Identity, signing: Ed25519PrivateKey, auth: Ed25519PrivateKey, exchange: bytes
    ) -> None:
        self._identity = identity
        self._signing = signing
        self._auth = auth
        self._exchange = exchange

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read and cross-check the keys.

        Raises:
            ConfigurationError: the folder or a file is missing, open to others or damaged, or the private
                keys are not those of the identity.
        """
        secrets = SecretFolder(folder)
        try:
            identity = Identity.from_json(json.loads(secrets.get(_IDENTITY)))
            signing, exchange, auth = (_raw_key(secrets, f"{name}.key") for name in _PARTS)
        except NotFoundError:
            raise ConfigurationError("a key file is missing", place="keys", way_out="Make the keys") from None
        except (BadInputError, ValueError):
            raise ConfigurationError("the identity document is damaged", place="keys") from None
        keys = cls(
            identity,
            Ed25519PrivateKey.from_private_bytes(signing),
            Ed25519PrivateKey.from_private_bytes(auth),
            exchange,
        )
        keys._check()
        return keys

    @property
    def identity(self) -> Identity:
        return self._identity

    def sign(self, payload: bytes, typ: str) -> str:
        return sign_jws(payload, typ, self._signing)

    def sign_in(self, payload: bytes, typ: str) -> str:
        return sign_jws(payload, typ, self._auth)

    def agree(self, peer: bytes) -> bytes:
        return x25519(self._exchange, peer)

    def __repr__(self) -> str:
        return f"FilePartyKeys({self._identity.slug})"

    def _check(self) -> None:
        public = (
            self._signing.public_key().public_bytes_raw(),
            one_time_public(self._exchange),
            self._auth.public_key().public_bytes_raw(),
        )
        if public != (self._identity.signing, self._identity.exchange, self._identity.auth):
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


_PARTS: Final = ("signing", "exchange", "auth")


def create_party_keys(folder: Path, slug: str, name: str) -> FilePartyKeys:
    """Make an organisation's three key pairs in `folder` (made 0700 if missing).

    Raises:
        BadInputError: the slug or the name is not fit.
        ConflictError: the folder holds an identity already. Keys are never overwritten.
    """
    private: dict[str, Ed25519PrivateKey | X25519PrivateKey] = {
        "signing": Ed25519PrivateKey.generate(),
        "exchange": X25519PrivateKey.generate(),
        "auth": Ed25519PrivateKey.generate(),
    }
    public = {part: key.public_key().public_bytes_raw() for part, key in private.items()}
    identity = Identity(slug=slug, name=name, **public)
    secrets = SecretFolder(folder)
    secrets.create()
    if _IDENTITY in secrets.names():
        raise ConflictError("there are keys already", place="keys", way_out="Use another folder")
    for part in private:
        # without an identity document a key file is the leftover of a creation that never ended
        secrets.destroy(f"{part}.key")
    secrets.put({f"{part}.key": key.private_bytes_raw() for part, key in private.items()})
    # commit point: the identity comes last, so that a folder that has one has all its keys
    secrets.put({_IDENTITY: json.dumps(identity.to_json(), indent=1).encode()})
    return FilePartyKeys.load(folder)


class FileExchangeKeys:
    """`ExchangeKeys` over one folder, a file for each exchange and name."""

    def __init__(self, folder: Path) -> None:
        self._secrets = SecretFolder(folder)
        self._secrets.create()

    def put(self, exchange: ExchangeId, name: str, key: bytes) -> None:
        self._secrets.put({_exchange_file(exchange, name): key})

    def get(self, exchange: ExchangeId, name: str) -> bytes:
        return self._secrets.get(_exchange_file(exchange, name))

    def destroy(self, exchange: ExchangeId, name: str) -> None:
        self._secrets.destroy(_exchange_file(exchange, name))

    def older_than(self, name: str, moment: datetime) -> list[ExchangeId]:
        found = (file.partition(".") for file in self._secrets.older_than(moment))
        return [ExchangeId(uuid.UUID(exchange)) for exchange, _, key in found if key == name]


class FilePrekeys:
    """The private halves of an agent's one-time prekeys, by id."""

    def __init__(self, folder: Path) -> None:
        self._secrets = SecretFolder(folder)
        self._secrets.create()

    def make(self, count: int) -> list[tuple[str, bytes]]:
        """`count` new pairs, durable on return: (id, X25519 public key)."""
        made = {str(uuid.uuid4()): X25519PrivateKey.generate() for _ in range(count)}
        self._secrets.put({prekey: private.private_bytes_raw() for prekey, private in made.items()})
        return [(prekey, private.public_key().public_bytes_raw()) for prekey, private in made.items()]

    def agree(self, prekey: str, peer: bytes) -> bytes:
        """X25519 of the prekey with `peer`, 32 bytes.

        Raises:
            NotFoundError: never made, or destroyed.
            VerificationError: the result is all zero.
        """
        return x25519(self._secrets.get(prekey), peer)

    def destroy(self, prekey: str) -> None:
        """Idempotent. What was sealed for this prekey opens never again."""
        self._secrets.destroy(prekey)

    def destroy_older(self, moment: datetime) -> None:
        """Destroy those made before `moment`, by the file system's clock."""
        for prekey in self._secrets.older_than(moment):
            self._secrets.destroy(prekey)

    def ids(self) -> list[str]:
        return self._secrets.names()


def create_signer(folder: Path, name: str) -> NoteSigner:
    """Make the log's key under the origin `name` (C2SP signed-note), once.

    Raises:
        ConflictError: there is a log key already: another would look like a fork.
    """
    secrets = SecretFolder(folder)
    secrets.create()
    seed = Ed25519PrivateKey.generate().private_bytes_raw().hex()
    document = {"type": "flagstone/log-key/v1", "name": name, "seed": seed}
    secrets.put({_LOG_KEY: json.dumps(document).encode()})
    return load_signer(folder)


def load_signer(folder: Path) -> NoteSigner:
    """The log's signer.

    Raises:
        ConfigurationError: the key is missing, open to others or damaged.
    """
    try:
        document = json.loads(SecretFolder(folder).get(_LOG_KEY))
        seed = bytes.fromhex(document["seed"])
        return NoteSigner(document["name"], Ed25519PrivateKey.from_private_bytes(seed))
    except NotFoundError:
        raise ConfigurationError("the log's key is missing", place="keys", way_out="Make it first") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError("the log's key file is damaged", place="keys") from None


def witness_cosigner(folder: Path, name: str) -> Cosigner:
    """A witness' own key, made at its first use: it signs cosignatures and nothing else.

    Raises:
        ConfigurationError: the key is open to others or damaged.
    """
    secrets = SecretFolder(folder)
    secrets.create()
    if _WITNESS_KEY not in secrets.names():
        secrets.put({_WITNESS_KEY: Ed25519PrivateKey.generate().private_bytes_raw()})
    return Cosigner(name, Ed25519PrivateKey.from_private_bytes(_raw_key(secrets, _WITNESS_KEY)))


def _raw_key(secrets: SecretFolder, name: str) -> bytes:
    key = secrets.get(name)
    if len(key) != _KEY_BYTES:
        raise ConfigurationError("a key file is not 32 bytes", place="keys", way_out="Restore it")
    return key


def _exchange_file(exchange: ExchangeId, name: str) -> str:
    if not _SECRET_NAME.fullmatch(name):
        raise ConfigurationError("not a name for an exchange key", place="exchange keys")
    return f"{exchange}.{name}"
