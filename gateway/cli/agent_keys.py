"""`flagstone agent rotate-keys`, `confirm-keys` and `keys`: what a partner's staff do about keys."""

from typing import Annotated

import typer

from adapters.agent import successions
from adapters.agent.main import opened
from gateway.bundle.succession import RotationReason
from gateway.cli.agent_options import Home
from gateway.cli.keys_party import Overlap, Reason, Until, overlap_of, rows, told
from gateway.cli.output import out, say, table


def rotate(
    home: Home,
    reason: Reason = RotationReason.SCHEDULED,
    overlap_days: Overlap = None,
    overlap_until: Until = None,
) -> None:
    """Make new signing, exchange and sign-in keys; the running agent brings them to the council."""
    with opened(home) as agent, agent.keys.alone():
        document = successions.rotate(agent.agent, reason, overlap_of(overlap_days, overlap_until))
    told(document)
    say("The running agent brings them to the council; the old ones serve until it has accepted them")


def confirm(
    home: Home,
    fingerprint: Annotated[str, typer.Option(help="The council's new one, as its staff read it out")],
) -> None:
    """Accept the council's new keys, once their fingerprint was compared by telephone."""
    with opened(home) as agent:
        document = successions.confirm(agent.agent, fingerprint)
    say(f"The council's keys are now those of {document.identity.fingerprint}")


def show(home: Home) -> None:
    """List this partner's keys and the council's, generation by generation; never their bytes."""
    with opened(home) as agent:
        own, council = agent.agent.keys.lineage, agent.agent.council.lineage
        waiting = agent.agent.keys.pending() is not None
    columns = ("Generation", "Fingerprint", "Since", "Accepted until")
    out.print(table("Own keys", *columns, rows=rows(own)))
    out.print(table("The council's keys", *columns, rows=rows(council)))
    if waiting:
        say("New keys of your own are made, and the council has not accepted them yet")
