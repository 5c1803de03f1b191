"""The log for analysts and for a SIEM: what stands in each file, and what never does."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import polars as pl
import pytest
from jobworld import LIST, Job, a_job

from audit.entry import Entry
from audit.errors import ExportError
from gateway.exports import analysts, ecs
from gateway.exports.reading import Numbered, between, entries_of
from gateway.service import answers, logs
from gateway.service.submit import ExchangeRefusedError

ECS_TYPES = {
    "api": {"access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start"}
    | {"user"},
    "authentication": {"start", "end", "info"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "database": {"access", "change", "info", "error"},
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "intrusion_detection": {"allowed", "denied", "info"},
}
"""event.category -> the event.type values that ECS 8.17 expects beside it."""


@pytest.fixture(scope="module")
def job() -> Job:
    """A job whose log has a permit, a refusal, an answer, its release and two exports."""
    job = a_job()
    with pytest.raises(ExchangeRefusedError):
        job.submit(purpose="results-claim")
    exchange = job.sent()
    answer = job.partner.answer(job, exchange, {0: ["health.adult_mental_health"]})
    answers.receive_answer(job.context, job.registered, exchange, answer)
    job.drive(exchange)
    return job


def read(job: Job) -> list[Numbered]:
    exported = io.BytesIO(b"".join(logs.export(job.context, job.reviewer, wanted=logs.ExportFormat.CSV)))
    return list(entries_of(exported))


def an_entry(kind: str = "exchange.refused", **body) -> Numbered:
    return Numbered(0, Entry(UUID(int=4), kind, datetime(2026, 11, 22, 12, tzinfo=UTC), body))


def as_csv(entries: list[Numbered]) -> list[dict[str, str]]:
    out = io.StringIO()
    analysts.write_csv(entries, out)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_a_row_for_every_entry_in_its_order(job):
    """CSV has one row an entry, by index, kind and id, under the columns that every release has."""
    entries = read(job)
    rows = as_csv(entries)
    assert [(row["index"], row["kind"], row["id"]) for row in rows] == [
        (str(each.index), each.entry.kind, str(each.entry.id)) for each in entries
    ]
    assert list(rows[0]) == analysts.SCHEMA.names()


def test_decisions_are_flat(job):
    """A refusal shows its unmet requirements and purpose, a permit its citations and counts from ten."""
    rows = {row["kind"]: row for row in as_csv(read(job))}
    refused, permitted = rows["exchange.refused"], rows["exchange.permitted"]
    assert (refused["permitted"], refused["purpose"]) == ("false", "results-claim")
    assert "purpose-not-allowed" in refused["unmet"]
    assert (permitted["permitted"], permitted["unmet"], permitted["people"]) == ("true", "", "11")
    assert permitted["households"] == permitted["withheld"] == ""
    assert "DPA 2018" in permitted["citations"]


def test_failed_sign_ins_are_flat():
    """Kind of caller, reason and number have columns."""
    denied = an_entry("access.denied", caller="user", reason="revoked", count=12)
    (row,) = as_csv([denied])
    assert (row["caller"], row["reason"], row["count"]) == ("user", "revoked", "12")


def test_parquet_says_what_csv_says(job):
    """Both files hold the same cells; Parquet has types and null where CSV has nothing."""
    entries, out = read(job), io.BytesIO()
    assert analysts.write_parquet(entries, out) == len(entries)
    table = pl.read_parquet(out.getvalue())
    assert table.schema == analysts.SCHEMA
    rows = [{name: analysts._cell(value) for name, value in row.items()} for row in table.to_dicts()]
    assert rows == as_csv(entries)


def test_an_empty_log_gives_a_table_without_rows():
    """Without entries the columns are there all the same."""
    out = io.BytesIO()
    assert analysts.write_parquet([], out) == 0
    assert pl.read_parquet(out.getvalue()).schema == analysts.SCHEMA
    assert as_csv([]) == []


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"])
def test_no_cell_is_a_formula(start):
    """A text that a spreadsheet would work out is led by an apostrophe; in Parquet it stays as it is."""
    entry = an_entry(recipient=f"{start}HYPERLINK(1)")
    assert as_csv([entry])[0]["recipient"] == f"'{start}HYPERLINK(1)"
    (row,) = analysts.rows([entry])
    assert f"{start}HYPERLINK(1)" in row


def test_a_body_of_other_shapes_is_no_error():
    """Fields of a kind that a later release writes otherwise are left empty, not misread."""
    entry = an_entry(decision="no", counts=[1], actor="x", recipient={"a": 1}, indicators_asked="x", code=5)
    (row,) = as_csv([entry])
    assert {row[name] for name in ("permitted", "people", "actor", "recipient", "code")} == {""}
    assert ecs.document(entry)["event"]["action"] == "exchange.refused"


@pytest.mark.parametrize("kind", [*ecs.KINDS, "exchange.something-new"])
def test_ecs_values_are_allowed(kind):
    """Each kind has an allowed category, types expected beside it, and an allowed outcome."""
    event = ecs.document(an_entry(kind))["event"]
    (category,) = event["category"]
    assert set(event["type"]) <= ECS_TYPES[category]
    assert event["outcome"] in {"success", "failure", "unknown"}
    assert event["kind"] in {"alert", "event"}


def test_ecs_lines_say_who_and_what(job):
    """A line names the moment, the user by opaque id, the organisation and why it was refused."""
    out, entries = io.StringIO(), read(job)
    assert ecs.write(entries, out) == len(entries)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    (refused,) = (line for line in lines if line["event"]["action"] == "exchange.refused")
    assert refused["@timestamp"] == "2026-11-22T12:00:00.000Z"
    assert refused["ecs"] == {"version": "8.17.0"}
    assert refused["user"] == {"id": str(job.analyst.id), "roles": ["programme"]}
    assert refused["organization"]["name"] == "council"
    assert refused["event"]["type"] == ["denied"]
    assert "purpose-not-allowed" in refused["event"]["reason"]
    assert refused["labels"] == {"dataset": "health-trust", "recipient": "trust", "agreement": "T-1"}


def test_user_changes_name_their_target(job):
    """An entry about a user tells who was changed apart from who changed them."""
    added = [ecs.document(each) for each in read(job) if each.entry.kind == "user.added"]
    assert {line["user"]["target"]["id"] for line in added} == {str(job.analyst.id), str(job.reviewer.id)}
    assert {line["user"]["id"] for line in added} == {"shell"}


def test_an_altered_export_is_not_converted(job):
    """A leaf that is not the one that was hashed stops the reading and is named."""
    whole = b"".join(logs.export(job.context, job.reviewer))
    altered = whole.replace(b'"purpose":"identify"', b'"purpose":"evaluate"')
    assert altered != whole
    with pytest.raises(ExportError, match="is not the one that was hashed"):
        list(entries_of(io.BytesIO(altered)))
    with pytest.raises(ExportError):
        list(entries_of(io.BytesIO(whole[: len(whole) // 2])))


def test_days_of_a_period_are_londons():
    """Both days count whole, by the clock of London: 23:30 UTC in June is the next day there."""
    late = Entry(UUID(int=4), "log.exported", datetime(2026, 6, 30, 23, 30, tzinfo=UTC), {})
    entries = [Numbered(0, late)]
    july = date(2026, 7, 1)
    assert list(between(entries, july, july)) == entries
    assert list(between(entries, None, july - timedelta(days=1))) == []
    assert list(between(entries, None, None)) == entries


def test_no_export_holds_anything_of_persons(job):
    """No name, reference, date of birth, postcode or flag given stands in any of the files."""
    entries, text, binary = read(job), io.StringIO(), io.BytesIO()
    analysts.write_csv(entries, text)
    ecs.write(entries, text)
    analysts.write_parquet(entries, binary)
    told = text.getvalue() + str(pl.read_parquet(binary.getvalue()).to_dicts())
    cells = {cell for line in LIST.splitlines()[1:] for cell in line.split(",")[:7]} - {"f"}
    assert [cell for cell in cells if cell in told and len(cell) > 2] == []
    assert "commitments" not in told
