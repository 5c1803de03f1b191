"""Keys in a PKCS#11 token: made inside, used inside, and not to be read out (CKA_SENSITIVE, not extractable).

Ed25519 by CKM_EDDSA, X25519 by CKM_ECDH1_DERIVE, sealing by CKM_AES_GCM. The shared secret of an agreement is
the one value that leaves the token: it is made to.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from adapters.keys.backend import Held
from gateway.domain.errors import ConfigurationError, KeyPlaceError, NotFoundError, VerificationError
from gateway.key_ports import KeyRef, Use
from gateway.linkage.secret import x25519

try:
    import pkcs11
    from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass
    from pkcs11.exceptions import (
        EncryptedDataInvalid,
        EncryptedDataLenRange,
        GeneralError,
        NoSuchKey,
        NoSuchToken,
        PinExpired,
        PinIncorrect,
        PinInvalid,
        PinLenRange,
        PinLocked,
        PKCS11Error,
        TokenNotPresent,
        UserAlreadyLoggedIn,
    )
except ImportError:
    raise ConfigurationError(
        "the package python-pkcs11 is not installed",
        place="FLAGSTONE_PKCS11_MODULE",
        way_out='Install it: pip install "flagstone[pkcs11]"',
    ) from None

_ED25519: Final = bytes.fromhex("06032b6570")  # OID 1.3.101.112 in DER (RFC 8410 §3)
_X25519: Final = bytes.fromhex("06032b656e")  # OID 1.3.101.110
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_ID_BYTES: Final = 16
_PIN: Final = (PinIncorrect, PinInvalid, PinLenRange, PinLocked, PinExpired)
_STAYS_INSIDE: Final = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}


class HsmBackend:
    """`Backend` over one token. A handle is the key's CKA_ID in hex; labels are for people.

    One session, one user of it at a time: an operation of PKCS#11 is two calls that must not be parted. After
    an error the session is given up, so that the next use finds a token that came back.
    """

    scheme: Final = "pkcs11"

    def __init__(self, library: Any, label: str, pin: Callable[[], bytes], prefix: str) -> None:
        self._library = library
        self._label = label
        self._pin = pin
        self._prefix = prefix
        self._lock = threading.Lock()
        self._session: Any = None

    @classmethod
    def open(cls, module: Path, label: str, pin: Callable[[], bytes], prefix: str) -> "HsmBackend":
        """Load the vendor's module; the token is looked for at the first use.

        Raises:
            ConfigurationError: the module can't be loaded.
        """
        try:
            return cls(pkcs11.lib(str(module)), label, pin, prefix)
        except (PKCS11Error, RuntimeError, OSError):
            raise ConfigurationError(
                "not a PKCS#11 module that can be loaded",
                place="FLAGSTONE_PKCS11_MODULE",
                way_out="Name the vendor's shared library",
            ) from None

    @property
    def place(self) -> str:
        return f"PKCS#11 token {self._label}"

    def create(self, ref: KeyRef, use: Use) -> tuple[str, bytes]:
        handle = secrets.token_bytes(_ID_BYTES)
        common = {"id": handle, "label": f"{self._prefix}/{ref}", "store": True}
        with self._opened() as session:
            if use is Use.SEAL:
                template = {**_STAYS_INSIDE, Attribute.ENCRYPT: True, Attribute.DECRYPT: True}
                session.generate_key(KeyType.AES, 256, template=template, **common)
                return handle.hex(), b""
            signs = use is Use.SIGN
            curve = {Attribute.EC_PARAMS: _ED25519 if signs else _X25519}
            domain = session.create_domain_parameters(KeyType.EC_EDWARDS, curve, local=True)
            public, _ = domain.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                private_template={**_STAYS_INSIDE, Attribute.SIGN: signs, Attribute.DERIVE: not signs},
                **common,
            )
            return handle.hex(), _point(bytes(public[Attribute.EC_POINT]))

    def sign(self, held: Held, message: bytes) -> bytes:
        with self._opened() as session:
            key = self._key(session, held, ObjectClass.PRIVATE_KEY)
            return bytes(key.sign(message, mechanism=Mechanism.EDDSA))

    def agree(self, held: Held, peer: bytes) -> bytes:
        x25519(secrets.token_bytes(_KEY_BYTES), peer)  # refuses a peer that gives no secret with any key
        leaves = {Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}
        with self._opened() as session:
            key = self._key(session, held, ObjectClass.PRIVATE_KEY)
            shared = key.derive_key(
                KeyType.GENERIC_SECRET,
                8 * _KEY_BYTES,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(pkcs11.KDF.NULL, None, peer),
                template=leaves,
            )
            try:
                return bytes(shared[Attribute.VALUE])
            finally:
                shared.destroy()

    def wrap(self, held: Held, secret: bytes, purpose: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        with self._opened() as session:
            key = self._key(session, held, ObjectClass.SECRET_KEY)
            params = GCMParams(nonce, purpose, 8 * _TAG_BYTES)
            sealed = key.encrypt(secret, mechanism=Mechanism.AES_GCM, mechanism_param=params)
            return nonce + bytes(sealed)

    def unwrap(self, held: Held, sealed: bytes, purpose: bytes) -> bytes:
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        if len(text) < _TAG_BYTES:
            raise VerificationError("shorter than a sealed secret", place="keys")
        with self._opened() as session:
            key = self._key(session, held, ObjectClass.SECRET_KEY)
            params = GCMParams(nonce, purpose, 8 * _TAG_BYTES)
            try:
                return bytes(key.decrypt(text, mechanism=Mechanism.AES_GCM, mechanism_param=params))
            except (EncryptedDataInvalid, EncryptedDataLenRange, GeneralError):
                # SoftHSM 2.6 says no more than "general error" of a tag that is wrong
                raise VerificationError("a sealed secret does not open", place="keys") from None

    def destroy(self, held: Held) -> None:
        with self._opened() as session:
            for found in list(session.get_objects({Attribute.ID: _id(held)})):
                found.destroy()

    def forget(self) -> None:
        """Nothing of a key is ever in memory."""

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The session, for one user at a time.

        Raises:
            ConfigurationError: no such token, or the PIN is refused.
            KeyPlaceError: the token can't be used now.
        """
        with self._lock:
            try:
                if self._session is None:
                    self._session = self._begin()
                yield self._session
            except NoSuchKey:
                raise NotFoundError("the token holds no such key", place="keys") from None
            except PKCS11Error as error:
                self._session = None
                raise KeyPlaceError(
                    f"the token failed ({type(error).__name__})", place="PKCS#11", way_out="Look at the token"
                ) from None

    def _begin(self) -> Any:
        place = "FLAGSTONE_PKCS11_TOKEN"
        try:
            token = self._library.get_token(token_label=self._label)
        except (NoSuchToken, TokenNotPresent):
            raise ConfigurationError("no token has this label", place=place) from None
        try:
            pin = self._pin().decode()
        except UnicodeDecodeError:
            raise ConfigurationError("not text", place="FLAGSTONE_PKCS11_PIN_FILE") from None
        try:
            return token.open(rw=True, user_pin=pin)
        except UserAlreadyLoggedIn:
            return token.open(rw=True)  # another session of this process has
        except _PIN:
            raise ConfigurationError(
                "the token refuses the PIN",
                place="FLAGSTONE_PKCS11_PIN_FILE",
                way_out="Mend it before the next try: tokens lock after a few",
            ) from None

    def _key(self, session: Any, held: Held, kind: ObjectClass) -> Any:
        return session.get_key(object_class=kind, id=_id(held))


def _id(held: Held) -> bytes:
    try:
        found = bytes.fromhex(held.handle)
    except ValueError:
        found = b""
    if len(found) != _ID_BYTES:  # an empty id would find every key of the token
        raise ConfigurationError("the description of a key is damaged", place=f"keys: {held.ref}")
    return found


def _point(point: bytes) -> bytes:
    """A raw public key of 32 bytes: as it is (PKCS#11 3.0) or as a DER octet string (2.40)."""
    raw = point.removeprefix(b"\x04\x20") if len(point) == _KEY_BYTES + 2 else point
    if len(raw) != _KEY_BYTES:
        raise KeyPlaceError("the token gives a public key of another form", place="PKCS#11")
    return raw
