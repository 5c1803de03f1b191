"""`flagstone agent`: the partner's side. It reads its own folder and nothing of the gateway's."""

import json
import random
import signal
import threading
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from adapters.agent import certificates as certificates_
from adapters.agent import client_tls, desk
from adapters.agent.approvals import CUSTODIAN
from adapters.agent.loop import run_forever, run_once
from adapters.agent.main import initialise, only_one, opened
from adapters.agent.witnessing import alarm
from audit.checkpoint import NoteVerifier
from audit.export import write_export
from audit.trust import Trust, write_trust
from gateway.bundle.agreement import AgreementDocument
from gateway.cli import agent_keys, agent_witness
from gateway.cli.agent_enrol import enrol_
from gateway.cli.agent_options import Home, register_kind
from gateway.cli.erasure import show_certificate
from gateway.cli.files import small, write_private
from gateway.cli.output import emit, err, out, say, table
from gateway.dumps import forbid_core_dumps

app = typer.Typer(help="A partner's agent: answers requests beside the register.", no_args_is_help=True)
agreements = typer.Typer(help="Agreements with the council.", no_args_is_help=True)
log = typer.Typer(help="The agent's own log.", no_args_is_help=True)
app.add_typer(agreements, name="agreement")
app.add_typer(log, name="log")
app.add_typer(agent_witness.app, name="witness")
app.command("rotate-keys")(agent_keys.rotate)
app.command("confirm-keys")(agent_keys.confirm)
app.command("keys")(agent_keys.show)
app.command("enrol")(enrol_)

Exchange = Annotated[UUID, typer.Argument(help="The exchange's id")]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="Short name of the custodian: a-z 0-9 . _ -; needed where two approve",
        show_default=False,
    ),
]
Number = Annotated[str, typer.Argument(help="The agreement's number")]


@app.command()
def init(
    home: Home,
    slug: Annotated[str, typer.Option(help="Short name: a-z, 0-9 and hyphens")],
    name: Annotated[str, typer.Option(help="The organisation's name")],
    gateway: Annotated[str, typer.Option(help="The gateway's URL, https://...")],
    council: Annotated[Path, typer.Option(help="The council's identity document", exists=True)],
    fingerprint: Annotated[str, typer.Option(help="The council's fingerprint, as its staff read it out")],
    register: Annotated[
        str,
        typer.Option(
            envvar="FLAGSTONE_AGENT_REGISTER",  # others of the machine can read a command line
            help="The register: a CSV or Parquet file, or a database URL",
        ),
    ],
    kind: Annotated[str | None, typer.Option(help="csv, parquet or sql; found from the register")] = None,
    query: Annotated[str, typer.Option(help="The SQL query that gives the register's rows")] = "",
) -> None:
    """Make the keys and the folder; print the fingerprint to read out to the council."""
    kind_ = register_kind(kind, register, query)
    identity = initialise(
        home,
        slug=slug,
        name=name,
        gateway=gateway,
        council=small(council),
        fingerprint=fingerprint,
        kind=kind_,
        source=register if kind_ == "sql" else str(Path(register).absolute()),
        query=query,
    )
    if kind_ != "sql" and not Path(register).is_file():
        say("There is no file at --register yet: put it there before the agent runs")
    say(f"Send {home / 'identity.json'} to the council and read out this fingerprint by telephone:")
    out.print(identity.fingerprint)


@app.command()
def run(
    home: Home,
    once: Annotated[bool, typer.Option("--once", help="Do what waits now, and stop")] = False,
) -> None:
    """Answer requests until stopped; with --once, those that wait now."""
    forbid_core_dumps()
    with opened(home) as agent, only_one(home):
        if once:
            if run_once(agent.agent).failed:
                raise typer.Exit(1)
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        agent.agent.events.info("agent-started", agent=agent.agent.keys.identity.slug)
        jitter = random.SystemRandom().random
        run_forever(agent.agent, pause=agent.settings.gateway.poll_seconds, wait=stop.wait, jitter=jitter)


@app.command()
def pending(
    home: Home, json_: Annotated[bool, typer.Option("--json", help="Print the signed manifests")] = False
) -> None:
    """Show the requests that wait for the custodian, exactly as the council signed them."""
    with opened(home) as agent:
        waiting = desk.pending(agent.agent)
        evidence = alarm(agent.agent)
    if evidence:
        agent_witness.warn(evidence)
    if json_:
        emit([each.manifest.model_dump(mode="json") for each in waiting])
        return
    for each in waiting:
        out.print(_request(each))
    if waiting:
        say("Decide each: flagstone agent approve EXCHANGE, or flagstone agent refuse EXCHANGE --reason ...")
    else:
        say("Nothing waits for a decision")


@app.command()
def approve(home: Home, exchange: Exchange, by: By = None) -> None:
    """Let the running agent answer this request, once enough custodians have."""
    with opened(home) as agent:
        request = desk.decide(agent.agent, exchange, approved=True, by=by)
    if len(request.approved_by) < request.needed:
        say(f"{_count(request)}. Nothing is answered before another custodian approves it")
    else:
        say("Approved. The agent answers at its next look")


@app.command()
def refuse(
    home: Home,
    exchange: Exchange,
    reason: Annotated[
        str, typer.Option(help="For your own records; the council is told only that you decline")
    ],
    by: By = None,
) -> None:
    """Decline this request; one custodian is enough."""
    with opened(home) as agent:
        desk.decide(agent.agent, exchange, approved=False, reason=reason, by=by)
    say("Refused. The agent tells the council at its next look")


@app.command()
def certificates(
    home: Home,
    json_: Annotated[bool, typer.Option("--json", help="Print the signed certificates too")] = False,
) -> None:
    """List what the council has certified as destroyed, each verified anew."""
    with opened(home) as agent:
        kept = certificates_.kept(agent.agent)
    if json_:
        emit([each.certificate.model_dump(mode="json") | {"jws": each.jws} for each in kept])
        return
    for each in kept:
        show_certificate(each.certificate.model_dump(mode="json"))
    if not kept:
        say("None yet: the running agent fetches each by itself")


@app.command("client-certificate")
def client_certificate(home: Home) -> None:
    """Make a new TLS client certificate and announce it: for gateways that end TLS themselves (RFC 8705)."""
    with opened(home) as agent:
        thumbprint = client_tls.renew(agent.agent, home)
    say(f"The gateway knows the certificate {thumbprint}")
    say(f'To use it: client_certificate = "{client_tls.FILE}" under [gateway] in agent.toml, and a restart')


@agreements.command("list")
def list_(home: Home) -> None:
    """List the agreements that the council proposed."""
    with opened(home) as agent:
        lines = agent.agent.gateway.state().agreements
        here = set(agent.agent.agreements.numbers())
    rows = [
        (line.number, line.dataset, line.status, "yes" if line.number in here else "no") for line in lines
    ]
    out.print(table("Agreements", "Number", "Dataset", "At the gateway", "Signed here", rows=rows))


@agreements.command()
def show(home: Home, number: Number) -> None:
    """Print an agreement whole, once the council's signature on it holds."""
    with opened(home) as agent:
        document = desk.proposal(agent.agent, number).document
    emit(document.model_dump(mode="json") | {"digest": document.digest})


@agreements.command("sign")
def sign(
    home: Home,
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask")] = False,
) -> None:
    """Show an agreement, verify the council's signature, countersign."""
    with opened(home) as agent:
        proposed = desk.proposal(agent.agent, number)
        err.print(_agreement(proposed.document))
        if not yes:
            typer.confirm("Sign this agreement?", abort=True, err=True)
        desk.sign(agent.agent, proposed)
    say(f"Signed {number}, and told the gateway")


@agreements.command("revoke")
def revoke(home: Home, number: Number) -> None:
    """Answer nothing under this agreement any more."""
    with opened(home) as agent:
        desk.revoke(agent.agent, number)
    say(f"Revoked {number}, and told the gateway")


@log.command()
def export(
    home: Home,
    out_file: Annotated[Path, typer.Option("--out", help="Where to write the log")],
    trust: Annotated[Path, typer.Option(help="Where to write the trust file")],
    digests: Annotated[
        Path | None, typer.Option(help="Where to write the bundles' digests, for the council to compare")
    ] = None,
) -> None:
    """Write the agent's own log and the trust file to check it with."""
    with opened(home) as agent:
        agent.agent.journal.record("log.exported", {}, by=CUSTODIAN)
        with out_file.open("wb") as file:
            write_export(agent.log, file)
        write_trust(trust, Trust(NoteVerifier.parse(agent.log_key)))
        if digests:
            openings = agent.agent.journal.openings(("request", "answer"))
            write_private(digests, json.dumps({"type": "flagstone/agent-digests/v1", "openings": openings}))
    say(f"Check it with: python -m audit verify {out_file} --trust {trust}")


def _request(waiting: desk.Pending) -> Table:
    asked = waiting.manifest
    return _facts(
        f"Exchange {asked.exchange}" + (f", {_count(waiting)}" if waiting.needed > 1 else ""),
        {
            "Dataset": f"{asked.dataset}, under agreement {asked.agreement}",
            "Purpose": asked.purpose,
            "Legal basis": "\n".join(asked.basis),
            "People asked about": str(asked.slots),
            "Indicators": "\n".join(asked.indicators),
            "Answered by": asked.granularity.value,
            "To be answered until": asked.expires_at.isoformat(),
        },
    )


def _count(request: desk.Pending) -> str:
    return f"{len(request.approved_by)} of {request.needed} approved"


def _agreement(document: AgreementDocument) -> Table:
    """The parts that a custodian must read; `show` prints it whole."""
    policy = document.policy
    waits = policy.get("cosigned_by")
    lists = {name.capitalize(): "\n".join(policy[name]) for name in ("purposes", "indicators", "identifiers")}
    return _facts(
        f"Agreement {document.number}",
        {
            "Council": f"{document.council.name}\n{document.council.fingerprint}",
            "Partner": f"{document.partner.name}\n{document.partner.fingerprint}",
            "Dataset": document.dataset,
            **lists,
            "Answered by": str(policy["granularity"]),
            "Release": str(policy["release"]),
            **({"Released once cosigned by": ", ".join(waits)} if waits else {}),
            "People at most": str(policy["max_people"]),
            "In force": f"{document.valid_from.isoformat()} to {document.valid_to.isoformat()}",
            "DPIA": document.dpia,
            "DPIA reviewed by": document.dpia_to.isoformat(),
            "Appropriate policy document": document.appropriate_policy_document,
            "Policy document reviewed by": document.appropriate_policy_document_to.isoformat(),
            "Digest": document.digest,
        },
    )


def _facts(title: str, facts: dict[str, str]) -> Table:
    return table(title, "What", "As the council signed it", rows=facts.items())
