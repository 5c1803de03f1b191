"""uvicorn's HTTP/1.1, with an end to its patience, and with answers of its own that look like ours."""

import asyncio
import uuid
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.web.envelope import UNLESS_STATED, protection
from gateway.web.problems import problem
from gateway.web.tls import PeerCertificate

HEAD_SECONDS: Final = 20.0
"""How long a request's head may take from its first byte, and what nobody asked for after an answer."""
_SLICE: Final = 1 << 14


class GuardedProtocol(PeerCertificate, H11Protocol):
    """A connection that says nothing, or a byte now and then, is closed; a body's time is `bodies`' matter.

    uvicorn's own timer runs between two requests only, and any byte stops it.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._mind()

    def data_received(self, data: bytes) -> None:
        # h11 counts a head that is not whole yet: one that comes whole in a single read must not slip past it
        step = _SLICE if self._waiting() else max(len(data), 1)
        for start in range(0, len(data), step):
            if not self.transport.is_closing():
                super().data_received(data[start : start + step])
        self._mind()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says less
        """Answer what is no HTTP, or has too long a head: with a problem that repeats nothing of it."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()  # an answer is under way already: cut it
            return
        correlation = str(uuid.uuid4())
        answer = problem("bad-request", 400, "Not an HTTP request that is read here", correlation)
        headers = dict(answer.headers) | protection(correlation, tls=self.scheme == "https")
        headers |= {**UNLESS_STATED, "Connection": "close"}
        event = h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request")
        for each in (event, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(each))
        self.transport.close()

    def _mind(self) -> None:
        """Wait for a head no longer than `HEAD_SECONDS`, however many bytes of it came meanwhile."""
        if not self._waiting():
            self._calm()
        elif self._patience is None:
            self._patience = self.loop.call_later(HEAD_SECONDS, self._lose_patience)

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._patience = None
        if self._waiting():
            self.transport.close()

    def _waiting(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's annotation says
        return cycle is None or cycle.response_complete
