"""What every exchange must meet, with the provision that asks for it. `decide` names these when they fail."""

from dataclasses import dataclass
from typing import Final

from policies.model import Family, Regime


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement, and the provision that asks for it in either numbering: the end of a law entry's id.

    `dpa_1998` is empty where that Act asked for no such thing, and the agreement alone does.
    """

    code: str
    requirement: str
    gdpr: str
    dpa_1998: str
    clause: str
    remedy: str

    def provision(self, regime: Regime | None) -> str:
        """The id of the law entry that asks for this under the regime of the day; "" when none does."""
        if regime is None:
            return ""
        if regime.family is Family.DPA_1998:
            return f"dpa1998.{self.dpa_1998}" if self.dpa_1998 else ""
        prefix = regime.instrument.lower().replace(" ", "")  # "UK GDPR" has entries that begin with ukgdpr
        return self.gdpr if self.gdpr.startswith("dpa2018.") else f"{prefix}.{self.gdpr}"


_LAWFUL = ("5-1-a", "sch1.1", "Personal data are processed lawfully and fairly")
_PURPOSE = (
    "5-1-b",
    "sch1.2",
    "Data serve specified purposes and no incompatible one",
)
_MINIMAL = ("5-1-c", "sch1.3", "Data are adequate, relevant and limited")
_ACCOUNT = (
    "5-2",
    "sch1.1",
    "The controller can show that each disclosure is lawful",
)
_BY_LAW = (
    "6-3",
    "sch1.1",
    "The task that the disclosure serves is laid down by law",
)
_NEW_AGREEMENT = "Propose a new agreement and have it countersigned"

_ALL: Final = (
    Requirement(
        "regime-unknown",
        "The law of the day is known",
        *_LAWFUL,
        "Load a law folder whose regimes cover the day of the disclosure",
    ),
    Requirement(
        "dataset-unknown",
        "The dataset has a policy",
        *_LAWFUL,
        "Name a dataset of the policy folder, or write a policy file for this one",
    ),
    Requirement(
        "dataset-not-in-force",
        "The dataset's policy is in force",
        *_ACCOUNT,
        "Renew valid_from and valid_to of the dataset's policy after review",
    ),
    Requirement(
        "purpose-unknown",
        "The purpose is a known one",
        *_PURPOSE,
        "Name a purpose of the policy folder",
    ),
    Requirement(
        "purpose-not-allowed",
        "The dataset's policy allows the purpose",
        *_PURPOSE,
        "Ask for a purpose that the policy allows, or add this one to `purposes` and sign a new agreement",
    ),
    Requirement(
        "framework-unknown",
        "The indicator framework is a known one",
        *_MINIMAL,
        "Name a framework of the policy folder",
    ),
    Requirement(
        "framework-not-allowed",
        "The dataset's policy uses the framework",
        *_MINIMAL,
        "Ask under a framework that the policy names in `frameworks`",
    ),
    Requirement(
        "framework-not-in-force",
        "The framework is in force",
        *_MINIMAL,
        "Ask under the framework of the day",
    ),
    Requirement(
        "indicator-not-in-framework",
        "The framework has at least one of the dataset's indicators",
        *_MINIMAL,
        "Ask under a framework that has them",
    ),
    Requirement(
        "gateway-request",
        "A gateway lets the council send the list",
        *_BY_LAW,
        "Cite a gateway in `gateways.request` that is in force and covers these parties and this purpose",
    ),
    Requirement(
        "request-lawful-basis",
        "A lawful basis holds for sending the list",
        "6-1",
        "sch1.1",
        "The list is a disclosure of its own, made by the council",
        "Cite a lawful basis in `conditions.request` for the regime of the day",
    ),
    Requirement(
        "request-special-category",
        "A condition for special-category data holds for sending the list",
        "9-1",
        "sch1.1",
        "The list tells that each household met an indicator, which may be one of health or abuse",
        "Cite in `conditions.request` an entry that covers this purpose, with all it needs",
    ),
    Requirement(
        "request-offence",
        "A basis for offence data holds for sending the list",
        "10",
        "sch1.1",
        "The list tells that each household met an indicator, which may be one of crime",
        "Cite in `conditions.request` an entry that covers this purpose, with all it needs",
    ),
    Requirement(
        "gateway-answer",
        "A gateway lets the partner answer",
        *_BY_LAW,
        "Cite a gateway in `gateways.answer` that is in force and covers these parties and this purpose",
    ),
    Requirement(
        "lawful-basis",
        "A lawful basis holds",
        "6-1",
        "sch1.1",
        "At least one condition for processing personal data is met",
        "Cite a lawful basis in `conditions.lawful_basis` for the regime of the day",
    ),
    Requirement(
        "special-category",
        "A condition for special-category data holds",
        "9-1",
        "sch1.1",
        "Health and other sensitive data may be processed only under a further condition",
        "Cite in `conditions.special_category` an entry that covers this purpose, with all it needs",
    ),
    Requirement(
        "offence",
        "A basis for offence data holds",
        "10",
        "sch1.1",
        "Data on offences, alleged ones included, need official authority or a condition in law",
        "Cite in `conditions.offence` an entry that covers this purpose, with all it needs",
    ),
    Requirement(
        "export",
        "Law-enforcement data may leave Part 3",
        "dpa2018.s36-4",
        "sch1.2",
        "Data collected for law enforcement serve another purpose only if authorised by law",
        "Cite DPA 2018 s.36(4) in `conditions.export` for the regime of the day",
    ),
    Requirement(
        "confidentiality",
        "A route through the duty of confidentiality holds",
        "5-1-a",
        "sch1.1",
        "In common law too: confidences are told by consent, by law or in the overriding public interest",
        "Cite a route in `confidentiality` that covers this purpose, such as consent asked for it",
    ),
    Requirement(
        "forbidden",
        "No law forbids the disclosure",
        *_LAWFUL,
        "None: no policy and no agreement can allow this. Ask for another purpose",
    ),
    Requirement(
        "agreement-missing",
        "Council and partner have an agreement for the dataset",
        *_ACCOUNT,
        _NEW_AGREEMENT,
    ),
    Requirement(
        "agreement-unsigned",
        "The agreement bears both signatures",
        *_ACCOUNT,
        "Have the partner countersign the agreement",
    ),
    Requirement(
        "agreement-revoked",
        "The agreement is not revoked",
        *_ACCOUNT,
        _NEW_AGREEMENT,
    ),
    Requirement(
        "agreement-not-begun",
        "The agreement has begun",
        *_ACCOUNT,
        "Wait for its first day, or sign an agreement that begins earlier",
    ),
    Requirement(
        "agreement-expired",
        "The agreement has not expired",
        *_ACCOUNT,
        _NEW_AGREEMENT,
    ),
    Requirement(
        "agreement-other-dataset",
        "The agreement is for this dataset",
        *_ACCOUNT,
        "Use the agreement for this dataset, or propose one",
    ),
    Requirement(
        "agreement-other-policy",
        "The agreement embeds this very policy",
        *_ACCOUNT,
        "The policy has changed since it was signed: propose a new agreement and have it countersigned",
    ),
    Requirement(
        "dpia-expired",
        "The data protection impact assessment is up to date",
        "35",
        "",
        "The assessment is reviewed when the risk changes; the agreement says until when it holds",
        "Review the assessment and propose a new agreement that names it",
    ),
    Requirement(
        "policy-document-expired",
        "The appropriate policy document is up to date",
        "dpa2018.sch1.p38-41",
        "",
        "The document is reviewed from time to time; the agreement says until when it holds",
        "Review the document and propose a new agreement that names it",
    ),
    Requirement(
        "list-too-small",
        "The list is not below the policy's limits",
        *_MINIMAL,
        "Submit at least min_households and min_people of the policy",
    ),
    Requirement(
        "list-too-large",
        "The list is not above the policy's limits",
        *_MINIMAL,
        "Submit at most max_households and max_people of the policy",
    ),
    Requirement(
        "every-row-withheld",
        "At least one row passes the policy's row rules",
        *_MINIMAL,
        "See the reason of each row: record consent, met indicators and dependent children where they exist",
    ),
)

REQUIREMENTS: Final = {requirement.code: requirement for requirement in _ALL}
