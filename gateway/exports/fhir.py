"""FHIR R4 `AuditEvent` of each disclosure: IHE BALP 1.1.4, profiles PrivacyDisclosure Source and Recipient.

The council keeps this log: of a request it is the source, of an answer the recipient. The profiles want one
patient; an exchange is about many people whom no leaf names. So the patient entity refers to nobody
(`data-absent-reason` `masked`), and its details carry the entry's commitments, which those who hold the
openings can open (docs/log-format.md).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TextIO

from gateway.exports.reading import Numbered, text

_BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure."
SOURCE: Final = _BALP + "Source"
RECIPIENT: Final = _BALP + "Recipient"

_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_SCT: Final = "http://snomed.info/sct"
_TERMS: Final = "http://terminology.hl7.org/CodeSystem/"
_ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_URI: Final = "5"  # http://hl7.org/fhir/network-type
_ELIGIBILITY: Final = {
    "system": f"{_TERMS}v3-ActReason",
    "code": "ELIGDTRM",
    "display": "eligibility determination",
}
_CODED: Final = {"identify": _ELIGIBILITY}
"""Purposes that HL7's PurposeOfUse has a code for; every purpose is given in our own words as well."""

_SAID: Final = {
    "exchange.request-authorised": "The list was authorised to leave for the partner",
    "exchange.delivered": "The partner's signed answer was received and sealed",
    "exchange.release-authorised": "The answer was authorised to be read by the programme",
}
DISCLOSURES: Final = frozenset(_SAID)
"""Kinds of entry that a resource is made of."""


def council_of(entries: Iterable[Numbered]) -> str:
    """Whose log it is: the organisation of its first actor that is no partner; "" of an empty log."""
    actors = (each.part("actor") for each in entries)
    return next((text(actor, "organisation") for actor in actors if actor.get("role") != "partner"), "")


def audit_event(each: Numbered, council: str) -> dict[str, Any]:
    """The resource of one disclosure entry (HL7 FHIR R4 `AuditEvent`), as JSON."""
    partner = each.text("recipient")
    outward = each.entry.kind == "exchange.request-authorised"
    source, recipient = (council, partner) if outward else (partner, council)
    return {
        "resourceType": "AuditEvent",
        "id": str(each.entry.id),
        "meta": {"profile": [SOURCE if outward else RECIPIENT]},
        "type": _coding(_DCM, "110106", "Export") if outward else _coding(_DCM, "110107", "Import"),
        "subtype": [_coding(f"{_TERMS}iso-21089-lifecycle", "disclose", "Disclose Record Lifecycle Event")],
        "action": "R" if outward else "C",
        "recorded": each.entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": "0",
        "outcomeDesc": _SAID[each.entry.kind],
        "purposeOfEvent": [_purpose(each.text("purpose"))],
        "agent": [
            _organisation(_coding(_DCM, "110153", "Source Role ID"), source),
            _organisation(_coding(_DCM, "110152", "Destination Role ID"), recipient),
            _agent(_coding(_SCT, "159541003", "Record keeping/library clerk"), _named(source)),
            *_reader(each),
        ],
        "source": {
            "site": council,
            "observer": _named(council),
            "type": [_coding(f"{_TERMS}security-source-type", "4", "Application Server")],
        },
        "entity": [_patient(each), _data(each)],
    }


def write(entries: Iterable[Numbered], out: TextIO, *, council: str) -> int:
    """NDJSON, a resource a line. How many there are."""
    count = 0
    for each in entries:
        if each.entry.kind in DISCLOSURES:
            out.write(
                json.dumps(audit_event(each, council), ensure_ascii=False, separators=(",", ":")) + "\n"
            )
            count += 1
    return count


def _purpose(purpose: str) -> dict[str, Any]:
    ours = {"system": "urn:flagstone:purpose", "code": purpose}
    return {"coding": [coded, ours] if (coded := _CODED.get(purpose)) else [ours], "text": purpose}


def _organisation(role: Mapping[str, str], slug: str) -> dict[str, Any]:
    return _agent(role, _named(slug)) | {"network": {"address": _urn(slug), "type": _URI}}


def _agent(role: Mapping[str, str], who: Mapping[str, Any], *, requestor: bool = False) -> dict[str, Any]:
    return {"type": {"coding": [dict(role)]}, "who": dict(who), "requestor": requestor}


def _reader(each: Numbered) -> Iterable[dict[str, Any]]:
    """Whom the answer is released to, by opaque id."""
    if user := each.text("released_to"):
        role = _coding(f"{_TERMS}v3-ParticipationType", "IRCP", "information recipient")
        yield _agent(role, {"identifier": {"system": "urn:flagstone:user", "value": user}}, requestor=True)


def _patient(each: Numbered) -> dict[str, Any]:
    masked = {"extension": [{"url": _ABSENT, "valueCode": "masked"}], "type": "Patient"}
    details = [
        {"type": f"commitment:{path}", "valueString": value}
        for path, value in sorted(each.part("commitments").items())
        if isinstance(value, str)
    ]
    return _entity(masked, "1", "Person", "1", "Patient") | ({"detail": details} if details else {})


def _data(each: Numbered) -> dict[str, Any]:
    exchange = {"identifier": {"system": "urn:flagstone:exchange", "value": each.text("exchange")}}
    told = {name: each.text(name) for name in ("dataset", "framework", "agreement", "granularity")}
    told["indicators_asked"] = "; ".join(each.listed("indicators_asked"))
    details = [{"type": name, "valueString": value} for name, value in told.items() if value]
    return _entity(exchange, "2", "System Object", "3", "Report") | {"detail": details}


def _entity(what: Mapping[str, Any], kind: str, named: str, role: str, called: str) -> dict[str, Any]:
    return {
        "what": dict(what),
        "type": _coding(f"{_TERMS}audit-entity-type", kind, named),
        "role": _coding(f"{_TERMS}object-role", role, called),
    }


def _named(slug: str) -> dict[str, Any]:
    return {"identifier": {"system": "urn:flagstone:organisation", "value": slug}, "display": slug}


def _urn(slug: str) -> str:
    return f"urn:flagstone:{slug}"


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": system, "code": code, "display": display}
