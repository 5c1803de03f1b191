"""The council as this partner knows it: the identity that was pinned at enrolment, and what succeeded it."""

from typing import Final

from adapters.agent.tray import Tray
from gateway.bundle.succession import SuccessionDocument, lineage_of, verify_succession
from gateway.domain.errors import ConfigurationError, VerificationError
from gateway.domain.identity import Identity
from gateway.domain.lineage import Lineage

_NAME: Final = "{:06}.json"


class Council:
    """One file for each succession that was accepted here; all of them stay, as evidence.

    One process at a time accepts; others may read at any moment.
    """

    def __init__(self, tray: Tray, pinned: Identity) -> None:
        self._tray = tray
        self._pinned = pinned

    @property
    def lineage(self) -> Lineage:
        """Raise ConfigurationError when a kept succession does not hold."""
        kept = (self._tray.get(name) or b"" for name in self._tray.names())
        try:
            return lineage_of(self._pinned, tuple(each.decode(errors="replace") for each in kept))
        except VerificationError as error:
            raise ConfigurationError(
                f"a kept succession does not hold: {error.reason}",
                place="council-keys",
                way_out="Restore the folder",
            ) from None

    @property
    def slug(self) -> str:
        return self._pinned.slug

    def check(self, succession: str) -> SuccessionDocument:
        """The succession, if it follows what is known. Raise VerificationError otherwise."""
        return verify_succession(succession, self.lineage)

    def accept(self, succession: str) -> None:
        """Check and keep it; durable on return."""
        document = self.check(succession)
        self._tray.put(_NAME.format(document.sequence), succession.encode())
