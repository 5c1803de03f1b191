"""The main job and its bad inputs, through the commands that people type and over the real processes."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from processes import RELEASED, ROOT, SMALL_LIST, eventually, site

from gateway.cli.main import run
from policies.loader import builtin

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

AS_ROOT = os.geteuid() == 0
MEBIBYTE = 1 << 20
HEADER, FIRST, *_ = SMALL_LIST.splitlines(keepends=True)
ADULTS = HEADER + "".join(line for line in SMALL_LIST.splitlines(keepends=True)[1:] if ",no\n" in line)
DEMO = ["-m", "gateway.cli", "demo", "--households", "20", "--register", "500"]


def demo(python, home, **who):
    """Run the demo with a home and a folder for temporary files of its own."""
    done = subprocess.run(
        [python, *DEMO],
        cwd=home,
        env={
            "HOME": str(home),
            "TMPDIR": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        **who,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Everything held." in done.stdout
    return done.stdout


@pytest.mark.timeout(600)
def test_the_demo_holds_and_leaves_nothing(tmp_path):
    """`flagstone demo` exits 0 only if all of the job held, and removes everything that it made."""
    said = demo(sys.executable, tmp_path)
    assert "VERIFICATION FAILED: entry" in said
    assert "Refused: health-trust for results-claim" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_the_demo_runs_twice_in_a_row(tmp_path):
    """A second run finds nothing of the first in its way."""
    first, second = (demo(sys.executable, tmp_path) for _ in range(2))
    assert first.splitlines()[-1] == second.splitlines()[-1]


@pytest.mark.long
@pytest.mark.skipif(not AS_ROOT, reason="the other tests run as an ordinary user then")
def test_the_demo_runs_as_an_ordinary_user(tmp_path_factory):
    """Nothing of the job needs root."""
    home = tmp_path_factory.mktemp("ordinary")
    while not _can_enter(home):  # pytest keeps its folders to root
        home = Path(
            subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
        )
        home.chmod(0o755)
    python = ordinary_python(home / "environment")
    if python is None:
        pytest.skip("this checkout, or its Python, is closed to ordinary users")
    work = home / "work"
    work.mkdir()
    shutil.chown(work, "nobody", "nogroup")
    try:
        demo(python, work, **AS_NOBODY)
        assert list(work.iterdir()) == []
    finally:
        shutil.rmtree(home)


AS_NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []}


def _can_enter(folder):
    return not subprocess.run(["/usr/bin/test", "-x", folder], check=False, **AS_NOBODY).returncode


def ordinary_python(folder):
    """An interpreter that `nobody` can run, in an environment with our packages; None if there is none.

    The environment of a checkout may lead to an interpreter in a folder that only root enters.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    readable = f"import os, sys; sys.exit(not os.access({str(ROOT / 'gateway' / 'ports.py')!r}, os.R_OK))"
    for base in (os.path.realpath(sys.executable), shutil.which(version, path="/usr/bin:/usr/local/bin")):
        with contextlib.suppress(OSError, TypeError):
            if subprocess.run([base, "-c", readable], check=False, **AS_NOBODY).returncode == 0:
                packages = folder / "lib" / version / "site-packages"
                packages.parent.mkdir(parents=True)
                packages.symlink_to(next(path for path in sys.path if path.endswith("site-packages")))
                (folder / "bin").mkdir()
                (folder / "bin" / "python").symlink_to(base)
                (folder / "pyvenv.cfg").write_text(f"home = {Path(base).parent}\n")
                return folder / "bin" / "python"
    return None


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with site(tmp_path_factory.mktemp("job")) as made:
        yield made


@pytest.fixture
def flagstone(world, monkeypatch, capsys, tmp_path):
    """Type a command as the programme's analyst; its exit code and what it said.

    A list is given as its content, and stands in a file when the command runs.
    """
    for name, value in world.environment(world.tokens["programme"]).items():
        if name.startswith("FLAGSTONE_"):
            monkeypatch.setenv(name, value)

    def typed(*argv, content=None):
        if content is not None:
            file = tmp_path / "given.csv"
            file.write_bytes(content.encode() if isinstance(content, str) else content)
            argv = [str(file) if word == "FILE" else word for word in argv]
        code = run([str(word) for word in argv])
        said = capsys.readouterr()
        return code, said.out + said.err

    return typed


SUBMIT = ("exchange", "submit", "FILE", "--dataset", "police-force", "--purpose", "identify")

BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "header alone": (HEADER, "not one row"),
    "no header": (FIRST, "no known column name"),
    "formula": (SMALL_LIST.replace("Abelquist", "=HYPERLINK(1)"), "formula"),
    "duplicate ids": (SMALL_LIST.replace("a2,", "a1,"), "person_id"),
    "noise": (os.urandom(2 * MEBIBYTE), "not a text file"),
    "born tomorrow": (SMALL_LIST.replace("1981-03-02", "2981-03-02"), "dob"),
}


def nothing_came_of_it(world):
    """No exchange, no bundle for the agent, and nothing in the log but refusals."""
    assert world.call("reviewer", "GET", "/v1/exchanges").json() == {"exchanges": []}
    assert not list((world.council / "exchange-keys").iterdir())
    told = {entry.kind for entry in world.exported() if entry.kind.startswith("exchange.")}
    assert told <= {"exchange.refused"}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_where_it_is_and_at_the_gateway(world, flagstone, name):
    """`list check` and `exchange submit` end with 3, name the place and the reason, and repeat no value."""
    content, reason = BAD_FILES[name]
    for command in (("list", "check", "FILE"), SUBMIT):
        code, said = flagstone(*command, content=content)
        assert code == 3
        assert reason in said
        assert not re.search("Abelquist|Quilterwick|HYPERLINK|1981|2981", said)
    nothing_came_of_it(world)


@pytest.mark.parametrize(
    ("change", "requirement"),
    [
        ({"--dataset": "no-such-dataset"}, "dataset"),
        ({"--purpose": "no-such-purpose"}, "purpose"),
        ({"--framework": "no-such-framework"}, "framework"),
    ],
)
def test_what_no_policy_knows_is_refused(world, flagstone, change, requirement):
    """An unknown dataset, purpose or framework ends with 4, and the unmet requirement is named."""
    asked = {"--dataset": "police-force", "--purpose": "identify", "--framework": "local"} | change
    options = [word for option in asked.items() for word in option]
    code, said = flagstone("exchange", "submit", "FILE", *options, "--json", content=SMALL_LIST)
    assert code == 4
    unmet = refusal(said)["unmet"]
    assert any(requirement in each["requirement"].lower() for each in unmet)
    assert all(each["citation"] for each in unmet)
    nothing_came_of_it(world)


@pytest.mark.parametrize(
    ("content", "code"),
    [(HEADER + FIRST, "list-too-small"), (ADULTS, "every-row-withheld")],
    ids=["a household of one", "no dependent child"],
)
def test_a_list_of_which_nothing_may_be_asked_is_refused(world, flagstone, content, code):
    """A list too small, or of which the row rules withhold every row, ends with 4, and nothing is sent."""
    exit_code, said = flagstone(*SUBMIT, "--json", content=content)
    assert exit_code == 4
    assert code in [unmet["code"] for unmet in refusal(said)["unmet"]]
    nothing_came_of_it(world)


def refusal(said):
    """The decision that `--json` printed, before the error line."""
    return json.JSONDecoder().raw_decode(said)[0]["decision"]


def test_wrong_fingerprints_are_refused_on_both_sides(world, flagstone, tmp_path):
    """Neither a council nor a partner registers keys whose fingerprint is not the one that was read out."""
    identity = world.home / "identity.json"
    told = json.loads(identity.read_text()) | {"slug": "other"}
    (tmp_path / "identity.json").write_text(json.dumps(told))
    wrong = "-".join(["AAAAAA"] * 8)
    assert flagstone("partner", "add", tmp_path / "identity.json", "--fingerprint", wrong)[0] == 5
    code, said = init_agent(world, flagstone, tmp_path / "agent", wrong)
    assert code == 5
    assert "fingerprint" in said
    assert not (tmp_path / "agent").exists()
    _, listed = flagstone("partner", "list")
    assert "other" not in listed


def test_an_agent_with_other_keys_is_turned_away(world, flagstone, tmp_path):
    """Who has a partner's short name but not its keys can't sign in, nor be registered in its place."""
    _, shown = flagstone("keys", "list", "--json")
    home = tmp_path / "impostor"
    code, said = init_agent(world, flagstone, home, json.loads(shown)["fingerprint"])
    assert code == 0
    own = said.split()[-1]
    code, said = flagstone("agent", "run", "--once", "--home", home)
    assert code != 0
    assert "401" in said or "signed" in said
    assert flagstone("partner", "add", home / "identity.json", "--fingerprint", own)[0] in {3, 5}
    nothing_came_of_it(world)


def init_agent(world, flagstone, home, fingerprint):
    council = home.parent / "council.json"
    assert flagstone("keys", "list", "--public", council)[0] == 0
    given = {
        "--home": home,
        "--slug": world.slug,
        "--name": "Impostor",
        "--gateway": world.url,
        "--council": council,
        "--fingerprint": fingerprint,
        "--register": world.root / "register.csv",
    }
    return flagstone("agent", "init", *(word for option in given.items() for word in option))


def peak_mib(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def test_a_gigabyte_is_refused_before_it_is_sent(world, flagstone, tmp_path):
    """The command line sees the size and sends nothing; a check on this machine stops at the limit."""
    noise = tmp_path / "noise.csv"
    noise.touch()
    os.truncate(noise, 1024 * MEBIBYTE)
    before = peak_mib(world.gateway)
    for command in (("list", "check"), SUBMIT[:2]):
        code, said = flagstone(*command, noise, *(SUBMIT[3:] if command[0] == "exchange" else ()))
        assert code == 3
        assert "larger than" in said
    # a received list would stand in memory whole; the gateway's own sweeps move the peak by less
    assert peak_mib(world.gateway) < before + 16


def test_a_gigabyte_of_noise_is_cut_at_the_gateway(world):
    """A client that streams a gigabyte gets its 413 at the limit; the gateway's memory stays bounded."""
    before = peak_mib(world.gateway)
    sent = []

    def noise():
        block = os.urandom(MEBIBYTE)
        for _ in range(1024):
            sent.append(len(block))
            yield block

    try:
        assert world.post_list(noise(), "key of the noise").status_code == 413
    except httpx.TransportError:  # cut while it was sending
        assert len(sent) < 1024
    assert len(sent) < 256
    assert peak_mib(world.gateway) < before + 256
    assert world.call("programme", "GET", "/v1/health/ready").status_code == 200
    nothing_came_of_it(world)


def test_one_list_twice_is_disclosed_once(world, flagstone):
    """With one key the same exchange is named again; with two the second is refused while the first runs."""
    world.agent.send_signal(signal.SIGSTOP)
    try:
        code, first = flagstone(*SUBMIT, "--idempotency-key", "the-same-key", "--json", content=SMALL_LIST)
        assert code == 0
        code, again = flagstone(*SUBMIT, "--idempotency-key", "the-same-key", "--json", content=SMALL_LIST)
        assert (code, json.loads(again)["repeated"]) == (0, True)
        exchange = json.loads(first)["exchange"]
        assert json.loads(again)["exchange"] == exchange
        code, said = flagstone(*SUBMIT, content=SMALL_LIST)
        assert code == 3
        assert exchange in said
        eventually(lambda: world.status(exchange) == "sent")
        assert flagstone("exchange", "cancel", exchange)[0] == 0
    finally:
        world.agent.send_signal(signal.SIGCONT)
    assert flagstone("exchange", "results", exchange)[0] == 3
    assert sum(entry.kind == "exchange.permitted" for entry in world.exported()) == 1


def test_a_decision_is_replayed_and_a_draft_is_tried_on_it(world, flagstone, tmp_path):
    """What was decided comes out the same, byte for byte; a draft shows which requests would lose."""
    (permit,) = [entry for entry in world.exported() if entry.kind == "exchange.permitted"]
    assert permit.body["framework"] == "local"  # left out: the one in force
    code, said = flagstone("policy", "replay", permit.body["exchange"])
    assert code == 0
    assert "came out the same, byte for byte" in said
    assert "The rows' decisions came out the same" in said
    text = (builtin() / "datasets" / "police-force.toml").read_text()
    (tmp_path / "draft" / "datasets").mkdir(parents=True)
    draft = tmp_path / "draft" / "datasets" / "police-force.toml"
    draft.write_text(text.replace('purposes = ["identify"]', 'purposes = ["support"]', 1))
    code, said = flagstone("policy", "compare", tmp_path / "draft", "--since", "2026-01-01", "--json")
    assert code == 0
    told = [each for each in json.loads(said) if each["change"] != "same"]
    assert [(each["change"], each["draft"]) for each in told] == [("loses", ["purpose-not-allowed"])]


def test_another_asgi_server_serves_it_and_the_last_to_end_stops_the_database(world):
    """`gateway.asgi:app` serves the home as `flagstone serve` does; neither leaves PostgreSQL running."""
    world.server.stop()
    options = ("--port", world.port, "--no-server-header", "--no-access-log")
    for argv in (("-m", "uvicorn", "gateway.asgi:app", *options), world.serve):
        world.gateway.terminate()
        world.gateway.wait(30)
        assert not world.server._home_cluster().answers()
        world.start_gateway(*argv)
        assert world.call("reviewer", "GET", "/v1/log/checkpoint").text.startswith("flagstone/borough\n")


def test_ended_by_a_signal_it_exits_with_0(world):
    """An operator's service manager sees an orderly end."""
    world.gateway.terminate()
    assert world.gateway.wait(30) == 0
    world.start_gateway()


def test_a_person_s_disclosure_is_proved_to_somebody_outside(world, flagstone, monkeypatch, tmp_path):
    """What a reviewer takes away verifies offline, names one household alone, and fails if altered."""
    exchange = world.submit(SMALL_LIST, "the key of the evidence")["exchange"]
    assert world.ended(exchange) == "released"
    file = tmp_path / "evidence.json"
    argv = ("log", "prove", exchange, "--person", "c2", "--out", file)
    assert flagstone(*argv)[0] == 2  # the programme's analyst may not
    assert not file.exists()
    monkeypatch.setenv("FLAGSTONE_TOKEN", world.tokens["reviewer"])
    assert flagstone(*argv)[0] == 0
    code, said = verified_outside(world, file)
    assert code == 0, said
    assert "asked about: person c2 of household h3" in said
    assert f"given to the programme about household h3: {', '.join(RELEASED['h3'])}" in said
    assert not re.search(r'"(a1|a2|b1|b2|c1|h1|h2)\\?"', file.read_text())
    (tmp_path / "altered.json").write_text(file.read_text().replace('"c2"', '"c1"'))
    code, said = verified_outside(world, tmp_path / "altered.json")
    assert code == 5
    assert "VERIFICATION FAILED: an item of entry" in said
    code, said = flagstone("log", "prove", exchange, "--person", "nobody")
    assert code == 3
    assert "nobody of this exchange" in said


def verified_outside(world, file):
    """What an auditor sees who has the file, the trust file, and `audit`."""
    command = [sys.executable, "-m", "audit", "verify", file, "--trust", world.trust]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr
