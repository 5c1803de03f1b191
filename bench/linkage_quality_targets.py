"""The targets, each met or not by the figures alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.linkage_quality_methods import CLK, EXACT, OPENTOKEN, OURS, SPLINK
from bench.linkage_quality_parts import MOST_UNDER
from bench.linkage_quality_study import PRECISE, Study

HALF = "FEBRL 4 half"
_F1_UNDER_SPLINK = 0.003
_FEBRL_F1 = 0.99
_CLKHASH_TIMES = 3


@dataclass(frozen=True, slots=True)
class Target:
    what: str
    wanted: str
    measured: str
    met: bool


def targets(study: Study) -> list[Target]:
    found = [*_against_splink(study), *_precision(study), *_above_others(study), *_febrl(study)]
    return [*found, *_fair(study), *_fast(study)]


def _against_splink(study: Study) -> Iterable[Target]:
    most = max(study.overlaps)
    for profile in study.profiles:
        splink = study.of(profile, most, False, SPLINK)
        if not splink:
            continue
        ours = study.ours(profile, most, False)
        best = max(row.recall_precise.point for row in splink)
        mine = ours.recall_precise.point
        yield Target(
            f"Recall at precision {PRECISE}, {profile}, {most:.0%}",
            f"Splink's {best:.4f}",
            f"{mine:.4f}",
            mine >= best,
        )
        least = max(row.figures.f1.point for row in splink) - _F1_UNDER_SPLINK
        mine = ours.figures.f1.point
        yield Target(
            f"F1, {profile}, {most:.0%}",
            f"Splink's best - {_F1_UNDER_SPLINK}: {least:.4f}",
            f"{mine:.4f}",
            mine >= least,
        )


def _precision(study: Study) -> Iterable[Target]:
    for profile in study.profiles:
        for overlap in study.overlaps:
            figures = study.ours(profile, overlap, False).figures
            measured = f"{figures.precision.point:.4f} ({figures.wrong} wrong of {figures.accepted:,})"
            met = figures.precision.point >= PRECISE
            yield Target(f"Precision, {profile}, {overlap:.0%}", f"{PRECISE}", measured, met)


def _above_others(study: Study) -> Iterable[Target]:
    most = max(study.overlaps)
    for profile in study.profiles:
        ours = study.ours(profile, most, False).figures.f1
        for method in (CLK, EXACT, OPENTOKEN):
            theirs = [row.figures.f1 for row in study.of(profile, most, False, [method])]
            if theirs:
                best = max(theirs, key=lambda f1: f1.point)
                what = f"F1 above {method}'s, intervals apart, {profile}, {most:.0%}"
                yield Target(what, f"{best.point:.4f}", f"{ours.point:.4f}", ours.low > best.high)


def _febrl(study: Study) -> Iterable[Target]:
    for row in study.rows:
        if row.world == HALF and row.method == OURS:
            f1 = row.figures.f1.point
            yield Target(f"F1, {HALF}, fixed threshold", f"{_FEBRL_F1}", f"{f1:.4f}", f1 >= _FEBRL_F1)


def _fair(study: Study) -> Iterable[Target]:
    for (world, method), found in study.groups.items():
        if method == OURS:
            marked = [f"{each.dimension} {each.name}" for each in found if each.marked]
            what = f"No group's recall more than {100 * MOST_UNDER:.0f} points under the whole, {world}"
            yield Target(what, "none", ", ".join(marked) or "none", not marked)


def _fast(study: Study) -> Iterable[Target]:
    for each in study.races:
        ours, splink = each.medians("wall")
        yield Target(
            f"Raw {each.form.upper()} to scored pairs",
            f"Splink's {splink:.1f} s",
            f"{ours:.1f} s",
            ours < splink,
        )
    if {OURS, CLK} <= set(study.rates):
        ratio = study.rates[OURS] / study.rates[CLK]
        what = "Records a second and core, times clkhash's"
        yield Target(what, f"{_CLKHASH_TIMES}", f"{ratio:.1f}", ratio >= _CLKHASH_TIMES)
