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
    counting = _counting(cited, find)
    return tuple(e for e in counting.values() if serves in e.serves and _stands(e, counting))


def grounds(cited: Iterable[str], serves: Serves, find: Find) -> tuple[LawEntry, ...]:
    """`heads`, each followed by the cited entries that it needs; () is unmet."""
    counting = _counting(cited, find)
    found: dict[str, LawEntry] = {}
    for head in heads(counting, serves, counting.get):
        found |= {entry.id: entry for entry in _beside(head, counting, {})}
    return tuple(found.values())


def _counting(cited: Iterable[str], find: Find) -> dict[str, LawEntry]:
    return {entry.id: entry for key in cited if (entry := find(key)) is not None}


def _stands(entry: LawEntry, counting: Mapping[str, LawEntry], above: frozenset[str] = frozenset()) -> bool:
    """`above`: the entries that led here; one that needs itself by way of others never stands."""
    led = above | {entry.id}

    def there(key: str) -> bool:
        return key in counting and key not in led and _stands(counting[key], counting, led)

    return all(map(there, entry.needs)) and (not entry.needs_any or any(map(there, entry.needs_any)))


def _beside(
    entry: LawEntry, counting: Mapping[str, LawEntry], seen: dict[str, LawEntry]
) -> Iterable[LawEntry]:
    """The entry and, in order, those that it needs and that stand, with theirs."""
    seen[entry.id] = entry
    for key in (*entry.needs, *entry.needs_any):
        if key in counting and _stands(counting[key], counting):
            _beside(counting[key], counting, seen)
    return seen.values()
