"""A leak planted in each kind of place is found, so that a search which finds nothing says something."""

import os
import subprocess
import sys
from base64 import b64encode
from types import SimpleNamespace
from urllib.parse import quote

import canary
import pytest
from canary import PLACES, Marks, Search, declared, leaks, tell, writes_core_dumps
from people import EVERYBODY, SMALL_LIST, WEB_LIST
from sqlalchemy.engine import make_url
from web.webworld import a_world

MARK = "Rostrevorby"
MARKS = Marks(EVERYBODY)
WRITTEN = {
    "plain": MARK.encode(),
    "upper-cased": MARK.upper().encode(),
    "base64": b64encode(b"..surname=" + MARK.encode() + b";"),
    "hex": MARK.encode().hex().encode(),
    "URL-encoded": quote("O'Quaxelbury", safe="").encode(),
}


@pytest.fixture
def search(tmp_path):
    """A search of a folder whose processes are this one."""
    here = SimpleNamespace(pid=os.getpid())
    return Search(SimpleNamespace(root=tmp_path, gateway=here, agent=None, server=None))


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("name", ["gateway.log", "temporary/t1", "partner/inbox/bundle", "council/keys/x"])
def test_a_mark_in_a_file_is_found(search, tmp_path, name, how):
    """Logs, temporary files, bundles and key folders are looked through, however the mark is written."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0before " + WRITTEN[how] + b" after\n")
    search.files()
    assert set(search.found(MARKS)) == {name}


def test_a_declared_place_is_left_out(search, tmp_path):
    """The council's own list may name its people; the same bytes elsewhere may not."""
    for name in ("list.csv", "copy.csv"):
        (tmp_path / name).write_text(SMALL_LIST)
    search.files()
    assert set(search.found(MARKS)) == {"copy.csv"}


def test_a_mark_on_a_command_line_is_found(search):
    """Arguments and environments of every process are looked at while it runs."""
    program = [sys.executable, "-c", "print('here', flush=True); input()", MARK]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(program, **pipes, env={"WHO": "Quilterwick"}) as child:
        child.stdout.readline()  # the kernel shows arguments a moment after a process has begun
        search.processes()
        child.communicate(b"\n")
    found = search.found(MARKS)
    assert found[f"/proc/{child.pid}/cmdline"] == {MARK}
    assert found[f"/proc/{child.pid}/environ"] == {"Quilterwick"}


def test_a_mark_in_a_file_without_a_name_is_found(search, tmp_path):
    """What a process keeps open after deleting it is looked at."""
    with (tmp_path / "spooled").open("w+b") as spooled:
        spooled.write(MARK.encode())
        spooled.flush()
        (tmp_path / "spooled").unlink()
        search.processes()
        assert search.found(MARKS)["unnamed file"] == {MARK}


@pytest.mark.postgres
def test_a_mark_in_a_table_is_found(search, postgres, postgres_server):
    """Each table of the database is looked through, those that nobody thought of too."""
    name = make_url(postgres.urls.migrate).database
    address = make_url(postgres_server.admin_url).set(drivername="postgresql", database=name)
    search.world.server = SimpleNamespace(admin_url=lambda: address.render_as_string(hide_password=False))
    with postgres_server.connect(name) as admin:
        admin.execute("CREATE TABLE flagstone.planted (who text)")
        try:
            admin.execute("INSERT INTO flagstone.planted VALUES (%s)", (MARK,))
            search.tables()
        finally:
            admin.execute("DROP TABLE flagstone.planted")
    assert search.found(MARKS) == {"flagstone.planted": {MARK}}


def test_a_mark_in_metrics_or_an_answer_is_found(search):
    """What was looked at in any other way is searched as well."""
    search.look("metrics", f'requests_total{{route="/v1/people/{MARK}"}} 1'.encode())
    assert search.found(MARKS) == {"metrics": {MARK}}


def test_what_a_test_prints_and_the_api_answers_is_looked_through(monkeypatch):
    """Output of a test, and log lines and error bodies of the API, are kept and searched at the end."""
    monkeypatch.setattr(canary, "TOLD", {})
    tell("tests/unit/test_x.py::test_y", b"captured: " + MARK.encode())
    world = a_world()
    world.call("programme", "GET", "/v1/nowhere")
    assert b"urn:flagstone:problem:not-found" in b"".join(
        part for parts in canary.TOLD.values() for part in parts
    )
    assert leaks(MARKS) == {"tests/unit/test_x.py::test_y": [MARK]}


def test_a_process_that_forbids_no_core_dumps_is_seen():
    """Read from the kernel: a process that did not forbid them is told from one that did."""
    limits = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY)); input()"
    forbid = "from gateway.dumps import forbid_core_dumps; forbid_core_dumps(); print(flush=True); input()"
    for program, expected in ((limits.replace("input", "print(flush=True); input"), True), (forbid, False)):
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            child.stdout.readline()
            assert writes_core_dumps(child.pid) is expected
            child.communicate(b"\n")


def test_every_place_says_why():
    """A place where people may stand is named with its reason, and no two globs are the same."""
    assert all(len(place["why"]) > 15 and place.keys() == {"glob", "why"} for place in PLACES)
    assert len({place["glob"] for place in PLACES}) == len(PLACES)
    assert not declared("gateway.log")


def test_the_people_are_told_apart():
    """Marks are long, and each list has its own, so that a finding says whose it is."""
    assert min(map(len, EVERYBODY)) >= 7
    assert {"Quilterwick", "Marchquill", "O'Quaxelbury", "Formulaquist"} <= set(EVERYBODY)
    assert not {*SMALL_LIST.split(",")} & {*WEB_LIST.split(",")} & {*EVERYBODY}
