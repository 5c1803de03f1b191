"""`flagstone agent witness`: what the agent saw of the council's log, and what to do after an alarm."""

from typing import Annotated, Any

import typer

from adapters.agent.main import opened
from adapters.agent.witness import Witness
from adapters.agent.witnessing import Evidence, accept_new_log, alarm, look_again
from audit.checkpoint import unsafe_read_checkpoint
from audit.errors import NoteError
from gateway.bundle.witness import Reason
from gateway.cli.agent_options import Home
from gateway.cli.output import emit, err, out, say, table

app = typer.Typer(help="The agent as witness of the council's log.", no_args_is_help=True)

_MEANS = {
    Reason.SMALLER: "it shrank: entries that this agent saw are gone",
    Reason.OTHER_ROOT: "two histories of one length: this agent was shown another than before",
    Reason.INCONSISTENT: "it does not contain what this agent saw before",
    Reason.OTHER_KEY: "another key signs it, and it does not name what this agent saw last",
    Reason.NOT_SIGNED: "its own key did not sign what was shown",
    Reason.NEW_LOG: "the council opened a new log, linked to what this agent saw last",
}


@app.command()
def show(home: Home, json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False) -> None:
    """Show this witness' key, what it cosigned last, and the alarm if one stands."""
    with opened(home) as agent:
        told = _seen(agent.agent.witness)
        evidence = alarm(agent.agent)
    if json_:
        emit(told | {"alarm": evidence.model_dump(mode="json") if evidence else None})
        return
    rows = [(name, str(value)) for name, value in told.items() if name != "checkpoint"]
    out.print(table("Witness of the council's log", "What", "As it is kept here", rows=rows))
    if evidence:
        out.print(table("ALARM", "What", "Evidence", rows=_evidence(evidence).items(), lines=True))
        warn(evidence)
    else:
        say("No alarm stands")


@app.command()
def accept(home: Home, yes: Annotated[bool, typer.Option("--yes", help="Don't ask")] = False) -> None:
    """Follow a new log of the council that names what this agent cosigned last. Never possible for a fork."""
    with opened(home) as agent:
        evidence = alarm(agent.agent)
        if evidence and not yes:
            err.print(table("The new log", "What", "Evidence", rows=_evidence(evidence).items(), lines=True))
            typer.confirm(
                "Did the council tell you by telephone why it opened a new log? Follow it?",
                abort=True,
                err=True,
            )
        accept_new_log(agent.agent)
    say("The agent follows the new log from its next look on, which may be five minutes away")


@app.command("look-again")
def look_again_(
    home: Home,
    reason: Annotated[str, typer.Option(help="What you found; for your own records")],
) -> None:
    """Take the alarm back after you have looked. The agent goes on only if it sees the log it saw before."""
    with opened(home) as agent:
        look_again(agent.agent, reason)
    say("The agent looks again within five minutes. The evidence is kept in its folder, under witness/")


def warn(evidence: Evidence) -> None:
    """What stops the agent, and where to go on reading."""
    say(f"ALARM since {evidence.at}: the council's log is not the one that was seen before.")
    say(f"  {_MEANS[Reason(evidence.reason)]}")
    say(
        "Nothing is answered. See flagstone agent witness show, and ask the council's IG officer by telephone"
    )
    if evidence.reason == Reason.NEW_LOG:
        say("If it is as they say: flagstone agent witness accept")


def _seen(witness: Witness) -> dict[str, Any]:
    seen, checkpoint = witness.seen(), witness.cosigned()
    return {
        "key": witness.vkey,
        "log": witness.key(seen.key).vkey if seen else "none yet",
        "size": checkpoint.size if checkpoint else 0,
        "checkpoint": seen.note if seen else "",
    }


def _evidence(evidence: Evidence) -> dict[str, str]:
    return {
        "Why": f"{evidence.reason}: {_MEANS[Reason(evidence.reason)]}",
        "Seen before": _size(evidence.seen),
        "Shown then": _size(evidence.shown),
        "The gateway knows": "yes" if evidence.told else "not yet",
    }


def _size(note: str) -> str:
    try:
        checkpoint = unsafe_read_checkpoint(note.encode())
    except NoteError:
        return "nothing" if not note else "no checkpoint"
    return f"{checkpoint.size} entries of {checkpoint.origin}, root {checkpoint.root.hex()}"
