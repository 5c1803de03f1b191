"""`flagstone log reconcile`: the council's log against a partner agent's own."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.checkpoint import open_checkpoint
from audit.entry import Entry, open_commitment
from audit.errors import AuditError, TrustError
from audit.export import TILE, ExportReader
from audit.trust import Trust
from audit.verify import verify_file
from gateway.cli.client import GatewayError, api, call
from gateway.cli.output import count, emit, out, say, table
from gateway.domain.errors import BadInputError, ConfigurationError, VerificationError
from gateway.service.reconciling import Finding, Story, reconcile, stories

_PAGE: Final = 1000
_MAX_DIGESTS: Final = 64 << 20
_DIGEST_KINDS: Final = {"request.received": "request", "answer.sealed": "answer"}
_NOT_FOUND: Final = 3


class _Opening(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    value: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Digests(BaseModel):
    """What `flagstone agent log export --digests` writes."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Annotated[str, Field(pattern=r"^flagstone/agent-digests/v1$")]
    openings: dict[str, dict[str, _Opening]]


def reconcile_(
    agent_log: Annotated[Path, typer.Option("--agent-log", help="The agent's exported log", exists=True)],
    trust: Annotated[Path, typer.Option(help="The trust file of that log, got by another way", exists=True)],
    digests: Annotated[
        Path | None, typer.Option(help="The digests that the partner exported beside it", exists=True)
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Compare the log with a partner's own; list one-sided entries, differences and missing receipts."""
    partner, theirs = _partner_s(agent_log, trust, digests)
    with api() as client:
        ours = stories(_entries(client))
        for exchange in ours.keys() & theirs.keys():
            ours[exchange].digests |= _digests_of(client, exchange)
    findings = reconcile(ours, theirs, partner)
    if json_:
        emit([{name: getattr(each, name) for name in Finding.__slots__} for each in findings])
    else:
        _show(findings, partner, len(theirs))
    if any(each.differs for each in findings):
        raise typer.Exit(VerificationError.exit_code)


def _show(findings: list[Finding], partner: str, compared: int) -> None:
    for title, differs in (("The logs differ", True), ("For follow-up: counts as disclosed", False)):
        rows = [(each.exchange, f"{each.code}\n{each.text}") for each in findings if each.differs is differs]
        if rows:
            out.print(table(title, "Exchange", "Finding", rows=rows, lines=True))
    differ = sum(each.differs for each in findings)
    say(f"{count(compared, 'exchange')} in the log of {partner}; {count(differ, 'difference')}")


def _partner_s(file: Path, trust: Path, digests: Path | None) -> tuple[str, dict[str, Story]]:
    """The partner's slug and its agent's stories, once the export is verified.

    Raises:
        VerificationError: the export fails, or a digest is not the one that was committed to.
    """
    try:
        verify_file(file, trust)
        trusted = Trust.parse(trust.read_bytes())
        entries = list(_exported(file, trusted))
        partner = trusted.log.name.removeprefix("flagstone/").removesuffix("/agent")
        opened = _opened(digests, {entry.id: entry for entry in entries}) if digests else {}
    except TrustError as error:
        raise ConfigurationError(str(error), place=trust.name) from None
    except AuditError as error:
        raise VerificationError(str(error), place=file.name) from None
    told = ((str(entry.id), entry.kind, entry.body) for entry in entries)
    return partner, stories(told, lambda entry, _: opened.get(entry, {}))


def _exported(file: Path, trust: Trust) -> Iterator[Entry]:
    with file.open("rb") as stream:
        reader = ExportReader(stream)
        size = open_checkpoint(reader.note(), trust.log).size
        for start in range(0, size, TILE):
            reader.hashes(start, size)
            for index in range(start, min(start + TILE, size)):
                yield Entry.parse(reader.leaf(index, size))


def _opened(file: Path, entries: Mapping[UUID, Entry]) -> dict[str, dict[str, str]]:
    """By entry, each digest that its commitment opens to."""
    if file.stat().st_size > _MAX_DIGESTS:
        raise BadInputError("larger than any file of digests", place=file.name)
    try:
        openings = _Digests.model_validate_json(file.read_bytes()).openings
        by_id = {UUID(entry): told for entry, told in openings.items()}
    except (ValidationError, ValueError):
        raise BadInputError("not a file of digests", place=file.name) from None
    found: dict[str, dict[str, str]] = {}
    for entry_id, told in by_id.items():
        entry = entries.get(entry_id)
        commitments = entry.body.get("commitments") if entry else None
        name = _DIGEST_KINDS.get(entry.kind) if entry else None
        if name in told and isinstance(commitments, Mapping):
            opening = told[name]
            salt = bytes.fromhex(opening.salt)
            open_commitment(str(commitments.get(name, "")), salt, entry_id, name, opening.value)
            found[str(entry_id)] = {name: opening.value}
    return found


def _entries(client: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    start = 0
    while page := call(client, "GET", "/v1/log/entries", params={"start": str(start), "limit": str(_PAGE)}):
        yield from ((each["id"], each["kind"], each["body"]) for each in page)
        start += len(page)


def _digests_of(client: Any, exchange: str) -> dict[str, str]:
    try:
        told = call(client, "GET", f"/v1/log/receipts/{UUID(exchange)}")
    except GatewayError as error:
        if error.exit_code == _NOT_FOUND:  # of an older log, or not kept any more: outcomes are compared
            return {}
        raise
    return {name: value for name, value in told.items() if value}
