"""Looks for marked people (`people`) wherever a job could have left them, however they are written."""

import base64
import contextlib
import json
import re
import tomllib
import urllib.parse
from collections.abc import Iterable, Mapping
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

PLACES = tomllib.loads((Path(__file__).parent / "canary_places.toml").read_text())["place"]
"""Where marked people may stand, and why."""

TOLD: dict[str, list[bytes]] = {}
"""What tests of this process printed, logged or were answered, by test; looked through when all have run."""


def tell(test: str, data: bytes) -> None:
    """Keep what came out of a test for the end."""
    if data:
        TOLD.setdefault(test, []).append(data)


def leaks(marks: "Marks") -> dict[str, list[str]]:
    """Test -> marks that came out of it, unless the test is declared as a place."""
    told = {test: b"\n".join(parts) for test, parts in TOLD.items() if not declared(test)}
    return {str(test): sorted(found) for test, found in marks.within(told).items()}


def spellings(mark):
    """One value as people and programs write it; base64 is another for each case of letters."""
    found = {mark, mark.upper(), mark.lower()}
    if re.fullmatch(r"\d{4}-\d\d-\d\d", mark):
        forms = ("%d/%m/%Y", "%Y%m%d", "%d-%m-%Y", "%d.%m.%Y", "%Y, %-m, %-d")
        return found | {date.fromisoformat(mark).strftime(form) for form in forms}
    letters = mark.replace("ë", "e").replace("'", "").replace("-", "").replace(" ", "")
    return found | {letters, letters.upper(), letters.lower()}


def encodings(text):
    """The bytes under which one spelling could be hidden."""
    for plain in (text.encode(), text.encode("utf-16-le"), text.encode("cp1252")):
        yield plain
        yield plain.hex().encode()
        for before in range(3):  # a value can begin at any of three places within base64's groups
            whole = base64.b64encode(bytes(before) + plain + bytes(3))
            yield whole[-(-8 * before // 6) : 8 * (before + len(plain)) // 6]
    yield urllib.parse.quote(text, safe="").encode()
    yield urllib.parse.quote_plus(text).encode()
    yield json.dumps(text)[1:-1].encode()


def as_text(data):
    """Any bytes as characters of one byte each, in small letters, with base64's two alphabets made one."""
    return data.lower().decode("latin-1").replace("-", "+").replace("_", "/")


class Marks:
    """Values to look for, in every spelling and encoding."""

    def __init__(self, marks: Iterable[str]) -> None:
        # in base64 two values may differ past a pattern's last character only
        self.patterns: dict[str, set[str]] = {}
        for mark in marks:
            for text in spellings(mark):
                for pattern in encodings(text):
                    self.patterns.setdefault(as_text(pattern), set()).add(mark)

    def within(self, places: Mapping[object, bytes]) -> dict[object, set[str]]:
        """Place -> which values stand in its bytes (Aho-Corasick)."""
        texts = pl.Series([as_text(data) for data in places.values()], dtype=pl.String)
        found = texts.str.extract_many(list(self.patterns), overlapping=True)
        return {
            place: set().union(*(self.patterns[match] for match in matches))
            for place, matches in zip(places, found.to_list(), strict=True)
            if matches
        }


def declared(place: str) -> bool:
    """Whether the file of places says that marked people may stand there."""
    return any(fnmatch(place, each["glob"]) for each in PLACES)


def writes_core_dumps(pid: int) -> bool:
    """Whether the kernel would write the memory of a process to a file when it crashes."""
    (line,) = [
        line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max core")
    ]
    return line.split()[4:6] != ["0", "0"]


class Search:
    """What was seen of a council and its partner (`processes.Site`), by place, to be searched at the end."""

    def __init__(self, world):
        self.world = world
        self.seen = {}

    def look(self, place, data):
        """Keep what stood at a place; the same bytes once."""
        self.seen.setdefault((place, hash(data)), data)

    def files(self):
        """Every file of council, partner and processes, but the people's own lists and the register."""
        for path in self.world.root.rglob("*"):
            if path.is_file() and "postgres" not in path.parts:  # `tables` and `database_files` look there
                with contextlib.suppress(FileNotFoundError):  # of a process that is at work
                    self.look(str(path.relative_to(self.world.root)), path.read_bytes())

    def tables(self):
        """Every table of every schema, as the superuser sees it."""
        with psycopg.connect(self._address(), autocommit=True) as admin:
            tables = admin.execute("SELECT schemaname, tablename FROM pg_tables").fetchall()
            for table in tables:
                statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*table))
                with admin.cursor().copy(statement) as rows:
                    self.look(".".join(table), b"".join(bytes(row) for row in rows))

    def database_files(self):
        """What PostgreSQL itself keeps: pages, write-ahead log, its own log."""
        with psycopg.connect(self._address(), autocommit=True) as admin:
            (folder,) = admin.execute(
                "SELECT 'base/' || oid FROM pg_database WHERE datname = current_database()"
            ).fetchone()
            admin.execute("CHECKPOINT")
        home = self.world.server._home_cluster().home
        for kept in (home / "data" / folder, home / "data" / "pg_wal", home / "log"):
            for path in kept.rglob("*"):
                if path.is_file():
                    self.look(f"postgres {path.name}", path.read_bytes().rstrip(b"\0"))

    def _address(self):
        return self.world.server.admin_url().replace("+psycopg", "").replace("/postgres?", "/flagstone?")

    def processes(self):
        """What the kernel shows of each process, and the gateway's files that have no name."""
        for shown in ("cmdline", "environ"):
            for path in Path("/proc").glob(f"[0-9]*/{shown}"):
                with contextlib.suppress(OSError):
                    self.look(str(path), path.read_bytes())
        for process in filter(None, (self.world.gateway, self.world.agent)):
            self._unnamed(process.pid)

    def _unnamed(self, pid):
        """Files that a process holds open and that have no name; root alone may look (`gateway.dumps`)."""
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(link.readlink()).endswith("(deleted)"):
                        self.look("unnamed file", link.read_bytes())

    def found(self, marks: Marks) -> dict[str, set[str]]:
        """Place -> the values that stand there, but for the places that are declared."""
        found: dict[str, set[str]] = {}
        for (place, _), values in marks.within(self.seen).items():
            if not declared(place):
                found.setdefault(place, set()).update(values)
        return found
