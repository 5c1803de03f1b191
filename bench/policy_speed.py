"""How long one decision on a whole list takes, and how many single decisions a second, beside Cedar's.

    python bench/policy_speed.py [--households 10000] [--people 45000] [--questions 400] [--rounds 11]

Cedar answers the same questions of tests/policy_questions.py from the policies of tests/cedar_policies.py:
its policies and entities are parsed once, its requests made beforehand, and both engines must agree. Rounds
alternate in one process; medians count.
"""

import argparse
import dataclasses
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import cedarpy
import polars as pl
from results import circumstances, put, table

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from cedar_policies import Cedar, request  # noqa: E402
from policy_questions import Asked, questions  # noqa: E402

from gateway.domain.people import LIST_SCHEMA, HouseholdList  # noqa: E402
from policies.decision import AgreementTerms, Question, decide  # noqa: E402
from policies.loader import builtin, load  # noqa: E402
from policies.model import DatasetPolicy, PolicySet  # noqa: E402
from policies.rows import withhold  # noqa: E402

DATASETS = ("health-trust", "police-force")
FRAMEWORK = "local"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
TO_REACH_SECONDS, TO_REACH_RATIO = 1.0, 5.0
LIST_RUNS = 7

WAYS = (
    "`decide`",
    "`decide`, each ruling worked out anew",
    "`cedarpy.is_authorized`",
    "`cedarpy.is_authorized`, with the asked dataset's policies alone",
    "`cedarpy.is_authorized_batch`, all in one call",
)


def household_list(households: int, people: int, codes: list[str], seed: int) -> HouseholdList:
    """People of any age in households in random order; most consent, and a fifth meet an indicator each."""
    draws = random.Random(seed)  # noqa: S311 - seeded, so that it repeats
    whose = [n % households for n in range(people)]
    draws.shuffle(whose)
    columns = {
        "line": range(2, people + 2),
        "person_id": [f"p{n}" for n in range(people)],
        "dob": [date(1940, 1, 1) + timedelta(days=draws.randrange(31_000)) for _ in range(people)],
        "household_id": [f"h{n}" for n in whose],
        "met_indicators": [draws.sample(codes, 1) if draws.random() < 1 / 5 else None for _ in range(people)],
        "consent": [draws.random() < 9 / 10 for _ in range(people)],
        "in_education": [draws.random() < 1 / 5 for _ in range(people)],
    }
    nothing = dict.fromkeys(LIST_SCHEMA.names(), [None] * people)
    return HouseholdList(pl.DataFrame(nothing | columns, schema=LIST_SCHEMA))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def on_a_list(shipped: PolicySet, households: int, people: int) -> str:
    """The row rules over the whole list and the decision, by a set that has not decided anything before."""
    framework = shipped.frameworks[FRAMEWORK]
    listed = household_list(households, people, [each.code for each in framework.indicators], seed=1)
    return table(
        ("Dataset", "Row rules, s", "`decide`, s", "Together, s", "Ratio to the limit", "Withheld"),
        *(_on_a_list(shipped, name, listed) for name in DATASETS),
    )


def _on_a_list(shipped: PolicySet, name: str, listed: HouseholdList) -> tuple[str, ...]:
    dataset, framework = shipped.datasets[name], shipped.frameworks[FRAMEWORK]
    last = AT.date() + timedelta(days=365)
    terms = AgreementTerms(
        number="A-1",
        partner="partner",
        dataset=name,
        policy_digest=dataset.digest,
        valid_from=AT.date(),
        valid_to=last,
        signed=True,
        revoked=False,
        dpia_to=last,
        policy_document_to=last,
    )
    asked = Question(name, dataset.purposes[0], FRAMEWORK, terms, listed.households, len(listed))
    rules, decision = [], []
    for _ in range(LIST_RUNS):
        anew = dataclasses.replace(shipped)  # knows nothing of earlier decisions
        rules.append(seconds(lambda: withhold(listed, dataset, framework, AT.date())))
        decision.append(seconds(lambda s=anew: decide(asked, s, AT)))
    both = statistics.median(map(sum, zip(rules, decision, strict=True)))
    withheld = withhold(listed, dataset, framework, AT.date()).height
    medians = (statistics.median(rules), statistics.median(decision), both)
    return (name, *(f"{each:.4f}" for each in medians), f"{both / TO_REACH_SECONDS:.3f}", f"{withheld:,}")


def side_by_side(shipped: PolicySet, number: int, rounds: int) -> tuple[str, str]:
    """The same questions to both, in turns."""
    asked = questions(random.Random("bench"), shipped, number)  # noqa: S311 - seeded, so that it repeats
    made = [request(question, at) for question, at in asked]
    whole, forgetful = Cedar(shipped), dataclasses.replace(shipped)
    alone = {
        name: Cedar(dataclasses.replace(shipped, datasets=_only(shipped, name))) for name in _names(asked)
    }
    handles = [alone[question.dataset] for question, _ in asked]

    def ours() -> list[bool]:
        return [decide(question, shipped, at).permitted for question, at in asked]

    def first() -> list[bool]:
        told = []
        for question, at in asked:
            forgetful.remembered.clear()
            told.append(decide(question, forgetful, at).permitted)
        return told

    def theirs() -> list[bool]:
        return [cedarpy.is_authorized(each, whole.policies, whole.entities).allowed for each in made]

    def parted() -> list[bool]:
        pairs = zip(made, handles, strict=True)
        return [cedarpy.is_authorized(each, own.policies, own.entities).allowed for each, own in pairs]

    def batch() -> list[bool]:
        told = cedarpy.is_authorized_batch(made, whole.policies, whole.entities)
        return [each.allowed for each in told]

    ways = (ours, first, theirs, parted, batch)
    verdicts = [way() for way in ways]
    if any(each != verdicts[0] for each in verdicts):
        raise SystemExit("the engines disagree")
    took = [[seconds(way) / number for way in ways] for _ in range(rounds)]
    return _told([statistics.median(each) for each in zip(*took, strict=True)], number, sum(verdicts[0]))


def _names(asked: list[Asked]) -> set[str]:
    return {question.dataset for question, _ in asked}


def _only(shipped: PolicySet, name: str) -> dict[str, DatasetPolicy]:
    return {key: each for key, each in shipped.datasets.items() if key == name}


def _told(medians: list[float], number: int, permits: int) -> tuple[str, str]:
    ours, anew, theirs, *others = medians
    rows = (
        (name, f"{each * 1e6:.1f}", f"{1 / each:,.0f}", f"{theirs / each:.2f}")
        for name, each in zip(WAYS, medians, strict=True)
    )
    fastest = min(theirs, *others)
    said = (
        f"{number:,} questions, {permits:,} of them permitted, the same by both engines; cedarpy "
        f"{version('cedarpy')}. `decide` to `is_authorized`: ratio {theirs / ours:.1f}, to reach "
        f"{TO_REACH_RATIO:.0f}; to the fastest of Cedar's ways: {fastest / ours:.1f}. `decide` also names "
        "what is unmet, or the basis in law. It keeps a ruling for each period in which nothing changes; "
        f"Cedar compares the days at every request. Without what it keeps: ratio {theirs / anew:.2f}."
    )
    return table(("", "Microseconds", "Decisions a second", "Ratio to `is_authorized`"), *rows), said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--households", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=45_000)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--no-results", action="store_true", help="print only")
    told = parser.parse_args()
    load_average = os.getloadavg()[0]
    shipped = load(builtin())
    size = f"{told.people:,} people in {told.households:,} households"
    parts = (
        f"{size}, medians of {LIST_RUNS} runs; the limit is {TO_REACH_SECONDS:.0f} second:",
        on_a_list(shipped, told.households, told.people),
        f"Single decisions, medians of {told.rounds} alternating rounds:",
        *side_by_side(shipped, told.questions, told.rounds),
    )
    print("\n\n".join(parts))
    if not told.no_results:
        put("Policies", circumstances(load_average), *parts)


if __name__ == "__main__":
    main()
