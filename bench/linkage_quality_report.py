"""bench/LINKAGE.md: the figures in words and tables. Whether a target is met is worked out, not typed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from linkage_quality_methods import CLK, EXACT, FIXED, OPENTOKEN, OURS, SPLINK
from linkage_quality_metrics import Estimate, Figures
from linkage_quality_parts import MOST_UNDER, Group, Key
from linkage_quality_race import Race
from results import table

PRECISE = 0.999
_F1_UNDER_SPLINK = 0.003
_FEBRL_F1 = 0.99
_CLKHASH_TIMES = 3
HALF = "FEBRL 4 half"


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
    """All that was measured. seconds: what -> wall, CPU. rates: method -> records encoded a second and core."""

    profiles: Sequence[str]
    overlaps: Sequence[float]
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
            if (row.world, row.overlap, row.nhs) == (world, overlap, nhs) and (not chosen or row.method in chosen)
        ]


# Targets


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
        ours = _ours(study, profile, most, False)
        best = max(row.recall_precise.point for row in splink)
        mine = ours.recall_precise.point
        yield Target(f"Recall at precision {PRECISE}, {profile}, {most:.0%}", f"Splink's {best:.4f}", f"{mine:.4f}", mine >= best)
        least = max(row.figures.f1.point for row in splink) - _F1_UNDER_SPLINK
        mine = ours.figures.f1.point
        yield Target(f"F1, {profile}, {most:.0%}", f"Splink's best - {_F1_UNDER_SPLINK}: {least:.4f}", f"{mine:.4f}", mine >= least)


def _precision(study: Study) -> Iterable[Target]:
    for profile in study.profiles:
        for overlap in study.overlaps:
            figures = _ours(study, profile, overlap, False).figures
            measured = f"{figures.precision.point:.4f} ({figures.wrong} wrong of {figures.accepted:,})"
            met = figures.precision.point >= PRECISE
            yield Target(f"Precision, {profile}, {overlap:.0%}", f"{PRECISE}", measured, met)


def _above_others(study: Study) -> Iterable[Target]:
    most = max(study.overlaps)
    for profile in study.profiles:
        ours = _ours(study, profile, most, False).figures.f1
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
        yield Target(f"Raw {each.form.upper()} to scored pairs", f"Splink's {splink:.1f} s", f"{ours:.1f} s", ours < splink)
    if {OURS, CLK} <= set(study.rates):
        ratio = study.rates[OURS] / study.rates[CLK]
        what = "Records a second and core, times clkhash's"
        yield Target(what, f"{_CLKHASH_TIMES}", f"{ratio:.1f}", ratio >= _CLKHASH_TIMES)


def _ours(study: Study, world: str, overlap: float, nhs: bool) -> Row:
    return next(row for row in study.of(world, overlap, nhs, [OURS]) if row.point == FIXED)


# Tables


def report(study: Study, circumstances: str, head: Sequence[str]) -> str:
    """The whole file."""
    parts = [
        "# Linkage quality",
        *head,
        circumstances,
        "## Targets",
        table(
            ("Target", "Wanted", "Measured", ""),
            *((each.what, each.wanted, each.measured, "met" if each.met else "**not met**") for each in targets(study)),
        ),
        "## Without NHS number",
        *_quality(study, False),
        "## With NHS number",
        *_quality(study, True),
        "## What low overlap costs",
        _COST,
        *_cost(study),
        "## Match keys",
        _KEYS,
        *(_keys(world, found) for world, found in study.keys.items()),
        "## Groups of people",
        _GROUPS,
        *(_groups(world, method, found) for (world, method), found in study.groups.items()),
        "## Time",
        *_times(study),
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


_COST = """The threshold rises with log2(1 / overlap). Flagstone at the threshold for each overlap, without NHS number;
*room* is the recall at precision 0.999 that a threshold chosen on the answers would have reached."""

_KEYS = """*Alone*: of all pairs whose tokens of this key are equal, the true ones; and of the people on both sides, those
found so. *Lost*: points of recall and F1 that the scheme loses at its fixed threshold when the key is left out
(negative: it does better without). Without NHS number, but for the keys that need it, which find nothing here."""

_GROUPS = f"""Recall and precision at the operating point of the target, then recall among people of whom no field is
missing on either side, with Wilson's 95% interval. A group is marked when that recall is more than
{100 * MOST_UNDER:.0f} points under everybody's. *missing*: how many of forename, surname, date of birth and postcode
are missing, both sides together."""


def _quality(study: Study, nhs: bool) -> Iterable[str]:
    cases = dict.fromkeys((row.world, row.overlap) for row in study.rows if row.nhs == nhs)
    for world, overlap in cases:
        listed, register, links = study.sizes[f"{world} {overlap}"]
        yield f"### {world}, {overlap:.0%}: {listed:,} v {register:,}, {links:,} true links"
        yield table(
            ("Method", "Operating point", "Precision", "Recall", "F1", f"Recall at precision {PRECISE}"),
            *(_line(row) for row in study.of(world, overlap, nhs)),
        )


def _line(row: Row) -> tuple[str, ...]:
    figures = (row.figures.precision, row.figures.recall, row.figures.f1, row.recall_precise)
    return (row.method, row.point, *(_interval(each) for each in figures))


def _interval(each: Estimate) -> str:
    return f"{_short(each.point)} ({_short(each.low)}-{_short(each.high)})"


def _short(share: float) -> str:
    return f"{share:.4f}".removeprefix("0") if share < 1 else "1"


def _cost(study: Study) -> Iterable[str]:
    rows = [
        (profile, overlap, _ours(study, profile, overlap, False))
        for profile in study.profiles
        for overlap in study.overlaps
    ]
    if rows:
        yield table(
            ("Profile", "Overlap", "Threshold, bits", "Accepted", "Wrong", "Precision", "Recall", "Room"),
            *(
                (
                    profile,
                    f"{overlap:.0%}",
                    f"{row.threshold:.1f}",
                    f"{row.figures.accepted:,}",
                    f"{row.figures.wrong:,}",
                    _short(row.figures.precision.point),
                    _short(row.figures.recall.point),
                    _short(row.recall_precise.point),
                )
                for profile, overlap, row in rows
            ),
        )


def _keys(world: str, found: Sequence[Key]) -> str:
    rows = (
        (
            f"`{key.label}`",
            _short(key.precision),
            _short(key.recall),
            f"{100 * key.recall_lost:.2f}",
            f"{100 * key.f1_lost:.2f}",
        )
        for key in found
    )
    header = ("Key", "Precision alone", "Recall alone", "Recall lost", "F1 lost")
    return f"### {world}\n\n{table(header, *rows)}"


def _groups(world: str, method: str, found: Sequence[Group]) -> str:
    rows = (
        (
            f"{each.dimension} {each.name}".strip(),
            f"{each.links:,}",
            _short(each.recall),
            _short(each.precision),
            f"{each.complete:,}",
            f"{_short(each.recall_complete)} ({_short(each.low)}-{_short(each.high)})" if each.complete else "",
            f"more than {100 * MOST_UNDER:.0f} under" if each.marked else "",
        )
        for each in found
    )
    header = ("", "On the register", "Recall", "Precision", "Complete", "Recall, complete", "")
    return f"### {world}, {method}\n\n{table(header, *rows)}"


def _times(study: Study) -> Iterable[str]:
    if study.races:
        rounds = len(study.races[0].ours)
        yield (
            "From two raw files to scored pairs, whole processes, by turns; medians of "
            f"{rounds}. Flagstone: `flagstone tokens link`; Splink: its script, training included."
        )
        yield table(
            ("Files", "Flagstone, s", "Splink, s", "Ratio", "Flagstone, CPU s", "Splink, CPU s", "Ratio"),
            *(_race(each) for each in study.races),
        )
    yield "Seconds of each method, at the first overlap, without NHS number, of the first profile (of the peers without starting Python):"
    yield table(
        ("", "Wall", "CPU"),
        *((what, f"{wall:.1f}", f"{cpu:.1f}") for what, (wall, cpu) in study.seconds.items()),
    )
    if study.rates:
        yield "Records of the register encoded a second and core, from ready columns:"
        yield table(("", "Records/s/core"), *((name, f"{rate:,.0f}") for name, rate in study.rates.items()))


def _race(each: Race) -> tuple[str, ...]:
    (ours, splink), (ours_cpu, splink_cpu) = each.medians("wall"), each.medians("cpu")
    seconds = (f"{ours:.1f}", f"{splink:.1f}", f"{ours / splink:.2f}")
    return (each.form.upper(), *seconds, f"{ours_cpu:.1f}", f"{splink_cpu:.1f}", f"{ours_cpu / splink_cpu:.2f}")


def seconds_of(spent: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
    """Wall and CPU of all parts together."""
    wall, cpu = (sum(part[what] for part in spent.values()) for what in ("wall", "cpu"))
    return wall, cpu
