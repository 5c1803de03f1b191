"""One whole job about people whose every value is marked; afterwards the marks are looked for everywhere."""

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
from datetime import date
from pathlib import Path

import polars as pl
import psycopg
import pytest
from processes import eventually, register, site
from psycopg import sql

from adapters.agent import desk, main
from policies.loader import builtin, load

SHIPPED = load(builtin())
HEALTH = SHIPPED.datasets["health-trust"].asked(SHIPPED.frameworks["local"])
MET = "edu.persistent_absence_3t"
HEADER = (
    "person_id,household_id,forename,surname,dob,sex,postcode,nhs_number,nino,uprn,met_indicators,consent,"
    "in_education\n"
)
HOUSEHOLD_LIST = f"""{HEADER}\
Qanary-P-01,Qanary-H-01,Xanthippe-Zoë,O'Quaxelbury,1983-07-19,f,ZE29 8XJ,9434765919,JX482913C,,{MET},yes,no
Qanary-P-02,Qanary-H-01,Juniorwhit,O'Quaxelbury,2014-11-23,m,ZE29 8XJ,9434765870,,100094837261,{MET},yes,yes
Qanary-P-03,Qanary-H-02,Ysoldequin,Vrumblethwaite,1979-04-28,f,KW17 9QZ,4010232137,JX482914A,,{MET},yes,no
Qanary-P-04,Qanary-H-02,Juniorzeph,Vrumblethwaite,2012-08-31,f,KW17 9QZ,,,100094837262,{MET},yes,yes
Qanary-P-05,Qanary-H-02,Withheldine,Vrumblethwaite,1948-12-17,f,KW17 9QZ,,,100094837262,{MET},no,no
"""
BAD_LIST = f"""{HEADER}\
Qanary-B-01,Qanary-H-09,=Formulaquist,Badenquell,1983-07-19,f,ZE29 8XJ,9434765919,,,,yes,no
Qanary-B-02,Qanary-H-09,Faultabel,Badenquell,31/31/1983,f,NOWHEREQZ,9434765918,JX48291,abcuprnq,qcode.q,maybeq,no
"""
STRANGER = "Qanary-R-99,Strangerquith,Zwollenberg,1961-05-27,,ZE29 9XJ,,,,,,no" + ",yes" * len(HEALTH)
FLAGS = {"Qanary-P-01": HEALTH[:1], "Qanary-P-04": HEALTH[1:2], "Qanary-P-05": HEALTH}
REGISTER = f"{register(HOUSEHOLD_LIST, FLAGS, HEALTH)}{STRANGER}\n"
NO_MARKS = {"", "f", "m", "yes", "no", MET}
MARKS = sorted(
    {
        cell.lstrip("=")
        for text in (HOUSEHOLD_LIST, BAD_LIST, HEADER + STRANGER)
        for line in text.splitlines()[1:]
        for cell in line.split(",")
    }
    - NO_MARKS
)
RESULTS = "output of exchange results"
GIVEN_BACK = {"Qanary-H-01", "Qanary-H-02", "Qanary-P-05"}
"""What the programme's own results name, and nothing else may: its households, and the withheld row."""


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


PATTERNS = {}
"""Pattern -> the values that it stands for: in base64 two of them may differ past its last character only."""
for _mark in MARKS:
    for _text in spellings(_mark):
        for _pattern in encodings(_text):
            PATTERNS.setdefault(as_text(_pattern), set()).add(_mark)


def marks_in(places):
    """Place -> which values stand in its bytes, in whatever spelling and encoding (Aho-Corasick)."""
    texts = pl.Series([as_text(data) for data in places.values()])
    found = texts.str.extract_many(list(PATTERNS), overlapping=True)
    return {
        place: set().union(*(PATTERNS[match] for match in matches))
        for place, matches in zip(places, found.to_list(), strict=True)
        if matches
    }


@pytest.mark.parametrize("mark", MARKS)
def test_the_search_finds_a_mark_however_it_is_written(mark):
    """A mark within other text is found plain, in other cases, as base64, hex, percent and JSON escapes."""
    around = f'{{"a": "{mark}", "b": 1}}'
    hidden = [
        around.encode(),
        around.upper().encode(),
        around.encode().hex().encode(),
        json.dumps(around).encode(),
        urllib.parse.quote(around, safe="").encode(),
        urllib.parse.urlencode({"q": mark}).encode(),
        *(base64.b64encode(b"?" * n + around.encode()) for n in range(3)),
        *(base64.urlsafe_b64encode(b"?" * n + mark.encode()) for n in range(3)),
    ]
    found = marks_in(dict(enumerate(hidden)))
    assert all(mark in found.get(n, ()) for n in range(len(hidden)))


def test_the_search_finds_nothing_in_noise():
    """What it finds is there: random bytes of a megabyte, plain or written out, hold no mark."""
    noise = os.urandom(1 << 20)
    written = {"plain": noise, "hex": noise.hex().encode(), "base64": base64.b64encode(noise)}
    assert marks_in(written) == {}


class Search:
    """What was seen of a job, by place, to be searched at the end."""

    def __init__(self, world):
        self.world = world
        self.seen = {}

    def look(self, place, data):
        """Keep what stood at a place; the same bytes once."""
        self.seen.setdefault((place, hash(data)), data)

    def files(self):
        """Every file of council, partner and processes, but the people's own lists and the register."""
        given = {self.world.root / name for name in ("list.csv", "bad.csv", "register.csv", "one.csv")}
        for path in self.world.root.rglob("*"):
            if path.is_file() and path not in given:
                self.look(str(path.relative_to(self.world.root)), path.read_bytes())

    def database(self):
        """Every table of every schema, as the superuser sees it, and the files that PostgreSQL keeps."""
        address = self.world.server.admin_url().replace("+psycopg", "").replace("/postgres?", "/flagstone?")
        with psycopg.connect(address, autocommit=True) as admin:
            tables = admin.execute("SELECT schemaname, tablename FROM pg_tables").fetchall()
            for table in tables:
                statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(*table))
                with admin.cursor().copy(statement) as rows:
                    self.look(".".join(table), b"".join(bytes(row) for row in rows))
            (folder,) = admin.execute(
                "SELECT 'base/' || oid FROM pg_database WHERE datname = current_database()"
            ).fetchone()
            admin.execute("CHECKPOINT")
        home = self.world.server._home_cluster().home
        for kept in (home / "data" / folder, home / "data" / "pg_wal", home / "log"):
            for path in kept.rglob("*"):
                if path.is_file():
                    self.look(f"postgres {path.name}", path.read_bytes().rstrip(b"\0"))

    def processes(self):
        """What the kernel shows of each process, and the gateway's files that have no name."""
        for shown in ("cmdline", "environ"):
            for path in Path("/proc").glob(f"[0-9]*/{shown}"):
                with contextlib.suppress(OSError):
                    self.look(str(path), path.read_bytes())
        for link in Path(f"/proc/{self.world.gateway.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(link.readlink()).endswith("(deleted)"):
                    self.look("unnamed file", link.read_bytes())

    def command(self, *argv, role="programme", expect=0):
        """A command typed in a process of its own, and what the machine shows while it runs."""
        with subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", *map(str, argv)],
            env=self.world.environment(self.world.tokens[role]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            while process.poll() is None:
                self.processes()
                time.sleep(0.2)
            out, said = process.stdout.read(), process.stderr.read()
        assert process.returncode == expect, said.decode()
        self.look(f"output of {argv[0]} {argv[1]}", out + said)
        return out.decode()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The whole job, and everything seen on the way: (search, exchange id, results, what was found)."""
    root = tmp_path_factory.mktemp("canary")
    (root / "bad.csv").write_text(BAD_LIST)
    one = root / "one.csv"
    one.write_text(f"{HEADER}{HOUSEHOLD_LIST.splitlines()[1]}\n")
    with site(root, HOUSEHOLD_LIST, REGISTER, dataset="health-trust") as world:
        search = Search(world)
        asked = ("--dataset", "health-trust", "--purpose", "identify")
        search.command("list", "check", root / "bad.csv", expect=3)
        search.command("exchange", "submit", root / "bad.csv", *asked, expect=3)
        search.command("exchange", "submit", root / "list.csv", *asked[:3], "results-claim", expect=4)
        exchange = search.command("exchange", "submit", root / "list.csv", *asked).split()[-1]
        with main.opened(world.home) as agent:
            (request,) = eventually(lambda: desk.pending(agent.agent))
            search.command("agent", "pending", "--home", world.home)
            search.files()
            search.database()
            desk.decide(agent.agent, request.manifest.exchange, approved=True)
        assert world.ended(exchange) == "released"
        results = search.command("exchange", "results", exchange, "--json")
        search.command("exchange", "show", exchange)
        found = search.command("log", "find", "--subject", "--json", "--file", one, role="reviewer")
        page = root / "extract.md"
        search.command("log", "subject-extract", "--out", page, "--file", one, role="reviewer")
        search.command("log", "find", "--exchange", exchange, role="reviewer")
        search.command("log", "export", "--out", root / "taken-log.txt", role="reviewer")
        for wanted in ("csv", "ecs", "fhir", "art30"):
            made = root / f"taken-{wanted}.txt"
            search.command("log", "export", "--format", wanted, "--out", made, role="reviewer")
        search.command("log", "review", "--all", "--json", role="reviewer")
        for role, path in (("operator", "/v1/metrics"), ("reviewer", "/v1/log/entries?start=0&limit=1000")):
            search.look(path, world.call(role, "GET", path).content)
        search.database()
        world.gateway.terminate()
        world.gateway.wait(30)
        search.files()
        yield search, exchange, json.loads(results), json.loads(found)


@pytest.mark.processes
@pytest.mark.postgres
def test_the_job_is_about_the_marked_people(done):
    """It hands back the flags of the marked households, and says whose row was withheld."""
    _, _, results, _ = done
    assert {unit["household_id"]: unit["flags"] for unit in results["units"]} == {
        "Qanary-H-01": list(HEALTH[:1]),
        "Qanary-H-02": list(HEALTH[1:2]),
    }
    assert [row["person_id"] for row in results["withheld"]] == ["Qanary-P-05"]


@pytest.mark.processes
@pytest.mark.postgres
def test_a_reviewer_finds_a_marked_person(done):
    """The details of one of them, typed, lead to the exchange, by name and by each number."""
    _, exchange, _, found = done
    (asked,) = found["asked"]
    assert (asked["exchange"], asked["outcome"]) == (exchange, "released")
    assert len(asked["matched_by"]) > 2
    assert "health-trust" in asked["dataset"]


@pytest.mark.processes
@pytest.mark.postgres
def test_no_mark_is_left_anywhere(done):
    """No log, output, table, database file, bundle, metric, command line or temporary file holds a mark.

    The one place that does is what the programme's own command printed as results.
    """
    search, exchange, _, _ = done
    found = {}
    for (place, _), marks in marks_in(search.seen).items():
        found.setdefault(place, set()).update(marks)
    assert found == {RESULTS: GIVEN_BACK}
    # and the search looked where the job was
    places = {place for place, _ in search.seen}
    assert {
        "flagstone.vault",
        "flagstone.log_leaves",
        "flagstone.log_index",
        "dbos.workflow_status",
        "/v1/metrics",
    } <= places
    assert {f"partner/inbox/{exchange}", "gateway.log", "agent.log", "taken-log.txt", "extract.md"} <= places
    assert {"taken-csv.txt", "taken-ecs.txt", "taken-fhir.txt", "taken-art30.txt"} <= places
    assert {"flagstone.alerts", "flagstone.marks", "flagstone.sign_ins"} <= places
    assert any(exchange.encode() in data for data in search.seen.values())
