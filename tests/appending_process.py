"""Processes that take real steps on one PostgreSQL, each logged in the unit of work that takes it.

    python tests/appending_process.py FOLDER

Forks one for each line read, and writes its process id: imports are paid for once. The database's URL is read
from FOLDER; what a process acknowledges, after the commit, it writes to a file of its own in FOLDER/acks.
They stop when this one does.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path
from uuid import uuid4

from fakes import NOON, FakeStore, an_exchange

from audit.entry import Entry
from gateway.db.engine import make_engine
from gateway.db.uow import PostgresStore
from gateway.domain.errors import FlagstoneError, NotFoundError
from gateway.domain.exchange import Status

PERMITTED, AUTHORISED, NEVER = "exchange.permitted", "exchange.request-authorised", "exchange.never"


def entries(exchange, kind, parts):
    return [
        Entry(uuid4(), kind, NOON, {"exchange": str(exchange.id), "part": part, "of": parts})
        for part in range(parts)
    ]


def permit(store, exchange, parts):
    """The first step, or nothing if it was taken."""
    with store.begin() as unit:
        try:
            unit.exchanges.get(exchange.id)
        except NotFoundError:
            unit.exchanges.add(exchange)
            unit.log.append(entries(exchange, PERMITTED, parts))
            unit.commit()


def authorise(store, exchange, parts):
    """The disclosure: the request may go out. Or nothing if it may already."""
    with store.begin() as unit:
        if unit.exchanges.advance(exchange.id, Status.AUTHORISED, frm=[Status.PREPARED]):
            unit.vault.put(exchange.id, "request", b"sealed")
            unit.log.append(entries(exchange, AUTHORISED, parts))
            unit.commit()


def roll_back(store, exchange, parts):
    """A step that fails after its append."""
    with store.begin() as unit:
        unit.vault.put(exchange.id, "list", b"sealed")
        unit.log.append(entries(exchange, NEVER, parts))


class Worker:
    """Takes steps for as long as its nursery lives."""

    def __init__(self, folder, nursery):
        self._nursery = nursery
        engine = make_engine((folder / "url").read_text(), pool_size=1)
        self._store = PostgresStore(engine, FakeStore().signer)
        acks = folder / "acks" / str(os.getpid())
        self._acks = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def run(self):
        while os.getppid() == self._nursery:
            exchange = an_exchange()
            for step, kind in ((permit, PERMITTED), (roll_back, None), (authorise, AUTHORISED)):
                if self._take(step, exchange) and kind:
                    os.write(self._acks, f"{exchange.id} {kind}\n".encode())

    def _take(self, step, exchange):
        """As a workflow does: again, until it is taken. False when there is no time left for that."""
        parts = random.randint(1, 3)  # noqa: S311 - load
        while os.getppid() == self._nursery:
            try:
                step(self._store, exchange, parts)
            except FlagstoneError:
                time.sleep(0.02)
            else:
                return True
        return False


def main():
    folder, nursery = Path(sys.argv[1]), os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            Worker(folder, nursery).run()
            os._exit(0)
        print(child, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
