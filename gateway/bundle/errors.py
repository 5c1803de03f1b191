"""Why a signed document or a bundle was refused: one named error for each defect."""

from gateway.domain.errors import VerificationError


class OversizeError(VerificationError):
    """Longer than anything that we would ever accept; refused before it is read."""

    code = "oversize"
    status = 413


class MalformedError(VerificationError):
    """Not in the form that the format prescribes."""

    code = "malformed"


class WrongAlgorithmError(VerificationError):
    """Signed with, or asking for, anything but Ed25519 (RFC 9864), or carrying further header parameters."""

    code = "wrong-algorithm"


class WrongTypeError(VerificationError):
    """A signed document of one kind was handed in where another was wanted."""

    code = "wrong-type"


class WrongSignatureError(VerificationError):
    """Altered since it was signed, or signed by another key than the pinned one."""

    code = "wrong-signature"


class WrongKeyError(VerificationError):
    """Made for or by other keys than the pinned identities."""

    code = "wrong-key"


class WrongDirectionError(VerificationError):
    """A request where an answer was wanted, or the reverse."""

    code = "wrong-direction"


class WrongExchangeError(VerificationError):
    """It belongs to another exchange."""

    code = "wrong-exchange"


class WrongRequestError(VerificationError):
    """It answers another request than the one that was sent: the request digest differs."""

    code = "wrong-request-digest"


class WrongAgreementError(VerificationError):
    """Under no agreement that we countersigned, or outside its terms."""

    code = "wrong-agreement"


class UnknownSchemeError(VerificationError):
    """Of a scheme version that this installation does not have."""

    code = "unknown-scheme"


class ReplayError(VerificationError):
    """The exchange id was accepted before."""

    code = "replay"


class NotYetValidError(VerificationError):
    """Issued in the future: one of the two clocks is wrong."""

    code = "not-yet-valid"


class ExpiredError(VerificationError):
    """Its time is over, or the reader's clock is wrong."""

    code = "expired"


class UnknownColumnError(VerificationError):
    """A column that the scheme does not have, or a wrong type of one."""

    code = "unknown-column"


class UnknownFlagError(VerificationError):
    """Indicators other than those agreed or asked for."""

    code = "unknown-flag"


class WrongLengthError(VerificationError):
    """Not the length known beforehand."""

    code = "wrong-length"


class WrongDigestError(VerificationError):
    """The ciphertext is not the one that the manifest names."""

    code = "wrong-ciphertext-digest"


class DecompressionBombError(VerificationError):
    """A small file that would grow beyond what the manifest states."""

    code = "decompression-bomb"
    status = 413


class WrongConfirmationError(VerificationError):
    """The two sides derived different exchange secrets."""

    code = "wrong-confirmation"


class DecryptionError(VerificationError):
    """The ciphertext does not open under the exchange's key."""

    code = "decryption-failed"


class FailedSelfTestError(VerificationError):
    """The answering side's scheme computes other tokens than ours, so its answer means nothing."""

    code = "self-test-failed"


class SupersededError(VerificationError):
    """A succession of keys that is no newer than what is known: repeated, rolled back, or a second one."""

    code = "superseded"
    status = 409


class MissingLinkError(VerificationError):
    """A succession of keys whose predecessor is not known here: one before it was left out."""

    code = "missing-link"


class WrongPredecessorError(VerificationError):
    """A succession of keys that follows other keys than those known here."""

    code = "wrong-predecessor"


class UsedKeyError(VerificationError):
    """A succession that brings back a key of an earlier generation, or uses one key twice."""

    code = "used-key"


class UnconfirmedError(VerificationError):
    """Keys whose fingerprint a person has to confirm before anything goes on."""

    code = "unconfirmed-keys"
    status = 409
