"""`gateway.key_ports.KeyProvider` over one folder: what keys there are stands in its files, where their
private halves lie is a backend's business.

Each generation has a description, `KIND.N.json`, and later `KIND.N.retired` and `KIND.N.destroyed` with the
moment. Such a file is written once and never changed, so whoever lists the folder knows the state: running
processes see a new generation at its first use, without a signal. Folders made before there were descriptions
have a first generation without one.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from adapters.keys.backend import Backend, Held
from adapters.keys.folder import SecretFolder
from adapters.keys.software import FileBackend
from gateway.domain.errors import ConfigurationError, ConflictError, NotFoundError
from gateway.key_ports import KeyInfo, KeyRef, Use

_PUBLIC_BYTES: Final = 32
_MAX_SECRET: Final = 4096


class Described(BaseModel):
    """One generation of a key, as its file says it. `place`: the backend's scheme; `handle`: how that
    finds it again.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["flagstone/key/v1"] = "flagstone/key/v1"
    kind: str
    generation: int
    use: Use
    created: AwareDatetime
    place: Annotated[str, Field(pattern="^[a-z0-9]{1,16}$")]
    handle: Annotated[str, Field(max_length=2048)] = ""
    public: Annotated[Base64Bytes, Field(max_length=_PUBLIC_BYTES)] = b""


@dataclass(frozen=True, slots=True)
class _Known:
    info: KeyInfo
    scheme: str
    handle: str = ""

    @property
    def held(self) -> Held:
        return Held(self.info.ref, self.handle)


class Keyring:
    """The keys of one folder.

    `files` holds keys whose description says "file" and those without one; `others` are further backends by
    scheme; `new` is the scheme of the backend that makes new generations. `first`: what kinds, and for which
    use, may have a first generation without a description.
    """

    def __init__(
        self,
        folder: SecretFolder,
        files: FileBackend,
        first: Mapping[str, Use],
        others: Mapping[str, Backend] | None = None,
        new: str = FileBackend.scheme,
    ) -> None:
        self._folder = folder
        self._files = files
        self._first = dict(first)
        self._backends: dict[str, Backend] = {files.scheme: files, **(others or {})}
        self._new = new
        self._names: tuple[str, ...] = ()
        self._found: dict[KeyRef, _Known] = {}

    def known(self, kind: str | None = None) -> Sequence[KeyInfo]:
        found = sorted(self._refreshed().values(), key=lambda each: each.info.ref)
        return [each.info for each in found if kind in {None, each.info.ref.kind}]

    def create(self, kind: str, use: Use, at: datetime) -> KeyInfo:
        self._folder.create()
        with self._folder.alone():
            generation = max((info.ref.generation for info in self.known(kind)), default=0) + 1
            ref = KeyRef(kind, generation)
            backend = self._backend(self._new)
            handle, public = backend.create(ref, use)
            made = _Known(KeyInfo(ref, use, at, backend.place, public), backend.scheme, handle)
            self._describe(made)  # commit point: a key without a description was never made
        return self._get(ref).info

    def sign(self, ref: KeyRef, message: bytes) -> bytes:
        backend, held = self._of(ref, Use.SIGN)
        return backend.sign(held, message)

    def agree(self, ref: KeyRef, peer: bytes) -> bytes:
        backend, held = self._of(ref, Use.AGREE)
        return backend.agree(held, peer)

    def wrap(self, ref: KeyRef, secret: bytes, purpose: bytes) -> bytes:
        if len(secret) > _MAX_SECRET:
            raise ConfigurationError(f"a secret of more than {_MAX_SECRET} bytes", place="keys")
        backend, held = self._of(ref, Use.SEAL)
        return backend.wrap(held, secret, purpose)

    def unwrap(self, ref: KeyRef, sealed: bytes, purpose: bytes) -> bytes:
        backend, held = self._of(ref, Use.SEAL)
        return backend.unwrap(held, sealed, purpose)

    def retire(self, ref: KeyRef, at: datetime) -> None:
        self._describe(self._get(ref))
        self._mark(ref, "retired", at)

    def destroy(self, ref: KeyRef, at: datetime) -> None:
        known = self._get(ref)
        self._describe(known)
        self._backend(known.scheme).destroy(known.held)
        self._mark(ref, "destroyed", at)

    def describe_all(self) -> None:
        """Write the descriptions of keys that have none, while their files can still be read as they are."""
        for known in self._refreshed().values():
            self._describe(known)

    def seal_at_rest(self, kind: str) -> int:
        """Seal the raw files of a kind; how many there were."""
        refs = [each.info.ref for each in self._refreshed().values() if each.scheme == self._files.scheme]
        here = [ref for ref in refs if ref.kind == kind and self._files.holds(ref)]
        done = sum(self._files.seal_at_rest(ref) for ref in here)
        self._names = ()  # where a key lies has changed, though no name has
        return done

    def _of(self, ref: KeyRef, use: Use) -> tuple[Backend, Held]:
        known = self._get(ref)
        if known.info.use is not use:
            raise ConfigurationError(f"the key {ref} is not there to {use.value}", place="keys")
        if known.info.destroyed:
            raise NotFoundError(f"the key {ref} is destroyed", place="keys")
        return self._backend(known.scheme), known.held

    def _get(self, ref: KeyRef) -> _Known:
        found = self._refreshed().get(ref)
        if found is None:
            raise NotFoundError(f"there is no key {ref}", place="keys")
        return found

    def _backend(self, scheme: str) -> Backend:
        backend = self._backends.get(scheme)
        if backend is None:
            raise ConfigurationError(
                f"a key lives in {scheme}, which is not set up",
                place="keys",
                way_out="See docs/keys.md for its settings",
            )
        return backend

    def _refreshed(self) -> dict[KeyRef, _Known]:
        """What the folder holds now. Files are written once, so the same names mean the same content."""
        self._folder.check()
        names = tuple(self._folder.names())
        if names != self._names:
            for backend in self._backends.values():
                backend.forget()
            known = {}
            for name in names:
                if name.endswith(".json") and name.count(".") == 2:  # noqa: PLR2004 - KIND.N.json
                    found = self._described(name)
                    info = self._with_marks(found.info, names)
                    known[info.ref] = _Known(info, found.scheme, found.handle)
            for kind, use in self._first.items():
                ref = KeyRef(kind, 1)
                if ref not in known and self._files.holds(ref):
                    known[ref] = _Known(self._undescribed(ref, use), self._files.scheme)
            self._found, self._names = known, names
        return self._found

    def _described(self, name: str) -> _Known:
        try:
            said = Described.model_validate_json(self._folder.get(name))
        except ValidationError:
            raise ConfigurationError("damaged", place=f"keys: {name}", way_out="Restore it") from None
        ref = KeyRef(said.kind, said.generation)
        wanted = 0 if said.use is Use.SEAL else _PUBLIC_BYTES
        if name != f"{ref}.json" or len(said.public) != wanted:
            raise ConfigurationError("not what its name says", place=f"keys: {name}", way_out="Restore it")
        info = KeyInfo(ref, said.use, said.created, self._place(ref, said.place), said.public)
        return _Known(info, said.place, said.handle)

    def _place(self, ref: KeyRef, scheme: str) -> str:
        if scheme == self._files.scheme:
            return self._files.place_of(ref)
        backend = self._backends.get(scheme)
        return backend.place if backend else f"{scheme} (not set up here)"

    def _undescribed(self, ref: KeyRef, use: Use) -> KeyInfo:
        public = self._files.public(ref, use)
        return KeyInfo(ref, use, self._files.made(ref), self._files.place_of(ref), public)

    def _describe(self, known: _Known) -> None:
        info = known.info
        if f"{info.ref}.json" in self._folder.names():
            return
        said = Described(
            kind=info.ref.kind,
            generation=info.ref.generation,
            use=info.use,
            created=info.created,
            place=known.scheme,
            handle=known.handle,
            public=base64.b64encode(info.public),
        )
        self._folder.put({f"{info.ref}.json": said.model_dump_json(indent=1).encode()})

    def _mark(self, ref: KeyRef, what: str, at: datetime) -> None:
        try:
            self._folder.put({f"{ref}.{what}": at.astimezone(UTC).isoformat().encode()})
        except ConflictError:
            return  # marked before: the first moment stays

    def _with_marks(self, info: KeyInfo, names: Sequence[str]) -> KeyInfo:
        retired, destroyed = (
            self._moment(f"{info.ref}.{what}") if f"{info.ref}.{what}" in names else None
            for what in ("retired", "destroyed")
        )
        place = "nowhere: destroyed" if destroyed else info.place
        return KeyInfo(info.ref, info.use, info.created, place, info.public, retired, destroyed)

    def _moment(self, name: str) -> datetime:
        try:
            moment = datetime.fromisoformat(self._folder.get(name).decode("ascii"))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ConfigurationError("not a moment", place=f"keys: {name}", way_out="Restore it")
        return moment
