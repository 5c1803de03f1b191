"""`flagstone keys`: the council's keys, and the documents that others need of them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from audit import trust as trusted
from gateway.bootstrap import council_identity, create_keys, create_search_keys, log_signer
from gateway.cli.output import emit, out, say, table
from gateway.domain.identity import Identity
from gateway.settings import read_settings

app = typer.Typer(help="The council's keys.", no_args_is_help=True)

Public = Annotated[Path | None, typer.Option(help="Write the identity document that partners need")]
Trust = Annotated[Path | None, typer.Option(help="Write the trust file that auditors verify the log against")]


@app.command()
def new(
    slug: Annotated[str, typer.Option(help="Short name: a-z, 0-9, hyphens")],
    name: Annotated[str, typer.Option(help="The council's name, as partners will read it")],
    public: Public = None,
    trust: Trust = None,
) -> None:
    """Make the council's keys and the log's; print the fingerprint that partners compare."""
    home = read_settings().home
    identity = create_keys(home, slug, name)
    say(f"The keys of {identity.name} are made. Partners compare this fingerprint by telephone:")
    out.print(identity.fingerprint)
    _write(home, identity, public, trust)


@app.command()
def search() -> None:
    """Make the reviewer's search key where `keys new` was run before there was one."""
    create_search_keys(read_settings().home)
    say("The search key is made. Exchanges from now on can be searched by subject; see SECURITY.md")


@app.command("list")
def show(
    public: Public = None,
    trust: Trust = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List the keys, by fingerprint; never their bytes."""
    home = read_settings().home
    identity = council_identity(home)
    _write(home, identity, public, trust)
    if json_:
        emit({"fingerprint": identity.fingerprint, "log": log_signer(home).verifier.vkey})
        return
    signer = log_signer(home).verifier
    rows = [
        ("signing, exchange, sign-in", identity.fingerprint),
        ("the disclosure log", signer.vkey),
    ]
    out.print(table(f"Keys of {identity.name}", "For", "Public identity", rows=rows))


def _write(home: Path, identity: Identity, public: Path | None, trust: Path | None) -> None:
    if public is not None:
        public.write_text(json.dumps(identity.to_json(), indent=2) + "\n", encoding="utf-8")
        say(f"Identity document: {public}")
    if trust is not None:
        trusted.write_trust(trust, trusted.Trust(log_signer(home).verifier))
        say(f"Trust file for auditors: {trust}")
