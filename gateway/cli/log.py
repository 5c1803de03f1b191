"""`flagstone log`: what an IG officer types."""

import json
from pathlib import Path
from typing import Annotated

import typer

from audit.errors import AuditError
from audit.verify import verify_file
from gateway.cli.client import api, call, raise_problem
from gateway.cli.output import emit, out, say, table
from gateway.domain.errors import VerificationError

app = typer.Typer(help="The disclosure log.", no_args_is_help=True)
_PAGE = 1000


@app.command()
def export(
    out_file: Annotated[Path, typer.Option("--out", help="Where to write the log")],
) -> None:
    """Write the whole log to one file that verifies offline."""
    with api() as client, client.stream("GET", "/v1/log/export") as answer, out_file.open("wb") as file:
        if not answer.is_success:
            answer.read()
            raise_problem(answer)
        for chunk in answer.iter_bytes():
            file.write(chunk)
    say(f"The log: {out_file}. Check it with: python -m audit verify {out_file} --trust TRUST")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An exported log", exists=True, dir_okay=False)],
    trust: Annotated[Path, typer.Option(help="The trust file, got by another way", exists=True)],
    seen: Annotated[Path | None, typer.Option(help="A checkpoint seen before", exists=True)] = None,
) -> None:
    """Check an exported log offline; exit 5 and name the entry when it fails."""
    try:
        out.print(verify_file(file, trust, seen), markup=False)
    except AuditError as error:
        raise VerificationError(str(error), place=file.name) from None


@app.command()
def prove(index: Annotated[int, typer.Argument(help="The entry's index", min=0)]) -> None:
    """Print one entry with its inclusion proof and the checkpoint it leads to."""
    with api() as client:
        emit(call(client, "GET", f"/v1/log/proof/{index}"))


@app.command()
def find(
    kind: Annotated[str | None, typer.Option(help="Kind of entry, or how it begins")] = None,
    exchange: Annotated[str | None, typer.Option(help="Exchange id")] = None,
    dataset: Annotated[str | None, typer.Option(help="Dataset")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON lines")] = False,
) -> None:
    """List entries of the log."""
    wanted = {"exchange": exchange, "dataset": dataset}
    rows = table("Disclosure log", "Entry", "At", "Kind", "Recipient", "Dataset", "Exchange")
    start = 0
    with api() as client:
        while page := call(
            client, "GET", "/v1/log/entries", params={"start": str(start), "limit": str(_PAGE)}
        ):
            start += len(page)
            for entry in page:
                body = entry["body"]
                if not entry["kind"].startswith(kind or "") or any(
                    value and body.get(key) != value for key, value in wanted.items()
                ):
                    continue
                if json_:
                    print(json.dumps(entry, ensure_ascii=False))  # noqa: T201
                cells = (str(body.get(key, "")) for key in ("recipient", "dataset", "exchange"))
                rows.add_row(str(entry["index"]), entry["at"], entry["kind"], *cells)
    if not json_:
        out.print(rows)
