"""The parts of an output in the making, in a folder beside it, for the next run to take up after a kill."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final, Self

import polars as pl

from gateway.domain.errors import ConflictError
from gateway.intake.bulk import Bad, Made, gather, write_part
from gateway.intake.dates import DateFacts
from gateway.intake.judge import Elsewhere

_MANIFEST: Final = "manifest.json"
_LOCK: Final = "lock"
_WHOLE: Final = "whole"


@dataclass(frozen=True, slots=True)
class Run:
    """What a part depends on, beside its place in the input; `today` is the day that the first run began.

    `bound`: says which input, key, scheme and release; a run takes up the parts of one that says the same.
    """

    bound: Mapping[str, str]
    today: date
    elsewhere: Elsewhere

    def to_json(self) -> str:
        return json.dumps(
            {
                "bound": dict(self.bound),
                "today": self.today.isoformat(),
                "dates": asdict(self.elsewhere.dates),
                "twice": self.elsewhere.twice.to_dict(as_series=False),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        read = json.loads(text)
        twice = pl.DataFrame(read["twice"], schema={"line": pl.UInt32, "other": pl.UInt32})
        elsewhere = Elsewhere(DateFacts(**read["dates"]), twice)
        return cls(read["bound"], date.fromisoformat(read["today"]), elsewhere)


class Parts:
    """The folder, mode 0700. It holds person ids, tokens, and of bad cells the column, reason and number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self) -> Run | None:
        """The run that began here, if one did."""
        path = self._folder / _MANIFEST
        return Run.from_json(path.read_text(encoding="utf-8")) if path.exists() else None

    def begin(self, run: Run) -> None:
        """Forget all parts and begin anew."""
        for path in self._folder.iterdir():
            if path.name != _LOCK:
                path.unlink()
        self._put(_MANIFEST, run.to_json())

    def done(self) -> list[Made]:
        """The finished parts from the first on, up to the first that is missing."""
        found: list[Made] = []
        while (path := self._note(len(found))).exists():
            rows, people, bad = json.loads(path.read_text(encoding="utf-8"))
            found.append(Made(rows, people, Bad({(column, reason): count for column, reason, count in bad})))
        return found

    def add(self, number: int, tokens: pl.DataFrame, part: Made) -> None:
        """Keep a part. Its note comes last: a part without one is made again."""
        with private(self._table(number)) as file:
            write_part(tokens, file)
        bad = [[column, reason, count] for (column, reason), count in sorted(part.bad.items())]
        self._put(self._note(number).name, json.dumps([part.rows, part.people, bad]))

    def ids(self, count: int) -> Iterator[pl.Series]:
        """The person ids of each part."""
        for number in range(count):
            yield pl.read_parquet(self._table(number), columns=["person_id"]).to_series()

    def finish(self, count: int, out: Path, metadata: Mapping[str, str]) -> None:
        """Gather the parts; the output appears whole, in one step, and the folder goes."""
        whole = self._folder / _WHOLE
        private(whole).close()
        gather([self._table(number) for number in range(count)], whole, metadata)
        whole.replace(out)
        shutil.rmtree(self._folder)

    def _table(self, number: int) -> Path:
        return self._folder / f"{number:06}.parquet"

    def _note(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

    def _put(self, name: str, text: str) -> None:
        fresh = self._folder / f"{name}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self._folder / name)


@contextmanager
def parts_for(out: Path) -> Iterator[Parts]:
    """The folder of parts for an output, held by this process alone.

    Raises:
        ConflictError: another process is making this output.
    """
    folder = out.parent / f".{out.name}.parts"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("another run is making it", place=out.name, way_out="Wait for it") from None
        yield Parts(folder)


def private(path: Path) -> BinaryIO:
    """A new file that only its owner can read; one of that name is replaced."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
