"""Write example data: `python -m examples.generate --out DIR --seed N --households 200 --register 50000`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from examples.generator import HEALTH_INDICATORS, POLICE_INDICATORS, RegisterSpec, generate
from examples.mistakes import PROFILES


def default_registers(size: int, overlap: float) -> list[RegisterSpec]:
    """A health trust and a police force; the police hold no NHS numbers."""
    return [
        RegisterSpec("health", size, overlap, HEALTH_INDICATORS),
        RegisterSpec("police", size, overlap, POLICE_INDICATORS, nhs_numbers=False),
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.generate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--households", type=int, default=200)
    parser.add_argument("--register", type=int, default=50_000, help="rows of each register")
    parser.add_argument("--overlap", type=float, default=0.85, help="share of the list on each register")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="typical")
    parser.add_argument("--only", choices=("health", "police"), help="make this register alone")
    args = parser.parse_args(argv)
    specs = [
        spec for spec in default_registers(args.register, args.overlap) if args.only in (None, spec.name)
    ]
    for path in generate(args.seed, args.households, specs, args.profile).write(args.out):
        print(path)


if __name__ == "__main__":
    main()
