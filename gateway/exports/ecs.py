"""JSON lines in Elastic Common Schema for a SIEM: field names and allowed values as ECS 8.17 has them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TextIO

from gateway.exports.reading import Numbered, text, texts

VERSION: Final = "8.17.0"
_SUCCESS, _FAILURE, _UNKNOWN = "success", "failure", "unknown"

_Class = tuple[str, tuple[str, ...], str]

KINDS: Final[Mapping[str, _Class]] = {
    "exchange.permitted": ("api", ("allowed",), _SUCCESS),
    "exchange.refused": ("api", ("denied",), _FAILURE),
    "exchange.request-authorised": ("api", ("access", "allowed"), _SUCCESS),
    "exchange.delivered": ("api", ("access",), _SUCCESS),
    "exchange.release-authorised": ("api", ("access", "allowed"), _SUCCESS),
    "exchange.declined": ("api", ("denied", "end"), _FAILURE),
    "exchange.failed": ("api", ("end",), _FAILURE),
    "exchange.expired": ("api", ("end",), _FAILURE),
    "exchange.cancelled": ("api", ("end",), _SUCCESS),
    "exchange.hold-placed": ("api", ("change",), _SUCCESS),
    "exchange.hold-lifted": ("api", ("change",), _SUCCESS),
    "exchange.hold-expired": ("api", ("change",), _SUCCESS),
    "exchange.results-destroyed": ("api", ("deletion",), _SUCCESS),
    "exchange.account-destroyed": ("api", ("deletion",), _SUCCESS),
    "exchange.keys-destroyed-again": ("api", ("deletion",), _SUCCESS),
    "agreement.proposed": ("configuration", ("creation",), _SUCCESS),
    "agreement.signed": ("configuration", ("change",), _SUCCESS),
    "agreement.revoked": ("configuration", ("deletion",), _SUCCESS),
    "policies.in-use": ("configuration", ("change",), _SUCCESS),
    "keys.in-use": ("configuration", ("change",), _SUCCESS),
    "keys.succession-announced": ("configuration", ("change",), _SUCCESS),
    "keys.succession-taken": ("configuration", ("info",), _SUCCESS),
    "keys.succession-ended": ("configuration", ("change",), _SUCCESS),
    "partner.keys-succeeded": ("iam", ("change",), _SUCCESS),
    "partner.keys-waiting": ("iam", ("info",), _SUCCESS),
    "partner.keys-ended": ("iam", ("change",), _SUCCESS),
    "keys.rotated": ("configuration", ("change",), _SUCCESS),
    "keys.destroyed": ("configuration", ("change",), _SUCCESS),
    "keys.exported": ("configuration", ("access",), _SUCCESS),
    "partner.added": ("iam", ("admin", "creation"), _SUCCESS),
    "partner.invited": ("iam", ("admin",), _SUCCESS),
    "partner.enrolled": ("iam", ("info",), _SUCCESS),
    "partner.confirmed": ("iam", ("admin", "creation"), _SUCCESS),
    "partner.certificate-announced": ("configuration", ("change",), _SUCCESS),
    "partner.revoked": ("iam", ("admin", "deletion"), _SUCCESS),
    "user.added": ("iam", ("creation", "user"), _SUCCESS),
    "user.token-replaced": ("iam", ("change", "user"), _SUCCESS),
    "user.revoked": ("iam", ("deletion", "user"), _SUCCESS),
    "user.role-changed": ("iam", ("change", "user"), _SUCCESS),
    "user.role-withdrawn": ("iam", ("change", "user"), _SUCCESS),
    "access.signed-in": ("authentication", ("start",), _SUCCESS),
    "access.session-ended": ("authentication", ("end",), _SUCCESS),
    "access.token-made": ("authentication", ("start",), _SUCCESS),
    "access.link-made": ("authentication", ("start",), _SUCCESS),
    "access.break-glass": ("intrusion_detection", ("info",), _SUCCESS),
    "proposal.made": ("api", ("info",), _SUCCESS),
    "proposal.approved": ("api", ("allowed",), _SUCCESS),
    "proposal.refused": ("api", ("denied",), _SUCCESS),
    "proposal.used": ("api", ("access",), _SUCCESS),
    "exchange.destruction-ordered": ("api", ("change",), _SUCCESS),
    "access.denied": ("authentication", ("start",), _FAILURE),
    "log.exported": ("database", ("access",), _SUCCESS),
    "log.read": ("database", ("access",), _SUCCESS),
    "log.searched": ("database", ("access",), _SUCCESS),
    "log.search-refused": ("database", ("info",), _FAILURE),
    "log.extract-made": ("database", ("access",), _SUCCESS),
    "log.evidence-requested": ("database", ("access",), _SUCCESS),
    "log.relinked": ("configuration", ("creation",), _SUCCESS),
    "witness.announced": ("configuration", ("change",), _SUCCESS),
    "witness.alarm": ("intrusion_detection", ("info",), _SUCCESS),
    "review.raised": ("intrusion_detection", ("info",), _SUCCESS),
    "review.looked-at": ("intrusion_detection", ("info",), _SUCCESS),
    "review.closed": ("intrusion_detection", ("info",), _SUCCESS),
}
"""Kind of entry -> event.category, event.type, event.outcome. Any other is an `api` event of type `info`."""

_OTHER: Final[_Class] = ("api", ("info",), _UNKNOWN)
_LABELS: Final = (
    "exchange",
    "recipient",
    "dataset",
    "purpose",
    "framework",
    "agreement",
    "partner",
    "format",
)


def document(each: Numbered) -> dict[str, Any]:
    """One ECS document. `event.sequence` is the index in the log; labels are keywords of ours."""
    category, types, outcome = KINDS.get(each.entry.kind, _OTHER)
    at = each.entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event: dict[str, Any] = {
        "id": str(each.entry.id),
        "sequence": each.index,
        "kind": "alert" if each.entry.kind == "review.raised" else "event",
        "category": [category],
        "type": list(types),
        "action": each.entry.kind,
        "outcome": outcome,
        "module": "flagstone",
        "dataset": "flagstone.log",
    }
    if reason := _reason(each):
        event["reason"] = reason
    return {"@timestamp": at, "ecs": {"version": VERSION}, "event": event} | _who(each) | _what(each)


def write(entries: Iterable[Numbered], out: TextIO) -> int:
    """One document a line. How many there are."""
    count = 0
    for each in entries:
        out.write(json.dumps(document(each), ensure_ascii=False, separators=(",", ":")) + "\n")
        count += 1
    return count


def _who(each: Numbered) -> dict[str, Any]:
    actor = each.part("actor")
    told: dict[str, Any] = {"service": {"type": "flagstone"}}
    if user := text(actor, "id"):
        told["user"] = {"id": user, "roles": [text(actor, "role")]}
        about = each.text("user")
        if about:
            told["user"]["target"] = {"id": about}
        told["related"] = {"user": sorted({user, about} - {""})}
    if organisation := text(actor, "organisation"):
        told["organization"] = {"id": organisation, "name": organisation}
    return told


def _what(each: Numbered) -> dict[str, Any]:
    labels = {name: value for name in _LABELS if (value := each.text(name))}
    return {"labels": labels} if labels else {}


def _reason(each: Numbered) -> str:
    unmet = each.part("decision").get("unmet")
    codes = texts([item.get("code") for item in unmet]) if isinstance(unmet, list) else ()
    return "; ".join(codes) or each.text("code") or each.text("reason")
