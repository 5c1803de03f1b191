"""`flagstone agent` as partner staff type it, against a fake gateway."""

import json
import stat
import subprocess
import sys
from types import SimpleNamespace

import httpx
import pytest
from agent_gateway import FakeGateway
from agent_world import NOW, POLICY, World, people
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from fakes import FakeClock, FakePartyKeys
from typer.testing import CliRunner

from adapters.agent.main import only_one
from adapters.agent.settings import read_settings, settings_text
from gateway.bundle.client_certificate import verify_client_certificate
from gateway.cli.agent import app
from gateway.domain.errors import (
    BadInputError,
    ConfigurationError,
    ConflictError,
    FlagstoneError,
    PartnerError,
    VerificationError,
)
from gateway.domain.identity import Identity

COUNCIL = FakePartyKeys("council")


def run(*args, expect=0):
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    if isinstance(result.exception, FlagstoneError):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def init(folder, *extra, home="home", fingerprint=COUNCIL.identity.fingerprint, register="register.parquet"):
    (folder / "council.json").write_text(json.dumps(COUNCIL.identity.to_json()))
    options = {
        "--home": folder / home,
        "--slug": "trust",
        "--name": "Example Trust",
        "--gateway": "http://127.0.0.1:1",
        "--council": folder / "council.json",
        "--fingerprint": fingerprint,
        "--register": register if "://" in register else folder / register,
    }
    return run("init", *[word for pair in options.items() for word in pair], *extra)


@pytest.fixture
def office(tmp_path, monkeypatch):
    """An agent made by `init`, and a gateway with a proposed agreement; `ask` puts a request there."""
    init(tmp_path)
    home = tmp_path / "home"
    identity = Identity.from_json(json.loads((home / "identity.json").read_text()))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    world = World(scratch)
    world.partner = SimpleNamespace(identity=identity)
    world.clock = FakeClock(NOW)
    world.gateway = FakeGateway(COUNCIL, world.partner, world.clock)
    (tmp_path / "register.parquet").write_bytes((scratch / "register.parquet").read_bytes())
    world.document = world.agreement(policy=POLICY | {"release": "partner-approves"})
    world.propose(world.document)

    def client(url, ca_file=None, own=None):
        return httpx.Client(base_url=url, transport=httpx.MockTransport(world.gateway))

    monkeypatch.setattr("adapters.agent.main.http_client", client)
    monkeypatch.setattr("adapters.agent.main.now", world.clock)
    monkeypatch.setenv("FLAGSTONE_AGENT_HOME", str(home))
    world.home = home
    return world


def test_init_makes_a_closed_folder_and_prints_the_fingerprint(tmp_path):
    """Keys and settings are for their owner alone; the fingerprint is what the council must hear."""
    printed = init(tmp_path)
    home = tmp_path / "home"
    identity = Identity.from_json(json.loads((home / "identity.json").read_text()))
    assert identity.fingerprint in printed.output
    modes = {stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")}
    assert modes <= {0o600, 0o700}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_init_refuses_another_councils_fingerprint_and_makes_nothing(tmp_path):
    """A council document that is not the one read out by telephone is not pinned."""
    with pytest.raises(VerificationError, match="fingerprint"):
        init(tmp_path, fingerprint=FakePartyKeys("stranger").identity.fingerprint)
    assert not (tmp_path / "home").exists()


def test_init_takes_a_fingerprint_as_people_type_it(tmp_path):
    """Spaces, missing hyphens and small letters do not matter."""
    init(tmp_path, fingerprint=COUNCIL.identity.fingerprint.replace("-", " ").lower())


def test_init_never_replaces_an_agent(tmp_path):
    """A second init would throw away the keys that the council registered."""
    init(tmp_path)
    with pytest.raises(ConflictError, match="agent in this folder"):
        init(tmp_path)


def test_init_refuses_a_folder_that_is_open_to_others(tmp_path):
    """Keys do not go where other users can read."""
    (tmp_path / "home").mkdir(mode=0o755)
    with pytest.raises(ConfigurationError, match="open to other users"):
        init(tmp_path)


@pytest.mark.parametrize(
    ("register", "extra", "reason"),
    [
        ("people.txt", [], "csv, parquet and sql"),
        ("people.csv", ["--query", "SELECT 1"], "query"),
        ("sqlite:///x.db", [], "query"),
        ("people.csv", ["--kind", "xml"], "csv, parquet and sql"),
    ],
)
def test_init_refuses_a_register_that_it_cannot_read(tmp_path, register, extra, reason):
    """What kind of register it is, and its query, is settled before anything is made."""
    with pytest.raises(BadInputError, match=reason):
        init(tmp_path, *extra, register=register)
    assert not (tmp_path / "home").exists()


def test_init_writes_settings_that_read_back(tmp_path):
    """Quotes, backslashes and a database URL come through the file unchanged."""
    init(tmp_path, "--query", 'SELECT "a\\b" FROM é', register="postgresql://u:p@h/d?x='y'")
    read = read_settings(tmp_path / "home")
    assert read.register_.source == "postgresql://u:p@h/d?x='y'"
    assert read.register_.query == 'SELECT "a\\b" FROM é'
    assert read.source(tmp_path).kind == "sql"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (("[limits]", "[limits]\nhunter2 = 1"), "limits.hunter2"),
        (("poll_seconds = 2.0", "poll_seconds = 0"), "gateway.poll_seconds"),
        (('kind = "csv"', 'kind = "xml"'), "register.kind"),
        (("max_exchanges_per_day = 20", 'max_exchanges_per_day = "hunter2"'), "limits.max_exchanges_per_day"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(tmp_path, change, field):
    """The field helps the operator; the value may be a secret."""
    path = tmp_path / "agent.toml"
    path.write_text(settings_text("https://g.example", "csv", "p.csv", "").replace(*change))
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=field) as caught:
        read_settings(tmp_path)
    assert "hunter2" not in str(caught.value).replace("limits.hunter2", "")


def test_settings_that_others_can_read_are_refused(tmp_path):
    """agent.toml may hold a database password."""
    (tmp_path / "agent.toml").write_text("")
    (tmp_path / "agent.toml").chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to other users"):
        read_settings(tmp_path)


@pytest.mark.parametrize("text", ["= 1", "\udce9"])
def test_settings_that_are_no_toml_are_refused(tmp_path, text):
    """A damaged file is an error of configuration, never a default."""
    (tmp_path / "agent.toml").write_text(text, errors="surrogateescape")
    (tmp_path / "agent.toml").chmod(0o600)
    with pytest.raises(ConfigurationError, match="not TOML"):
        read_settings(tmp_path)


def test_a_folder_without_an_agent_says_how_to_make_one(tmp_path):
    """The first mistake of a newcomer has a way out."""
    with pytest.raises(ConfigurationError, match="agent init"):
        run("pending", "--home", tmp_path)


def test_from_agreement_to_answer_as_staff_type_it(office):
    """List, show and sign the agreement; run; see, approve; run: the council has its flags."""
    assert "proposed" in run("agreement", "list").output
    assert office.document.digest in run("agreement", "show", "A-1").output
    run("agreement", "sign", "A-1", "--yes")
    office.countersigned("A-1")
    run("run", "--once")
    exchange = office.ask([people(0), people(1)])
    run("run", "--once")
    assert office.gateway.answers == {}
    (shown,) = json.loads(run("pending", "--json").stdout)
    assert (shown["exchange"], shown["slots"], shown["purpose"]) == (str(exchange), 2, "identify")
    assert str(exchange) in run("pending").output
    run("approve", exchange)
    run("run", "--once")
    assert office.flags(exchange).flags.rows() == [(True, False), (False, True)]


def test_refusing_as_staff_type_it(office):
    """The council gets a signed notice that the partner declines."""
    run("agreement", "sign", "A-1", "--yes")
    run("run", "--once")
    exchange = office.ask([people(0)])
    run("run", "--once")
    run("refuse", exchange, "--reason", "Not now")
    run("run", "--once")
    assert office.refusal(exchange) == "declined"


def test_two_approve_as_staff_type_it(office):
    """The first approval says that another is missing, `pending` counts it, the second answers."""
    office.document = office.agreement(policy=POLICY | {"release": "two-approve"})
    office.propose(office.document)
    run("agreement", "sign", "A-1", "--yes")
    run("run", "--once")
    exchange = office.ask([people(0)])
    run("run", "--once")
    assert "0 of 2 approved" in run("pending").output
    with pytest.raises(BadInputError, match="--by"):
        run("approve", exchange)
    assert "1 of 2 approved" in run("approve", exchange, "--by", "a.shah").output
    assert "1 of 2 approved" in run("pending").output
    run("run", "--once")
    assert office.gateway.answers == {}
    assert "answers at its next look" in run("approve", exchange, "--by", "b.lowe").output
    run("run", "--once")
    assert exchange in office.gateway.answers


def test_one_of_two_refuses_as_staff_type_it(office):
    """A named refusal declines without the other."""
    office.document = office.agreement(policy=POLICY | {"release": "two-approve"})
    office.propose(office.document)
    run("agreement", "sign", "A-1", "--yes")
    run("run", "--once")
    exchange = office.ask([people(0)])
    run("run", "--once")
    run("approve", exchange, "--by", "a.shah")
    run("refuse", exchange, "--by", "b.lowe", "--reason", "Not now")
    run("run", "--once")
    assert office.refusal(exchange) == "declined"


def test_signing_asks_first(office):
    """Without a yes nothing is signed."""
    result = CliRunner().invoke(app, ["agreement", "sign", "A-1"], input="n\n")
    assert result.exit_code != 0
    assert office.gateway.signatures == {}


def test_revoking_as_staff_type_it(office):
    """A revoked agreement is told to the gateway and answered under no more."""
    run("agreement", "sign", "A-1", "--yes")
    run("agreement", "revoke", "A-1")
    assert "A-1" in office.gateway.revocations


def test_a_client_certificate_as_staff_make_it(office):
    """It is announced under the signing key before it takes the place of the one before."""
    run("client-certificate")
    first = (office.home / "client.pem").read_bytes()
    run("client-certificate")
    second = (office.home / "client.pem").read_bytes()
    assert first != second
    assert stat.S_IMODE((office.home / "client.pem").stat().st_mode) == 0o600
    announced = [
        verify_client_certificate(jws, office.partner.identity).der for jws in office.gateway.certified
    ]
    assert [load_pem_x509_certificate(pem).public_bytes(Encoding.DER) for pem in (first, second)] == announced
    office.gateway.down = True
    with pytest.raises(PartnerError):
        run("client-certificate")
    assert (office.home / "client.pem").read_bytes() == second


def test_a_key_without_its_certificate_is_no_setting(office):
    """`client_key` alone is a mistake that is named."""
    settings = office.home / "agent.toml"
    settings.write_text(settings.read_text().replace("[register]", 'client_key = "k.pem"\n[register]', 1))
    with pytest.raises(ConfigurationError, match="gateway"):
        run("pending")


def test_run_once_without_a_gateway_exits_with_6(office):
    """A script can tell that the gateway was not there from any other failure."""
    office.gateway.down = True
    with pytest.raises(PartnerError) as caught:
        run("run", "--once")
    assert caught.value.exit_code == 6


def test_two_loops_on_one_folder_are_refused(office):
    """Two processes would answer one exchange twice."""
    with only_one(office.home), pytest.raises(ConflictError, match="another process"):
        run("run", "--once")


def test_the_exported_log_verifies_offline(office, tmp_path):
    """An auditor needs the file, the trust file and `audit` alone."""
    run("agreement", "sign", "A-1", "--yes")
    log, trust = tmp_path / "log.txt", tmp_path / "trust.json"
    run("log", "export", "--out", log, "--trust", trust)
    verified = subprocess.run(
        [sys.executable, "-m", "audit", "verify", log, "--trust", trust], capture_output=True, check=False
    )
    assert verified.returncode == 0, verified.stderr
    assert b"agreement.signed" in log.read_bytes()
