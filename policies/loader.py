"""Reads policy folders: `law/`, `frameworks/` and `datasets/`, each of TOML files."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.domain.errors import ConfigurationError
from policies import parsing
from policies.checks import Sourced, problems
from policies.model import Asks, Confirmation, DatasetPolicy, Framework, LawEntry, PolicySet, Purpose, Regime
from policies.reading import PolicyFileError, Problem, Table, whole

_ROOMS: Final = ("law", "frameworks", "datasets")
_DEPTHS: Final = ("*.toml", "*/*.toml")  # a room may be a symbolic link, which `rglob` does not follow
_MAX_FILE: Final = 1_000_000  # bytes; a policy file is read by people
_MAX_LINE: Final = 2_000  # bytes; what tomllib does with a dotted key grows with the square of its parts

T = TypeVar("T")
P = TypeVar("P", Regime, Purpose, Framework, DatasetPolicy)


def builtin() -> Path:
    """The folder shipped with Flagstone."""
    return Path(__file__).parent


def load(base: Path, *own: Path, on: date | None = None) -> PolicySet:
    """Load a policy folder, and a council's own beside it, as one set; the order of files changes nothing.

    A dataset or framework of an own folder takes the place of the base's of that id; law is only added to, or
    confirmed. `on`: the day on which law that an own dataset cites must be in force; unchecked without it.

    Raises:
        ConfigurationError: a folder does not exist.
        PolicyFileError: anything in a file is wrong; `problems` names every file, key and reason found.
    """
    loading = _Loading()
    for folder in (base, *own):
        if not folder.is_dir():
            raise ConfigurationError("the policy folder does not exist", place="policies")
        for path in _files(folder):
            loading.file(path, path.relative_to(folder))
        if folder is base:
            loading.base_ends()
    sourced = loading.sourced()
    # a file that can't be read leaves citations dangling: naming those too would hide the cause
    if found := tuple(loading.problems) or tuple(problems(sourced, on)):
        raise PolicyFileError(found)
    return sourced.policies


def _files(folder: Path) -> list[Path]:
    """Every file that looks like a policy: one that lies in the wrong place is refused, not missed."""
    strays = (path for path in folder.rglob("*") if path.suffix.lower() == ".toml" and path.is_file())
    return sorted({path for depth in _DEPTHS for path in folder.glob(depth)}.union(strays))


class _Loading:
    """What was read so far, and what was wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.files: dict[str, str] = {}
        self.parts: dict[str, Any] = {}
        self.law: list[LawEntry] = []
        self.confirmations: list[tuple[Confirmation, str]] = []
        self.replaceable: frozenset[str] = frozenset()
        self.shipped: PolicySet | None = None
        self.own: set[str] = set()

    def base_ends(self) -> None:
        """From here on files are a council's own: they may take the place of datasets and frameworks."""
        self.replaceable = frozenset(key for key in self.parts if key.startswith(("dataset", "framework")))
        self.shipped = self.sourced().policies

    def file(self, path: Path, name: Path) -> None:
        """Read one file; its faults are kept, so that one run names them all."""
        try:
            self._room(Table(str(name), "", _toml(path, str(name))), name)
        except PolicyFileError as error:
            self.problems += error.problems

    def _room(self, table: Table, name: Path) -> None:
        room = name.parts[0]
        if room not in _ROOMS or len(name.parts) != 2 or name.suffix != ".toml":  # noqa: PLR2004
            raise table.fault("(file)", f"must be NAME.toml in one of the folders {', '.join(_ROOMS)}")
        if room == "law":
            self._law_file(table)
        elif room == "frameworks":
            self._one(table, "framework", parsing.framework, name)
        else:
            self._one(table, "dataset", parsing.dataset, name)

    def _law_file(self, table: Table) -> None:
        for regime in self._each(table, "regime", parsing.regime):
            self._keep("regime", regime, table)
        for purpose in self._each(table, "purpose", parsing.purpose):
            self._keep("purpose", purpose, table)
        for entry in self._each(table, "law", parsing.law):
            if self.shipped is not None and entry.id in self.shipped.law:
                place = f"law[{entry.id}].id"
                self.problems.append(Problem(table.file, place, "is shipped law: add an entry of another id"))
                continue
            self.law.append(entry)
            self.files[f"law {entry.id}"] = table.file
        for confirmation in self._each(table, "confirmation", parsing.confirmation):
            self.confirmations.append((confirmation, table.file))
        table.done()

    def _each(self, table: Table, key: str, parse: Callable[[Table], T]) -> Iterator[T]:
        for item in table.tables(key, default=[]):
            try:
                yield whole(item, parse)
            except PolicyFileError as error:
                self.problems += error.problems

    def _one(
        self, table: Table, what: str, parse: Callable[[Table], Framework | DatasetPolicy], name: Path
    ) -> None:
        part = whole(table, parse)
        if part.id != name.stem:
            raise table.fault("id", "differs from the file's name")
        self._keep(what, part, table)

    def _keep(self, what: str, part: Regime | Purpose | Framework | DatasetPolicy, table: Table) -> None:
        key = f"{what} {part.id}"
        if key in self.parts and key not in self.replaceable - self.own:
            raise table.fault("id", f"{key} stands in {self.files[key]} already")
        if self.shipped is not None:
            self.own.add(key)
        self.parts[key] = part
        self.files[key] = table.file

    def _all(self, kind: type[P]) -> dict[str, P]:
        found = {part.id: part for part in self.parts.values() if isinstance(part, kind)}
        return dict(sorted(found.items()))

    def sourced(self) -> Sourced:
        by_id = attrgetter("id")
        confirmed = {confirmation.law: confirmation for confirmation, _ in self.confirmations}
        law = [self._confirmed(version, confirmed.get(version.id)) for version in self.law]
        versions = sorted(law, key=lambda entry: (entry.id, entry.span.valid_from))
        policies = PolicySet(
            regimes=self._all(Regime),
            purposes=self._all(Purpose),
            law={key: tuple(group) for key, group in groupby(versions, key=by_id)},
            frameworks=(frameworks := self._all(Framework)),
            datasets={name: _asking(each, frameworks) for name, each in self._all(DatasetPolicy).items()},
        )
        for confirmation, file in self.confirmations:
            self.files[f"confirmation {confirmation.law}"] = file
        own = frozenset(key.partition(" ")[2] for key in self.own if key.startswith("dataset"))
        dates = {each.law: each.on for each, _ in self.confirmations}
        return Sourced(policies, self.files, own, self.shipped, dates)

    @staticmethod
    def _confirmed(version: LawEntry, by: Confirmation | None) -> LawEntry:
        known = version.confirmed or by is None
        return version if known else replace(version, confirmed=True, confirmation=by)


def _asking(dataset: DatasetPolicy, frameworks: Mapping[str, Framework]) -> DatasetPolicy:
    used = [frameworks[name] for name in dataset.frameworks if name in frameworks]
    found = ((each, [each.find(code) for code in dataset.asked(each)]) for each in used)
    asks = (Asks(each.id, tuple(i for i in indicators if i is not None)) for each, indicators in found)
    return replace(dataset, asks=tuple(asks))


def _toml(path: Path, name: str) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError:
        raise PolicyFileError((Problem(name, "(file)", "can't be read"),)) from None
    if len(data) > _MAX_FILE:
        raise PolicyFileError((Problem(name, "(file)", f"is larger than {_MAX_FILE} bytes"),))
    if any(len(line) > _MAX_LINE for line in data.splitlines()):
        raise PolicyFileError((Problem(name, "(file)", f"has a line of more than {_MAX_LINE} bytes"),))
    try:
        return tomllib.loads(data.decode())
    except RecursionError:
        raise PolicyFileError((Problem(name, "(file)", "is nested too deeply"),)) from None
    except ValueError as error:  # both UnicodeDecodeError and TOMLDecodeError
        where = str(error).rpartition("(")[2].rstrip(")") if "(at" in str(error) else "not UTF-8"
        raise PolicyFileError((Problem(name, "(file)", f"is not TOML: {where}"),)) from None
