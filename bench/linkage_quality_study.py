"""All that the study measured, before it is put in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.linkage_quality_methods import FIXED, OURS
from bench.linkage_quality_metrics import Estimate, Figures
from bench.linkage_quality_parts import Group, Key
from bench.linkage_quality_race import Race

PRECISE = 0.999
"""The precision that recall is compared at."""


@dataclass(frozen=True, slots=True)
class Row:
    """A method at an operating point in a case."""

    world: str
    overlap: float
    nhs: bool
    method: str
    point: str
    threshold: float
    figures: Figures
    recall_precise: Estimate


@dataclass(slots=True)
class Study:
    """profiles: those that are done. seconds: what -> wall, CPU. sizes: world and overlap -> rows of the
    list, rows of the register, true links. rates: method -> records of the register encoded a second and
    core.
    """

    overlaps: Sequence[float]
    profiles: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    sizes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    keys: dict[str, list[Key]] = field(default_factory=dict)
    groups: dict[tuple[str, str], list[Group]] = field(default_factory=dict)
    races: list[Race] = field(default_factory=list)
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def of(self, world: str, overlap: float, nhs: bool, methods: Iterable[str] = ()) -> list[Row]:
        chosen = set(methods)
        return [
            row
            for row in self.rows
            if (row.world, row.overlap, row.nhs) == (world, overlap, nhs)
            and (not chosen or row.method in chosen)
        ]

    def ours(self, world: str, overlap: float, nhs: bool) -> Row:
        return next(row for row in self.of(world, overlap, nhs, [OURS]) if row.point == FIXED)
