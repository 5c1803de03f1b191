"""docs/policies/: one page a dataset, made of the policy and the decision tables of tests/spec/policies.

python tests/policy_docs.py        write the pages anew
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE / "spec"), str(HERE.parent)]

import test_policies_tables as tables  # noqa: E402

from policies.decision import decide  # noqa: E402
from policies.page import markdown, page  # noqa: E402

DOCS: Final = HERE.parent / "docs" / "policies"
_DAY: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
_NOTE: Final = (
    "Made by `make policy-docs` from `policies/datasets/{0}.toml` and the decision tables under "
    "`tests/spec/policies/`. "
    "Law as of 22 November 2026, supposing a signed agreement and a list within the limits. A template, not "
    "legal advice: the council's data protection officer approves it or replaces it."
)


def pages() -> dict[str, str]:
    """The text of each page by file name, with an index."""
    made = {f"{name}.md": _page(name) for name in tables.POLICIES.datasets}
    rows = [f"| [{each.id}]({each.id}.md) | {each.title} |" for each in tables.POLICIES.datasets.values()]
    index = ["# Policies by dataset", "| Dataset | |\n|---|---|\n" + "\n".join(rows)]
    return made | {"README.md": "\n\n".join(index) + "\n"}


def _page(name: str) -> str:
    policy = tables.POLICIES.datasets[name]
    purpose = policy.purposes[0]
    decision = decide(tables._question(name, purpose, ""), tables.POLICIES, _DAY)
    supposing = "a signed agreement with this very policy, and a list within its limits"
    sections = tables.undated(page(decision, tables.POLICIES, supposing=supposing))
    told = markdown(policy.title, sections).partition("\n\n")
    parts = [
        *(told[0], _NOTE.format(name), told[2].rstrip()),
        *("## Asked under each framework, as tested", "\n".join(_frameworks(name))),
        *("## Decisions, as tested", "\n".join(_rows(name))),
    ]
    return "\n\n".join(parts) + "\n"


def _frameworks(name: str) -> Iterator[str]:
    yield "| Day | Framework | Decision | Asked, or not met |\n|---|---|---|---|"
    for day, dataset, framework, answer, codes in tables.FRAMEWORKS:
        if dataset == name:
            labels = tables.POLICIES.frameworks[framework]
            found = ((code, labels.find(code)) for code in codes.split())
            told = "; ".join(f"{each.label} ({code})" if each else code for code, each in found)
            yield f"| {day} | {framework} | {answer} | {told} |"


def _rows(name: str) -> Iterator[str]:
    yield "| At (UTC) | Purpose | But | Decision | Regime | Not met |\n|---|---|---|---|---|---|"
    for at, dataset, purpose, but, answer in tables._decisions():
        if dataset == name:
            verdict, regime, *codes = answer.split()
            yield f"| {at} | {purpose} | {but} | {verdict} | {regime} | {', '.join(codes)} |"


if __name__ == "__main__":
    DOCS.mkdir(exist_ok=True)
    for name, text in pages().items():
        (DOCS / name).write_text(text)
