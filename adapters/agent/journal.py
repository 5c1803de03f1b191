"""The agent's own log, and its memory: which exchange ids were accepted, which entries are written.

Nothing about who was matched, tied or objected enters it. What derives from persons (how many were asked
about, the custodian's own words) stands in a leaf as a salted commitment; salt and value lie in the folder
`openings`, which never leaves with an export.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from adapters.agent.tray import Tray
from audit.entry import SALT_BYTES, Entry, Json, commit
from audit.errors import AuditError
from audit.log import Log
from gateway.domain.errors import LogUnavailableError
from gateway.ports import Clock

RECEIVED: Final = "request.received"
PINNED: Final = "witness.pinned"


class Journal:
    """Reads the log once and then only what was added since: other processes write to it too."""

    def __init__(
        self, log: Log, openings: Tray, slug: str, clock: Clock, entropy: Callable[[int], bytes]
    ) -> None:
        self._log = log
        self._openings = openings
        self._slug = slug
        self._clock = clock
        self._entropy = entropy
        self._read = 0
        self._ids: set[UUID] = set()
        self._kinds: defaultdict[str, set[str]] = defaultdict(set)
        self._received: list[datetime] = []
        self.pinned = False
        """Whether the council's log was ever seen."""

    def entry(
        self,
        kind: str,
        body: Mapping[str, Json],
        private: Mapping[str, Json] | None = None,
        *,
        by: str = "agent",
    ) -> Entry:
        """A new entry, not yet in the log. Its openings are durable on return."""
        entry_id = UUID(bytes=self._entropy(16), version=4)
        leaf: dict[str, Json] = {"actor": {"id": by, "role": "partner", "organisation": self._slug}, **body}
        if private:
            salts = {path: self._entropy(SALT_BYTES) for path in private}
            opened = {path: {"salt": salts[path].hex(), "value": value} for path, value in private.items()}
            self._openings.put(f"{entry_id}.json", json.dumps(opened).encode())
            leaf["commitments"] = {
                path: commit(salts[path], entry_id, path, value) for path, value in private.items()
            }
        return Entry(entry_id, kind, self._clock(), leaf)

    def append(self, entry: Entry) -> None:
        """Durable on return. An entry that is in the log already is not written again.

        Raises:
            LogUnavailableError: the log can't be written, so nothing may move.
        """
        self.refresh()
        if entry.id in self._ids:
            return
        try:
            self._log.append([entry])
        except (AuditError, OSError) as error:
            raise LogUnavailableError(f"the agent's log can't be written ({type(error).__name__})") from None
        self.refresh()

    def record(self, kind: str, body: Mapping[str, Json], *, by: str = "agent") -> None:
        """Append a new entry that derives from no person."""
        self.append(self.entry(kind, body, by=by))

    def openings(self, names: Collection[str]) -> dict[str, dict[str, Json]]:
        """By entry, what opens its commitments of these names."""
        found = {}
        for file in self._openings.names():
            told = json.loads(self._openings.get(file) or b"{}")
            if chosen := {name: told[name] for name in names if name in told}:
                found[file.removesuffix(".json")] = chosen
        return found

    def kinds(self, exchange: UUID) -> frozenset[str]:
        """What the log tells of an exchange."""
        return frozenset(self._kinds.get(str(exchange), ()))

    def received_since(self, moment: datetime) -> int:
        """How many requests were accepted after `moment`."""
        return sum(at > moment for at in self._received)

    def refresh(self) -> None:
        """Read what was added since the last look.

        Raises:
            LogUnavailableError: the log can't be read.
        """
        try:
            size = self._log.size()
            for leaf in self._log.leaves(self._read, size):
                self._note(Entry.parse(leaf))
        except (AuditError, OSError) as error:
            raise LogUnavailableError(f"the agent's log can't be read ({type(error).__name__})") from None
        self._read = size

    def _note(self, entry: Entry) -> None:
        self._ids.add(entry.id)
        exchange = entry.body.get("exchange")
        if isinstance(exchange, str):
            self._kinds[exchange].add(entry.kind)
        self.pinned |= entry.kind == PINNED
        if entry.kind == RECEIVED:
            self._received.append(entry.at)
