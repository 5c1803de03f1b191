"""The end of an exchange as it happens: real gateway, real agent, the commands that people type."""

import json
import shutil

import psycopg
import pytest
from processes import RELEASED, SMALL_LIST, eventually, site

from gateway.bootstrap import opened
from gateway.cli.main import run
from gateway.domain.exchange import Role
from gateway.service import users

pytestmark = [pytest.mark.processes, pytest.mark.postgres]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with site(tmp_path_factory.mktemp("erasure")) as made:
        yield made


@pytest.fixture
def typed(world, monkeypatch, capsys):
    """Type a command as the user of a role; its exit code and what it said."""

    def type_(role, *argv):
        for name, value in world.environment(world.tokens[role]).items():
            if name.startswith("FLAGSTONE_"):
                monkeypatch.setenv(name, value)
        code = run([str(word) for word in argv])
        said = capsys.readouterr()
        return code, said.out + said.err

    return type_


def restarted_with(world, change=lambda: None):
    """Stop the gateway, let something happen, and start it again: it sweeps at once."""
    world.gateway.terminate()
    world.gateway.wait(30)
    change()
    world.start_gateway()


def make_due(world, exchange):
    """Let the results clock have begun ninety days ago."""
    address = world.server.admin_url().replace("+psycopg", "").replace("/postgres?", "/flagstone?")
    with psycopg.connect(address, autocommit=True) as admin:
        statement = (
            "UPDATE flagstone.retentions SET due = current_date WHERE exchange = %s AND clock = 'results'"
        )
        admin.execute(statement, [exchange])


def test_an_exchange_ends_by_itself_and_the_partner_learns_of_it(world, typed):
    """Held, it stays; lifted, it goes with the next sweep; the agent has the certificate; keys stay gone."""
    exchange = world.submit(SMALL_LIST, "the only one")["exchange"]
    assert world.ended(exchange) == "released"
    assert world.flags(exchange) == RELEASED
    keys, backup = world.council / "exchange-keys", world.root / "keys-backup"
    shutil.copytree(keys, backup)

    hold = ("exchange", "hold", exchange, "--until", "2099-01-01", "--reason", "complaint")
    assert typed("programme", *hold)[0] == 2
    code, said = typed("reviewer", *hold)
    assert (code, "a year from now" in said) == (3, True)
    day = typed("programme", "exchange", "show", exchange)[1].split("results_due: ")[1][:10]
    assert typed("reviewer", *hold[:4], day, *hold[5:])[0] == 0
    restarted_with(world, lambda: make_due(world, exchange))
    assert world.flags(exchange) == RELEASED

    assert typed("programme", "exchange", "certificate", exchange) == (
        0,
        "Nothing of it is destroyed yet: flagstone exchange show gives the days\n",
    )
    code, said = typed("reviewer", "exchange", "unhold", exchange)
    assert (code, "second person" in said) == (2, True)
    proposed = ("proposal", "make", "lift-hold", "--reason", "claim-settled", "--exchange", exchange)
    proposal = typed("reviewer", *proposed)[1].split()[0]
    with opened(world.settings) as installation:
        world.tokens["second"] = users.add(installation.operator, "second", Role.REVIEWER)
    assert typed("reviewer", "proposal", "approve", proposal)[0] == 2
    assert typed("second", "proposal", "approve", proposal)[0] == 0
    assert "approved" in typed("reviewer", "proposal", "list")[1]
    assert typed("reviewer", "exchange", "unhold", exchange)[0] == 0
    restarted_with(world)
    eventually(lambda: "seal" not in world.secrets_of(exchange))
    code, said = typed("programme", "exchange", "results", exchange)
    assert (code, "destroyed on" in said) == (3, True)
    assert "were destroyed on" in typed("programme", "exchange", "show", exchange)[1]

    eventually(lambda: world.kinds_at_agent(exchange)["certificate.results-kept"])
    code, said = typed("programme", "agent", "certificates", "--home", world.home, "--json")
    (kept,) = json.loads(said)
    certified = eventually(lambda: typed("reviewer", "exchange", "certificate", exchange, "--json"))[1]
    assert [each["jws"] for each in json.loads(certified)] == [kept["jws"]]
    assert f"results of {exchange}" in typed("programme", "agent", "certificates", "--home", world.home)[1]

    restarted_with(world, lambda: shutil.copytree(backup, keys, dirs_exist_ok=True))
    assert world.secrets_of(exchange) == {"accounting", "tags"}
    kinds = world.kinds(exchange)
    assert kinds["exchange.results-destroyed"] == kinds["exchange.keys-destroyed-again"] == 1
    assert kinds["exchange.hold-placed"] == kinds["exchange.hold-lifted"] == 1
