"""One exchange through real processes, and the same at a tenth of its size.

    python bench/exchange.py [--households 10000] [--register 1000000] [--seed 1]

A gateway with its embedded PostgreSQL and one agent that answers for the police-force dataset run on two
cores; the list is submitted and the flags are read by the command line, whose start counts too.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import linkage_speed
from people import REGISTER, SLUG, case
from results import circumstances, growth, put, table

from gateway.cli.demo import job
from gateway.cli.demo.cases import Case
from gateway.cli.demo.score import Score, score
from gateway.cli.demo.world import World, world
from gateway.linkage.scheme import V1

CORES = 2
TENTH = 10
SECONDS, AGENT_MIB, GATEWAY_MIB = 60.0, 3 * 1024.0, 1024.0
PARTNER_KEYS = sum("nhs" not in label for label in V1.labels)  # that the police-force dataset feeds


@dataclass(frozen=True, slots=True)
class Run:
    """One exchange, measured. Times in seconds, memory as peak resident MiB; both of the Python processes.

    `people`, `households`: asked about, without `withheld`. `before`: from the submission's start until the
    agent has accepted the request; `agent`: until the gateway has its answer; `after`: until the flags are
    read.
    """

    households: int
    people: int
    withheld: int
    register: int
    before: float
    agent: float
    after: float
    agent_cpu: float
    gateway_cpu: float
    agent_mib: float
    gateway_mib: float
    score: Score

    @property
    def seconds(self) -> float:
        return self.before + self.agent + self.after


def run(asked: Case, register: int) -> Run:
    """One exchange in a world of its own."""
    root = Path(tempfile.mkdtemp(prefix="flagstone-bench-"))
    try:
        with world(root, quiet=True) as made:
            job.open_council(made)
            job.enrol(made, asked.partners[0])
            return _measure(made, asked, register, job.add_users(made))
    finally:
        shutil.rmtree(root)


def _measure(made: World, asked: Case, register: int, tokens: job.Tokens) -> Run:
    gateway, agent = made.pids()
    gateway_cpu, agent_cpu = _cpu_seconds(gateway), _cpu_seconds(agent)
    start = time.time()
    told = job.ask(made, asked, asked.partners[0], "identify", tokens)
    end = time.time()
    accepted, answered = (
        _told_at(made.root / f"{SLUG}.log", event) for event in ("request-accepted", "reply-acknowledged")
    )
    results = told["results"]
    withheld = {row["person_id"] for row in results["withheld"]}
    return Run(
        households=len(results["units"]),
        people=asked.truth.height - len(withheld),
        withheld=len(withheld),
        register=register,
        before=accepted - start,
        agent=answered - accepted,
        after=end - answered,
        agent_cpu=_cpu_seconds(agent) - agent_cpu,
        gateway_cpu=_cpu_seconds(gateway) - gateway_cpu,
        agent_mib=_peak_mib(agent),
        gateway_mib=_peak_mib(gateway),
        score=score(asked.truth, REGISTER, results),
    )


def _told_at(log: Path, event: str) -> float:
    """When the agent said so, in seconds since the epoch."""
    told = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return next(
        datetime.fromisoformat(line["timestamp"]).timestamp() for line in told if line["event"] == event
    )


def _peak_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0]) / 1024


def _cpu_seconds(process: int) -> float:
    """User and system time so far."""
    # the fields after the command's name, which may hold anything: proc(5), /proc/pid/stat, 14 and 15
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


FIGURES = (
    ("Households asked about", "households", ",.0f"),
    ("People asked about", "people", ",.0f"),
    ("People withheld", "withheld", ",.0f"),
    ("People on the register", "register", ",.0f"),
    ("Submission to released flags, s", "seconds", ".1f"),
    ("of it: until the agent accepts, s", "before", ".1f"),
    ("of it: the agent's answer, s", "agent", ".1f"),
    ("of it: release and reading, s", "after", ".1f"),
    ("Agent, CPU s", "agent_cpu", ".1f"),
    ("Gateway, CPU s", "gateway_cpu", ".1f"),
    ("Agent, peak resident MiB", "agent_mib", ",.0f"),
    ("Gateway, peak resident MiB", "gateway_mib", ",.0f"),
)


def limits(whole: Run) -> str:
    rows = (
        ("Submission to released flags, s", whole.seconds, SECONDS),
        ("Agent, peak resident MiB", whole.agent_mib, AGENT_MIB),
        ("Gateway, peak resident MiB", whole.gateway_mib, GATEWAY_MIB),
    )
    return table(
        ("", "Measured", "Limit", "Ratio"),
        *((what, f"{found:,.1f}", f"{limit:,.0f}", f"{found / limit:.2f}") for what, found, limit in rows),
    )


def quality(tenth: Run, whole: Run) -> str:
    return table(
        ("Flags against the truth", "Right", "Wrong", "Missed", "Precision", "Recall"),
        *(
            (
                name,
                *(f"{count:,}" for count in (found.right, found.wrong, found.missed)),
                f"{found.precision:.4f}",
                f"{found.recall:.4f}",
            )
            for name, found in (("A tenth", tenth.score), ("Whole", whole.score))
        ),
    )


def throughput(whole: Run) -> str:
    rate = linkage_speed.beside_python(whole.register * PARTNER_KEYS / whole.agent)
    return f"Tokens by the agent, while it also reads, cleans, matches, seals and sends: {rate}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--households", type=int, default=10_000)
    parser.add_argument("--register", type=int, default=1_000_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    # the processes started from here inherit it
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    sizes = [(told.households // part, told.register // part) for part in (TENTH, 1)]
    load = os.getloadavg()[0]
    cases = [case(told.seed, *size) for size in sizes]
    tenth, whole = (run(asked, register) for asked, (_, register) in zip(cases, sizes, strict=True))
    parts = (limits(whole), growth(tenth, whole, *FIGURES), quality(tenth, whole), throughput(whole))
    print("\n\n".join(parts))
    if not told.no_results:
        put("Exchange", circumstances(load), *parts)
    within = whole.seconds <= SECONDS and whole.agent_mib <= AGENT_MIB and whole.gateway_mib <= GATEWAY_MIB
    no_faster = whole.seconds / tenth.seconds <= whole.register / tenth.register
    return 0 if within and no_faster else 1


if __name__ == "__main__":
    sys.exit(main())
