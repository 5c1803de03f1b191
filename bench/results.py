"""bench/RESULTS.md: one section a bench, in alphabetical order; a new run replaces its own section alone."""

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

RESULTS = Path(__file__).with_name("RESULTS.md")
_TITLE = """# Results

As measured by `make bench`. Machines differ and are noisy: read the ratios, not the seconds.
"""


def put(section: str, *parts: str, results: Path = RESULTS) -> None:
    """Replace the section, or add it."""
    before = results.read_text(encoding="utf-8") if results.exists() else ""
    found = re.split(r"^## (.+)\n", before, flags=re.MULTILINE)
    sections = dict(zip(found[1::2], found[2::2], strict=True))
    sections[section] = "\n" + "\n\n".join(part.strip() for part in parts) + "\n\n"
    text = "\n".join(f"## {name}\n{body.rstrip()}\n" for name, body in sorted(sections.items()))
    results.write_text(f"{_TITLE}\n{text}", encoding="utf-8")


def circumstances(load: float) -> str:
    """When, where and how; `load`: the machine's load average just before."""
    command = " ".join(["python", os.path.relpath(sys.argv[0]), *sys.argv[1:]])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return table(
        ("", ""),
        ("Date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("Command", f"`{command}`"),
        ("Machine", f"{_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release()}"),
        ("Cores used", f"{len(os.sched_getaffinity(0))}"),
        ("Load average before", f"{load:.2f}"),
        ("Software", f"Python {platform.python_version()}, Polars {pl.__version__}"),
    )


def table(header: Sequence[str], *rows: Sequence[str]) -> str:
    """Markdown; every column but the first is set to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def growth(tenth: object, whole: object, *figures: tuple[str, str, str]) -> str:
    """Two sizes side by side, and whole / tenth. A figure: what it is, its attribute, its format."""

    def row(what: str, name: str, form: str) -> tuple[str, str, str, str]:
        small, large = getattr(tenth, name), getattr(whole, name)
        return what, f"{small:{form}}", f"{large:{form}}", f"{large / small:.2f}" if small else ""

    return table(("", "A tenth", "Whole", "Ratio"), *(row(*figure) for figure in figures))


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        told = ""
    name = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    return name[1] if name else platform.machine()
