"""Enrolment at a gateway by the code that the council's operator read out."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from adapters.agent.main import COUNCIL, identity_of, initialise
from adapters.agent.settings import FILE
from adapters.keys.files import FilePartyKeys
from adapters.registers.opening import Kind
from adapters.transports.enrolment import bring, council_document
from gateway.bundle.enrolment import Parties, code_key, make_enrolment, read_code
from gateway.domain.errors import ConflictError, VerificationError
from gateway.domain.identity import Identity

_PLACE: Final = "enrolment"


@dataclass(frozen=True, slots=True)
class NewAgent:
    """What the folder of a new agent needs (`adapters.agent.main.initialise`)."""

    slug: str
    name: str
    gateway: str
    ca_file: str | None
    kind: Kind
    source: str
    query: str


def enrol(
    home: Path, http: httpx.Client, code: str, *, make: NewAgent | None, pin: Callable[[Identity], str]
) -> Parties:
    """Pin the council's identity, make the agent's folder where there is none, and bring its identity.

    `make`: None where the folder is there already; `pin`: shows the council's identity to a person, and gives
    its fingerprint as the council's staff read it out. May be repeated, with the same code or a new one.

    Raises:
        BadInputError: the code was misheard; nothing was sent.
        VerificationError: the fingerprint is another one, or the gateway does not know the code.
        ConflictError: this agent has pinned another council.
        PartnerError: the gateway can't be reached, or does not take the code.
    """
    code = read_code(code)
    document = council_document(http)
    council = identity_of(document)
    if (home / FILE).exists():
        if identity_of((home / COUNCIL).read_bytes()) != council:
            raise ConflictError("this agent has pinned another council", place=COUNCIL)
    elif make is not None:
        initialise(
            home,
            slug=make.slug,
            name=make.name,
            gateway=make.gateway,
            council=document,
            fingerprint=pin(council),
            kind=make.kind,
            source=make.source,
            query=make.query,
            ca_file=make.ca_file,
        )
    keys = FilePartyKeys.load(home / "keys")
    parties = Parties(keys.identity, council)
    key = code_key(code, keys.identity.slug)
    answer = bring(http, make_enrolment(parties, key, sign=keys.sign, sign_in=keys.sign_in, agree=keys.agree))
    if not hmac.compare_digest(answer, parties.answer(key)):
        raise VerificationError(
            "whoever answers at this address does not know the code",
            place=_PLACE,
            way_out="Somebody may stand between you and the council: telephone, and do not go on",
        )
    return parties
