"""The sweep and the reviewer's routes on PostgreSQL, each under its own database role and no other."""

from uuid import UUID, uuid4

import pytest
from fakes import NOON, FakeClock, FakeExchangeKeys, FakePartyKeys, FakeSearchKey, FakeTransport, a_user

from audit.entry import Entry
from gateway.domain.alerts import Closing
from gateway.domain.errors import ConfigurationError, NotSignedInError
from gateway.domain.exchange import Role
from gateway.domain.principal import SIGNING_IN, Principal
from gateway.service import review_queue
from gateway.service.access import user_of
from gateway.service.context import Context
from gateway.service.ownkeys import announce_keys
from gateway.service.signins import log_denials
from gateway.service.watching import Limits
from policies.model import PolicySet

pytestmark = pytest.mark.postgres


@pytest.fixture
def as_role(postgres):
    """A context whose store connects as a role; all share one clock."""
    clock = FakeClock()

    def made(role: str, principal: Principal | None = None) -> Context:
        context = Context(
            store=postgres.store(role),
            keys=FakePartyKeys(),
            exchange_keys=FakeExchangeKeys(),
            search_seal=FakeSearchKey(),
            policies=PolicySet(),
            transport=FakeTransport(),
            clock=clock,
            entropy=lambda n: (uuid4().bytes * 4)[:n],
        )
        return context.acting_for(principal) if principal else context

    return made


def kinds(ctx: Context) -> list[str]:
    with ctx.store.begin() as unit:
        return [Entry.parse(leaf).kind for leaf in unit.log.leaves(0, unit.log.size())]


def test_a_failure_counted_by_web_is_logged_by_the_worker(as_role):
    """The API's role counts, the worker's role turns the finished minute into an entry and forgets it."""
    web, worker = as_role("web", SIGNING_IN), as_role("worker")
    for _ in range(3):
        with pytest.raises(NotSignedInError):
            user_of(web, "fst_" + "A" * 43)
    web.clock.advance(minutes=1)
    log_denials(worker)
    log_denials(worker)
    assert kinds(worker) == ["access.denied"]


def test_an_alert_raised_by_the_worker_is_closed_by_web(as_role):
    """The worker's role raises what the log shows; the API's role lists it, looks at it and closes it."""
    web, worker = as_role("web", Principal("reviewer")), as_role("worker")
    actor = {"id": "u", "role": "programme", "organisation": "council"}
    body = {"actor": actor, "dataset": "health-trust", "exchange": "x", "counts": {}}
    with web.store.begin() as unit:
        unit.log.append([Entry(uuid4(), "exchange.permitted", NOON, body)])
        unit.commit()
    review_queue.watch(worker, Limits())
    review_queue.watch(worker, Limits())
    reviewer = a_user("officer", Role.REVIEWER)
    found = review_queue.listing(web, reviewer)
    assert sorted(alert["rule"] for alert in found) == ["first-use", "out-of-hours"]
    for alert in found:
        review_queue.look_at(web, reviewer, UUID(alert["alert"]))
        review_queue.close(web, reviewer, UUID(alert["alert"]), Closing.EXPECTED)
    assert review_queue.listing(web, reviewer) == []
    assert kinds(web) == [
        "exchange.permitted",
        *["review.raised"] * 2,
        *["review.looked-at", "review.closed"] * 2,
    ]


def test_two_sweeps_at_once_raise_once(as_role):
    """Of two processes that sweep the same entries, one raises and the other finds it done."""
    from concurrent.futures import ThreadPoolExecutor

    worker = as_role("worker")
    body = {"actor": {"id": "u", "role": "reviewer", "organisation": "council"}}
    with worker.store.begin() as unit:
        unit.log.append([Entry(uuid4(), "log.exported", NOON, body) for _ in range(20)])
        unit.commit()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: review_queue.watch(worker, Limits()), range(4)))
    assert kinds(worker).count("review.raised") == 1


def test_keys_are_announced_by_the_owner_alone(as_role):
    """The operator's role may say which keys are in use; the API's role may not touch that mark."""
    announce_keys(as_role("migrate"))
    announce_keys(as_role("migrate"))
    assert kinds(as_role("web")) == ["keys.in-use"]
    with pytest.raises(ConfigurationError):
        announce_keys(as_role("web"))
