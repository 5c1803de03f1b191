"""Parameters that several routes take."""

import re
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import Header, Path, Query
from pydantic import BeforeValidator

from gateway.domain.retention import HoldReason, RetentionClock
from gateway.review_ports import Wanted

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NAME: Final = r"^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$"


def _written_out(value: object) -> object:
    # pydantic takes a number for seconds since 1970, and a moment at midnight for its day
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("not YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_written_out)]
"""A calendar day, as RFC 3339 full-date and in no other way."""
Exchange = Annotated[UUID, Path(description="The exchange id")]
AgreementNumber = Annotated[str, Path(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]
Dataset = Annotated[str, Query(pattern=_NAME, examples=["health-trust"])]
OptionalDataset = Annotated[str | None, Query(pattern=_NAME, examples=["health-trust"])]
Purpose = Annotated[str, Query(pattern=_NAME, examples=["identify"])]
OptionalFramework = Annotated[
    str | None,
    Query(
        pattern=_NAME,
        description="Left out: the dataset's only one in force on the day",
        examples=["local"],
    ),
]
OptionalPartner = Annotated[
    str | None, Query(pattern=_NAME, description="Needed when several partners answer for the dataset")
]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[ -~]{8,128}$",
        examples=["list-2026-11-22"],
        description="8 to 128 printable ASCII characters; the same key with the same list submits once",
    ),
]
AcceptValid = Annotated[bool, Query(description="Go on without the bad rows")]

_Word = Query(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")
FirstDay = Annotated[Day | None, Query(alias="from", description="First day, Europe/London")]
LastDay = Annotated[Day | None, Query(alias="to", description="Last day, Europe/London, inclusive")]


def wanted(
    kind: Annotated[str, _Word] = "",
    exchange: Annotated[UUID | None, Query()] = None,
    dataset: Annotated[str, _Word] = "",
    recipient: Annotated[str, _Word] = "",
    purpose: Annotated[str, _Word] = "",
    user: Annotated[str, _Word] = "",
    law: Annotated[str, _Word] = "",
    refusal: Annotated[str, _Word] = "",
) -> Wanted:
    """Which entries of the log: kind by how it begins, user, law and refusal by id or code."""
    return Wanted(kind, str(exchange or ""), dataset, recipient, purpose, user, law, refusal)


Clock = Annotated[RetentionClock, Path(description="Which of the exchange's two clocks")]
Until = Annotated[
    Day, Query(description="The last day of the hold, a year ahead at most", examples=["2026-12-31"])
]
Reason = Annotated[HoldReason, Query(description="Why; free text is not taken")]
