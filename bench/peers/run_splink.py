"""Splink on plain text: Fellegi and Sunter's model, trained by its documentation on the same two files.

Names are cleaned first (capitals, no accents, letters alone), as its documentation asks. u is estimated from
random pairs, m by expectation maximisation under four blocking rules in turn, the prior from deterministic
rules.
Two forms, for neither is better everywhere: `together` has one comparison of both names, with their reversal;
`apart` has one for each, with the frequencies of its values at every level that allows it.
"""

import duckdb
import polars as pl
import splink.comparison_library as cl
from common import COLUMNS, Task, one_to_one
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink.internals.comparison_creator import ComparisonCreator

_U_PAIRS = 5e6
_U_SEED = 1
_RECALL = 0.8  # of the deterministic rules: what the tutorial calls an informed guess
_BLOCKING = (
    ("surname", "forename"),
    ("surname", "dob"),
    ("forename", "dob"),
    ("dob", "postcode"),
    ("surname", "postcode"),
    ("forename", "postcode"),
    ("dob", "left(forename, 1)", "left(surname, 1)"),
    ("dob", "left(postcode, 4)"),
    ("postcode", "left(dob, 4)"),
    ("postcode", "right(dob, 5)"),
)
_SINGLE = (("surname",), ("forename",), ("dob",), ("postcode",))
_LARGE = 50_000  # records of a register above which no single field may block
_LEAST = 0.001  # match probability under which pairs are not kept


def _load(connection: duckdb.DuckDBPyConnection, name: str, path: str) -> None:
    read = "read_parquet" if path.endswith(".parquet") else "read_csv_auto"
    options = "" if read == "read_parquet" else ", all_varchar = true"

    def letters(column: str) -> str:
        return f"nullif(regexp_replace(upper(strip_accents({column})), '[^A-Z]', '', 'g'), '')"

    columns = ", ".join(COLUMNS)
    connection.execute(f"""
        create table {name} as select
            row_number() over () - 1 as unique_id,
            {letters("forename")} as forename,
            {letters("surname")} as surname,
            forename || ' ' || surname as name,
            cast(dob as varchar) as dob,
            nullif(regexp_replace(upper(postcode), '[^A-Z0-9]', '', 'g'), '') as code,
            case when length(code) > 4 then code[:-4] || ' ' || code[-3:] else code end as postcode,
            nullif(nhs_number, '') as nhs_number
        from (select {columns} from {read}('{path}'{options}))
    """)  # noqa: S608 - our own columns and files


def _postcode(uk: bool) -> ComparisonCreator:
    if uk:
        return cl.PostcodeComparison("postcode")
    return cl.LevenshteinAtThresholds("postcode", [1]).configure(term_frequency_adjustments=True)


def _names(variant: str) -> list[ComparisonCreator]:
    if variant == "apart":
        compared = (cl.NameComparison(name) for name in ("forename", "surname"))
        return [each.configure(term_frequency_adjustments=True) for each in compared]
    return [cl.ForenameSurnameComparison("forename", "surname", forename_surname_concat_col_name="name")]


def _settings(task: Task, large: bool) -> SettingsCreator:
    comparisons = [
        *_names(task.variant),
        cl.DateOfBirthComparison("dob", input_is_string=True),
        _postcode(task.uk),
    ]
    rules = list(_BLOCKING if large else _BLOCKING + _SINGLE)
    if task.nhs:
        comparisons.append(cl.ExactMatch("nhs_number"))
        rules.append(("nhs_number",))
    return SettingsCreator(
        link_type="link_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in rules],
        retain_matching_columns=False,
    )


def _trained(connection: duckdb.DuckDBPyConnection, task: Task) -> Linker:
    large = connection.execute("select count(*) from register").fetchall()[0][0] > _LARGE
    linker = Linker(
        ["listed", "register"],
        _settings(task, large),
        DuckDBAPI(connection=connection),
        input_table_aliases=["a_listed", "b_register"],
    )
    training = linker.training
    sure = [block_on("forename", "surname", "dob"), block_on("surname", "dob", "postcode")]
    training.estimate_probability_two_random_records_match(sure, recall=_RECALL)
    training.estimate_u_using_random_sampling(max_pairs=_U_PAIRS, seed=_U_SEED)
    for rule in (("forename", "surname"), ("dob",), ("postcode",), ("surname", "dob")):
        training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
    return linker


def _pairs(task: Task, listed: str) -> pl.DataFrame:
    connection = duckdb.connect()
    _load(connection, "listed", listed)
    _load(connection, "register", str(task.register))
    found = _trained(connection, task).inference.predict(threshold_match_probability=_LEAST)
    pairs = task.out / "predicted.parquet"
    connection.execute(f"""
        copy (select unique_id_l as slot, unique_id_r as record, match_weight as score
        from {found.physical_name}) to '{pairs}'
    """)  # noqa: S608 - a name that Splink made up
    return pl.read_parquet(pairs)


def main() -> None:
    task = Task.told("Splink on plain text")
    for listed in task.lists:
        with task.timed("link"):
            pairs = one_to_one(_pairs(task, str(listed)))
        task.write(listed, pairs)


if __name__ == "__main__":
    main()
