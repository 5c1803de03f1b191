"""What each adversary of docs/privacy.md gets out of tokens, measured; bench/ATTACKS.md is its output.

    python -m bench.attacks [--households 2000] [--people 200000] [--seed 1]

Nobody in it exists. The figures are shares and counts, which do not depend on the machine; seconds do.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from bench.attacks_exchanges import arithmetic, lengths, successive, times
from bench.attacks_tokens import households, with_the_key, without_the_key
from bench.attacks_world import Told, tokens_of, world
from bench.results import circumstances
from examples.generator import generate

ATTACKS = Path(__file__).with_name("ATTACKS.md")
COVERAGES = (1.0, 0.5, 0.1)
_TITLE = """# Attacks on tokens

As measured by `make bench-attacks`, on generated people. [docs/privacy.md](../docs/privacy.md) says what
follows.
"""


def report(seed: str, homes: int, people: int) -> Iterator[Told]:
    """Every table, in the order in which docs/privacy.md cites them."""
    made = world(seed, homes, people, COVERAGES)
    strangers = generate(f"{seed}-strangers", homes, []).household_list
    tokens = tokens_of(made.listed)
    yield from with_the_key(made, tokens)
    yield from without_the_key(made, tokens)
    yield from households(made, tokens)
    yield from lengths(made, tokens)
    yield times(made, strangers)
    yield from successive(made)
    yield arithmetic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--households", type=int, default=2_000)
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--no-results", action="store_true", help="print only")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    text = "\n\n".join(
        told.markdown(number)
        for number, told in enumerate(report(asked.seed, asked.households, asked.people), 1)
    )
    print(text)
    if not asked.no_results:
        how = circumstances(load).replace("python bench/attacks.py", "python -m bench.attacks")
        ATTACKS.write_text(f"{_TITLE}\n{how}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
