"""The one tree of errors. Each names the place, the reason and the way out, never a value.

An error text may be shown to a user, written to a log and kept: so no name, date of birth, address,
identifier or key may be put into one (DESIGN.md promise 1).
"""

from typing import ClassVar


class FlagstoneError(Exception):
    """The root. `code` is stable and machine-readable; `exit_code` is what the CLI exits with."""

    code: ClassVar[str] = "error"
    exit_code: int = 1
    status: ClassVar[int] = 500

    def __init__(self, reason: str, *, place: str = "", way_out: str = "") -> None:
        self.reason = reason
        self.place = place
        self.way_out = way_out
        super().__init__(reason)

    def __str__(self) -> str:
        text = f"{self.place}: {self.reason}" if self.place else self.reason
        return f"{text}. {self.way_out}" if self.way_out else text


class BadInputError(FlagstoneError):
    """A file, argument or document that we were given can't be used as it is."""

    code = "bad-input"
    exit_code = 3
    status = 422


class TooLargeError(BadInputError):
    """An input exceeds a stated limit; refused before it is read whole."""

    code = "too-large"
    status = 413


class ConfigurationError(FlagstoneError):
    """A setting, key file or folder of this installation is missing or unsafe."""

    code = "configuration"
    exit_code = 2


class NotSignedInError(FlagstoneError):
    """No valid credential came with the request."""

    code = "not-signed-in"
    exit_code = 2
    status = 401


class NotAllowedError(FlagstoneError):
    """The caller is known, and may not do this."""

    code = "not-allowed"
    exit_code = 2
    status = 403


class SecondFactorError(NotAllowedError):
    """The caller may do this, signed in with a second factor."""

    code = "second-factor-needed"


class NotFoundError(FlagstoneError):
    """There is no such thing, or the caller may not know whether there is."""

    code = "not-found"
    exit_code = 3
    status = 404


class TooManyError(FlagstoneError):
    """The caller has done this as often as is allowed for now; `retry_after` is in seconds."""

    code = "too-many"
    exit_code = 2
    status = 429

    def __init__(
        self, reason: str, *, place: str = "", way_out: str = "", limit: str, retry_after: int
    ) -> None:
        super().__init__(reason, place=place, way_out=way_out)
        self.limit = limit
        self.retry_after = retry_after


class DestroyedError(NotFoundError):
    """It was there, and its time to be kept is over."""

    code = "destroyed"
    status = 410


class ConflictError(FlagstoneError):
    """The thing is in a state that does not allow this, or the same id was used for something else."""

    code = "conflict"
    exit_code = 3
    status = 409


class RefusedError(FlagstoneError):
    """A policy refuses. The decision that says why travels beside this error (`policies.decision`)."""

    code = "refused-by-policy"
    exit_code = 4
    status = 403


class VerificationError(FlagstoneError):
    """A signature, digest, proof or format did not hold."""

    code = "verification-failed"
    exit_code = 5
    status = 400


class PartnerError(FlagstoneError):
    """A partner's agent can't be asked, or answered with an error."""

    code = "partner-failed"
    exit_code = 6
    status = 502


class ProviderDownError(FlagstoneError):
    """The identity provider can't be asked now."""

    code = "provider-down"
    exit_code = 6
    status = 503


class StoreAlteredError(FlagstoneError):
    """What the store holds is not what was put there: a signature on it fails. Nothing goes on."""

    code = "store-altered"
    exit_code = 5


class LogUnavailableError(FlagstoneError):
    """The disclosure log can't be written, so nothing moves (promise 2)."""

    code = "log-unavailable"
    status = 503


class KeyPlaceError(FlagstoneError):
    """The place where a key lives, a security module or a key service, can't be used now."""

    code = "keys-unavailable"
    status = 503


class StoreUnavailableError(FlagstoneError):
    """The database can't be used now; what was not committed is rolled back."""

    code = "store-unavailable"
    status = 503
