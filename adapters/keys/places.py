"""Which places an installation's keys may lie in, and where new ones are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.keys.backend import Backend
from adapters.keys.folder import SecretFolder
from adapters.keys.lock import KeyringLock
from adapters.keys.ring import Keyring
from adapters.keys.software import FileBackend
from gateway.key_ports import Use


@dataclass(frozen=True, slots=True)
class Places:
    """By default, and where nothing is set up: files in the home.

    `others`: a security module or key service by scheme; `new`: the scheme in which new keys are made.
    """

    lock: KeyringLock | None = None
    others: Mapping[str, Backend] = field(default_factory=dict)
    new: str = FileBackend.scheme

    @property
    def protected(self) -> bool:
        """Whether a new key lies better here than in a raw file: then small secrets are sealed as well."""
        return self.lock is not None or self.new != FileBackend.scheme

    def ring(self, folder: Path, first: Mapping[str, Use], stems: Mapping[str, str] | None = None) -> Keyring:
        """The keys of a folder; `first` and `stems` as `Keyring` and `FileBackend` have them."""
        files = SecretFolder(folder)
        return Keyring(files, FileBackend(files, self.lock, stems), first, self.others, self.new)
