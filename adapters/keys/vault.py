"""Keys in the Transit engine of HashiCorp Vault or OpenBao, over its HTTP API.

Transit signs with Ed25519 and seals with AES-256-GCM. It knows no X25519: such a key is made here, sealed at
once under a Transit key of its own, and is in memory for the length of one agreement. Deleting that Transit
key ends it, in every backup of this machine too.
"""

import base64
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.keys.backend import Held
from gateway.domain import labels
from gateway.domain.errors import ConfigurationError, KeyPlaceError, NotFoundError, VerificationError
from gateway.domain.network import LOOPBACK
from gateway.key_ports import KeyRef, Use
from gateway.linkage.secret import one_time_public, x25519

try:
    import hvac
    from hvac import exceptions
    from requests import RequestException
except ImportError:
    raise ConfigurationError(
        "the package hvac is not installed",
        place="FLAGSTONE_VAULT_URL",
        way_out='Install it: pip install "flagstone[vault]"',
    ) from None

_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_VERSION: Final = "vault:v1:"
"""How signatures and ciphertexts of a key's first version begin; no other is ever made or asked for."""
_WRAPPED: Final = "|"
_TYPES: Final = {Use.SIGN: "ed25519", Use.AGREE: "aes256-gcm96", Use.SEAL: "aes256-gcm96"}


class VaultBackend:
    """`Backend` over one Transit mount. A handle is the Transit key's name; of an X25519 key also the private
    half as Transit sealed it.

    The token comes from a file, which is read again when Vault refuses the one in use (an agent may have put
    a new one there), and is renewed once half its life is over.
    """

    scheme: Final = "vault"

    def __init__(
        self, client: Callable[[str], Any], url: str, token: Callable[[], bytes], prefix: str, mount: str
    ) -> None:
        self._make = client
        self._url = url
        self._token = token
        self._prefix = prefix
        self._mount = mount
        self._lock = threading.Lock()
        self._client: Any = None
        self._renew_at: float | None = None

    @classmethod
    def open(
        cls,
        url: str,
        token: Callable[[], bytes],
        *,
        prefix: str,
        mount: str = "transit",
        namespace: str = "",
        ca_file: Path | None = None,
        timeout: float = 10.0,
    ) -> "VaultBackend":
        """Nothing is asked of Vault before a key is used. `timeout`: seconds for one request.

        Raises:
            ConfigurationError: the URL is not https, and not of this machine.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ConfigurationError("not an https URL", place="FLAGSTONE_VAULT_URL")

        def client(given: str) -> Any:
            made = hvac.Client(
                url=url,
                token=given,
                verify=str(ca_file) if ca_file else True,
                timeout=timeout,
                allow_redirects=False,
                namespace=namespace or None,
            )
            made.session.trust_env = False  # no proxy and no trust store by the environment
            return made

        return cls(client, url, token, prefix, mount)

    @property
    def place(self) -> str:
        return f"Vault Transit at {urlsplit(self._url).hostname}"

    def create(self, ref: KeyRef, use: Use) -> tuple[str, bytes]:
        name = f"{self._prefix}-{ref.kind}-{ref.generation}-{secrets.token_hex(8)}"
        with self._transit() as transit:
            transit.create_key(
                name,
                key_type=_TYPES[use],
                exportable=False,
                allow_plaintext_backup=False,
                mount_point=self._mount,
            )
            if use is Use.SIGN:
                answer = transit.read_key(name, mount_point=self._mount)
                return name, _unbase64(answer["data"]["keys"]["1"]["public_key"], _KEY_BYTES)
        if use is Use.SEAL:
            return name, b""
        private = secrets.token_bytes(_KEY_BYTES)
        return name + _WRAPPED + self._sealed(name, private, _aad(ref)), one_time_public(private)

    def sign(self, held: Held, message: bytes) -> bytes:
        with self._transit() as transit:
            answer = transit.sign_data(
                held.handle, hash_input=_base64(message), key_version=1, mount_point=self._mount
            )
            return _unbase64(_of_first_version(answer["data"]["signature"]), _SIGNATURE_BYTES)

    def agree(self, held: Held, peer: bytes) -> bytes:
        name, _, sealed = held.handle.partition(_WRAPPED)
        return x25519(self._opened(name, sealed, _aad(held.ref)), peer)

    def wrap(self, held: Held, secret: bytes, purpose: bytes) -> bytes:
        return self._sealed(held.handle, secret, purpose).encode("ascii")

    def unwrap(self, held: Held, sealed: bytes, purpose: bytes) -> bytes:
        try:
            base64.b64decode(_of_first_version(sealed.decode("ascii")), validate=True)
        except ValueError:
            raise VerificationError("not a secret that Transit sealed", place="keys") from None
        return self._opened(held.handle, sealed.decode("ascii"), purpose)

    def destroy(self, held: Held) -> None:
        name = held.handle.partition(_WRAPPED)[0]
        try:
            with self._transit() as transit:
                transit.read_key(name, mount_point=self._mount)
                transit.update_key_configuration(name, deletion_allowed=True, mount_point=self._mount)
                transit.delete_key(name, mount_point=self._mount)
        except NotFoundError:
            return  # destroyed before

    def forget(self) -> None:
        """Nothing of a key stays in memory."""

    def _sealed(self, name: str, secret: bytes, purpose: bytes) -> str:
        with self._transit() as transit:
            answer = transit.encrypt_data(
                name,
                plaintext=_base64(secret),
                associated_data=_base64(purpose),
                key_version=1,
                mount_point=self._mount,
            )
            ciphertext = str(answer["data"]["ciphertext"])
            _of_first_version(ciphertext)
            return ciphertext

    def _opened(self, name: str, sealed: str, purpose: bytes) -> bytes:
        with self._transit() as transit:
            try:
                answer = transit.decrypt_data(
                    name, ciphertext=sealed, associated_data=_base64(purpose), mount_point=self._mount
                )
            except exceptions.InvalidRequest:
                raise VerificationError("a sealed secret does not open", place="keys") from None
            return base64.b64decode(answer["data"]["plaintext"], validate=True)

    @contextmanager
    def _transit(self) -> Iterator[Any]:
        """The Transit API, with a token in force; what fails becomes one of our errors, without its text."""
        try:
            yield self._ready().secrets.transit
        except (exceptions.Forbidden, exceptions.Unauthorized):
            self._client = None  # the next use reads the token's file again
            raise ConfigurationError(
                "Vault refuses the token, or its policy lacks this path",
                place="Vault",
                way_out="Compare the token's policy with docs/keys.md",
            ) from None
        except exceptions.InvalidPath as error:
            if (
                error.errors
            ):  # of a key that is not there Vault says nothing; of a route it knows not, it does
                raise ConfigurationError(
                    "Vault has no Transit engine there",
                    place="FLAGSTONE_VAULT_MOUNT",
                    way_out="Compare mount and namespace; a key is only taken for gone where both are right",
                ) from None
            raise NotFoundError("Vault has no such key", place="Vault") from None
        except exceptions.VaultDown:
            raise KeyPlaceError(
                "Vault is sealed or under repair", place="Vault", way_out="Unseal it"
            ) from None
        except (exceptions.VaultError, RequestException) as error:
            raise KeyPlaceError(
                f"Vault can't be used ({type(error).__name__})",
                place="Vault",
                way_out="Look at FLAGSTONE_VAULT_URL, its certificate and Vault's log",
            ) from None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise KeyPlaceError("Vault answers in another form than documented", place="Vault") from None

    def _ready(self) -> Any:
        with self._lock:
            if self._client is None:
                self._begin()
            elif self._renew_at is not None and time.monotonic() >= self._renew_at:
                answer = self._client.auth.token.renew_self()
                self._plan(answer["auth"]["lease_duration"], answer["auth"]["renewable"])
            return self._client

    def _begin(self) -> None:
        client = self._make(self._token().decode("ascii"))
        found = client.auth.token.lookup_self()["data"]
        self._plan(found["ttl"], found.get("renewable", False))
        self._client = client

    def _plan(self, ttl: int, renewable: bool) -> None:
        self._renew_at = time.monotonic() + ttl / 2 if renewable and ttl > 0 else None


def _aad(ref: KeyRef) -> bytes:
    return labels.WRAPPED_KEY_AAD + str(ref).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str, length: int) -> bytes:
    data = base64.b64decode(text, validate=True)
    if len(data) != length:
        raise ValueError
    return data


def _of_first_version(text: str) -> str:
    if not text.startswith(_VERSION):
        raise ValueError
    return text.removeprefix(_VERSION)
