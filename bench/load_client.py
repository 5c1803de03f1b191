"""One client process of bench/load.py: a plan as JSON on standard input, what came of it on standard output.

Requests are sent when they are due, not when the one before is answered; a time runs from then, so that a
stall of the gateway counts for all who waited.
"""

import http.client
import json
import random
import secrets
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from adapters.keys.files import FilePartyKeys
from adapters.transports.wire import GatewayUnavailableError, SignIn, Wire, http_client
from gateway.domain.errors import FlagstoneError

HEADER = "person_id,household_id,forename,surname,dob,sex,postcode,met_indicators,consent,in_education\n"
QUERY = {"dataset": "police-force", "purpose": "identify", "framework": "local"}
NO_ANSWER = 0
_STATE_BYTES = 1 << 20


def household_list(token: str) -> str:
    """Three households that nobody has asked about before."""
    letters = "".join("abcdefghij"[int(each, 16) % 10] for each in token)
    rows = (
        f"p{h}{m},h{h},{name}{letters},Sur{letters}{'xyz'[h]},{born},f,LS1 4AP,"
        f"edu.persistent_absence_3t,yes,{school}\n"
        for h in range(3)
        for m, (name, born, school) in enumerate((("Ad", "1981-03-02", "no"), ("Bo", "2014-05-06", "yes")))
    )
    return HEADER + "".join(rows)


class Caller:
    """One thread's connections."""

    def __init__(self, plan: dict[str, Any], seed: int) -> None:
        self._plan, self._random = plan, random.Random(seed)  # noqa: S311 - which request comes next
        self._gateway = http.client.HTTPConnection("127.0.0.1", plan["port"], timeout=60)
        self._bare = http.client.HTTPConnection("127.0.0.1", plan["bare"], timeout=60)
        self._wire: Wire | None = None
        self.exchanges: list[str] = []

    def do(self, kind: str) -> int:
        """The status; 0 where there was no answer."""
        try:
            status: int = getattr(self, f"_{kind}")()
        except (OSError, http.client.HTTPException):
            self._gateway.close()
            return NO_ANSWER
        return status

    def _bare_route(self) -> int:
        return self._ask(self._bare, "GET", "/row", {})

    def _poll(self) -> int:
        try:
            self._agent().call("GET", "/v1/agent/state?seen=0", limit=_STATE_BYTES)
        except GatewayUnavailableError as error:
            found = [int(word) for word in str(error).split() if word.isdigit()]
            return found[0] if found else NO_ANSWER
        except FlagstoneError:
            return NO_ANSWER
        return 200

    def _list(self) -> int:
        return self._as("programme", "GET", "/v1/exchanges")

    def _show(self) -> int:
        return self._as("programme", "GET", f"/v1/exchanges/{self._known()}")

    def _results(self) -> int:
        return self._as("programme", "GET", f"/v1/exchanges/{self._known()}/results")

    def _search(self) -> int:
        return self._as("reviewer", "GET", "/v1/log/find?kind=exchange.permitted&limit=20")

    def _submit(self) -> int:
        token = secrets.token_hex(8)
        headers = {"Content-Type": "text/csv", "Idempotency-Key": f"load-{token}"}
        path = f"/v1/exchanges?{urlencode(QUERY)}"
        return self._as("programme", "POST", path, household_list(token).encode(), headers)

    def _known(self) -> str:
        return self._random.choice(self._plan["exchanges"])

    def _agent(self) -> Wire:
        if self._wire is None:
            keys = FilePartyKeys.load(Path(self._plan["partner"]) / "keys")
            clock = lambda: datetime.now(UTC)  # noqa: E731
            sign_in = SignIn(keys, self._plan["council"], clock, secrets.token_bytes)
            self._wire = Wire(http_client(f"http://127.0.0.1:{self._plan['port']}"), sign_in)
        return self._wire

    def _as(self, role: str, method: str, path: str, body: bytes = b"", more: dict | None = None) -> int:
        owner = self._plan["owner"] if "/exchanges/" in path else None
        token = owner or self._random.choice(self._plan["tokens"][role])
        headers = {"Authorization": f"Bearer {token}"} | (more or {})
        return self._ask(self._gateway, method, path, headers, body)

    def _ask(
        self, to: http.client.HTTPConnection, method: str, path: str, headers: dict, body: bytes = b""
    ) -> int:
        to.request(method, path, body or None, headers)
        answer = to.getresponse()
        data = answer.read()
        if answer.will_close:
            to.close()
        if method == "POST" and answer.status == 201:  # noqa: PLR2004
            self.exchanges.append(json.loads(data)["exchange"])
        return answer.status


def due(plan: dict[str, Any], start: float) -> Iterator[tuple[float, str]]:
    """When which request is due; the mix as it was asked for, in an order of its own for each client."""
    order = random.Random(plan["seed"])  # noqa: S311
    kinds, weights = zip(*plan["mix"].items(), strict=True)
    for number in range(round(plan["rate"] * plan["seconds"])):
        yield start + number / plan["rate"], order.choices(kinds, weights)[0]


def run(plan: dict[str, Any]) -> dict[str, Any]:
    callers = [Caller(plan, plan["seed"] * 1000 + number) for number in range(plan["threads"])]
    schedule, lock = due(plan, plan["start"]), threading.Lock()
    times, statuses = defaultdict(list), defaultdict(Counter)

    def work(caller: Caller) -> None:
        while True:
            with lock:
                planned = next(schedule, None)
            if planned is None or time.time() > plan["start"] + 2 * plan["seconds"] + 30:
                return
            when, kind = planned
            time.sleep(max(0.0, when - time.time()))
            status = caller.do(kind)
            with lock:
                times[kind].append(1000 * (time.time() - when))
                statuses[kind][status] += 1

    threads = [threading.Thread(target=work, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "times": times,
        "statuses": statuses,
        "exchanges": [each for caller in callers for each in caller.exchanges],
        "seconds": time.time() - plan["start"],
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
