"""A day at the gateway, minute by minute, from client processes; then ten times as much as it is made for.

    python bench/load.py [--seconds 300] [--rate 200] [--clients 3]

A `flagstone serve` with its embedded PostgreSQL, `fsync` included, and one partner's agent run on two cores;
so do the clients. A bare FastAPI route that reads one row of the same database is asked at the same rate,
before and after. Ends with 1 where something was lost, doubled or failed; read the ratios yourself.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from load_client import NO_ANSWER, household_list
from results import circumstances, put, table
from sqlalchemy import text

from adapters.agent import desk
from adapters.agent import main as agent_main
from audit.entry import Entry
from audit.trust import Trust, write_trust
from audit.verify import verify_file
from gateway.bootstrap import Installation, create_keys, log_signer, opened
from gateway.cli.demo.world import World, free_port, world
from gateway.db.engine import make_engine
from gateway.domain.exchange import Role
from gateway.domain.legal_date import legal_date
from gateway.service import agreements, partners, users
from gateway.settings import Settings
from policies.loader import builtin, load

CORES, SLUG, COUNCIL = 2, "police", "borough"
MIX = {"poll": 50.0, "list": 15.0, "show": 20.0, "results": 10.0, "search": 4.75, "submit": 0.25}
"""Parts of a hundred. Answers come from the agent, one to each submission."""
WORDS = {
    "poll": "Agent polls",
    "list": "Exchanges listed",
    "show": "One exchange shown",
    "results": "Results read",
    "search": "Log searched",
    "submit": "List submitted",
    "bare_route": "Bare route",
}
MOST = 3.0
OVERLOAD = 10
ONCE_EACH = (
    "exchange.permitted",
    "exchange.request-authorised",
    "exchange.delivered",
    "exchange.release-authorised",
)
SETTINGS = {"FLAGSTONE_POLLS_PER_MINUTE": "12000", "FLAGSTONE_READS_PER_MINUTE": "3000"}
_SHED = {429, 503}
_SERVER_ERROR = 500
_SUCCESS = range(200, 300)


@dataclass(frozen=True)
class Load:
    """What one phase came to: milliseconds and statuses by kind, and the exchanges that were acknowledged."""

    times: Mapping[str, list[float]]
    statuses: Mapping[str, Counter[int]]
    exchanges: list[str]
    seconds: float
    cpu: float
    """Seconds of the process that was asked: unlike times, hardly longer on a busy machine."""

    @property
    def all(self) -> Counter[int]:
        return sum(self.statuses.values(), Counter())

    @property
    def rate(self) -> float:
        return self.all.total() / self.seconds

    def at(self, kind: str, part: float) -> float:
        spent = sorted(self.times[kind])
        return spent[min(len(spent) - 1, int(part * len(spent)))]


class Bench:
    """A council, a partner, users, and the ways to load them."""

    def __init__(self, made: World, bare: int, told: argparse.Namespace) -> None:
        self.made, self.bare, self.told = made, bare, told
        self.tokens: dict[str, list[str]] = {}
        self.known: list[str] = []
        self.acknowledged: set[str] = set()
        self.bare_pid = 0
        self._seed = 0

    def load(self, mix: Mapping[str, float], rate: float, seconds: float, *, threads: int = 12) -> Load:
        """Ask at this rate for so long, from all clients together."""
        asked = self.bare_pid if "bare_route" in mix else self.made.pids()[0]
        start, running, before = time.time() + 2.0, [], cpu_seconds(asked)
        for _ in range(self.told.clients):
            self._seed += 1
            plan = {
                "port": self.made.port,
                "bare": self.bare,
                "partner": str(self.made.partner(SLUG)),
                "council": COUNCIL,
                "tokens": self.tokens,
                "owner": self.tokens["programme"][0] if self.tokens else "",
                "exchanges": self.known,
                "mix": mix,
                "rate": rate / self.told.clients,
                "seconds": seconds,
                "threads": threads,
                "seed": self._seed,
                "start": start,
            }
            client = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("load_client.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            client.stdin.write(json.dumps(plan).encode())
            client.stdin.close()
            running.append(client)
        told = [json.loads(client.stdout.read()) for client in running]
        for client in running:
            client.wait()
        kinds = {kind for each in told for kind in each["times"]}
        made = Load(
            {kind: [ms for each in told for ms in each["times"].get(kind, ())] for kind in kinds},
            {kind: sum((_statuses(each, kind) for each in told), Counter()) for kind in kinds},
            [exchange for each in told for exchange in each["exchanges"]],
            max(each["seconds"] for each in told),
            cpu_seconds(asked) - before,
        )
        self.acknowledged.update(made.exchanges)
        return made

    def call(self, path: str, role: str = "programme", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[role][0]}"} | options.pop("headers", {})
        method = "POST" if "content" in options else "GET"
        return httpx.request(method, self.made.url + path, headers=headers, timeout=60, **options)

    def warm_up(self, count: int) -> None:
        """A few exchanges of one user, released, to be shown and read by everybody's reads."""
        asked = "dataset=police-force&purpose=identify&framework=local"
        for number in range(count):
            answer = self.call(
                f"/v1/exchanges?{asked}",
                content=household_list(f"{number:016x}"),
                headers={"Content-Type": "text/csv", "Idempotency-Key": f"warm-{number:08}"},
            )
            answer.raise_for_status()
            self.known.append(answer.json()["exchange"])
        self.acknowledged.update(self.known)

    def settle(self, installation: Installation) -> Counter[str]:
        """Wait until every exchange has ended; how many are in which status."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with installation.operator.store.begin() as unit:
                found = Counter(each.status.value for each in unit.exchanges.all())
            if set(found) <= {"released"}:
                break
            time.sleep(1)
        return found


def cpu_seconds(process: int) -> float:
    """User and system time so far: proc(5), /proc/pid/stat, fields 14 and 15."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _statuses(told: Mapping[str, Any], kind: str) -> Counter[int]:
    return Counter({int(status): count for status, count in told["statuses"].get(kind, {}).items()})


@contextlib.contextmanager
def bench(root: Path, told: argparse.Namespace) -> Iterator[tuple[Bench, Installation]]:
    os.environ.update(SETTINGS)
    with world(root, quiet=True) as made:
        create_keys(made.council, COUNCIL, "Example Borough Council")
        write_trust(root / "trust.json", Trust(log_signer(made.council).verifier))
        os.environ |= {"FLAGSTONE_HOME": str(made.council)}
        # the world leaves every setting out; here the gateway needs ours
        made.environment = lambda _token=None: dict(os.environ)  # type: ignore[method-assign]
        made.wait_ready(made.start("gateway", "serve", "--port", str(made.port)))
        with opened(Settings(home=made.council)) as installation:
            running = Bench(made, free_port(), told)
            enrol(made, installation)
            running.tokens = {
                role.value: [users.add(installation.operator, f"{role}-{n}", role) for n in range(count)]
                for role, count in ((Role.PROGRAMME, 10), (Role.REVIEWER, 10))
            }
            bare = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("load_bare.py"), str(running.bare)],
                env=dict(os.environ) | {"BARE_DATABASE_URL": installation.urls.web},
            )
            running.bare_pid = bare.pid
            try:
                yield running, installation
            finally:
                bare.terminate()
                bare.wait()


def enrol(made: World, installation: Installation) -> None:
    """The partner's keys, an agreement with both signatures, and its agent, which answers at once."""
    ctx, home, register = installation.operator, made.partner(SLUG), made.root / "register.csv"
    shipped = load(builtin())
    codes = shipped.datasets["police-force"].asked(shipped.frameworks["local"])
    columns = ["person_id", "forename", "surname", "dob", "sex", "postcode", "objected", *codes]
    rows = [f"s{n},Zeb{n},Oth{n},1970-01-01,m,LS1 4AP,no{',yes' * len(codes)}" for n in range(100)]
    register.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")
    council = ctx.keys.identity
    identity = agent_main.initialise(
        home,
        slug=SLUG,
        name="Example Police",
        gateway=made.url,
        council=json.dumps(council.to_json()).encode(),
        fingerprint=council.fingerprint,
        kind="csv",
        source=str(register),
    )
    settings = home / "agent.toml"
    text_ = re.sub("poll_seconds = .*", "poll_seconds = 1", settings.read_text(encoding="utf-8"))
    text_ = re.sub("max_exchanges_per_day = .*", "max_exchanges_per_day = 100000", text_)
    settings.write_text(text_, encoding="utf-8")
    partners.add(ctx, identity.to_json(), identity.fingerprint)
    today = legal_date(datetime.now(UTC))
    agreements.propose(
        ctx,
        number="P-1",
        partner=SLUG,
        dataset="police-force",
        valid_from=today,
        valid_to=today + timedelta(days=30),
        dpia="DPIA-1",
        appropriate_policy_document="APD-1",
    )
    with agent_main.opened(home) as agent:
        desk.sign(agent.agent, desk.proposal(agent.agent, "P-1"))
    made.start(SLUG, "agent", "run", "--home", home)


def check(running: Bench, installation: Installation, *, unsure: int) -> list[tuple[str, str, bool]]:
    """That nothing was lost or doubled: from the database, and from the log, exported and verified.

    `unsure`: submissions without an answer, which may or may not be there.
    """
    statuses = running.settle(installation)
    engine = make_engine(installation.urls.migrate)
    with engine.connect() as connection:
        stored = {
            str(id_) for id_ in connection.execute(text("SELECT id FROM flagstone.exchanges")).scalars()
        }
    engine.dispose()
    export = running.made.root / "log.txt"
    export.write_bytes(running.call("/v1/log/export", "reviewer").content)
    verify_file(export, running.made.root / "trust.json", None)
    entries = [Entry.parse(line) for line in export.read_bytes().splitlines() if line.startswith(b"{")]
    steps = Counter((each.body.get("exchange"), each.kind) for each in entries if each.kind in ONCE_EACH)
    once = all(steps[exchange, kind] == 1 for exchange in stored for kind in ONCE_EACH)
    lost, extra = running.acknowledged - stored, stored - running.acknowledged
    return [
        ("Exchanges acknowledged and not in the database", f"{len(lost)}", not lost),
        ("In the database and never acknowledged", f"{len(extra)}", len(extra) <= unsure),
        (
            "Not released in the end",
            f"{statuses.total() - statuses['released']}",
            set(statuses) == {"released"},
        ),
        ("Each step of each exchange stands once in the verified log", "yes" if once else "no", once),
    ]


def routes(day: Load, bare: Load) -> str:
    base = bare.at("bare_route", 0.95)
    rows = [_route(day, kind, base) for kind in MIX] + [_route(bare, "bare_route", base)]
    beyond = [WORDS[kind] for kind in MIX if kind != "submit" and day.at(kind, 0.95) > MOST * base]
    target = f"Target, submissions apart: at most {MOST}. Beyond it: {', '.join(beyond) or 'none'}."
    return table(("", "Requests", "Median, ms", "95 %, ms", "Ratio at 95 %"), *rows) + f"\n\n{target}"


def _route(load_: Load, kind: str, base: float) -> tuple[str, ...]:
    late = load_.at(kind, 0.95)
    figures = f"{statistics.median(load_.times[kind]):,.1f}", f"{late:,.1f}", f"{late / base:.2f}"
    return WORDS[kind], f"{len(load_.times[kind]):,}", *figures


def work(day: Load, bare: Load) -> str:
    own, base = (1000 * each.cpu / each.all.total() for each in (day, bare))
    return (
        f"CPU of the process that answers, for each request of the mix, submissions and workflows included: "
        f"{own:.2f} ms; the bare route's: {base:.2f} ms; ratio {own / base:.2f}."
    )


def phases(running: Bench, told: argparse.Namespace) -> dict[str, Load]:
    half = max(5.0, told.seconds / 10)
    before = running.load({"bare_route": 1.0}, told.rate, half)
    day = running.load(MIX, told.rate, told.seconds)
    after = running.load({"bare_route": 1.0}, told.rate, half)
    bare = Load(
        {"bare_route": before.times["bare_route"] + after.times["bare_route"]},
        {"bare_route": before.statuses["bare_route"] + after.statuses["bare_route"]},
        [],
        before.seconds + after.seconds,
        before.cpu + after.cpu,
    )
    crowd = running.load(MIX, OVERLOAD * told.rate, half, threads=100)
    time.sleep(5)
    recovered = running.load(MIX, told.rate, half)
    return {"bare": bare, "day": day, "crowd": crowd, "recovered": recovered}


def told_of(found: Mapping[str, Load]) -> tuple[str, bool]:
    rows, good = [], True
    for name, words in (
        ("day", "The day"),
        ("crowd", "Ten times as much"),
        ("recovered", "Five seconds later"),
    ):
        all_ = found[name].all
        shed = sum(all_[status] for status in _SHED)
        failed = sum(
            count for status, count in all_.items() if status >= _SERVER_ERROR and status not in _SHED
        )
        rows.append(
            (
                words,
                f"{found[name].rate:,.0f}",
                *(f"{n:,}" for n in (sum(n for s, n in all_.items() if s in _SUCCESS), all_[429], all_[503])),
                f"{failed:,}",
                f"{all_[NO_ANSWER]:,}",
            )
        )
        calm = shed == 0 and all_[NO_ANSWER] == 0
        good = good and failed == 0 and (shed > 0 if name == "crowd" else calm)
    header = ("", "Asked a second", "2xx", "429", "503", "Other 5xx", "No answer")
    return table(header, *rows), good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    root, load_before = Path(tempfile.mkdtemp(prefix="flagstone-load-")), os.getloadavg()[0]
    try:
        with bench(root, told) as (running, installation):
            running.warm_up(5)
            running.settle(installation)
            found = phases(running, told)
            unsure = found["crowd"].statuses.get("submit", Counter())[NO_ANSWER]
            checks = check(running, installation, unsure=unsure)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    by_route = routes(found["day"], found["bare"])
    answered, good = told_of(found)
    nothing_lost = table(("", "Found"), *((what, figure) for what, figure, _ in checks))
    parts = (by_route, work(found["day"], found["bare"]), answered, nothing_lost)
    print("\n\n".join(parts))
    if not told.no_results:
        put("Load", circumstances(load_before), *parts)
    return 0 if good and all(held for *_, held in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
