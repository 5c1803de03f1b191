"""All keys of a home together: what there are, what of them is still needed, and sealing them at rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from adapters.keys.files import PARTY, FileExchangeKeys, FilePrekeys, party_ring
from adapters.keys.folder import SecretFolder
from adapters.keys.logkey import LOG, WITNESS, log_ring
from adapters.keys.places import Places
from adapters.keys.ring import Keyring
from adapters.keys.rotating import later_generations
from adapters.keys.search import SEARCH, sealed_for, search_ring
from adapters.keys.wrapping import SEALING, generations_in
from gateway.key_ports import KeyInfo, KeyRef, Use

_EXCHANGES: Final = "exchange-keys"
_PREKEYS: Final = "prekeys"


@dataclass(frozen=True, slots=True)
class Home:
    """A gateway's or an agent's folder. `search`: where the search key is kept instead."""

    folder: Path
    places: Places
    search: Path | None = None

    def rings(self) -> dict[str, Keyring]:
        """The ring that holds each kind of key that there is."""
        party = party_ring(self.folder / "keys", self.places)
        found = dict.fromkeys((*PARTY, SEALING), party)
        for kind, name, ring in (
            (LOG, "log-key", log_ring),
            (SEARCH, "search-key", search_ring),
            (WITNESS, "witness-key", _witness_ring),
        ):
            folder = self.search if kind == SEARCH and self.search else self.folder / name
            if folder.exists():
                found[kind] = ring(folder, self.places)
        return found

    def known(self) -> list[KeyInfo]:
        """Every generation of every kind."""
        found = [key for kind, ring in self.rings().items() for key in ring.known(kind)]
        for number, ring in enumerate(self._later_parties(), 1):
            # each generation of an organisation's keys has a folder of its own, in which it is the first
            found += (
                replace(key, ref=KeyRef(key.ref.kind, key.ref.generation + number)) for key in ring.known()
            )
        return found

    def _later_parties(self) -> list[Keyring]:
        return [party_ring(folder, self.places) for folder in later_generations(self.folder / "keys")]

    def needed(self, kind: str) -> set[int]:
        """The generations of a kind that something which lies in this home was sealed for."""
        folders = [SecretFolder(self.folder / name) for name in (_EXCHANGES, _PREKEYS)]
        there = [folder for folder in folders if folder.exists()]
        if kind == SEALING:
            return generations_in(there)
        tags = (stored for folder in there for name, stored in folder.contents() if name.endswith(".tags"))
        return {sealed_for(stored)[0] for stored in tags} if kind == SEARCH else set()

    def seal(self, at: datetime) -> int:
        """Seal every key file under the keyring's key and every secret for a sealing key; how many were raw.

        Nothing else may use the home meanwhile. Cut short, it is run again and goes on.
        """
        done = 0
        for kind, ring in self.rings().items():
            ring.describe_all()
            done += ring.seal_at_rest(kind)
        for ring in self._later_parties():
            ring.describe_all()
            done += sum(ring.seal_at_rest(kind) for kind in PARTY)
        party = party_ring(self.folder / "keys", self.places)
        if not party.known(SEALING):
            party.create(SEALING, Use.SEAL, at)
        for name, keys in ((_EXCHANGES, FileExchangeKeys), (_PREKEYS, FilePrekeys)):
            if (self.folder / name).exists():
                done += keys(self.folder / name, party).seal_raw()
        return done


def due(key: KeyInfo, days: Mapping[str, int]) -> datetime | None:
    """When a key is to be rotated; None of one that is in use no more, or that never is."""
    if key.retired or key.destroyed or key.ref.kind not in days:
        return None
    return key.created + timedelta(days=days[key.ref.kind])


def _witness_ring(folder: Path, places: Places) -> Keyring:
    return places.ring(folder, {WITNESS: Use.SIGN})
