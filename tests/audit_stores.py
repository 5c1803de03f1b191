"""Every implementation of `audit.store.Store` behind one way to take a transaction."""

import io
from contextlib import contextmanager

from audit_samples import MemoryStore, entry, exported, signer, trust
from fakes import FakeStore

from audit.log import Log
from audit.store import FileStore
from audit.verify import verify_export
from gateway.db.engine import Session
from gateway.db.logstore import PostgresLogStore

KINDS = ("memory", "fake", "file", "postgres")


class Memory:
    """No transactions: what is written is there."""

    def __init__(self):
        self.store = MemoryStore()

    @contextmanager
    def begin(self):
        yield self.store


class Fake:
    def __init__(self):
        self.store = FakeStore()

    @contextmanager
    def begin(self):
        with self.store.begin() as unit:
            yield unit.log._store
            unit.commit()


class File:
    def __init__(self, folder):
        self.folder = folder
        FileStore.create(folder).close()

    @contextmanager
    def begin(self):
        with FileStore(self.folder) as store:
            yield store


class Postgres:
    def __init__(self, engine):
        self.engine = engine

    @contextmanager
    def begin(self):
        with self.engine.connect() as connection:
            session = Session(connection)
            yield PostgresLogStore(session)
            session.commit()


def place(kind, request):
    """An empty log of a kind. `begin()` opens a transaction, which is committed unless the block raises."""
    if kind == "file":
        return File(request.getfixturevalue("tmp_path") / "log")
    if kind == "postgres":
        return Postgres(request.getfixturevalue("postgres").engine())
    return {"memory": Memory, "fake": Fake}[kind]()


def append(at, count, head=None):
    """Append the next entries, going on from what is remembered, if anything; what is to be remembered."""
    with at.begin() as store:
        log = Log(store, signer(), head)
        start = log.size()
        assert log.append([entry(number) for number in range(start, start + count)]) == start
    return log.head


def check(at, size):
    """The log holds the first entries in order, each once, and verifies offline."""
    with at.begin() as store:
        log = Log(store, signer())
        assert list(log.leaves(0, log.size())) == [entry(number).leaf() for number in range(size)]
        verify_export(io.BytesIO(exported(log)), trust())
