"""A council and a partner as real processes over a real database, and the ways to ask and look behind them.

Made in-process through the same functions that the commands call: forty starts of Python would take a minute.
"""

import contextlib
import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
from canary import Marks, Search, writes_core_dumps
from people import EVERYBODY, SMALL_LIST

from adapters.agent import desk, main
from audit.entry import Entry
from audit.store import FileStore
from audit.trust import Trust, write_trust
from audit.verify import verify_file
from gateway.bootstrap import create_keys, log_signer, opened
from gateway.db.embedded import EmbeddedPostgres
from gateway.domain.exchange import ENDED, Role
from gateway.domain.legal_date import legal_date
from gateway.domain.people import IDENTIFYING
from gateway.service import agreements, partners, users
from gateway.settings import Settings
from policies.loader import builtin, load

ROOT = Path(__file__).parents[1]
UNSAFE_BUT_FAST = {"fsync": "off", "full_page_writes": "off"}  # a kill loses nothing; a power cut might
SECONDS = 100.0
"""More than a minute: what a crash hid from the workflows the next sweep finds."""
SHIPPED = load(builtin())
POLICE = SHIPPED.datasets["police-force"].asked(SHIPPED.frameworks["local"])
SMALL_FLAGS = {"a1": [POLICE[1]], "b2": [], "c1": [POLICE[0], POLICE[1]]}
"""Who of the small list is on the police register, and what it says of them."""
RELEASED = {"h1": [POLICE[1]], "h2": [], "h3": [POLICE[0], POLICE[1]]}
AT_AGENT = {"request.received": 1, "answer.sealed": 1, "copies.deleted": 1}
"""Entries of the agent's own log about an exchange that it answered."""
ONCE_EACH = {
    "exchange.permitted": 1,
    "exchange.request-authorised": 1,
    "exchange.delivered": 1,
    "exchange.release-authorised": 1,
}


def register(household_list, flags, indicators, *, strangers=30):
    """A partner's register as CSV: those of the list that `flags` names, among strangers who meet all."""
    columns = ["person_id", *IDENTIFYING, "objected", *indicators]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    for person in csv.DictReader(io.StringIO(household_list)):
        if person["person_id"] in flags:
            met = {code: code in flags[person["person_id"]] for code in indicators}
            writer.writerow(person | met | {"person_id": f"r{person['person_id']}", "objected": "no"})
    for number in range(strangers):
        writer.writerow(_stranger(number) | dict.fromkeys(indicators, "yes"))
    return out.getvalue()


def _stranger(number):
    letters = "".join("abcdefghij"[int(digit)] for digit in f"{number:06}")
    born = date(1930, 1, 1) + timedelta(days=number % 30_000)
    return {"person_id": f"s{number}", "forename": f"Zeb{letters}", "surname": f"Oth{letters}", "dob": born}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@dataclass
class Site:
    """Folders, the gateway's address, and the processes that were started."""

    root: Path
    dataset: str
    port: int = field(default_factory=free_port)
    tokens: dict = field(default_factory=dict)
    slug: str = "partner"
    serve: tuple = ("-m", "gateway.cli", "serve")
    gateway: subprocess.Popen = None
    agent: subprocess.Popen = None
    searched: bool = False
    """Whether a test looks for its people itself, so that it need not be done at the end."""

    def __post_init__(self):
        self.order, self.trust, self.temporary = (
            self.root / name for name in ("order", "trust.json", "temporary")
        )
        self.council, self.home = self.root / "council", self.root / self.slug
        self.temporary.mkdir(parents=True)
        self.server = EmbeddedPostgres(self.council / "postgres", unsafe_settings=UNSAFE_BUT_FAST)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self):
        return Settings(home=self.council, port=self.port, policies=self.policies)

    @property
    def policies(self):
        """The council's own folder: the dataset may be asked again at once, and answers by indicator."""
        folder = self.root / "policies"
        file = folder / "datasets" / f"{self.dataset}.toml"
        if not file.exists():
            file.parent.mkdir(parents=True)
            text = (builtin() / "datasets" / file.name).read_text()
            text = re.sub("repeat_days = .*", "repeat_days = 0", text)
            file.write_text(text.replace('"household-any"', '"household-indicators"'))
        return folder

    def environment(self, token=None):
        """The caller's environment without its FLAGSTONE_ settings, plus this site's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLAGSTONE_")}
        own = {"HOME": self.council, "GATEWAY": self.url, "PORT": self.port, "TOKEN": token or ""}
        own["POLICIES"] = self.policies
        told = {f"FLAGSTONE_{name}": str(value) for name, value in own.items() if value}
        return kept | told | {"TMPDIR": str(self.temporary)}

    def spawn(self, name, *argv):
        """Start Python with these arguments; what it says goes to NAME.log."""
        with (self.root / f"{name}.log").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, *map(str, argv)],
                env=self.environment(),
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def start_gateway(self, *argv):
        """Start it anew, by `serve` or other arguments of Python, and wait until it is ready."""
        self.gateway = self.spawn("gateway", *(argv or self.serve))

        def ready():
            assert self.gateway.poll() is None, (self.root / "gateway.log").read_text()[-3000:]
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{self.url}/v1/health/ready").is_success

        eventually(ready)

    def start_agent(self):
        self.agent = self.spawn("agent", "-m", "gateway.cli", "agent", "run", "--home", self.home)

    def stop(self):
        for process in filter(None, (self.agent, self.gateway)):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def call(self, role, method, path, **options):
        """One request as the user of a role."""
        headers = options.pop("headers", {}) | {"Authorization": f"Bearer {self.tokens[role]}"}
        return httpx.request(method, self.url + path, headers=headers, timeout=SECONDS, **options)

    def post_list(self, content, key, **changes):
        """Submit once; the answer, whatever it is."""
        asked = {"dataset": self.dataset, "purpose": "identify", "framework": "local"} | changes
        headers = {"Idempotency-Key": key, "Content-Type": "text/csv"}
        return self.call("programme", "POST", "/v1/exchanges", params=asked, content=content, headers=headers)

    def submit(self, content, key):
        """Submit as a careful client does: again, under the same key, until it is acknowledged."""

        def acknowledged():
            try:
                answer = self.post_list(content, key)
            except httpx.TransportError:
                return None
            assert answer.status_code in {201, 503}, answer.text
            return answer.json() if answer.is_success else None

        return eventually(acknowledged)

    def status(self, exchange):
        try:
            answer = self.call("programme", "GET", f"/v1/exchanges/{exchange}")
        except httpx.TransportError:
            return None
        return answer.json()["status"] if answer.is_success else None

    def ended(self, exchange):
        """The status in which an exchange ends."""
        return eventually(lambda: (status := self.status(exchange)) in ENDED and status)

    def flags(self, exchange):
        """Released flags by household."""
        results = self.call("programme", "GET", f"/v1/exchanges/{exchange}/results")
        assert results.status_code == 200, results.text
        return {unit["household_id"]: unit["flags"] for unit in results.json()["units"]}

    def exported(self):
        """The log as a reviewer takes it away, verified offline; its entries."""
        answer = self.call("reviewer", "GET", "/v1/log/export")
        assert answer.status_code == 200, answer.text
        file = self.root / "exported-log.txt"
        file.write_bytes(answer.content)
        verify_file(file, self.trust, None)
        return [Entry.parse(line) for line in answer.content.splitlines() if line.startswith(b"{")]

    def kinds(self, exchange):
        """Kind -> how many entries the gateway's log has about an exchange."""
        return Counter(e.kind for e in self.exported() if e.body.get("exchange") == exchange)

    def kinds_at_agent(self, exchange):
        """The same in the agent's own log."""
        with FileStore(self.home / "log") as store:
            entries = [Entry.parse(leaf) for leaf in store.leaves(0, store.size())]
        return Counter(e.kind for e in entries if e.body.get("exchange") == exchange)

    def secrets_of(self, exchange):
        """Names of the keys that are kept of an exchange."""
        return {path.name.split(".")[1] for path in (self.council / "exchange-keys").glob(f"{exchange}.*")}

    def postmaster(self):
        """The process id of the embedded PostgreSQL."""
        data = self.server._home_cluster().data
        return int((data / "postmaster.pid").read_text().split()[0])

    def strike(self, point, side, victim=0):
        """Order a crash; `crashing_gateway` says what there is."""
        draft = self.order.with_suffix(".new")
        draft.write_text(json.dumps({"point": point, "side": side, "victim": victim}))
        draft.replace(self.order)


def eventually(look, seconds=SECONDS, pause=0.05):
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing came within {seconds} s"
        time.sleep(pause)
    return found


@contextmanager
def site(root, household_list=SMALL_LIST, register_text="", *, dataset="police-force", **changes):
    """A council with its gateway, its users and a partner bound by an agreement, all running.

    `changes`: other fields of `Site`.
    """
    made = Site(root, dataset, **changes)
    root.chmod(0o700)
    (root / "list.csv").write_text(household_list)
    (root / "register.csv").write_text(register_text or register(household_list, SMALL_FLAGS, POLICE))
    create_keys(made.council, "borough", "Example Borough Council")
    write_trust(made.trust, Trust(log_signer(made.council).verifier))
    made.server.start()
    try:
        made.start_gateway()
        with opened(made.settings) as installation:
            for role in set(Role) - {Role.CUSTODIAN}:
                made.tokens[role.value] = users.add(installation.operator, role.value, role)
            enrol(made, installation.operator)
        made.start_agent()
        yield made
        if not made.searched:
            look_for_people(made)
    finally:
        made.stop()
        made.server.destroy()


def look_for_people(made):
    """Nobody of the tests' people stands in a file, table, process or metric of the job, however written."""
    search = Search(made)
    search.processes()
    alive = [each.pid for each in (made.gateway, made.agent) if each.poll() is None]
    assert not any(map(writes_core_dumps, alive))
    if made.gateway.poll() is None:
        search.look("metrics", made.call("operator", "GET", "/v1/metrics").content)
    search.tables()
    search.files()
    assert search.found(Marks(EVERYBODY)) == {}


def enrol(made, operator):
    """Both sides' part: keys, fingerprints, an agreement with both signatures, prekeys."""
    council = operator.keys.identity
    identity = main.initialise(
        made.home,
        slug=made.slug,
        name="Example Partner",
        gateway=made.url,
        council=json.dumps(council.to_json()).encode(),
        fingerprint=council.fingerprint,
        kind="csv",
        source=str(made.root / "register.csv"),
    )
    settings = made.home / "agent.toml"
    quick = re.sub("poll_seconds = .*", "poll_seconds = 0.1", settings.read_text())
    settings.write_text(re.sub("max_exchanges_per_day = .*", "max_exchanges_per_day = 1000", quick))
    partners.add(operator, identity.to_json(), identity.fingerprint)
    today = legal_date(datetime.now(UTC))
    agreements.propose(
        operator,
        number="P-1",
        partner=made.slug,
        dataset=made.dataset,
        valid_from=today,
        valid_to=today + timedelta(days=30),
        dpia="DPIA-1",
        appropriate_policy_document="APD-1",
    )
    with main.opened(made.home) as agent:
        desk.sign(agent.agent, desk.proposal(agent.agent, "P-1"))
