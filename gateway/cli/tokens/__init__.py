"""`flagstone tokens`: both sides' linkage in one place, for registers, dry runs and measuring."""

from gateway.cli.tokens.command import app
from gateway.cli.tokens.key import read_key

__all__ = ["app", "read_key"]
