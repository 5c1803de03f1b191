"""`flagstone agent enrol`: join a council's gateway with the code that its operator reads out."""

from pathlib import Path
from typing import Annotated

import typer

from adapters.agent.enrolment import NewAgent, enrol
from adapters.agent.settings import FILE
from adapters.transports.wire import http_client
from gateway.cli.agent_options import Home, register_kind
from gateway.cli.output import err, out, say
from gateway.domain.errors import BadInputError
from gateway.domain.identity import Identity


def enrol_(
    url: Annotated[str, typer.Argument(help="The gateway's URL, https://...")],
    code: Annotated[
        str,
        typer.Argument(
            envvar="FLAGSTONE_AGENT_CODE",  # others of the machine can read a command line
            help="As the council's operator read it out",
        ),
    ],
    home: Home,
    slug: Annotated[str, typer.Option(help="Short name, as the council has it: a-z, 0-9 and hyphens")] = "",
    name: Annotated[str, typer.Option(help="The organisation's name")] = "",
    register: Annotated[
        str,
        typer.Option(
            envvar="FLAGSTONE_AGENT_REGISTER",  # others of the machine can read a command line
            help="The register: a CSV or Parquet file, or a database URL",
        ),
    ] = "",
    kind: Annotated[str | None, typer.Option(help="csv, parquet or sql; found from the register")] = None,
    query: Annotated[str, typer.Option(help="The SQL query that gives the register's rows")] = "",
    fingerprint: Annotated[
        str, typer.Option(help="The council's fingerprint, as its staff read it out; asked when not given")
    ] = "",
    ca_file: Annotated[
        str | None, typer.Option(help="PEM file, when the gateway's certificate is not publicly trusted")
    ] = None,
) -> None:
    """Make the folder where there is none, and enrol at the gateway with the code that was read out."""
    make = None
    if not (home / FILE).exists():
        if not (slug and name and register):
            raise BadInputError("a new agent needs --slug, --name and --register", place="agent enrol")
        kind_ = register_kind(kind, register, query)
        source = register if kind_ == "sql" else str(Path(register).absolute())
        make = NewAgent(slug, name, url, ca_file, kind_, source, query)

    def pin(council: Identity) -> str:
        if fingerprint:
            return fingerprint
        err.print(f"{council.name} says that its fingerprint is\n{council.fingerprint}")
        typer.confirm("Does the council's staff read out this very fingerprint?", abort=True, err=True)
        return council.fingerprint

    with http_client(url, ca_file) as http:
        parties = enrol(home, http, code, make=make, pin=pin)
    say(f"Enrolled at {parties.council.name}, whose fingerprint is {parties.council.fingerprint}")
    say("Nothing is in force yet. Read this fingerprint out to the council, for its operator to confirm:")
    out.print(parties.partner.fingerprint)
