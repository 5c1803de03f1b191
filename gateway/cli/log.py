"""`flagstone log`: what an IG officer types."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

from audit.errors import AuditError, TrustError
from audit.tiles import export_to_tiles
from audit.verify import verify_file
from gateway.cli.client import api, call, raise_problem
from gateway.cli.files import check_folder
from gateway.cli.output import emit, out, say, table
from gateway.domain.errors import ConfigurationError, VerificationError

app = typer.Typer(help="The disclosure log.", no_args_is_help=True)
_PAGE: Final = 1000
_ABOUT: Final = ("exchange", "agreement", "user")


@app.command()
def export(
    out_file: Annotated[Path | None, typer.Option("--out", help="Where to write the log")] = None,
    tiles: Annotated[
        Path | None, typer.Option(help="A new folder for the log as static files (C2SP tlog-tiles)")
    ] = None,
) -> None:
    """Write the whole log to one file, or to a folder of tiles, that verifies offline."""
    written = [path for path in (out_file, tiles) if path]
    if not written:
        raise ConfigurationError("nothing to write", place="export", way_out="Give --out, --tiles or both")
    for path in written:
        check_folder(path)
    partial = written[0].with_name(f"{written[0].name}.partial")
    try:
        _download(partial)
        if tiles:
            _write_tiles(partial, tiles)
        if out_file:
            partial.replace(out_file)  # an older export stays until the new one is whole
    finally:
        partial.unlink(missing_ok=True)
    for path in written:
        say(f"The log: {path}. Check it with: python -m audit verify {path} --trust TRUST")


def _download(file: Path) -> None:
    with api() as client, client.stream("GET", "/v1/log/export") as answer:
        if not answer.is_success:
            answer.read()
            raise_problem(answer)
        with file.open("wb") as out_file:
            for chunk in answer.iter_bytes():
                out_file.write(chunk)


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
    file: Annotated[Path, typer.Argument(help="An exported log, or its folder of tiles", exists=True)],
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
