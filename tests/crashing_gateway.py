"""A gateway that kills itself, or a process it is told of, at a point that a test names.

    python tests/crashing_gateway.py ORDER

Everything is wired by `gateway.bootstrap`; only the ports are wrapped. ORDER is a file: while it is there its
JSON object names a `point`, a `side` of it ("before" or "after") and a `victim` (a process id, 0 for this
one). It is removed in the instant before the kill, so that nobody is killed twice.
"""

import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvicorn

from gateway.bootstrap import serving
from gateway.domain.exchange import Status
from gateway.settings import read_settings
from gateway.web.app import SERVER_OPTIONS

POINTS = (
    "key secret",
    "key seal",
    "exchange.permitted",
    "exchange.request-authorised",
    "send",
    "status sent",
    "fetch",
    "exchange.delivered",
    "exchange.release-authorised",
    "closed",
    "destroy secret",
)
"""Whatever lasts, in the order in which an exchange does it; an entry's kind is the commit with it."""


class Order:
    """The file that says where to strike."""

    def __init__(self, path):
        self._path = Path(path)

    @contextmanager
    def around(self, point):
        self._strike(point, "before")
        yield
        self._strike(point, "after")

    def _strike(self, point, side):
        try:
            order = json.loads(self._path.read_text())
        except FileNotFoundError:
            return
        if (order["point"], order["side"]) == (point, side):
            self._path.unlink()
            os.kill(order["victim"] or os.getpid(), signal.SIGKILL)


class Wrapped:
    """Everything of the inner port but what a subclass wraps."""

    def __init__(self, inner, order):
        self._inner, self._order = inner, order

    def __getattr__(self, name):
        return getattr(self._inner, name)


class Store(Wrapped):
    def acting_for(self, principal):
        return Store(self._inner.acting_for(principal), self._order)

    @contextmanager
    def begin(self):
        with self._inner.begin() as unit:
            yield Unit(unit, self._order)


class Unit(Wrapped):
    """One transaction, called after what was done in it."""

    def __init__(self, inner, order):
        super().__init__(inner, order)
        self.done = []
        self.log = Log(inner.log, order, self.done)
        self.exchanges = Exchanges(inner.exchanges, order, self.done)
        self.vault = Vault(inner.vault, order, self.done)
        self.mailbox = Mailbox(inner.mailbox, order)

    def commit(self):
        # an entry tells more than the change it goes with
        name = min(self.done, key=lambda each: not each.startswith("exchange."), default="")
        with self._order.around(name):
            self._inner.commit()


class Noting(Wrapped):
    def __init__(self, inner, order, done):
        super().__init__(inner, order)
        self._done = done


class Log(Noting):
    def append(self, entries):
        self._done.extend(entry.kind for entry in entries)
        self._inner.append(entries)


class Exchanges(Noting):
    def advance(self, exchange, to, *, frm):
        self._done.append(f"status {Status(to).value}")
        return self._inner.advance(exchange, to, frm=frm)


class Vault(Noting):
    def drop(self, exchange, kind):
        if kind == "request":
            self._done.append("closed")
        self._inner.drop(exchange, kind)


class Mailbox(Wrapped):
    def fetch(self, partner, exchange):
        with self._order.around("fetch"):
            return self._inner.fetch(partner, exchange)


class Transport(Wrapped):
    def send(self, partner, exchange, bundle):
        with self._order.around("send"):
            self._inner.send(partner, exchange, bundle)


class Keys(Wrapped):
    def put(self, exchange, name, key):
        with self._order.around(f"key {name}"):
            self._inner.put(exchange, name, key)

    def destroy(self, exchange, name):
        with self._order.around(f"destroy {name}"):
            self._inner.destroy(exchange, name)


def main():
    order = Order(sys.argv[1])

    def decorate(context):
        return replace(
            context,
            store=Store(context.store, order),
            transport=Transport(context.transport, order),
            exchange_keys=Keys(context.exchange_keys, order),
        )

    settings = read_settings()
    with serving(settings, decorate) as app:
        uvicorn.Server(uvicorn.Config(app, port=settings.port, **SERVER_OPTIONS)).run()


if __name__ == "__main__":
    main()
