"""`flagstone log`: what an IG officer types."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import httpx
import typer

from audit.errors import AuditError, TrustError
from audit.verify import verify_file
from gateway.cli.client import api, call, raise_problem
from gateway.cli.exports import Format, Period, convert, write_article_30
from gateway.cli.files import check_folder
from gateway.cli.output import emit, out, say, table
from gateway.cli.review import review
from gateway.domain.errors import ConfigurationError, VerificationError

app = typer.Typer(help="The disclosure log.", no_args_is_help=True)
app.command()(review)
T = TypeVar("T")
_PAGE: Final = 1000
_ABOUT: Final = ("exchange", "agreement", "user")


@app.command()
def export(
    out_file: Annotated[Path, typer.Option("--out", help="Where to write it")],
    format_: Annotated[Format, typer.Option("--format", help="What to make of the log")] = Format.SIGNED,
    since: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD; not for `signed`")] = "",
    until: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD; not for `signed`")] = "",
) -> None:
    """Write the whole log to one file that verifies offline, or what others' tools read of it.

    csv, parquet: for analysts. ecs: JSON lines for a SIEM. fhir: an AuditEvent for each disclosure, NDJSON.
    art30: the record of processing, JSON where the file's name ends in .json, else Markdown.
    """
    check_folder(out_file)
    period = Period.read(since, until)
    if format_ is Format.SIGNED:
        period.must_be_whole()
        _replace(out_file, lambda partial: _fetch(partial, "signed"))
        say(f"The log: {out_file}. Check it with: python -m audit verify {out_file} --trust TRUST")
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


def _fetch(file: Path, wanted: str) -> None:
    with api() as client, client.stream("GET", "/v1/log/export", params={"format": wanted}) as answer:
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


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An exported log", exists=True, dir_okay=False)],
    trust: Annotated[Path, typer.Option(help="The trust file, got by another way", exists=True)],
    seen: Annotated[Path | None, typer.Option(help="A checkpoint seen before", exists=True)] = None,
) -> None:
    """Check an exported log offline; exit 5 and name the entry when it fails."""
    try:
        out.print(str(verify_file(file, trust, seen)))
    except TrustError as error:
        raise ConfigurationError(str(error), place=trust.name) from None
    except AuditError as error:
        raise VerificationError(str(error), place=file.name) from None


@app.command()
def prove(index: Annotated[int, typer.Argument(help="The entry's index", min=0)]) -> None:
    """Print one entry with its inclusion proof and the checkpoint it leads to."""
    with api() as client:
        emit(call(client, "GET", f"/v1/log/proof/{index}"))


@app.command()
def find(
    kind: Annotated[str, typer.Option(help="Kind of entry, or how it begins")] = "",
    exchange: Annotated[str, typer.Option(help="Exchange id")] = "",
    dataset: Annotated[str, typer.Option(help="Dataset")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print JSON lines")] = False,
) -> None:
    """List entries of the log."""
    wanted = {name: value for name, value in (("exchange", exchange), ("dataset", dataset)) if value}
    with api() as client:
        found = [
            entry
            for entry in _entries(client)
            if entry["kind"].startswith(kind) and wanted.items() <= entry["body"].items()
        ]
    if json_:
        for entry in found:
            print(json.dumps(entry, ensure_ascii=False))  # noqa: T201
        return
    headers = ("No.", "At (UTC)", "Kind, about", "To, dataset")
    out.print(table("Disclosure log", *headers, rows=map(_row, found)))
    say("1 entry" if len(found) == 1 else f"{len(found)} entries")


def _entries(client: httpx.Client) -> Iterator[dict[str, Any]]:
    start = 0
    while page := call(client, "GET", "/v1/log/entries", params={"start": str(start), "limit": str(_PAGE)}):
        yield from page
        start += len(page)


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    """Two lines an entry, so that kinds and ids stay whole on 80 columns."""
    body, at = entry["body"], entry["at"]
    about = next((str(body[key]) for key in _ABOUT if key in body), "")
    told = (str(body.get(key, "")) for key in ("recipient", "dataset"))
    when = f"{at[:10]}\n{at[11:19]}"
    return (str(entry["index"]), when, f"{entry['kind']}\n{about}".strip(), "\n".join(filter(None, told)))
