"""What `decide` is asked and what it says: values that can't contradict themselves."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from gateway.domain.errors import BadInputError
from gateway.domain.legal_date import legal_date
from policies.model import plain


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What a decision needs of an agreement; days inclusive, Europe/London. `signed`: by both sides.

    `dpia_to`, `policy_document_to`: last days on which the impact assessment and the appropriate policy
    document that it names hold.
    """

    number: str
    partner: str
    dataset: str
    policy_digest: str
    valid_from: date
    valid_to: date
    signed: bool
    revoked: bool
    dpia_to: date
    policy_document_to: date


@dataclass(frozen=True, slots=True)
class Question:
    """May this list go to this dataset's partner? `framework` "" means the policy's only one in force."""

    dataset: str
    purpose: str
    framework: str
    agreement: AgreementTerms | None
    households: int
    people: int


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that is not met, by which provision, and the smallest change that would meet it.

    `forbidden`: no policy or agreement can meet it. `confirmed`: the provision was read at its source;
    `unconfirmed`: further citations, named in the remedy, that were not.
    """

    code: str
    requirement: str
    citation: str
    clause: str
    remedy: str
    forbidden: bool
    confirmed: bool = False
    unconfirmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """A law entry that a permit rests on, and for which requirement (`role`)."""

    role: str
    id: str
    title: str
    citation: str
    clause: str
    limits: tuple[str, ...]
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """The legal basis of a permit."""

    grounds: tuple[Ground, ...]

    @property
    def citations(self) -> tuple[str, ...]:
        """Each provision once, in the order of the requirements."""
        return tuple(dict.fromkeys(ground.citation for ground in self.grounds))


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a question, with all that is needed to replay it.

    Raises:
        BadInputError: permitted with an unmet requirement or without a basis, or refused without a reason.
    """

    permitted: bool
    unmet: tuple[Unmet, ...]
    basis: Basis | None
    dataset: str
    purpose: str
    framework: str
    regime: str
    agreement: str
    at: datetime
    policy_set: str
    engine: str
    unread: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.permitted == bool(self.unmet) or self.permitted != (self.basis is not None):
            raise BadInputError(
                "a permit has a basis and nothing unmet, a refusal the reverse", place="decision"
            )

    @property
    def asked(self) -> tuple[str, str, str]:
        """Dataset, purpose and framework."""
        return self.dataset, self.purpose, self.framework

    @property
    def citations(self) -> tuple[str, ...]:
        """The provisions that a permit rests on; () for a refusal."""
        return self.basis.citations if self.basis else ()

    @property
    def forbidden(self) -> bool:
        """Whether law forbids it, so that no policy and no agreement could permit it."""
        return any(unmet.forbidden for unmet in self.unmet)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """What it rests on and nobody has confirmed at the source yet: citations first, then `unread`."""
        resting: tuple[Unmet | Ground, ...] = (*self.unmet, *(self.basis.grounds if self.basis else ()))
        beside = (citation for unmet in self.unmet for citation in unmet.unconfirmed)
        cited = (item.citation for item in resting if not item.confirmed)
        return tuple(dict.fromkeys((*cited, *beside, *self.unread)))

    def to_json(self) -> dict[str, Any]:
        """RFC 8785-safe: strings, integers, booleans, lists and objects with ASCII keys; no null."""
        moment = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "type": "flagstone/decision/v1",
            "permitted": self.permitted,
            "unmet": plain(self.unmet),
            "basis": plain(self.basis.grounds if self.basis else ()),
            "unconfirmed": plain(self.unconfirmed),
            "dataset": self.dataset,
            "purpose": self.purpose,
            "framework": self.framework,
            "regime": self.regime,
            "agreement": self.agreement,
            "at": moment,
            "legal_date": legal_date(self.at).isoformat(),
            "policy_set": self.policy_set,
            "engine": self.engine,
        }
