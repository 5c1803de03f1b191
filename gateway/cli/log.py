"""`flagstone log`: what an IG officer types."""

import json
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import httpx
import typer

from audit.errors import AuditError, SeenError, TrustError
from audit.tiles import export_to_tiles
from audit.verify import verify_file
from gateway.cli import log_reconcile, log_witnesses
from gateway.cli.client import api, call, raise_problem
from gateway.cli.entries import entries_table
from gateway.cli.exports import Format, Period, convert, write_article_30
from gateway.cli.files import check_folder, small, write_private
from gateway.cli.output import emit, out, say
from gateway.cli.review import review
from gateway.cli.subject import ask, details, show_answer, show_held_back
from gateway.domain.errors import ConfigurationError, VerificationError
from gateway.service.subjects import Reason

app = typer.Typer(help="The disclosure log.", no_args_is_help=True)
app.command()(log_witnesses.checkpoint)
app.command()(log_witnesses.witnesses)
app.command()(log_witnesses.relink)
app.command("reconcile")(log_reconcile.reconcile_)
app.command()(review)
T = TypeVar("T")
_PAGE: Final = 1000

Why = Annotated[Reason, typer.Option(help="Why a person is searched for; it stands in the log")]
OnePerson = Annotated[
    Path | None, typer.Option(help="A CSV file with a header and one person", exists=True, dir_okay=False)
]


@app.command()
def export(
    out_file: Annotated[Path | None, typer.Option("--out", help="Where to write it")] = None,
    format_: Annotated[Format, typer.Option("--format", help="What to make of the log")] = Format.SIGNED,
    since: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD; not for `signed`")] = "",
    until: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD; not for `signed`")] = "",
    tiles: Annotated[
        Path | None, typer.Option(help="A new folder for the signed log as static files (C2SP tlog-tiles)")
    ] = None,
    cosigned: Annotated[
        int, typer.Option(help="Only up to the newest checkpoint that so many witnesses cosigned")
    ] = 0,
) -> None:
    """Write the whole log to one file, or a folder of tiles, that verifies offline; or what others read.

    csv, parquet: for analysts. ecs: JSON lines for a SIEM. fhir: an AuditEvent for each disclosure, NDJSON.
    art30: the record of processing, JSON where the file's name ends in .json, else Markdown.
    """
    period = Period.read(since, until)
    for path in filter(None, (out_file, tiles)):
        check_folder(path)
    if format_ is Format.SIGNED:
        period.must_be_whole()
        _export_signed(out_file, tiles, cosigned)
    elif out_file is None or tiles is not None:
        raise ConfigurationError("only the signed log has tiles", place="export", way_out="Give --out alone")
    elif format_ is Format.ART30:
        with api() as client:
            told = call(client, "GET", "/v1/log/article-30", params=period.parameters)
        _replace(
            out_file, lambda partial: write_article_30(told, partial, as_json=out_file.suffix == ".json")
        )
        say(f"The record of processing: {out_file}")
    else:
        with tempfile.TemporaryDirectory(dir=out_file.parent) as folder:
            signed = Path(folder) / "log"
            _fetch(signed, format_.value)
            count = _replace(out_file, lambda partial: convert(signed, format_, period, partial))
        say(f"{count} written: {out_file}")


def _export_signed(out_file: Path | None, tiles: Path | None, cosigned: int) -> None:
    written = [path for path in (out_file, tiles) if path]
    if not written:
        raise ConfigurationError("nothing to write", place="export", way_out="Give --out, --tiles or both")
    partial = written[0].with_name(f"{written[0].name}.partial")
    try:
        _fetch(partial, "signed", cosigned)
        if tiles:
            _write_tiles(partial, tiles)
        if out_file:
            partial.replace(out_file)  # an older export stays until the new one is whole
    finally:
        partial.unlink(missing_ok=True)
    for path in written:
        say(f"The log: {path}. Check it with: python -m audit verify {path} --trust TRUST")


def _fetch(file: Path, wanted: str, cosigned: int = 0) -> None:
    asked = {"format": wanted} | ({"cosigned": str(cosigned)} if cosigned else {})
    with api() as client, client.stream("GET", "/v1/log/export", params=asked) as answer:
        if not answer.is_success:
            answer.read()
            raise_problem(answer)
        with file.open("wb") as out_file:
            for chunk in answer.iter_bytes():
                out_file.write(chunk)


def _replace(file: Path, write: Callable[[Path], T]) -> T:
    """Write a file beside it first: an older export stays until the new one is whole."""
    partial = file.with_name(f"{file.name}.partial")
    try:
        written = write(partial)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return written


def _write_tiles(export_file: Path, folder: Path) -> None:
    """The folder appears once it is whole."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as place:
        made = Path(place) / "tiles"
        try:
            with export_file.open("rb") as stream:
                export_to_tiles(stream, made)
        except AuditError as error:
            raise VerificationError(str(error), place="the export that the gateway sent") from None
        made.rename(folder)


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(help="An exported log, its folder of tiles, or evidence", exists=True)
    ],
    trust: Annotated[Path, typer.Option(help="The trust file, got by another way", exists=True)],
    seen: Annotated[Path | None, typer.Option(help="A checkpoint seen before", exists=True)] = None,
) -> None:
    """Check an exported log or evidence offline; exit 5 and name the entry when it fails."""
    try:
        out.print(str(verify_file(file, trust, seen)))
    except TrustError as error:
        raise ConfigurationError(str(error), place=trust.name) from None
    except SeenError as error:
        raise ConfigurationError(str(error), place=seen.name if seen else "") from None
    except AuditError as error:
        raise VerificationError(str(error), place=file.name) from None


@app.command()
def prove(
    exchange: Annotated[uuid.UUID, typer.Argument(help="The exchange's id")],
    person: Annotated[
        str,
        typer.Option(help="Prove this person_id or household_id of the list; - reads it from standard input"),
    ] = "",
    openings: Annotated[bool, typer.Option("--openings", help="Open small counts, digests, receipt")] = False,
    seen: Annotated[
        Path | None, typer.Option(help="A checkpoint that the reader has seen", exists=True, dir_okay=False)
    ] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="Where to write it")] = None,
) -> None:
    """Write evidence of one exchange that verifies offline. That you asked for it is recorded."""
    if out_file is not None:
        check_folder(out_file)
    asked: dict[str, Any] = {"openings": openings}
    if person:
        asked["person"] = sys.stdin.readline().strip() if person == "-" else person
    if seen is not None:
        asked["seen"] = small(seen).decode(errors="replace")
    with api() as client:
        answer = client.post(f"/v1/log/evidence/{exchange}", json=asked)
        raise_problem(answer)
    if out_file is None:
        sys.stdout.buffer.write(answer.content)
        return
    write_private(out_file, answer.text)
    say(f"Evidence: {out_file}. Check it with: python -m audit verify {out_file} --trust TRUST")


@app.command()
def entry(index: Annotated[int, typer.Argument(help="The entry's index", min=0)]) -> None:
    """Print one entry with its inclusion proof and the checkpoint it leads to."""
    with api() as client:
        emit(call(client, "GET", f"/v1/log/proof/{index}"))


@app.command()
def find(
    kind: Annotated[str, typer.Option(help="Kind of entry, or how it begins")] = "",
    exchange: Annotated[str, typer.Option(help="Exchange id")] = "",
    dataset: Annotated[str, typer.Option(help="Dataset")] = "",
    recipient: Annotated[str, typer.Option(help="Partner that was told or asked")] = "",
    purpose: Annotated[str, typer.Option(help="Purpose")] = "",
    user: Annotated[str, typer.Option(help="A user's id: did it, or was given something")] = "",
    law: Annotated[str, typer.Option(help="Id of a gateway or condition, such as ca2004.s10")] = "",
    refusal: Annotated[str, typer.Option(help="Code of an unmet requirement or a partner's reason")] = "",
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD, London")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, inclusive")] = "",
    limit: Annotated[int, typer.Option(help="At most so many; 0 for all", min=0)] = 0,
    before: Annotated[int | None, typer.Option(help="Only entries older than this one", min=0)] = None,
    log: Annotated[
        int | None, typer.Option(help="Number of an earlier log, which a relink set aside", min=1)
    ] = None,
    subject: Annotated[
        bool, typer.Option("--subject", help="Find who was told about one person, typed or from --file")
    ] = False,
    reason: Why = Reason.SUBJECT_ACCESS,
    file: OnePerson = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON lines; with --subject, JSON")] = False,
) -> None:
    """List entries of the log, newest first; or, with --subject, the exchanges that asked about a person.

    Each search for a person is itself logged, with its reason, and limited; nothing typed is stored.
    """
    given = {
        "kind": kind,
        "exchange": exchange,
        "dataset": dataset,
        "recipient": recipient,
        "purpose": purpose,
        "user": user,
        "law": law,
        "refusal": refusal,
        "from": first,
        "to": last,
        "log": str(log or ""),
    }
    if subject:
        _find_subject({name for name, value in given.items() if value}, reason, file, json_=json_)
        return
    with api() as client:
        pages = _found(client, {name: value for name, value in given.items() if value}, limit, before)
        found = list(pages)
    if json_:
        for entry in found:
            print(json.dumps(entry, ensure_ascii=False))  # noqa: T201
        return
    out.print(entries_table(found))
    say("1 entry" if len(found) == 1 else f"{len(found)} entries")
    if limit and len(found) == limit:
        say(f"For older ones: --before {found[-1]['index']}")


def _found(
    client: httpx.Client, wanted: dict[str, str], limit: int, before: int | None
) -> Iterator[dict[str, Any]]:
    left = limit
    while True:
        size = min(left, _PAGE) if limit else _PAGE
        cursor = {} if before is None else {"before": str(before)}
        page = call(client, "GET", "/v1/log/find", params=wanted | cursor | {"limit": str(size)})
        yield from page["entries"]
        before, left = page["before"], left - len(page["entries"])
        if before is None or (limit and left <= 0):
            return


@app.command("subject-extract")
def subject_extract(
    out_file: Annotated[Path, typer.Option("--out", help="Where to write it, as Markdown; JSON beside it")],
    reason: Why = Reason.SUBJECT_ACCESS,
    file: OnePerson = None,
    checked: Annotated[
        bool, typer.Option("--checked", help="Tell also of what was held back: somebody has looked at it")
    ] = False,
) -> None:
    """Write for a data subject who was told about him or her, of what, why and by which law.

    Nobody else is named in it, and no address. What could endanger somebody is left out until it was checked.
    """
    check_folder(out_file)
    told = ask("/v1/log/subject/extract", details(file), reason.value, checked=checked)
    write_private(out_file, told["markdown"])
    beside = out_file.with_suffix(".json")
    write_private(beside, json.dumps(told["document"], ensure_ascii=False, indent=2) + "\n")
    say(f"The extract: {out_file}, {beside}")
    show_held_back(told, checked=checked)


def _find_subject(others: set[str], reason: Reason, file: Path | None, *, json_: bool) -> None:
    if others:
        raise typer.BadParameter(f"--subject goes without {', '.join(sorted(others))}")
    answer = ask("/v1/log/subject", details(file), reason.value)
    if json_:
        emit(answer)
    else:
        show_answer(answer)
