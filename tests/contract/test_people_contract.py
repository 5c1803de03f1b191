"""Sessions, links, proposals and users of a provider: one contract for the fake and PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fakes import NOON, a_partner, a_user, an_agreement, an_exchange

from gateway.domain.errors import ConflictError, NotFoundError
from gateway.domain.exchange import Role
from gateway.domain.proposals import Act, ActReason, Proposal
from gateway.domain.retention import Retention, RetentionClock
from gateway.domain.sessions import Link, Session, Way
from gateway.party_ports import User
from gateway.ports import Store

LATER = NOON + timedelta(minutes=1)
ACCOUNT = b"a" * 32


def a_session(user: UUID, **changes) -> Session:
    secret = uuid4().bytes * 2
    end = NOON + timedelta(hours=10)
    made = Session(uuid4(), secret, user, Role.PROGRAMME, Way.PROVIDER, True, NOON, NOON, end, b"s" * 32)
    return replace(made, **changes)


def a_proposal(**changes) -> Proposal:
    until = NOON + timedelta(hours=24)
    made = Proposal(uuid4(), Act.LIFT_HOLD, "x-1", ActReason.ROUTINE, uuid4(), NOON, until)
    return replace(made, **changes)


@pytest.fixture
def ann(store) -> User:
    user = a_user("Ann", token_hash=None, account=ACCOUNT)
    with store.begin() as unit:
        unit.users.enrol(user)
        unit.commit()
    return user


def kept(store: Store, session: Session) -> Session:
    with store.begin() as unit:
        unit.sessions.add(session)
        unit.commit()
    return session


def test_a_user_of_a_provider_is_found_by_account_id_and_name(store, ann):
    """Whoever is enrolled is found by account, id and name, has no token, and the account is taken."""
    with store.begin() as unit:
        assert unit.users.by_account(ACCOUNT) == unit.users.get(ann.id) == unit.users.named("Ann") == ann
        assert unit.users.by_account(b"b" * 32) is None
        assert unit.users.named("Ben") is None
        with pytest.raises(NotFoundError):
            unit.users.get(uuid4())
    with store.begin() as unit, pytest.raises(ConflictError):
        unit.users.enrol(a_user("Ben", account=ACCOUNT))


def test_a_custodian_belongs_to_a_partner_that_is_there(store, ann):
    """A user's role and organisation change together; an organisation that is not enrolled is refused."""
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.users.assign(ann.id, Role.CUSTODIAN, "health")
        unit.commit()
    with store.begin() as unit:
        assert unit.users.get(ann.id) == replace(ann, role=Role.CUSTODIAN, partner="health")
    with pytest.raises(ConflictError), store.begin() as unit:  # noqa: PT012
        unit.users.assign(ann.id, Role.CUSTODIAN, "nobody")
        unit.commit()


def test_sessions_are_found_by_secret_user_and_provider(store, ann):
    """A session is found by its secret's hash, its user and its session at the provider; no other is."""
    session = kept(store, a_session(ann.id))
    other = kept(store, a_session(ann.id, provider_session=None, began_at=LATER))
    with store.begin() as unit:
        assert unit.sessions.by_secret(session.secret_hash) == session
        assert unit.sessions.by_secret(b"?" * 32) is None
        assert unit.sessions.of_user(ann.id) == [session, other]
        assert unit.sessions.of_user(uuid4()) == []
        assert unit.sessions.of_provider(b"s" * 32) == [session]


def test_the_last_use_never_goes_back(store, ann):
    """Of two uses that are written in the wrong order the later one stays."""
    session = kept(store, a_session(ann.id))
    with store.begin() as unit:
        unit.sessions.seen(session.id, LATER)
        unit.sessions.seen(session.id, NOON)
        unit.commit()
    with store.begin() as unit:
        assert unit.sessions.by_secret(session.secret_hash).seen_at == LATER


def test_a_token_lasts_no_longer_than_it_says_and_its_session(store, ann):
    """A session's API token finds the session until it runs out, and is gone with the session."""
    session = kept(store, a_session(ann.id))
    with store.begin() as unit:
        unit.sessions.add_token(session.id, b"t", LATER)
        unit.commit()
    with store.begin() as unit:
        assert unit.sessions.by_token(b"t", NOON) == session
        assert unit.sessions.by_token(b"t", LATER) is None
        assert unit.sessions.by_token(b"u", NOON) is None
        assert unit.sessions.end(session.id)
        assert not unit.sessions.end(session.id)
        unit.commit()
    with store.begin() as unit:
        assert unit.sessions.by_token(b"t", NOON) is None
        assert unit.sessions.by_secret(session.secret_hash) is None


def test_overdue_are_those_idle_and_those_past_their_end(store, ann):
    """Sessions past their end or not used since a moment are overdue; a fresh one is not."""
    kept(store, a_session(ann.id, seen_at=LATER))
    idle = kept(store, a_session(ann.id))
    ended = kept(store, a_session(ann.id, seen_at=LATER, ends_at=LATER, began_at=LATER))
    with store.begin() as unit:
        assert unit.sessions.overdue(LATER, NOON, 9) == [idle, ended]
        assert unit.sessions.overdue(LATER, NOON, 1) == [idle]


def test_a_link_is_taken_once(store, ann):
    """Of several that open one link at the same time exactly one gets it."""
    link = Link(b"c", ann.id, Way.LINK, LATER, LATER)
    with store.begin() as unit:
        unit.links.add(Link(b"old", ann.id, Way.LINK, NOON, NOON), NOON)
        unit.links.add(link, LATER)
        assert unit.links.take(b"old") is None
        unit.commit()
    barrier = threading.Barrier(4)

    def take(_: int) -> Link | None:
        barrier.wait()
        with store.begin() as unit:
            taken = unit.links.take(b"c")
            unit.commit()
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(take, range(4)))
    assert [each for each in taken if each] == [link]


def test_proposals_keep_what_happens_to_them(store):
    """A proposal is found by id and by what it is about; its decision and use are kept."""
    first, second = a_proposal(), a_proposal(about="x-2")
    with store.begin() as unit:
        unit.proposals.add(first)
        unit.proposals.add(second)
        unit.commit()
    decided = replace(first, decided_by=uuid4(), decided_at=LATER, approved=True, used_at=LATER)
    with store.begin() as unit:
        unit.proposals.put(decided)
        unit.commit()
    with store.begin() as unit:
        assert unit.proposals.get(first.id) == decided
        assert unit.proposals.about("x-1") == [decided]
        assert unit.proposals.all() == [second, decided]
        with pytest.raises(NotFoundError):
            unit.proposals.get(uuid4())


def test_a_clock_is_brought_forward_and_never_back(store):
    """An exchange's clock can be made due earlier, not later, and not before it runs."""
    exchange, day = an_exchange(), NOON.date()
    with store.begin() as unit:
        unit.partners.add(a_partner())
        unit.agreements.propose(an_agreement())
        unit.exchanges.add(exchange)
        unit.retentions.add(Retention(exchange.id, RetentionClock.RESULTS, 30))
        unit.retentions.bring_forward(exchange.id, RetentionClock.RESULTS, day)
        unit.commit()
    with store.begin() as unit:
        assert unit.retentions.of(exchange.id)[RetentionClock.RESULTS].due is None
        unit.retentions.start(exchange.id, day)
        unit.retentions.bring_forward(exchange.id, RetentionClock.RESULTS, day + timedelta(days=1))
        unit.retentions.bring_forward(exchange.id, RetentionClock.RESULTS, day + timedelta(days=9))
        unit.commit()
    with store.begin() as unit:
        assert unit.retentions.of(exchange.id)[RetentionClock.RESULTS].due == day + timedelta(days=1)
