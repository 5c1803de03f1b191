"""The contract of the disclosure log, held against the fake and PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from fakes import NOON, FakeStore, a_partner

from audit.checkpoint import open_checkpoint
from audit.entry import Entry
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from gateway.db.relink import set_log_aside
from gateway.domain.errors import LogUnavailableError
from gateway.review_ports import IndexRow, Wanted


def an_entry(**body) -> Entry:
    return Entry(uuid4(), "exchange.permitted", NOON, body)


def test_an_empty_log_has_a_checkpoint(store):
    """A log without entries signs size 0."""
    with store.begin() as unit:
        assert open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier).size == 0


def test_committed_entries_can_be_proved(store):
    """Every committed entry is readable and proved by the newest checkpoint, batches of any size."""
    entries = [an_entry(n=n) for n in range(20)]
    for start, stop in ((0, 1), (1, 3), (3, 10), (10, 20)):
        with store.begin() as unit:
            unit.log.append(entries[start:stop])
            unit.commit()
    with store.begin() as unit:
        leaves = list(unit.log.leaves(0, 20))
        signed = open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier)
        assert leaves == [entry.leaf() for entry in entries]
        assert (unit.log.size(), signed.size) == (20, 20)
        for index, leaf in enumerate(leaves):
            verify_inclusion(leaf_hash(leaf), index, 20, unit.log.inclusion(index, 20), signed.root)


def test_a_checkpoint_extends_the_one_before(store):
    """The log's consistency proof holds between the checkpoints of two commits."""
    roots = []
    for batch in (3, 4):
        with store.begin() as unit:
            unit.log.append([an_entry(n=n) for n in range(batch)])
            roots.append(open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier).root)
            unit.commit()
    with store.begin() as unit:
        verify_consistency(3, 7, *roots, unit.log.consistency(3, 7))


def test_leaves_are_read_in_pages_without_a_seam(store):
    """Any stretch of a long log is read whole and in order."""
    entries = [an_entry(n=n) for n in range(2100)]
    with store.begin() as unit:
        unit.log.append(entries)
        unit.commit()
    with store.begin() as unit:
        for start, stop in ((0, 2100), (999, 1001), (1000, 2000), (5, 5), (2099, 2100)):
            assert list(unit.log.leaves(start, stop)) == [entry.leaf() for entry in entries[start:stop]]
        assert list(unit.log.leaf_hashes(0, 2100)) == [leaf_hash(entry.leaf()) for entry in entries]


def test_concurrent_appends_lose_and_repeat_nothing(store):
    """Units that append at once give one log with every entry in it once, and a true checkpoint."""

    def append(n: int) -> None:
        with store.begin() as unit:
            unit.log.append([an_entry(n=n), an_entry(n=n)])
            unit.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(12)))
    with store.begin() as unit:
        bodies = sorted(Entry.parse(leaf).body["n"] for leaf in unit.log.leaves(0, unit.log.size()))
        assert bodies == sorted([*range(12), *range(12)])
        signed = open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier)
        first = leaf_hash(next(unit.log.leaves(0, 1)))
        verify_inclusion(first, 0, signed.size, unit.log.inclusion(0, signed.size), signed.root)


def test_a_unit_that_was_rolled_back_leaves_nothing(store):
    """Entries of a unit that ended without commit are nowhere; the log goes on as if they had not been."""
    kept, dropped = [an_entry(n=n) for n in range(8)], an_entry(n=-1)
    for entry in kept:
        with store.begin() as unit:
            unit.log.append([dropped])
        with store.begin() as unit:
            unit.log.append([entry])
            unit.commit()
    with store.begin() as unit:
        assert list(unit.log.leaves(0, unit.log.size())) == [entry.leaf() for entry in kept]
        signed = open_checkpoint(unit.log.checkpoint(), FakeStore().signer.verifier)
        verify_inclusion(leaf_hash(kept[0].leaf()), 0, 8, unit.log.inclusion(0, 8), signed.root)


def test_a_unit_may_append_twice(store):
    """Appends of one unit follow each other, and become durable together."""
    entries = [an_entry(n=n) for n in range(5)]
    with store.begin() as unit:
        unit.log.append(entries[:2])
        unit.log.append(entries[2:])
        unit.commit()
    with store.begin() as unit:
        assert list(unit.log.leaves(0, unit.log.size())) == [entry.leaf() for entry in entries]
        unit.log.append([an_entry()])
        unit.commit()


def test_a_unit_whose_append_failed_never_commits(store, monkeypatch):
    """Swallowing the failure of an append does not let the rest of the unit become durable."""
    with store.begin() as unit:
        unit.partners.add(a_partner())
        monkeypatch.setattr("audit.log.Log._signed", _fail)
        with pytest.raises(ZeroDivisionError):
            unit.log.append([an_entry()])
        with pytest.raises(LogUnavailableError):
            unit.commit()
    with store.begin() as unit:
        assert unit.partners.all() == []


def _fail(*_: object) -> None:
    raise ZeroDivisionError


# --- the index ---------------------------------------------------------------------------------------


def a_row(index: int, **changes) -> IndexRow:
    return IndexRow(index, NOON + timedelta(minutes=index), **{"kind": "exchange.permitted"} | changes)


ROWS = [
    a_row(0, kind="user.added", users=("shell", "u-1")),
    a_row(
        1,
        exchange="e-1",
        dataset="d-1",
        recipient="p-1",
        purpose="identify",
        users=("u-1",),
        law=("l-1", "l-2"),
    ),
    a_row(2, kind="exchange.refused", dataset="d-1", refusals=("no-gateway", "list-too-small")),
    a_row(3, kind="exchange.delivered", exchange="e-1", dataset="d-1", recipient="p-1", purpose="identify"),
    a_row(4, kind="exchange_permitted", dataset="d-2", law=("l-2",)),
]


@pytest.fixture
def indexed(store):
    with store.begin() as unit:
        unit.log_index.add(ROWS)
        unit.commit()
    return store


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [4, 3, 2, 1, 0]),
        (Wanted(kind="exchange."), [3, 2, 1]),
        (Wanted(kind="exchange_"), [4]),
        (Wanted(kind="%"), []),
        (Wanted(exchange="e-1"), [3, 1]),
        (Wanted(dataset="d-1", kind="exchange.refused"), [2]),
        (Wanted(recipient="p-1", purpose="identify"), [3, 1]),
        (Wanted(user="u-1"), [1, 0]),
        (Wanted(law="l-2"), [4, 1]),
        (Wanted(refusal="no-gateway"), [2]),
        (Wanted(refusal="no"), []),
        (Wanted(since=NOON + timedelta(minutes=3)), [4, 3]),
        (Wanted(until=NOON + timedelta(minutes=3)), [2, 1, 0]),
    ],
    ids=str,
)
def test_the_index_finds_what_all_holds_of(indexed, wanted, found):
    """Every filter keeps to its field, kinds by how they begin, and what is found comes newest first."""
    with indexed.begin() as unit:
        assert unit.log_index.find(wanted, before=None, limit=10) == found
        assert unit.log_index.count(wanted) == len(found)


def test_the_index_is_read_in_pages(indexed):
    """`before` goes on where a page ended, whatever was added since."""
    with indexed.begin() as unit:
        assert unit.log_index.find(Wanted(), before=None, limit=2) == [4, 3]
        unit.log_index.add([a_row(5)])
        assert unit.log_index.find(Wanted(), before=3, limit=2) == [2, 1]
        assert unit.log_index.find(Wanted(), before=0, limit=2) == []


def test_the_index_knows_what_it_lacks_and_keeps_what_it_has(indexed):
    """It says which entry comes next, and a row that is there stays as it is."""
    with indexed.begin() as unit:
        assert unit.log_index.following() == 5
        unit.log_index.add([a_row(4, dataset="other"), a_row(5)])
        assert unit.log_index.following() == 6
        assert unit.log_index.find(Wanted(dataset="other"), before=None, limit=9) == []


def test_an_earlier_log_is_read_with_its_index(store, request):
    """What a relink sets aside is read and found by number, apart from the log that runs."""
    old, new = [an_entry(n=n) for n in range(3)], an_entry(n=9)
    with store.begin() as unit:
        unit.log.append(old)
        unit.log_index.add(ROWS)
        unit.commit()
        assert list(unit.earlier_logs()) == []
    store = relinked(store, request)
    with store.begin() as unit:
        assert (unit.log.size(), unit.log_index.following()) == (0, 0)
        unit.log.append([new])
        unit.commit()
    with store.begin() as unit:
        (earlier,) = unit.earlier_logs()
        assert (earlier.number, earlier.size()) == (1, 3)
        assert list(earlier.leaves(1, 3)) == [entry.leaf() for entry in old[1:]]
        assert list(unit.log.leaves(0, 1)) == [new.leaf()]
        assert earlier.find(Wanted(), before=None, limit=2) == [4, 3]
        assert unit.log_index.find(Wanted(), before=None, limit=2) == []


def relinked(store, request):
    """The store as a process that starts after a relink opens it."""
    if isinstance(store, FakeStore):
        store.set_log_aside()
        return store
    postgres = request.getfixturevalue("postgres")
    with postgres.engine().begin() as connection:
        set_log_aside(connection, 1)
    return postgres.store()
