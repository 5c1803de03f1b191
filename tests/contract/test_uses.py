"""Counts of uses, held against the fake and PostgreSQL alike; and how PostgreSQL counts for many at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fakes import NOON, FakeUses, a_partner, an_agreement, an_exchange
from sqlalchemy import text

from gateway.db.uses import PostgresUses
from gateway.domain.errors import StoreUnavailableError

LATER = NOON + timedelta(minutes=1)


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def uses(request):
    if request.param == "fake":
        return FakeUses()
    return PostgresUses(request.getfixturevalue("postgres").engine("web"))


def test_a_bucket_counts_by_itself(uses):
    """Each bucket and window counts from one; another's uses are not added."""
    counted = [uses.count(*each) for each in (("a", NOON), ("a", NOON), ("b", NOON), ("a", LATER))]
    assert counted == [1, 2, 1, 1]


def test_exchanges_are_counted_from_a_moment_on(store):
    """Lists and people of one agreement or one user, from a moment on; none at first."""
    one, two = an_exchange(slots=5), an_exchange(slots=7, submitted_at=LATER)
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        assert unit.exchanges.counted(NOON, agreement="A-1") == (0, 0)
        unit.exchanges.add(one)
        unit.exchanges.add(two)
        unit.commit()
    with store.begin() as unit:
        assert unit.exchanges.counted(NOON, agreement="A-1") == (2, 12)
        assert unit.exchanges.counted(LATER, agreement="A-1") == (1, 7)
        assert unit.exchanges.counted(NOON, agreement="A-2") == (0, 0)
        assert unit.exchanges.counted(NOON, submitted_by=one.submitted_by) == (2, 12)


@pytest.mark.postgres
def test_processes_count_together(postgres):
    """Eight at once over connections of their own: every count is given once, so nobody gets one too many."""
    counters = [PostgresUses(postgres.engine("web")) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(lambda n: counters[n % 4].count("a", NOON), range(80)))
    assert sorted(counted) == list(range(1, 81))


@pytest.mark.postgres
def test_the_worker_forgets_what_is_over(postgres):
    """Windows that are over go with the worker's sweep; the API's role may not remove one."""
    PostgresUses(postgres.engine("web")).count("a", NOON)
    PostgresUses(postgres.engine("web")).count("a", LATER)
    PostgresUses(postgres.engine("worker")).forget(LATER)
    with postgres.engine().connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM flagstone.uses")).scalar_one() == 1


@pytest.mark.postgres
def test_without_a_database_nothing_is_allowed(postgres):
    """What can't be counted is refused, not let through."""
    engine = postgres.engine("web")
    gone = PostgresUses(engine)
    gone._engine = replace_port(engine)
    with pytest.raises(StoreUnavailableError):
        gone.count("a", NOON)


def replace_port(engine):
    from gateway.db.engine import make_engine

    return make_engine(engine.url.set(database="nowhere").render_as_string(hide_password=False))
