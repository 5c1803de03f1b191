"""One whole job about people whose every value is marked; afterwards the marks are looked for everywhere."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.parse

import pytest
from canary import Marks, Search
from people import BAD_LIST, HEADER, HOUSEHOLD_LIST, MET
from processes import eventually, register, site

from adapters.agent import desk, main
from policies.loader import builtin, load

SHIPPED = load(builtin())
HEALTH = SHIPPED.datasets["health-trust"].asked(SHIPPED.frameworks["local"])
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


LOOKED_FOR = Marks(MARKS)


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
    found = LOOKED_FOR.within(dict(enumerate(hidden)))
    assert all(mark in found.get(n, ()) for n in range(len(hidden)))


def test_the_search_finds_nothing_in_noise():
    """What it finds is there: random bytes of a megabyte, plain or written out, hold no mark."""
    noise = os.urandom(1 << 20)
    written = {"plain": noise, "hex": noise.hex().encode(), "base64": base64.b64encode(noise)}
    assert LOOKED_FOR.within(written) == {}


class Job(Search):
    """A search that also types commands."""

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
        search = Job(world)
        world.searched = True
        asked = ("--dataset", "health-trust", "--purpose", "identify")
        search.command("list", "check", root / "bad.csv", expect=3)
        search.command("exchange", "submit", root / "bad.csv", *asked, expect=3)
        search.command("exchange", "submit", root / "list.csv", *asked[:3], "results-claim", expect=4)
        exchange = search.command("exchange", "submit", root / "list.csv", *asked).split()[-1]
        with main.opened(world.home) as agent:
            (request,) = eventually(lambda: desk.pending(agent.agent))
            search.command("agent", "pending", "--home", world.home)
            search.files()
            search.tables()
            search.database_files()
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
        search.tables()
        search.database_files()
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
    assert search.found(LOOKED_FOR) == {}
    results = {place: data for place, data in search.seen.items() if place[0] == RESULTS}
    assert set().union(*LOOKED_FOR.within(results).values()) == GIVEN_BACK
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
