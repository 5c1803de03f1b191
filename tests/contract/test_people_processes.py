"""People at a running gateway: links, sessions and tokens by the commands that the operator types."""

import re

import httpx
import pytest
from processes import site

from gateway.bootstrap import opened
from gateway.cli.main import run
from gateway.domain.exchange import Role
from gateway.service import review_queue, users
from gateway.service.watching import Limits

pytestmark = [pytest.mark.processes, pytest.mark.postgres]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with site(tmp_path_factory.mktemp("people")) as made:
        yield made


@pytest.fixture
def typed(world, monkeypatch, capsys):
    """Type a command as the user of a role; its exit code and what it said."""

    def type_(role, *argv, **environment):
        for name, value in (world.environment(world.tokens[role]) | environment).items():
            monkeypatch.setenv(name, value)
        code = run(argv)
        said = capsys.readouterr()
        return code, said.out + said.err

    return type_


def browser(world) -> httpx.Client:
    return httpx.Client(base_url=world.url, headers={"Origin": world.url}, trust_env=False)


def test_a_link_a_session_and_a_token(world, typed):
    """The operator's link signs a browser in; its token serves the command line until the sign-out."""
    code, said = typed("operator", "user", "link", "reviewer")
    assert code == 0
    assert "No identity provider is configured" in said
    secret = re.search(r"/signin/link\?code=(\S+)", said)[1]
    with browser(world) as at:
        assert at.post("/signin/link", data={"code": secret}).status_code == 303
        page = at.get("/session").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        made = at.post("/session/token", data={"csrf": csrf}).text
        token = re.search(r'class="secret">([^<]+)<', made)[1]
        assert typed("reviewer", "log", "review", FLAGSTONE_TOKEN=token)[0] == 0
        assert at.post("/signout", data={"csrf": csrf}).status_code == 303
        assert at.get("/session").status_code == 401
    assert typed("reviewer", "log", "review", FLAGSTONE_TOKEN=token)[0] == 2
    with browser(world) as again:
        assert again.post("/signin/link", data={"code": secret}).status_code == 401


def test_break_glass_shouts_and_raises_an_alert(world, typed):
    """The command and each later one with its token say so; the reviewers find an alert about the user."""
    code, said = typed("operator", "user", "break-glass", "operator", "--reason", "drill")
    assert (code, "BREAK-GLASS" in said) == (0, True)
    token = re.search(r"fsb_\S+", said)[0]
    code, said = typed("operator", "proposal", "list", FLAGSTONE_TOKEN=token)
    assert (code, "BREAK-GLASS" in said) == (0, True)
    with opened(world.settings) as installation:
        review_queue.watch(installation.worker, Limits())  # the gateway's own sweep does so each minute
    assert "break-glass" in typed("reviewer", "log", "review")[1]
    assert typed("operator", "user", "break-glass", "operator", "--reason", "because")[0] == 2


def test_keys_leave_under_a_passphrase_and_two_people(world, typed, monkeypatch, tmp_path):
    """Nothing is written without an approval; with one, once; the file opens with its passphrase alone."""
    import typer

    said = iter(())
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(said))
    file = tmp_path / "keys.sealed"
    said = iter(["correct horse battery"])
    assert typed("operator", "keys", "export", "--out", str(file))[0] == 2
    assert not file.exists()
    proposal = typed("operator", "proposal", "make", "key-export", "--reason", "backup")[1].split()[0]
    assert typed("operator", "proposal", "approve", proposal)[0] == 2
    assert typed("reviewer", "proposal", "approve", proposal)[0] == 0
    said = iter(["too short", "correct horse battery", "correct horse battery"])
    assert typed("operator", "keys", "export", "--out", str(file))[0] == 3
    assert typed("operator", "keys", "export", "--out", str(file))[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    for part in (world.council / "keys").iterdir():
        assert part.read_bytes() not in file.read_bytes()
    again = tmp_path / "again.sealed"
    assert typed("operator", "keys", "export", "--out", str(again))[0] == 2
    assert not again.exists()

    home = tmp_path / "restored"
    said = iter(["another passphrase", "correct horse battery"])
    for expected in (5, 0):
        assert typed("operator", "keys", "restore", str(file), FLAGSTONE_HOME=str(home))[0] == expected
    for folder in ("keys", "log-key", "search-key"):
        held = {path.name: path.read_bytes() for path in (world.council / folder).iterdir()}
        assert {path.name: path.read_bytes() for path in (home / folder).iterdir()} == held


def test_a_custodian_reads_what_the_own_organisation_was_asked(world, typed):
    """A custodian has an organisation, sees its exchanges and no log."""
    with opened(world.settings) as installation:
        world.tokens["custodian"] = users.add(
            installation.operator, "custodian", Role.CUSTODIAN, partner=world.slug
        )
    assert world.call("custodian", "GET", "/v1/exchanges").status_code == 200
    assert world.call("custodian", "GET", "/v1/log/entries").status_code == 403
    assert typed("operator", "user", "add", "x", "--role", "custodian")[0] == 3
