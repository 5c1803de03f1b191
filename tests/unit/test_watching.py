"""The rules of the review queue as a decision table: what raises an alert, and what narrowly does not."""

import json
from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest

from audit.entry import Entry
from gateway.domain.alerts import Rule
from gateway.domain.errors import BadInputError
from gateway.service.watching import Limits, WorkingHours, look

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
USER, OTHER = str(UUID(int=1)), str(UUID(int=2))
EXCHANGE = str(UUID(int=9))


def entry(kind, at=MONDAY, user=USER, role="programme", **body) -> Entry:
    return Entry(uuid4(), kind, at, {"actor": {"id": user, "role": role, "organisation": "council"}, **body})


def asked(at=MONDAY, people=None, *, refused=False, user=USER, **counts) -> Entry:
    counts |= {} if people is None else {"people": people}
    kind = "exchange.refused" if refused else "exchange.permitted"
    return entry(kind, at, user, dataset="health-trust", counts=counts)


def gateway(kind, at=MONDAY, **body) -> Entry:
    return entry(kind, at, "gateway", "system", **({"exchange": EXCHANGE, "recipient": "trust"} | body))


def days(*counts, people=10):
    """Work on Mondays that end today: as many lists a day as given."""
    for before, count in zip(range(len(counts) - 1, -1, -1), counts, strict=True):
        at = MONDAY - timedelta(days=7 * before)
        yield from (asked(at, people) for _ in range(count))


def denied(count, at=MONDAY, reason="revoked") -> Entry:
    return gateway("access.denied", at, caller="user", reason=reason, count=count)


def rules(entries, limits=None) -> list[Rule]:
    return [found.rule for found in look(entries, {}, limits or Limits())]


SENT = gateway("exchange.request-authorised")
FRIDAY_EVENING = datetime(2026, 11, 20, 19, tzinfo=UTC)
SUMMER = datetime(2026, 6, 22, 18, tzinfo=UTC)  # 19:00 in London

TABLE = [
    # rule, what happens, whether it speaks
    (Rule.UNUSUAL_VOLUME, "11 lists on a first day", list(days(11)), True),
    (Rule.UNUSUAL_VOLUME, "10 lists on a first day", list(days(10)), False),
    (Rule.UNUSUAL_VOLUME, "2,001 people on a first day", [asked(people=2_001)], True),
    (Rule.UNUSUAL_VOLUME, "2,000 people on a first day", [asked(people=2_000)], False),
    (Rule.UNUSUAL_VOLUME, "16 lists where 5 a day are usual", list(days(5, 5, 5, 5, 5, 16)), True),
    (Rule.UNUSUAL_VOLUME, "15 lists where 5 a day are usual", list(days(5, 5, 5, 5, 5, 15)), False),
    (Rule.UNUSUAL_VOLUME, "11 lists after four days: no history yet", list(days(5, 5, 5, 5, 11)), True),
    (Rule.UNUSUAL_VOLUME, "lists under ten people count as nine", [asked() for _ in range(10)], False),
    (
        Rule.UNUSUAL_VOLUME,
        "11 lists of two users",
        [asked(user=USER) for _ in range(6)] + [asked(user=OTHER) for _ in range(5)],
        False,
    ),
    (Rule.REPEAT_PROBING, "five refusals in a row", [asked(refused=True)] * 5, True),
    (Rule.REPEAT_PROBING, "four refusals in a row", [asked(refused=True)] * 4, False),
    (
        Rule.REPEAT_PROBING,
        "five refusals with a permit between",
        [asked(refused=True)] * 3 + [asked()] + [asked(refused=True)] * 2,
        False,
    ),
    (Rule.REPEAT_PROBING, "ten people asked about too soon", [asked(asked_too_soon=10)], True),
    (Rule.REPEAT_PROBING, "a count that the log does not show", [asked()], False),
    (Rule.OUT_OF_HOURS, "a list on Friday at seven", [asked(FRIDAY_EVENING)], True),
    (Rule.OUT_OF_HOURS, "a list just before", [asked(FRIDAY_EVENING - timedelta(seconds=1))], False),
    (Rule.OUT_OF_HOURS, "a list on Monday at seven", [asked(MONDAY.replace(hour=7))], False),
    (Rule.OUT_OF_HOURS, "a list on Monday before seven", [asked(MONDAY.replace(hour=6, minute=59))], True),
    (Rule.OUT_OF_HOURS, "a list on Sunday at noon", [asked(MONDAY - timedelta(days=1))], True),
    (Rule.OUT_OF_HOURS, "seven in a London summer", [asked(SUMMER)], True),
    (Rule.OUT_OF_HOURS, "six in a London summer", [asked(SUMMER - timedelta(hours=1))], False),
    (Rule.OUT_OF_HOURS, "an export at night", [entry("log.exported", FRIDAY_EVENING, role="reviewer")], True),
    (Rule.OUT_OF_HOURS, "the gateway at night", [gateway("exchange.expired", FRIDAY_EVENING)], False),
    (Rule.FIRST_USE, "the first permit of a dataset", [asked()], True),
    (Rule.FIRST_USE, "a refusal of a dataset never used", [asked(refused=True)], False),
    (Rule.NO_RECEIPT, "sent and expired", [SENT, gateway("exchange.expired")], True),
    (Rule.NO_RECEIPT, "sent and cancelled", [SENT, gateway("exchange.cancelled")], True),
    (Rule.NO_RECEIPT, "cancelled before it was sent", [gateway("exchange.cancelled")], False),
    (
        Rule.NO_RECEIPT,
        "answered, then cancelled before its release",
        [SENT, gateway("exchange.delivered"), gateway("exchange.cancelled")],
        False,
    ),
    (Rule.NO_RECEIPT, "declined", [SENT, gateway("exchange.declined")], False),
    (Rule.NO_RECEIPT, "failed", [SENT, gateway("exchange.failed")], False),
    (Rule.NO_RECEIPT, "another one expired", [SENT, gateway("exchange.expired", exchange=OTHER)], False),
    (Rule.FAILED_SIGN_INS, "20 failures in a day", [denied(15), denied(5)], True),
    (Rule.FAILED_SIGN_INS, "19 failures in a day", [denied(15), denied(4)], False),
    (
        Rule.FAILED_SIGN_INS,
        "20 failures over two days",
        [denied(15, MONDAY - timedelta(days=1)), denied(5)],
        False,
    ),
    (
        Rule.FAILED_SIGN_INS,
        "20 failures for two reasons",
        [denied(15), denied(5, reason="unknown-token")],
        False,
    ),
    (Rule.BREAK_GLASS, "somebody was let in past the provider", [gateway("access.break-glass")], True),
    (Rule.BREAK_GLASS, "a one-time link", [gateway("access.link-made")], False),
]


@pytest.mark.parametrize(
    ("rule", "what", "entries", "speaks"), TABLE, ids=lambda cell: cell if isinstance(cell, str) else ""
)
def test_rules(rule, what, entries, speaks):
    """Each rule speaks at its limit and is silent just below."""
    assert (rule in rules(entries)) is speaks, what


def test_every_rule_has_an_alert_and_a_near_miss():
    """The table tries each rule both ways; the one judged at submission is tried in test_review_queue.py."""
    tried = {(rule, speaks) for rule, _, _, speaks in TABLE}
    assert tried == {
        (rule, speaks) for rule in Rule if rule is not Rule.NEAR_OVERLAP for speaks in (True, False)
    }


def test_a_dataset_is_new_once():
    """The second permit of a dataset is no first use."""
    assert rules([asked(), asked()]).count(Rule.FIRST_USE) == 1


def test_what_is_remembered_is_enough():
    """Entries one by one, with the memory written out and read between, give what one look gives."""
    entries = [each for _, _, some, _ in TABLE for each in some]
    memory, found = {}, []
    for each in entries:
        found += look([each], memory, Limits())
        memory = json.loads(json.dumps(memory))
    assert found == look(entries, {}, Limits())


def test_memory_is_bounded():
    """Of a user's days no more are kept than the history needs, and of sign-ins today's alone."""
    memory = {}
    work = [asked(MONDAY + timedelta(days=n), 10) for n in range(100)]
    look([*work, *(denied(1, MONDAY + timedelta(days=n)) for n in range(100))], memory, Limits())
    assert len(memory["unusual-volume"][USER]) == 29
    assert memory["failed-sign-ins"].keys() == {"day", "user revoked"}
    look([SENT, gateway("exchange.delivered")], memory, Limits())
    assert memory["no-receipt"] == {}


def test_entries_of_other_shapes_are_no_error():
    """A body that a later release writes otherwise raises nothing and breaks nothing."""
    strange = [
        entry("exchange.permitted", counts=5, dataset=["x"]),
        Entry(uuid4(), "exchange.refused", MONDAY, {"actor": "x"}),
        Entry(uuid4(), "access.denied", MONDAY, {}),
        Entry(uuid4(), "exchange.expired", MONDAY, {}),
    ]
    assert rules(strange) == []


def test_working_hours_are_a_setting():
    """Hours are read as 07:00-19:00; anything else, or an end before the beginning, is refused."""
    assert WorkingHours.read("08:30-18:00") == WorkingHours(time(8, 30), time(18))
    early = Limits(hours=WorkingHours.read("06:00-12:00"))
    assert rules([entry("log.exported", MONDAY)], early) == [Rule.OUT_OF_HOURS]
    for wrong in ("", "8", "08:00", "19:00-07:00", "08:00-08:00", "25:00-26:00", "a-b"):
        with pytest.raises(BadInputError, match="working hours"):
            WorkingHours.read(wrong)
