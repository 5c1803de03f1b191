"""What an evidence file proved, and how that reads in plain English.

All of it was signed by the log or opens what the log signed; still, no control character reaches a terminal.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from audit.checkpoint import Checkpoint
from audit.cosignature import Cosignature
from audit.entry import Entry, Json

PERMITTED: Final = "exchange.permitted"
UNIT: Final = "items/unit"
NO_FLAG: Final = "no flag returned: not evidence of absence"
INCOMPLETE: Final = (
    "Not proved: that the log holds no further entry of this exchange. For that, verify an exported log."
)
MAX_SHOWN: Final = 200
_Body: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A value that was opened: of which entry, under which path."""

    entry: UUID
    path: str
    value: Json


@dataclass(frozen=True, slots=True)
class Proved:
    """What held. `entries` by their index in the log; `older`: the size of a tree that this one extends;
    `seen`: the size of the checkpoint seen before, which is one of the two.
    """

    checkpoint: Checkpoint
    cosigned: tuple[Cosignature, ...]
    entries: Mapping[int, Entry]
    opened: tuple[Told, ...]
    items: tuple[Told, ...]
    older: int | None
    seen: int | None

    def __str__(self) -> str:
        lines = (*self._log(), "", *self._exchange(), *self._opened(), *self._persons(), "", INCOMPLETE)
        return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)

    def _log(self) -> Iterator[str]:
        size, origin = self.checkpoint.size, self.checkpoint.origin
        number = len(self.entries)
        yield f"Verified: {number} of the {size} entries of {origin} are as its key signed them."
        for each in self.cosigned:
            yield f"{each.witness.name} saw this same log on {_when(each.at)}."
        if self.older is not None:
            yield f"The log extends the {self.older} entries that an older checkpoint signed."
        if self.seen is not None:
            yield f"Its first {self.seen} entries are those that you saw before."
        elif not self.cosigned:
            yield "No checkpoint seen before was given, so a fork or a rollback would not show."

    def _exchange(self) -> Iterator[str]:
        for index, entry in self.entries.items():
            if entry.kind == PERMITTED:
                yield from _asked(entry.body)
            say = _SAYS.get(entry.kind, _anything)
            yield f"- {_when(entry.at)}, entry {index}, {entry.kind}: {say(entry.body)}."
            if entry.kind == PERMITTED:
                yield from _grounds(entry.body)

    def _opened(self) -> Iterator[str]:
        if self.opened:
            yield from ("", "Opened, each as the log committed to it:")
        for told in self.opened:
            yield f"- entry {self._index(told)}, {told.path}: {_short(str(told.value))}"

    def _persons(self) -> Iterator[str]:
        if self.items:
            yield from ("", "About those alone whom this evidence is for:")
        for told in self.items:
            yield f"- entry {self._index(told)}, {_of_person(told)}"

    def _index(self, told: Told) -> int:
        return next(index for index, entry in self.entries.items() if entry.id == told.entry)


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:40]}... ({len(text)} characters, whole in the file)"


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d at %H:%M:%S UTC}"


def _asked(body: _Body) -> Iterator[str]:
    actor = _map(body.get("actor"))
    yield f"Exchange {body['exchange']}:"
    yield (
        f"{actor.get('organisation')} asked {body['recipient']} about families, dataset {body['dataset']}, "
        f"for the purpose {body['purpose']} under {body.get('framework')}."
    )
    yield f"Asked, answered by {body.get('granularity')}: {_list(body.get('indicators_asked'))}."


def _permitted(body: _Body) -> str:
    actor, decision = _map(body.get("actor")), _map(body.get("decision"))
    agreed = f"agreement {body['agreement']}"
    if "agreement_digest" in body:
        agreed += f" (SHA-256 {body['agreement_digest']})"
    return (
        f"the request of user {actor.get('id')} ({actor.get('role')}) was permitted, under {agreed}, "
        f"by policy set {decision.get('policy_set')}, engine {decision.get('engine')}, in the regime "
        f"{decision.get('regime')}{_counts(body)}"
    )


def _grounds(body: _Body) -> Iterator[str]:
    basis = _map(body.get("decision")).get("basis")
    for each in map(_map, basis if isinstance(basis, list) else ()):
        read = "" if each.get("confirmed") else " (its text was not yet read at the source)"
        yield f"    {each.get('role')}: {each.get('citation')}, {each.get('title')}{read}"


def _counts(body: _Body) -> str:
    counts = "".join(f", {number} {name}" for name, number in _map(body.get("counts")).items())
    return f"{counts}; smaller numbers are committed, not shown"


def _authorised(body: _Body) -> str:
    return f"sending the request to {body['recipient']} was authorised: it counts as disclosed from then on"


def _delivered(body: _Body) -> str:
    return f"{body['recipient']} answered, from its register of {body.get('register_date')}"


def _released(body: _Body) -> str:
    return f"giving the answer to user {body.get('released_to')} was authorised"


def _ended(body: _Body) -> str:
    disclosed = "counts" if body.get("counts_as_disclosed") else "does not count"
    return f"it ended without an answer that was used; the request {disclosed} as disclosed"


def _held(body: _Body) -> str:
    return f"a legal hold until {body.get('until')} was recorded"


def _destroyed(body: _Body) -> str:
    return (
        f"what the {body.get('clock')} clock keeps was destroyed, {body.get('kept_days')} days after the "
        f"end; no backup of its keys is kept for longer than {body.get('key_backup_days')} days after that"
    )


def _anything(body: _Body) -> str:
    return f"recorded by {_map(body.get('actor')).get('organisation')}"


_SAYS: Final[Mapping[str, Callable[[_Body], str]]] = {
    PERMITTED: _permitted,
    "exchange.request-authorised": _authorised,
    "exchange.delivered": _delivered,
    "exchange.release-authorised": _released,
    "exchange.cancelled": _ended,
    "exchange.declined": _ended,
    "exchange.expired": _ended,
    "exchange.failed": _ended,
    "exchange.hold-placed": _held,
    "exchange.hold-lifted": _held,
    "exchange.hold-expired": _held,
    "exchange.results-destroyed": _destroyed,
    "exchange.account-destroyed": _destroyed,
    "exchange.keys-destroyed-again": _destroyed,
}


def _of_person(told: Told) -> str:
    value = _map(told.value)
    who = f"household {value.get('household_id')}"
    if "person_id" in value:
        who = f"person {value['person_id']} of {who}"
    if told.path == UNIT:
        return f"given to the programme about {who}: {_list(value.get('flags')) or NO_FLAG}"
    return f"asked about: {who}"


def _map(told: Any) -> _Body:
    return told if isinstance(told, Mapping) else {}


def _list(told: Any) -> str:
    return ", ".join(map(str, told)) if isinstance(told, list | tuple) else ""
