"""AuditEvents of disclosures: valid FHIR, and what IHE BALP 1.1.4 fixes in its PrivacyDisclosure profiles.

`fhir.resources` has R4B and no R4; `AuditEvent` has the same elements in both.
"""

import io
import json

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from jobworld import LIST, Job, a_job

from gateway.exports import fhir
from gateway.exports.reading import Numbered, entries_of
from gateway.service import answers, logs

DCM = "http://dicom.nema.org/resources/ontology/DCM"
TERMS = "http://terminology.hl7.org/CodeSystem/"
EXPECTED = {
    "exchange.request-authorised": ("Source", "110106", "R", "council", "trust"),
    "exchange.delivered": ("Recipient", "110107", "C", "trust", "council"),
    "exchange.release-authorised": ("Recipient", "110107", "C", "trust", "council"),
}
"""Kind of entry -> profile, DICOM event, action, who discloses, to whom."""


@pytest.fixture(scope="module")
def job() -> Job:
    job = a_job()
    exchange = job.sent()
    answer = job.partner.answer(job, exchange, {0: ["health.adult_mental_health"]})
    answers.receive_answer(job.context, job.registered, exchange, answer)
    job.drive(exchange)
    return job


@pytest.fixture(scope="module")
def entries(job) -> list[Numbered]:
    return list(entries_of(io.BytesIO(b"".join(logs.export(job.context, job.reviewer)))))


@pytest.fixture(scope="module", params=EXPECTED)
def told(request, entries):
    """One disclosure: (kind, the entry, its resource)."""
    (entry,) = (each for each in entries if each.entry.kind == request.param)
    return request.param, entry, fhir.audit_event(entry, fhir.council_of(entries))


def the(items, system, code):
    """The one item of a slice, by the coding of its type."""
    (found,) = (
        item
        for item in items
        if {"system": system, "code": code}.items()
        <= (item["type"]["coding"][0] if "coding" in item["type"] else item["type"]).items()
    )
    return found


def test_each_resource_is_valid(told):
    """The resource parses as an AuditEvent and comes out as it went in."""
    _, _, resource = told
    again = json.loads(AuditEvent.model_validate(resource).model_dump_json())
    recorded = again.pop("recorded")
    assert recorded[:19] == resource["recorded"][:19]
    assert again == {name: value for name, value in resource.items() if name != "recorded"}


def test_type_subtype_and_action_are_the_profiles(told):
    """Export and R at the source, import and C at the recipient; the subtype is a disclosure."""
    kind, _, resource = told
    profile, event, action, _, _ = EXPECTED[kind]
    (claimed,) = resource["meta"]["profile"]
    assert claimed == (
        f"https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.{profile}"
    )
    assert {"system": DCM, "code": event}.items() <= resource["type"].items()
    assert resource["action"] == action
    (subtype,) = resource["subtype"]
    assert {"system": f"{TERMS}iso-21089-lifecycle", "code": "disclose"}.items() <= subtype.items()
    assert resource["outcome"] == "0"
    assert resource["outcomeDesc"]
    assert "modifierExtension" not in resource


def test_agents_fill_the_slices(told):
    """One source and one recipient, each with who and network; one custodian, who is the discloser."""
    kind, _, resource = told
    *_, discloser, receiver = EXPECTED[kind]
    for code, slug in (("110153", discloser), ("110152", receiver)):
        agent = the(resource["agent"], DCM, code)
        assert agent["who"]["identifier"]["value"] == slug
        assert agent["network"] == {"address": f"urn:flagstone:{slug}", "type": "5"}
    custodian = the(resource["agent"], "http://snomed.info/sct", "159541003")
    assert custodian["who"]["identifier"]["value"] == discloser


def test_the_council_observed_it(told):
    """`val-audit-source`: the observer is the source agent of a Source record, the recipient of the other."""
    kind, _, resource = told
    ours = "110153" if EXPECTED[kind][0] == "Source" else "110152"
    assert resource["source"]["observer"] == the(resource["agent"], DCM, ours)["who"]


def test_the_purpose_is_said_in_hl7s_words_and_ours(told):
    """`identify` is eligibility determination; our own purpose stands beside it."""
    _, _, resource = told
    (purpose,) = resource["purposeOfEvent"]
    assert [coding["code"] for coding in purpose["coding"]] == ["ELIGDTRM", "identify"]
    assert purpose["text"] == "identify"


def test_the_patient_entity_names_nobody(told):
    """The profile's patient slice is there, its reference masked; what stands for the people is committed."""
    _, entry, resource = told
    patient = the(resource["entity"], f"{TERMS}audit-entity-type", "1")
    assert {"system": f"{TERMS}object-role", "code": "1"}.items() <= patient["role"].items()
    assert patient["what"] == {
        "type": "Patient",
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
        ],
    }
    commitments = {f"commitment:{path}": value for path, value in entry.entry.body["commitments"].items()}
    assert {each["type"]: each["valueString"] for each in patient["detail"]} == commitments


def test_the_data_entity_says_what_was_asked(told):
    """Exchange, dataset, agreement and the indicators asked, never those given."""
    _, entry, resource = told
    data = the(resource["entity"], f"{TERMS}audit-entity-type", "2")
    assert data["what"]["identifier"]["value"] == entry.entry.body["exchange"]
    details = {each["type"]: each["valueString"] for each in data["detail"]}
    assert details["dataset"] == "health-trust"
    assert details["agreement"] == "T-1"
    assert details["indicators_asked"].split("; ") == list(entry.entry.body["indicators_asked"])


def test_the_reader_of_a_release_is_an_opaque_id(job, entries):
    """A release names the programme user it was made for, by id."""
    (entry,) = (each for each in entries if each.entry.kind == "exchange.release-authorised")
    agent = the(fhir.audit_event(entry, "council")["agent"], f"{TERMS}v3-ParticipationType", "IRCP")
    assert agent["who"]["identifier"]["value"] == str(job.analyst.id)
    assert agent["requestor"] is True


def test_only_disclosures_are_written(entries):
    """NDJSON with one resource for each disclosure, and for nothing else."""
    out = io.StringIO()
    assert fhir.write(entries, out, council="council") == 3
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {line["resourceType"] for line in lines} == {"AuditEvent"}
    ids = {str(each.entry.id) for each in entries if each.entry.kind in EXPECTED}
    assert {line["id"] for line in lines} == ids


def test_no_resource_holds_anything_of_persons(entries):
    """No name, reference, date of birth or postcode stands in a resource."""
    out = io.StringIO()
    fhir.write(entries, out, council="council")
    cells = {cell for line in LIST.splitlines()[1:] for cell in line.split(",")[:7]} - {"f"}
    assert [cell for cell in cells if len(cell) > 2 and cell in out.getvalue()] == []
    assert 'health.adult_mental_health"}]' not in out.getvalue()


def test_whose_log_it_is_is_read_from_it(entries):
    """The council is the first actor's organisation that is no partner; of an empty log it is unknown."""
    assert fhir.council_of(entries) == "council"
    assert fhir.council_of([]) == ""
