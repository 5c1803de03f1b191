"""The key as Spark may know it: by the name of a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.linkage.scheme import V1
from gateway.linkage.secret import table_keys
from gateway.linkage.tokens import NAME


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where the secret stands, and how it is read: by each task, at the same path on every machine.

    Spark serialises, caches and may log whatever a task is made of, so a task is never made of a key.
    `read`: a function of a module, so that it travels by its name; it raises when the file is unsafe.
    """

    path: Path
    read: Callable[[Path], bytes]

    def resolve(self) -> Self:
        """The same under its absolute path: a worker may stand in another folder."""
        return type(self)(self.path.resolve(), self.read)

    def table_keys(self) -> dict[str, bytes]:
        """The keys of scheme v1, for as long as the caller holds them."""
        return table_keys(self.read(self.path), V1, NAME)
