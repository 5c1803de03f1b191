"""Which of several identities signed: an organisation has more than one while its keys are replaced."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway.bundle.errors import WrongKeyError, WrongSignatureError
from gateway.domain.errors import VerificationError
from gateway.domain.identity import Identity

Found = TypeVar("Found")


def by_any(identities: Sequence[Identity], verify: Callable[[Identity], Found]) -> Found:
    """What `verify` gives under the first of several identities that it accepts.

    Raises:
        VerificationError: as `verify`; where none signed, what it says of the first.
    """
    refused: list[VerificationError] = []
    for identity in identities:
        try:
            return verify(identity)
        except (WrongSignatureError, WrongKeyError) as error:
            refused.append(error)
    raise refused[0]
