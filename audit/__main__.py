"""`python -m audit verify FILE --trust TRUST [--seen CHECKPOINT]`: exit 0 verified, 2 usage, 5 failed."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from audit.errors import AuditError, SeenError, TrustError
from audit.verify import verify_file

VERIFIED: Final = 0
USAGE: Final = 2
FAILED: Final = 5


def main(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Run the command; the exit code. Wrong arguments leave through SystemExit(2), as argparse does."""
    options = _parser().parse_args(argv)
    try:
        out.write(f"{verify_file(options.file, options.trust, options.seen)}\n")
    except (TrustError, SeenError) as error:
        err.write(f"Can't verify: {error}\n")
    except OSError as error:
        err.write(f"Can't verify: {error.strerror}: {error.filename}\n")
    except AuditError as error:
        err.write(f"VERIFICATION FAILED: {error}\n")
        return FAILED
    else:
        return VERIFIED
    return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="audit", description="Check a Flagstone log, offline.")
    verify = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "verify", help="check an exported log, or the evidence of one exchange"
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="an exported log, its tiles, or evidence")
    verify.add_argument(
        "--trust", type=Path, required=True, help="the log's key and witnesses, got by another way"
    )
    verify.add_argument(
        "--seen", type=Path, help="a checkpoint that you saw before: finds forks and rollbacks"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))
