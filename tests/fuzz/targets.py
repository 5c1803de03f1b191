"""What is fuzzed: every parser of bytes from outside, with the errors it may raise and seeds to begin with.

The first byte of an input picks one of the target's ways in, so that one corpus reaches what lies behind a
signature or within an archive as well as the outermost layer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

from audit.errors import AuditError
from gateway.domain.errors import FlagstoneError

Way = Callable[[bytes], object]


@dataclass(frozen=True)
class Target:
    """`module` has `WAYS`, by name, and `SEEDS`: pairs of a way's name and bytes for it."""

    module: str
    most: int
    """Bytes of an input at most: more than what the parsers' own limits are tried with is waste."""

    @cached_property
    def ways(self) -> dict[str, Way]:
        ways: dict[str, Way] = import_module(self.module).WAYS
        return ways

    def seeds(self) -> list[bytes]:
        """Inputs that are well formed, one for each way at least."""
        names = list(self.ways)
        return [bytes([names.index(way)]) + data for way, data in import_module(self.module).SEEDS]

    def run(self, data: bytes) -> bool:
        """Parse one input; whether it was taken. Any error but the declared ones comes out."""
        if not data:
            return False
        way = list(self.ways.values())[data[0] % len(self.ways)]
        try:
            way(data[1:])
        except (FlagstoneError, AuditError):
            return False
        return True


TARGETS = {
    "intake": Target("fuzz.intake", 1 << 16),
    "bundle": Target("fuzz.bundle", 1 << 14),
    "document": Target("fuzz.document", 1 << 13),
    "note": Target("fuzz.note", 1 << 14),
    "policy": Target("fuzz.policy", 1 << 14),
    "sign-in": Target("fuzz.sign_in", 1 << 13),
    "gateway": Target("fuzz.gateway_answers", 1 << 13),
}
