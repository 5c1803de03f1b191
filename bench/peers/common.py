"""What the peers share: arguments, reading people, the clock, and the form of their answers.

A peer is a script in an environment of its own (requirements/peers.lock). It is handed a register and lists
of people, CSV or Parquet, with `COLUMNS`; a row's number is its id. For each list it writes the pairs it
found, `slot` (row of the list), `record` (row of the register) and `score`, to a Parquet of the list's name.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

COLUMNS = ("forename", "surname", "dob", "sex", "postcode", "nhs_number")


@dataclass(frozen=True, slots=True)
class Task:
    """nhs: the NHS number may be used. uk: postcodes are of the UK. variant: a form of the peer, if it has
    any.
    """

    register: Path
    lists: Sequence[Path]
    out: Path
    nhs: bool
    uk: bool
    variant: str
    spent: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def told(cls, description: str) -> "Task":
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("register", type=Path)
        parser.add_argument("lists", type=Path, nargs="+")
        parser.add_argument("--out", type=Path, required=True, help="folder")
        parser.add_argument("--nhs", action="store_true", help="use the NHS number")
        parser.add_argument("--uk", action="store_true", help="postcodes are of the UK")
        parser.add_argument("--variant", default="")
        return cls(**vars(parser.parse_args()))

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Add wall and CPU seconds (its own and of processes that ended) to `what`."""
        wall, cpu = time.perf_counter(), _cpu()
        yield
        spent = self.spent.setdefault(what, {"wall": 0.0, "cpu": 0.0})
        spent["wall"] += time.perf_counter() - wall
        spent["cpu"] += _cpu() - cpu

    def write(self, people: Path, pairs: pl.DataFrame) -> None:
        pairs.cast({"slot": pl.UInt32, "record": pl.UInt32}).write_parquet(
            self.out / f"{people.stem}.parquet"
        )
        (self.out / "spent.json").write_text(json.dumps(self.spent), encoding="utf-8")


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def people(path: Path) -> pl.DataFrame:
    """The rows of a file, all columns as text, dates in ISO 8601."""
    rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    return rows.select(pl.col(COLUMNS).cast(pl.String))


def ascii_letters(text: pl.Expr) -> pl.Expr:
    """In capitals, accents off, the letters that do not decompose written out."""
    written = text.str.to_uppercase().str.replace_many({"Ł": "L", "Ø": "O", "Æ": "AE", "Œ": "OE", "Đ": "D"})
    return written.str.normalize("NFD").str.replace_all(r"\p{M}", "")


def plain_name(column: str) -> pl.Expr:
    """Letters A to Z alone; null where none is left."""
    name = ascii_letters(pl.col(column)).str.replace_all("[^A-Z]", "")
    return pl.when(name != "").then(name)


def one_to_one(pairs: pl.DataFrame) -> pl.DataFrame:
    """Greedy: the best pair first, then the best of what is left; equal scores in order of rows.

    Worked out in rounds: a pair that is best for both of its rows is the one greed would take from them.
    """
    order = ["score", "slot", "record"]
    rest = pairs.sort(order, descending=[True, False, False]).with_row_index("rank")
    taken = []
    while rest.height:
        best = rest.filter(
            (pl.col("rank") == pl.col("rank").min().over("slot"))
            & (pl.col("rank") == pl.col("rank").min().over("record"))
        )
        taken.append(best)
        rest = rest.join(best, on="slot", how="anti").join(best, on="record", how="anti")
    return pl.concat([rest, *taken]).drop("rank")
