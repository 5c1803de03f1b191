"""The few system calls that make a file store durable. Tests put a crash between any two of them."""

import os
from pathlib import Path


class Disk:
    """What a method did, other processes see at once; only what is synced outlives a power cut."""

    def write(self, file: int, data: bytes, offset: int) -> None:
        """Write all of it, however many calls that takes."""
        view = memoryview(data)
        while view:
            done = os.pwrite(file, view, offset)
            view, offset = view[done:], offset + done

    def truncate(self, file: int, length: int) -> None:
        os.ftruncate(file, length)

    def sync(self, file: int) -> None:
        os.fsync(file)

    def create(self, path: Path, data: bytes) -> None:
        """A whole new synced file, 0600."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self.write(file, data, 0)
            self.sync(file)
        finally:
            os.close(file)

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in the folder durable."""
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(file)
        finally:
            os.close(file)
