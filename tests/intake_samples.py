"""Household lists to try intake on."""

from collections.abc import Iterable
from datetime import date

from gateway.intake import BadListError, Intake, RowError, read_household_list

TODAY = date(2026, 11, 22)
HEADER = "household_id,person_id,forename,surname,dob,postcode,nhs_number,met_indicators,consent"
GOOD = "h1,p1,Zoë,O'Neil,1990-02-01,NR1 1AA,9990000018,edu.persistent_absence_3t,yes"


def upload(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    return end.join((header, *lines, "")).encode()


def read(data: bytes | Iterable[bytes], **options) -> Intake:
    return read_household_list([data] if isinstance(data, bytes) else data, today=TODAY, **options)


def errors_of(data: bytes, **options) -> list[RowError]:
    """The row errors, or an empty list when the upload is fine."""
    try:
        read(data, **options)
    except BadListError as error:
        return list(error.rows)
    return []


def cell(column: str, value: str, **options) -> list[str]:
    """The reasons given for one cell of an otherwise good row."""
    row = {"household_id": "h1", "person_id": "p1", "surname": "Smith", column: value}
    data = "\t".join(row) + "\n" + "\t".join(row.values()) + "\n"
    return [error.reason for error in errors_of(data.encode(), **options) if error.column == column]
