"""A store each of whose steps fails, before or after it persisted, beneath a log that knows nothing of it.

Memory, the fake, the file store and PostgreSQL alike; the whole log is verified after every step.
`test_file_store.py` fails single operations of the disk, `test_log_store_faults.py` single statements.
"""

import itertools
from contextlib import suppress

import pytest
from audit_samples import entry, signer
from audit_stores import KINDS, append, check, place
from sqlalchemy import text

from audit.errors import AuditError, StoreError
from audit.log import Log
from gateway.domain.errors import FlagstoneError

MOMENTS = ("before", "after")
STEPS = ("head", "write", "write again", "commit")
BATCHES = (1, 2, 5)


class Failing:
    """A store that fails at one step: `before` it reaches the inner one, or `after`, its answer lost."""

    def __init__(self, inner, step, moment):
        self._inner, self._step, self._moment = inner, step, moment
        self._written = 0

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def head(self):
        return self._at("head", self._inner.head)

    def write(self, *args):
        self._written += 1
        step = "write" if self._written == 1 else "write again"
        return self._at(step, lambda: self._inner.write(*args))

    def _at(self, step, take):
        if step != self._step:
            return take()
        if self._moment == "after":
            take()
        return fail()


def fail():
    raise StoreError("it fails because the test says so")


def append_fails(at, count, head, step, moment):
    """Append while that step fails; whether it was reached."""
    with suppress(StoreError):
        with at.begin() as inner:
            log = Log(Failing(inner, step, moment), signer(), head)
            start = log.size()
            log.append([entry(number) for number in range(start, start + count)])
            if (step, moment) == ("commit", "before"):
                fail()
        if step == "commit":
            fail()
        return False
    return True


@pytest.fixture(params=[pytest.param(k, marks=[pytest.mark.postgres] * (k == "postgres")) for k in KINDS])
def log_place(request):
    return place(request.param, request)


def size_of(at):
    with at.begin() as store:
        return Log(store, signer()).size()


@pytest.mark.parametrize("memory", ["knows nothing", "knows", "is behind"])
def test_a_store_that_fails_at_any_step(log_place, memory):
    """Whatever step fails, run or not, the log holds all of the batch or nothing, and goes on.

    So whether the log that appends remembers where the store is, remembers where it was, or nothing.
    """
    behind = head = append(log_place, 3)
    reached = set()
    for step, moment, count in itertools.product(STEPS, MOMENTS, BATCHES):
        before = size_of(log_place)
        remembered = {"knows nothing": None, "knows": head, "is behind": behind}[memory]
        failed = append_fails(log_place, count, remembered, step, moment)
        after = size_of(log_place)
        assert after in {before, before + count}
        check(log_place, after)
        if failed:
            reached.add((step, moment))
        assert failed or after == before + count
        behind, head = head, append(log_place, 1, remembered)
        check(log_place, after + 1)
    steps = {"knows nothing": {"head", "write"}, "knows": {"write"}, "is behind": {"write", "write again"}}
    assert reached == set(itertools.product({*steps[memory], "commit"}, MOMENTS))


INSERTS = [("log_leaves", 2), ("log_nodes", 1), ("log_nodes", 3), ("log_checkpoints", 1)]


@pytest.mark.postgres
@pytest.mark.parametrize("moment", ["BEFORE", "AFTER"])
@pytest.mark.parametrize(("table", "row"), INSERTS)
def test_an_insert_that_fails_inside_the_database(postgres, request, table, row, moment):
    """If the database fails at any row of an append, nothing of it stays, and the log goes on afterwards."""
    at = place("postgres", request)
    head = append(at, 3)
    with postgres.engine().begin() as connection:
        for statement in failing_row(table, row, moment):
            connection.execute(text(statement))
    try:
        with pytest.raises((AuditError, FlagstoneError)):
            append(at, 4, head)
    finally:
        with postgres.engine().begin() as connection:
            connection.execute(text("DROP FUNCTION public.fails CASCADE; DROP SEQUENCE public.rows"))
    check(at, 3)
    append(at, 4, head)
    check(at, 7)


def failing_row(table, row, moment):
    """A trigger that fails at the nth row that is inserted."""
    yield "CREATE SEQUENCE public.rows"
    yield f"""
        CREATE FUNCTION public.fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('public.rows') = {row} THEN
                RAISE EXCEPTION 'disk full' USING ERRCODE = '53100';
            END IF;
            RETURN NEW;
        END $$
    """
    row_trigger = f"{moment} INSERT ON flagstone.{table} FOR EACH ROW EXECUTE FUNCTION public.fails()"
    yield f"CREATE TRIGGER fails {row_trigger}"
