"""The frozen policy set of tests/vectors/policies, the questions put to it, and what is decided, whole.

python tests/pin_decisions.py      write decisions.json anew, after raising the engine's version
"""

import dataclasses
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from sound_terms import sound_terms  # noqa: E402

from policies.decision import Question, decide  # noqa: E402
from policies.loader import load  # noqa: E402

FROZEN: Final = load(HERE / "vectors" / "policies")
PINNED: Final = HERE / "vectors" / "policies" / "decisions.json"
NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
_DAY: Final = NOON.date()
_BEFORE: Final = date(2026, 11, 21)
_AFTER: Final = date(2026, 11, 23)
_AGREEMENTS: Final[dict[str, dict[str, Any]]] = {
    "unsigned": {"signed": False},
    "revoked": {"revoked": True},
    "not begun": {"valid_from": _AFTER},
    "begins today": {"valid_from": _DAY},
    "ends today": {"valid_to": _DAY},
    "expired": {"valid_to": _BEFORE},
    "assessment ends today": {"dpia_to": _DAY},
    "assessment expired": {"dpia_to": _BEFORE},
    "policy document ends today": {"policy_document_to": _DAY},
    "policy document expired": {"policy_document_to": _BEFORE},
    "other dataset": {"dataset": "abuse"},
    "other policy": {"policy_digest": "0" * 64},
    "all of it": {
        "signed": False,
        "revoked": True,
        "valid_to": _BEFORE,
        "dpia_to": _BEFORE,
        "policy_document_to": _BEFORE,
        "policy_digest": "0" * 64,
    },
}
_SIZES: Final = ((2, 4), (1, 4), (2, 3), (300, 1000), (301, 1000), (300, 1001))
_ASKED: Final = (
    ("crime", "identify", ""),
    ("crime", "identify", "new"),
    ("crime", "identify", "old"),
    ("crime", "identify", "other"),
    ("crime", "identify", "nothing"),
    ("crime", "claim", "new"),
    ("crime", "violence", "new"),
    ("crime", "whim", "new"),
    ("abuse", "identify", "new"),
    ("abuse", "identify", "old"),
    ("needy", "identify", "new"),
    ("needy", "violence", "new"),
    ("nobody", "identify", "new"),
    ("nobody", "identify", "nothing"),
    ("nobody", "whim", "nothing"),
)
_MOMENTS: Final = ("1999-06-01", "2015-03-31", "2016-06-01", "2020-12-31", "2021-01-01", "2022-11-01")


def question(dataset: str = "crime", purpose: str = "identify", framework: str = "new") -> Question:
    """A question beyond reproach, but for what is given."""
    known = FROZEN.datasets.get(dataset)
    terms = sound_terms(
        dataset, known.digest if known else "", since=date(1990, 1, 1), until=date(2035, 1, 1)
    )
    return Question(dataset, purpose, framework, terms, households=50, people=200)


def cases() -> dict[str, tuple[Question, datetime]]:
    """Every pinned question and moment, by a name that says what is special about it."""
    found = {" ".join(filter(None, asked)): (question(*asked), NOON) for asked in _ASKED}
    found["no agreement"] = (dataclasses.replace(question(), agreement=None), NOON)
    for name, changes in _AGREEMENTS.items():
        terms = dataclasses.replace(question().agreement, **changes)
        found[f"agreement: {name}"] = (dataclasses.replace(question(), agreement=terms), NOON)
    for households, people in _SIZES:
        sized = dataclasses.replace(question(), households=households, people=people)
        found[f"{households} households, {people} people"] = (sized, NOON)
    for day in _MOMENTS:
        at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        for dataset in ("crime", "abuse"):
            for framework in ("old", "new"):
                found[f"{dataset} {framework} on {day}"] = (question(dataset, "identify", framework), at)
    return found


def decided() -> dict[str, dict[str, Any]]:
    """What `decide` says of each case, as the log would hold it."""
    fresh = dataclasses.replace(FROZEN)  # has nothing remembered
    told = {name: decide(asked, fresh, at).to_json() for name, (asked, at) in cases().items()}
    # but for the set's digest, which belongs to the shape of the policies
    return {name: {k: v for k, v in each.items() if k != "policy_set"} for name, each in told.items()}


if __name__ == "__main__":
    PINNED.write_text(json.dumps(decided(), indent=1, ensure_ascii=False) + "\n")
