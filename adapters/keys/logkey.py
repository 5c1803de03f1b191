"""The key of a log, and of a witness: their generations, and what signs while one takes another's place."""

import contextlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from adapters.keys.backend import Held
from adapters.keys.folder import SecretFolder
from adapters.keys.held import HeldKey, check_usable
from adapters.keys.places import Places
from adapters.keys.ring import Keyring
from adapters.keys.software import FileBackend
from audit.checkpoint import NoteSigner, NoteVerifier
from audit.cosignature import Cosigner
from audit.errors import NoteError
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError
from gateway.key_ports import KeyInfo, KeyProvider, KeyRef, Succession, Use

LOG: Final = "log"
WITNESS: Final = "witness"
_DOCUMENT: Final = "log.json"
_WITH_SEED: Final = {"type", "name", "seed"}
_SUCCESSION: Final = re.compile(rf"{LOG}\.([1-9][0-9]{{0,3}})\.succession")
_V1: Final = "flagstone/log-key/v1"
_V2: Final = "flagstone/log-key/v2"


class LogSigner:
    """`audit.checkpoint.Signer`: signs with every generation in use, the newest first.

    Which these are is looked up at each use, so that a rotation reaches running processes.
    """

    def __init__(self, provider: KeyProvider, name: str) -> None:
        self._provider = provider
        self._name = name
        self._keys: tuple[KeyInfo, ...] = ()
        self._signer: NoteSigner | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def verifier(self) -> NoteVerifier:
        return self._now().verifier

    def sign(self, text: str) -> bytes:
        return self._now().sign(text)

    def _now(self) -> NoteSigner:
        keys = tuple(self._provider.known(LOG))
        if self._signer is None or keys != self._keys:
            used = [key for key in reversed(keys) if not key.retired and not key.destroyed]
            live = [HeldKey(self._provider, key) for key in used]
            if not live:
                raise ConfigurationError("the log's key is missing", place="keys", way_out="Make it first")
            earlier = [NoteVerifier(self._name, key.public) for key in reversed(keys) if key not in used]
            self._signer, self._keys = NoteSigner(self._name, *live, earlier=earlier), keys
        return self._signer


class LogFiles(FileBackend):
    """Knows the form of before there were generations: the seed of the first stands in `log.json`."""

    def holds(self, ref: KeyRef) -> bool:
        return super().holds(ref) or self._seed(ref) is not None

    def made(self, ref: KeyRef) -> datetime:
        return super().made(ref) if super().holds(ref) else self._folder.made(_DOCUMENT)

    def destroy(self, held: Held) -> None:
        super().destroy(held)
        self._strip(held.ref)

    def seal_at_rest(self, ref: KeyRef) -> bool:
        done = super().seal_at_rest(ref)
        self._strip(ref)
        return done

    def _stored(self, ref: KeyRef) -> bytes:
        seed = self._seed(ref)
        return seed if seed is not None and not super().holds(ref) else super()._stored(ref)

    def _seed(self, ref: KeyRef) -> bytes | None:
        if ref.generation != 1 or _DOCUMENT not in self._folder.names():
            return None
        seed = _document(self._folder).get("seed")
        return bytes.fromhex(seed) if seed else None

    def _strip(self, ref: KeyRef) -> None:
        if self._seed(ref) is not None:
            name = _document(self._folder)["name"]
            self._folder.replace(_DOCUMENT, json.dumps({"type": _V2, "name": name}).encode())


def log_ring(folder: Path, places: Places = Places()) -> Keyring:  # noqa: B008 (frozen)
    """The generations of a log's key."""
    files = SecretFolder(folder)
    return Keyring(files, LogFiles(files, places.lock), {LOG: Use.SIGN}, places.others, places.new)


def create_signer(folder: Path, name: str, places: Places = Places()) -> LogSigner:  # noqa: B008
    """Make the log's key under the origin `name` (C2SP signed-note), once.

    Raises:
        ConflictError: there is a log key already: another would look like a fork.
    """
    secrets = SecretFolder(folder)
    secrets.create()
    if _DOCUMENT in secrets.names():
        raise ConflictError("there is a log key already", place="keys", way_out="flagstone keys rotate log")
    ring = log_ring(folder, places)
    if not ring.known(LOG):
        ring.create(LOG, Use.SIGN, datetime.now(UTC))
    # commit point: the document comes last, so that a folder that has one has its key
    secrets.put({_DOCUMENT: json.dumps({"type": _V2, "name": name}).encode()})
    return load_signer(folder, places)


def load_signer(folder: Path, places: Places = Places()) -> LogSigner:  # noqa: B008
    """The log's signer.

    Raises:
        ConfigurationError: the key is missing, open to others or damaged.
    """
    try:
        name = _document(SecretFolder(folder))["name"]
    except NotFoundError:
        raise ConfigurationError("the log's key is missing", place="keys", way_out="Make it first") from None
    ring = log_ring(folder, places)
    try:
        NoteVerifier(name, bytes(32))
        signer = LogSigner(ring, name)
        for key in ring.known(LOG):
            if not key.retired and not key.destroyed:
                check_usable(ring, key)
        signer.verifier  # noqa: B018 - raises
    except (NoteError, ValueError, TypeError):
        raise ConfigurationError("the log's key file is damaged", place="keys") from None
    return signer


def witness_cosigner(folder: Path, name: str, places: Places = Places()) -> Cosigner:  # noqa: B008
    """A witness' own key, made at its first use: it signs cosignatures and nothing else.

    Raises:
        ConfigurationError: the key is open to others or damaged.
    """
    SecretFolder(folder).create()
    ring = places.ring(folder, {WITNESS: Use.SIGN})
    found = [key for key in ring.known(WITNESS) if not key.retired]
    key = found[-1] if found else ring.create(WITNESS, Use.SIGN, datetime.now(UTC))
    check_usable(ring, key)
    return Cosigner(name, HeldKey(ring, key))


class FileSuccessions:
    """`gateway.key_ports.LogSuccessions` beside the log's key: `log.N.succession`."""

    def __init__(self, folder: Path) -> None:
        self._folder = SecretFolder(folder)

    def all(self) -> Sequence[Succession]:
        found = filter(None, map(_SUCCESSION.fullmatch, self._folder.names()))
        return [self._read(each[0]) for each in sorted(found, key=lambda each: int(each[1]))]

    def keep(self, generation: int, succession: Succession) -> None:
        told = json.dumps({"leaf": succession.leaf, "proof": succession.proof})
        with contextlib.suppress(ConflictError):  # kept before: the first stays
            self._folder.put({f"{LOG}.{generation}.succession": told.encode()})

    def _read(self, name: str) -> Succession:
        try:
            told = json.loads(self._folder.get(name))
            return Succession(str(told["leaf"]), str(told["proof"]))
        except (ValueError, KeyError, TypeError):
            raise ConfigurationError("damaged", place=f"log-key/{name}", way_out="Restore it") from None


def _document(folder: SecretFolder) -> dict[str, Any]:
    try:
        document = json.loads(folder.get(_DOCUMENT))
        old = document["type"] == _V1 and set(document) == _WITH_SEED
        if old and len(bytes.fromhex(document["seed"])) == 32:  # noqa: PLR2004 - an Ed25519 seed
            return dict(document)
        if document["type"] == _V2 and set(document) == {"type", "name"}:
            return dict(document)
    except (ValueError, KeyError, TypeError):
        pass
    raise ConfigurationError("the log's key file is damaged", place="keys", way_out="Restore log.json")
