"""Which law entries meet one requirement; shared by the loader (on paper) and by `decide` (on a day)."""

from collections.abc import Callable, Iterable

from policies.model import LawEntry, Serves

Find = Callable[[str], LawEntry | None]


def grounds(cited: Iterable[str], serves: Serves, find: Find) -> tuple[LawEntry, ...]:
    """The cited entries that meet the requirement, each with the cited ones that it needs; () is unmet.

    `find` gives the entry when it counts (in force, covering the parties) and None otherwise. An entry meets
    the requirement only when all it needs are cited beside it and count too. So taking a citation away, or
    making `find` give less, never gives more.
    """
    counting = {entry.id: entry for key in cited if (entry := find(key)) is not None}
    heads = [e for e in counting.values() if serves in e.serves and _stands(e, counting)]
    found = {e.id: e for head in heads for e in (head, *_beside(head, counting))}
    return tuple(found.values())


def _stands(entry: LawEntry, counting: dict[str, LawEntry]) -> bool:
    any_of = not entry.needs_any or not counting.keys().isdisjoint(entry.needs_any)
    return any_of and counting.keys() >= set(entry.needs)


def _beside(entry: LawEntry, counting: dict[str, LawEntry]) -> Iterable[LawEntry]:
    return (counting[key] for key in (*entry.needs, *entry.needs_any) if key in counting)
