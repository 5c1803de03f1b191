"""`flagstone log checkpoint` and `flagstone log witnesses`: what others have seen of the log."""

from pathlib import Path
from typing import Annotated, Any

import typer

from audit.checkpoint import unsafe_read_checkpoint
from audit.errors import NoteError
from gateway.cli.client import api, call, raise_problem
from gateway.cli.files import check_folder
from gateway.cli.output import emit, out, say, table
from gateway.cli.relinking import Cause, open_linked_log
from gateway.settings import read_settings


def checkpoint(
    out_file: Annotated[Path, typer.Option("--out", help="Where to write the checkpoint")],
    cosigned: Annotated[
        int, typer.Option(help="The newest that so many witnesses cosigned; 0: the newest", min=0, max=100)
    ] = 0,
) -> None:
    """Write a signed checkpoint with its cosignatures, to keep and to verify against later (--seen)."""
    check_folder(out_file)
    with api() as client:
        answer = client.get("/v1/log/checkpoint", params={"cosigned": str(cosigned)})
        raise_problem(answer)
    out_file.write_bytes(answer.content)
    say(f"{_size(answer.text)}: {out_file}")


def witnesses(json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False) -> None:
    """List the log's witnesses, what each has cosigned, and every alarm."""
    with api() as client:
        told = call(client, "GET", "/v1/log/witnesses")
    if json_:
        emit(told)
        return
    rows = [
        (
            each["partner"],
            each["key"],
            f"{each['size']} entries\n{each['at'][:19]}" if each["size"] else "nothing",
        )
        for each in told["witnesses"]
    ]
    out.print(table("Witnesses", "Partner", "Key", "Cosigned", rows=rows, lines=True))
    if told["alarms"]:
        out.print(table("ALARMS", "Partner, when", "Why", "Saw, was shown", rows=map(_alarm, told["alarms"])))
        say("Each is a signed notice; --json prints it with both checkpoints")
    else:
        say("No witness has raised an alarm")


def relink(
    reason: Annotated[Cause, typer.Option(help="Why; it stands in the new log for ever")],
) -> None:
    """Open a new log, linked to one whose database was set back. For the operator; stop the gateway first."""
    new = open_linked_log(read_settings(), reason)
    say("A new log is open; the old tables are kept aside. Its key, for auditors' trust files:")
    out.print(new.vkey)
    say("Tell every partner by telephone: their agents answer nothing until their custodians accept it")


def _alarm(each: dict[str, Any]) -> tuple[str, ...]:
    when = f"{each['partner']}\n{each['raised_at'][:19]}"
    return when, each["reason"], f"{_size(each['seen'])}\n{_size(each['shown'])}"


def _size(note: str) -> str:
    try:
        read = unsafe_read_checkpoint(note.encode())
    except NoteError:
        return "no checkpoint"
    return f"{read.size} entries of {read.origin}"
