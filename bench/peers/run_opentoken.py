"""OpenToken's five published rules (github.com/TruvetaPublic/OpenToken, pages/concepts), from that text.

T1 surname, initial, sex, birth; T2 surname, forename, birth, first three of the postcode; T3 surname,
forename, sex, birth; T4 identifier, sex, birth (the NHS number stands for the SSN); T5 surname, three
letters, sex. Values are normalised as published: capitals without accents, titles and suffixes off, the
first word of several, letters alone, placeholders and dates before 1910 refused. Where no sex is known of
anybody, all have the same.

The project leaves to its user how tokens decide (its "matching strategies": any rule, or several). So `rules`
comes with each pair: bit i is set where rule i+1 agrees; the driver picks the decision that flatters most.
"""

import hmac

import polars as pl
from common import Task, ascii_letters, people

_KEY = bytes(32)  # nothing here is secret
_TITLES = r"^(?:(?:DR|MR|MRS|MS|MISS|PROF)\.?\s+)+"
_SUFFIXES = r"[\s,]+(?:JR|SR|II|III|IV|PHD|MD)\.?$"
_FIRST_PART = r"^(\p{L}{3,})[\s./].*$"
_PLACEHOLDERS = [
    "UNKNOWN", "NA", "NONE", "TEST", "SAMPLE", "DONOR", "PATIENT", "AUTOMATIONTEST", "PATIENTNOTFOUND",
    "MASKED", "ANONYMOUS", "ZZZTRASH", "MISSING", "UNAVAILABLE", "NOTAVAILABLE",
]  # fmt: skip
_EARLIEST = "1910-01-01"
_SHORT_SURNAME = "^(?:[AEIOUY].|.[AEIOUY]|NG)$|^.{3,}$"
_MOST = 1_000  # rows of a register that share a token; a fuller bucket names nobody


def _name(column: str) -> pl.Expr:
    spelt = (
        ascii_letters(pl.col(column).str.strip_chars()).str.replace(_TITLES, "").str.replace(_SUFFIXES, "")
    )
    name = spelt.str.replace(_FIRST_PART, "${1}").str.replace_all("[^A-Z]", "")
    return pl.when(~spelt.str.contains("[0-9]") & (name != "") & ~name.is_in(_PLACEHOLDERS)).then(name)


def _attributes(people: pl.DataFrame) -> pl.DataFrame:
    nobody = people["sex"].null_count() == people.height
    surname = _name("surname")
    return people.select(
        last=pl.when(surname.str.contains(_SHORT_SURNAME)).then(surname),
        first=_name("forename"),
        sex=pl.lit("U") if nobody else pl.col("sex"),
        birth=pl.when(pl.col("dob") >= _EARLIEST).then("dob"),
        zip3=pl.col("postcode").str.to_uppercase().str.head(3),
        identifier=pl.col("nhs_number").str.replace_all("[^0-9]", ""),
    )


_RULES = {
    "T1": (pl.col("last"), pl.col("first").str.head(1), pl.col("sex"), pl.col("birth")),
    "T2": (pl.col("last"), pl.col("first"), pl.col("birth"), pl.col("zip3")),
    "T3": (pl.col("last"), pl.col("first"), pl.col("sex"), pl.col("birth")),
    "T4": (pl.col("identifier"), pl.col("sex"), pl.col("birth")),
    "T5": (pl.col("last"), pl.col("first").str.head(3), pl.col("sex")),
}


def _tokens(people: pl.DataFrame, nhs: bool) -> pl.DataFrame:
    parts = _attributes(people)
    rules = {name: rule for name, rule in _RULES.items() if nhs or name != "T4"}
    signatures = parts.select(pl.concat_str(rule, separator="|").alias(name) for name, rule in rules.items())
    return signatures.select(
        pl.Series(signed.name, _hashed(signed), dtype=pl.Binary) for signed in signatures
    )


def _hashed(signatures: pl.Series) -> list[bytes | None]:
    return [text and hmac.digest(_KEY, text.encode(), "sha256") for text in signatures]


def _agreeing(listed: pl.DataFrame, register: pl.DataFrame) -> pl.DataFrame:
    """All pairs that agree on some rule: `slot`, `record`, `rules` as bits."""

    def found(name: str) -> pl.LazyFrame:
        mine = listed.lazy().select(name).with_row_index("slot")
        theirs = register.lazy().select(name).with_row_index("record").filter(pl.len().over(name) <= _MOST)
        bit = 1 << list(_RULES).index(name)
        return mine.join(theirs, on=name).select("slot", "record", rules=pl.lit(bit, pl.UInt8))

    pairs = pl.concat(found(name) for name in listed.columns)
    return pairs.group_by("slot", "record").agg(pl.col("rules").sum()).collect()


def main() -> None:
    task = Task.told("OpenToken's rules")
    with task.timed("register"):
        register = _tokens(people(task.register), task.nhs)
    for path in task.lists:
        with task.timed("list"):
            pairs = _agreeing(_tokens(people(path), task.nhs), register)
        task.write(path, pairs.with_columns(score=pl.col("rules").bitwise_count_ones().cast(pl.Float64)))


if __name__ == "__main__":
    main()
