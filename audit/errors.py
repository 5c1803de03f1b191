"""The small tree of errors of this package. A text names the place and the reason, never a value."""


class AuditError(Exception):
    """The root of everything that this package raises on purpose."""


class EntryError(AuditError):
    """Not an entry: outside the subset of JSON, not canonical, too large, or a field is malformed."""


class CommitmentError(AuditError):
    """The salt, entry, path and value opened with are not those that were committed to."""


class ProofError(AuditError):
    """An inclusion or consistency proof does not prove it, or can't be made for these sizes."""


class NoteError(AuditError):
    """A signed note, checkpoint or key text is malformed, or no trusted key signed it."""


class StoreError(AuditError):
    """The store is missing, damaged, or was asked to write where it may not."""


class TrustError(AuditError):
    """The trust file can't be used."""


class ExportError(AuditError):
    """An exported log fails verification. `index` is the first wrong entry where one can be named."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        self.index = index
        super().__init__(reason)


class EvidenceError(AuditError):
    """An evidence file is malformed or fails verification. The text names the entry where it can be told."""


class SeenError(AuditError):
    """The file has no way from the checkpoint seen before to its own, so it can't be compared with it."""
