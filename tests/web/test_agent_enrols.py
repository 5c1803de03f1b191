"""`flagstone agent enrol` over a real socket: to a gateway, and to somebody who stands in between."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fakes import FakePartyKeys
from typer.testing import CliRunner
from web.test_real_server import served
from web.webworld import a_world

from adapters.agent.main import opened
from adapters.transports.wire import GatewaySignInError
from gateway.bundle.enrolment import new_code
from gateway.cli.agent import app
from gateway.domain.errors import BadInputError, ConflictError, FlagstoneError, VerificationError
from gateway.service import enrolment, partners

WRONG = new_code(b"12345678")


def enrol(folder, url, code, *extra, agree="y\n", **changes):
    options = {
        "--home": folder / "agent",
        "--slug": "school",
        "--name": "Example School",
        "--register": folder / "people.csv",
    } | {f"--{name}": value for name, value in changes.items()}
    words = [str(word) for pair in options.items() for word in pair]
    result = CliRunner().invoke(app, ["enrol", url, code, *words, *extra], input=agree)
    if isinstance(result.exception, FlagstoneError):
        raise result.exception
    return result


@pytest.fixture
def site():
    """A gateway on loopback that goes by the machine's clock, since agents do."""
    world = a_world()
    world.clock.now = datetime.now(UTC)
    world.app.state.wiring = replace(world.app.state.wiring, public_url=None)
    with served(world) as port:
        yield world, f"http://127.0.0.1:{port}"


def test_a_partner_enrols_and_is_let_in_once_confirmed(site, tmp_path):
    """Both fingerprints are shown; the council's is pinned; the agent signs in once it is confirmed."""
    world, url = site
    council = world.context.keys.identity
    code = enrolment.invite(world.context, "school", "Example School")
    said = enrol(tmp_path, url, code.lower().replace("-", " "))
    assert said.exit_code == 0, said.output
    assert council.fingerprint in said.output
    with opened(tmp_path / "agent") as agent:
        fingerprint = agent.agent.keys.identity.fingerprint
        assert fingerprint in said.output
        assert agent.agent.council.lineage.current.identity == council
        with pytest.raises(GatewaySignInError):
            agent.agent.gateway.state()
        enrolment.confirm(world.context, "school", fingerprint)
        assert agent.agent.gateway.state().agreements == ()
        partners.revoke(world.context, "school")
        with pytest.raises(GatewaySignInError):
            agent.agent.gateway.state()


def test_who_does_not_hear_that_fingerprint_sends_nothing(site, tmp_path):
    """A no at the question, or another fingerprint on the command line: no folder, and nothing was sent."""
    world, url = site
    code = enrolment.invite(world.context, "school", "Example School")
    assert enrol(tmp_path, url, code, agree="n\n").exit_code == 1
    with pytest.raises(VerificationError):
        enrol(tmp_path, url, code, fingerprint=FakePartyKeys("other").identity.fingerprint)
    assert not (tmp_path / "agent").exists()
    assert world.store.committed.invitations["school"].document is None


def test_a_wrong_code_may_be_followed_by_the_right_one(site, tmp_path):
    """The folder that the first try made is used again, with the same keys; a misheard code is not sent."""
    world, url = site
    with pytest.raises(GatewaySignInError, match="wrong, was used, or has run out"):
        enrol(tmp_path, url, WRONG)
    identity = (tmp_path / "agent" / "identity.json").read_bytes()
    with pytest.raises(BadInputError, match="misheard"):
        enrol(tmp_path, url, "00000-00000")
    assert enrol(tmp_path, url, enrolment.invite(world.context, "school", "x")).exit_code == 0
    assert (tmp_path / "agent" / "identity.json").read_bytes() == identity


def test_a_new_agent_needs_its_particulars(site, tmp_path):
    """Without a folder and without them there is nothing to enrol."""
    _, url = site
    with pytest.raises(BadInputError, match="--slug"):
        enrol(tmp_path, url, WRONG, slug="")


class Between(BaseHTTPRequestHandler):
    """Passes everything on, with a council identity of its own, to which it has the keys."""

    answer = b'{"answer": "' + b"0" * 64 + b'"}'

    def do_GET(self):
        self._say(json.dumps(self.identity.to_json()).encode())

    def do_POST(self):
        self.seen.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(self.answer)

    def _say(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_somebody_in_between_is_found_by_the_agent(site, tmp_path):
    """Even where staff don't compare: who has not the code can't answer, whatever identity it shows."""
    world, _ = site
    code = enrolment.invite(world.context, "school", "Example School")
    Between.identity, Between.seen = FakePartyKeys("between").identity, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.raises(VerificationError, match="does not know the code"):
            enrol(tmp_path, f"http://127.0.0.1:{server.server_port}", code)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert code.replace("-", "").encode() not in b"".join(Between.seen).replace(b"-", b"")
    (sent,) = Between.seen
    with pytest.raises(VerificationError, match="another council"):
        enrolment.enrol(world.context, sent.decode())


def test_an_agent_of_one_council_is_not_taken_to_another(site, tmp_path):
    """What is pinned stays pinned."""
    world, url = site
    enrol(tmp_path, url, enrolment.invite(world.context, "school", "Example School"))
    other = json.dumps(FakePartyKeys("other").identity.to_json())
    (tmp_path / "agent" / "council.json").write_text(other)
    with pytest.raises(ConflictError, match="pinned another council"):
        enrol(tmp_path, url, WRONG)
