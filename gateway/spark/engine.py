"""The Spark engine of `flagstone tokens make`.

Three passes, because a row is judged by its whole file: how the dates are written, which ids stand twice,
then the tokens. The first is left out where dates are typed, the second where line numbers are the ids.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import Any, Final

import polars as pl

from gateway.domain import errors
from gateway.domain.errors import BadInputError, FlagstoneError
from gateway.intake.bulk import MAX_TWICE, NO_ONE_TWICE, Bad, Made, gather, too_many_twice
from gateway.intake.columns import PERSON_COLUMNS
from gateway.intake.dates import DateFacts
from gateway.intake.judge import Elsewhere, repeated
from gateway.spark.key_file import KeyFile
from gateway.spark.sources import Source, open_source
from gateway.spark.worker import FACTS_SCHEMA, IDS_SCHEMA, MADE_SCHEMA, MakeTokens, ReadDates, ReadIds

_OURS: Final = re.compile(r"^gateway\.domain\.errors\.(\w+): (.+)$", re.MULTILINE)


def make(
    spark: Any, file: Path, out: Path, *, key: KeyFile, today: date, metadata: Mapping[str, str]
) -> Made:
    """Pseudonymise a person file (CSV in UTF-8, or Parquet) into one Parquet file, mode 0600.

    `person_id` and one column for each match key, bit for bit those of one process; the rows' order is not
    kept. `spark`: a session; `file`, the key file and the folder of `out` are at the same path on every
    machine. The workers write tokens there themselves: none goes through Java, or into Spark's own files.

    Raises:
        BadInputError: the file as a whole can't be used, or no row of it.
        FlagstoneError: what a worker raised.
    """
    with _translated(), tempfile.TemporaryDirectory(prefix=".tokens-", dir=out.parent) as own:
        source = open_source(spark, file.resolve())
        elsewhere = Elsewhere(_dates(spark, source), _twice(spark, source))
        parts = Path(own, "parts")
        parts.mkdir()
        work = MakeTokens(source, elsewhere, today, key.resolve(), parts)
        told = source.frame(spark, PERSON_COLUMNS).mapInArrow(work, MADE_SCHEMA).collect()
        rows, people = (sum(each[name] for each in told) for name in ("rows", "people"))
        if not rows:
            raise BadInputError("a header, but not one row", place="upload")
        if not people:
            raise BadInputError("not one row that can be used", place="upload")
        whole = Path(own, "whole")
        whole.touch(mode=0o600)
        # one file, as of one process; beside these parts, so that nobody ever sees half of it
        gather([parts / each["part"] for each in told], whole, metadata)
        whole.replace(out)
        return Made(rows, people, _added(each["bad"] for each in told))


def _added(told: Iterable[str]) -> Bad:
    bad = Bad()
    for column, reason, count in chain.from_iterable(json.loads(each) for each in told):
        bad[column, reason] += count
    return bad


def _dates(spark: Any, source: Source) -> DateFacts:
    if not source.dates_are_text:
        return DateFacts()
    facts = source.frame(spark, ("dob",)).mapInArrow(ReadDates(source), FACTS_SCHEMA).collect()
    return reduce(add, (DateFacts(*row) for row in facts), DateFacts())


def _twice(spark: Any, source: Source) -> pl.DataFrame:
    """`line` and `other` of rows that share their person id."""
    if "person_id" not in source.header.positions:
        return NO_ONE_TWICE
    ids = source.frame(spark, ("person_id",)).mapInArrow(ReadIds(source), IDS_SCHEMA)
    shared = ids.groupBy("person_id").count().where("count > 1").select("person_id")
    if shared.isEmpty():
        return NO_ONE_TWICE
    rows = ids.join(shared, "person_id", "left_semi").limit(MAX_TWICE + 1).toArrow()
    if rows.num_rows > MAX_TWICE:
        raise too_many_twice("person_id")
    return repeated(pl.DataFrame(pl.from_arrow(rows)).with_columns(pl.col("line").cast(pl.UInt32)))


@contextmanager
def _translated() -> Iterator[None]:
    """Spark's errors as ours: a worker's own by their text, all others by their kind alone."""
    from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra; see session
    from pyspark.errors import PySparkException  # noqa: PLC0415 - see above

    try:
        yield
    except (PySparkException, Py4JError) as error:
        found = _OURS.search(str(error))
        kind = getattr(errors, found[1], FlagstoneError) if found else FlagstoneError
        reason = found[2] if found else f"Spark failed with {type(error).__name__}"
        raise kind(reason, place="Spark") from None
