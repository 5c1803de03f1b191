"""`CosignedMemory` over one folder: a file for each witness, beside the database and not in it."""

from pathlib import Path

from adapters.agent.tray import Tray


class FileCosignedMemory:
    """Trusted like the keys, though not secret: who can set it back can hide that the database was."""

    def __init__(self, folder: Path) -> None:
        self._tray = Tray(folder)

    def keep(self, partner: str, note: bytes) -> None:
        self._tray.put(partner, note)

    def all(self) -> dict[str, bytes]:
        return {name: self._tray.get(name) or b"" for name in self._tray.names()}
