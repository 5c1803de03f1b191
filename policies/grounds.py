"""Which law entries meet one requirement; shared by the loader (on paper) and by `decide` (on a day)."""

from collections.abc import Callable, Iterable, Mapping

from policies.model import LawEntry, Serves

Find = Callable[[str], LawEntry | None]


def heads(cited: Iterable[str], serves: Serves, find: Find) -> tuple[LawEntry, ...]:
    """The cited entries that meet the requirement by themselves, all that they need being cited beside them.

    `find` gives the entry when it counts (in force, covering the parties) and None otherwise. What an entry
    needs must stand as well, with all that *it* needs. So taking a citation away, or making `find` give less,
    never gives more.
    """
    return tuple(entry for entry in _standing(cited, find).values() if serves in entry.serves)


def grounds(cited: Iterable[str], serves: Serves, find: Find) -> tuple[LawEntry, ...]:
    """`heads`, each followed by the cited entries that it needs; () is unmet."""
    standing = _standing(cited, find)
    found: dict[str, LawEntry] = {}
    for entry in standing.values():
        if serves in entry.serves:
            _gather(entry, standing, found)
    return tuple(found.values())


def _standing(cited: Iterable[str], find: Find) -> dict[str, LawEntry]:
    """The entries that count and have their support, in the order cited.

    The least fixed point: built up from those that need nothing, so that entries which only hold up each
    other never stand.
    """
    counting = {entry.id: entry for key in cited if (entry := find(key)) is not None}
    held: set[str] = set()
    while more := {key for key, entry in counting.items() if key not in held and _held_up(entry, held)}:
        held |= more
    return {key: entry for key, entry in counting.items() if key in held}


def _held_up(entry: LawEntry, held: set[str]) -> bool:
    return held.issuperset(entry.needs) and not (entry.needs_any and held.isdisjoint(entry.needs_any))


def _gather(entry: LawEntry, standing: Mapping[str, LawEntry], found: dict[str, LawEntry]) -> None:
    """Add the entry and, in order, those that it needs and that stand, with theirs."""
    if entry.id in found:
        return
    found[entry.id] = entry
    for key in (*entry.needs, *entry.needs_any):
        if key in standing:
            _gather(standing[key], standing, found)
