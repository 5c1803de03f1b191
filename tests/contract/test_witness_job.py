"""Witnesses over the real processes: a release that waits, a split view, a restored backup."""

import json
import shutil
import subprocess
import sys

import psycopg
import pytest
from processes import RELEASED, SMALL_LIST, eventually, site

from adapters.agent import main
from adapters.agent.witnessing import accept_new_log, alarm
from audit.checkpoint import NoteVerifier, unsafe_read_checkpoint
from audit.cosignature import WitnessVerifier, open_cosigned
from audit.trust import Trust, write_trust
from gateway.bootstrap import log_signer
from gateway.cli import relinking
from policies.loader import builtin

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(600)]


@pytest.fixture
def world(tmp_path):
    """A site whose policy lets a release wait for the partner's cosignature."""
    folder = tmp_path / "policies" / "datasets"
    folder.mkdir(parents=True)
    text = (builtin() / "datasets" / "police-force.toml").read_text()
    waits = text.replace("[retention]", '[release_when]\ncosigned_by = ["partner"]\n\n[retention]', 1)
    (folder / "police-force.toml").write_text(waits)
    with site(tmp_path) as made:
        yield made


def cosigned(world):
    """The newest checkpoint that the partner's witness cosigned, as served, verified; None before one is."""
    answer = world.call("reviewer", "GET", "/v1/log/checkpoint", params={"cosigned": 1})
    if answer.status_code == 404:
        return None
    (witness,) = world.call("reviewer", "GET", "/v1/log/witnesses").json()["witnesses"]
    keys = [WitnessVerifier.parse(witness["key"])]
    return open_cosigned(answer.content, log_signer(world.council).verifier, keys, 1)[0]


def alarms(world):
    return world.call("reviewer", "GET", "/v1/log/witnesses").json()["alarms"]


def stop(world):
    """Stop the gateway, and with it the database."""
    world.gateway.terminate()
    assert world.gateway.wait(30) == 0
    world.server.stop()
    assert not world.server._home_cluster().answers()


def copy(source, target):
    """With the owner and the modes, which PostgreSQL insists on."""
    subprocess.run(["cp", "-a", source, target], check=True)


def backup(world):
    """Copy the database while it rests; the gateway runs again afterwards."""
    stop(world)
    copy(world.server._home_cluster().data, world.root / "backup")
    world.start_gateway()


def restore(world):
    stop(world)
    data = world.server._home_cluster().data
    shutil.rmtree(data)
    copy(world.root / "backup", data)


def command(world, *argv, token=None):
    """A command of the operator, or of whose token it is; its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *argv],
        env=world.environment(token),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def at_agent(world):
    return main.opened(world.home)


def _killed(_home):
    raise KeyboardInterrupt


def test_the_agent_cosigns_and_a_set_back_database_ends_in_a_linked_log(world, monkeypatch):
    """What is released was cosigned; an older database is refused; a linked log goes on, once accepted."""
    exchange = world.submit(SMALL_LIST, "the first list")["exchange"]
    assert world.ended(exchange) == "released"
    assert world.flags(exchange) == RELEASED
    delivered = [entry.kind for entry in world.exported()].index("exchange.delivered")
    checkpoint = eventually(lambda: cosigned(world))
    assert checkpoint.size > delivered
    _both_logs_tell_one_story(world)

    backup(world)
    world.exported()  # an entry more, which the agent cosigns and the backup lacks
    before = world.call("reviewer", "GET", "/v1/log/checkpoint").content
    size = unsafe_read_checkpoint(before).size
    eventually(lambda: cosigned(world).size >= size)
    restore(world)
    code, said = command(world, "serve", "--port", str(world.port))
    assert code == 5
    assert "older backup" in said
    assert "flagstone log relink" in said

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patch.setattr(relinking, "_switch", _killed)
        relinking.open_linked_log(world.settings, relinking.Cause.DAMAGED_STORAGE)
    assert command(world, "serve", "--port", str(world.port))[0] == 5
    code, said = command(world, "log", "relink", "--reason", "other")
    assert code == 0, said
    assert command(world, "log", "relink", "--reason", "other")[0] == 3
    world.start_gateway()
    verifier = log_signer(world.council).verifier
    assert verifier.name == "flagstone/borough/2"
    assert verifier.vkey in said
    write_trust(world.trust, Trust(verifier))
    first = world.exported()[0]
    assert (first.kind, first.body["reason"]) == ("log.relinked", "damaged-storage")
    old = NoteVerifier.parse(first.body["previous_log"])
    assert [unsafe_read_checkpoint(note.encode()).size for note in first.body["follows"]] == [size]
    assert old.name == unsafe_read_checkpoint(first.body["left"].encode()).origin == "flagstone/borough"
    _old_tables_are_as_they_were(world, unsafe_read_checkpoint(first.body["left"].encode()).size)

    _what_the_old_log_told_is_told_on(world, exchange)

    (told,) = eventually(lambda: alarms(world))
    assert told["reason"] == "new-log"
    with at_agent(world) as agent:
        agent.agent.journal.refresh()
        accept_new_log(agent.agent)
    world.agent.terminate()  # it would look again by itself, after a pause that grew with its failures
    world.agent.wait(30)
    world.start_agent()
    new = eventually(lambda: cosigned(world))
    assert new.origin == "flagstone/borough/2"


def _both_logs_tell_one_story(world):
    """The partner's exported log and digests agree with the council's."""
    log, trust, digests = (
        str(world.root / name) for name in ("agent.txt", "agent-trust.json", "digests.json")
    )
    files = ("--out", log, "--trust", trust, "--digests", digests)
    code, said = command(world, "agent", "log", "export", "--home", str(world.home), *files)
    assert code == 0, said
    asked = ("log", "reconcile", "--agent-log", log, "--trust", trust, "--digests", digests)
    code, said = command(world, *asked, token=world.tokens["reviewer"])
    assert (code, "0 differences" in said) == (0, True), said
    told = json.loads((world.root / "digests.json").read_text())["openings"]
    assert sorted(name for each in told.values() for name in each) == ["answer", "request"]


def _what_the_old_log_told_is_told_on(world, exchange):
    """A reviewer finds it by number, a subject search finds it by itself, and its decision is replayed."""
    reviewer = world.tokens["reviewer"]
    asked = ("log", "find", "--json", "--kind", "exchange.permitted", "--exchange", exchange)
    assert command(world, *asked, token=reviewer) == (0, "")
    code, said = command(world, *asked, "--log", "1", token=reviewer)
    assert (code, json.loads(said)["body"]["exchange"]) == (0, exchange)
    person = dict(zip(*(line.split(",") for line in SMALL_LIST.splitlines()[:2]), strict=True))
    details = {name: person[name] for name in ("forename", "surname", "dob")}
    question = {"reason": "audit", "person": details}
    found = world.call("reviewer", "POST", "/v1/log/subject", json=question).json()
    (told,) = found["asked"]
    assert (told["exchange"], told["outcome"], found["unreadable"]) == (exchange, "released", [])
    assert told["earlier_entries"]["1"]
    code, said = command(world, "policy", "replay", exchange)
    assert code == 0, said
    assert world.call("reviewer", "GET", "/v1/log/article-30").status_code == 200


def _old_tables_are_as_they_were(world, size):
    """All rows are there, read by who searches and counts alone; even the owner can't alter old or new."""
    urls = world.server.start()
    count = "SELECT count(*) FROM flagstone_log_1.log_leaves"

    def try_as(url, statement):
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            return connection.execute(statement).fetchone()

    assert try_as(urls.migrate, count) == (size,)
    for schema in ("flagstone_log_1", "flagstone"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            try_as(urls.migrate, f"DELETE FROM {schema}.log_leaves")  # noqa: S608
    for url in (urls.web, urls.review):
        assert try_as(url, count) == (size,)
    for url, statement in ((urls.worker, count), (urls.web, "SELECT 1 FROM flagstone_log_1.log_index")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            try_as(url, statement)


def test_a_split_view_raises_the_alarm_on_both_sides(world):
    """A gateway that forgets on purpose and shows another history is found out, and answered no more."""
    backup(world)
    world.exported()
    size = unsafe_read_checkpoint(world.call("reviewer", "GET", "/v1/log/checkpoint").content).size
    eventually(lambda: (seen := cosigned(world)) and seen.size >= size)
    world.agent.terminate()
    world.agent.wait(30)
    restore(world)
    shutil.rmtree(world.council / "cosigned")  # what would keep an honest gateway from starting
    world.start_gateway()
    for _ in range(5):
        world.exported()
    world.start_agent()
    (told,) = eventually(lambda: alarms(world))
    assert told["reason"] == "inconsistent"
    assert unsafe_read_checkpoint(told["seen"].encode()).size >= size
    assert "witness.alarm" in [entry.kind for entry in world.exported()]
    with at_agent(world) as agent:
        assert alarm(agent.agent).reason == "inconsistent"
    code, said = command(world, "agent", "pending", "--home", str(world.home))
    assert code == 0
    assert "ALARM" in said
    assert "Nothing is answered" in said
    assert any(
        '"event": "witness-alarm"' in line for line in (world.root / "agent.log").read_text().splitlines()
    )
    exchange = world.submit(SMALL_LIST, "the first list")["exchange"]
    eventually(lambda: world.status(exchange) == "sent")
    assert json.loads((world.home / "witness" / "alarm.json").read_text())["told"]
    assert world.kinds_at_agent(exchange) == {}
