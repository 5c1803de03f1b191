"""`flagstone keys`: the council's keys, and the documents that others need of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from audit import trust as trusted
from audit.cosignature import WitnessVerifier
from audit.errors import NoteError, TrustError
from gateway.bootstrap import (
    council_identity,
    create_keys,
    create_search_keys,
    key_home,
    log_signer,
    now,
    own_keys,
)
from gateway.cli import keyring, keys_export, keys_party
from gateway.cli.output import emit, out, say, table
from gateway.domain.errors import BadInputError
from gateway.domain.identity import Identity
from gateway.settings import read_settings

app = typer.Typer(help="The council's keys.", no_args_is_help=True)
rotating = typer.Typer(help="New keys in the place of old ones.", no_args_is_help=True)
app.add_typer(rotating, name="rotate")
rotating.command("party")(keys_party.rotate)
rotating.command("log")(keyring.rotate_log)
rotating.command("sealing")(keyring.rotate_sealing)
rotating.command("search")(keyring.rotate_search)
app.command()(keyring.sweep)
app.command()(keyring.seal)
app.command()(keys_export.export)
app.command()(keys_export.restore)

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
    witness: Annotated[
        list[str] | None,
        typer.Option(help="A witness' key text for the trust file, as its custodian read it out; repeat"),
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(help="How many of them must have cosigned; all, if left out")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List the keys, by fingerprint, with their age and where they live; never their bytes."""
    settings = read_settings()
    home = settings.home
    identity = council_identity(home)
    _write(home, identity, public, trust, witness or [], quorum)
    keys, at = key_home(settings).known(), now()
    if json_:
        told = {"fingerprint": identity.fingerprint, "log": log_signer(home).verifier.vkey}
        emit(told | {"keys": keyring.documents(keys)})
        return
    signer = log_signer(home).verifier
    rows = [
        *(
            (f"signing, exchange, sign-in{f' of before, accepted until {until}' if until else ''}", told)
            for _, told, _, until in keys_party.rows(own_keys(home).lineage)
        ),
        ("the disclosure log", signer.vkey),
    ]
    out.print(table(f"Keys of {identity.name}", "For", "Public identity", rows=rows))
    out.print(table("Each key", *keyring.COLUMNS, rows=keyring.rows(keys, at)))
    keyring.warn_of_due(keys, at)


def _write(
    home: Path,
    identity: Identity,
    public: Path | None,
    trust: Path | None,
    witnesses: Sequence[str] = (),
    quorum: int | None = None,
) -> None:
    if public is not None:
        public.write_text(json.dumps(identity.to_json(), indent=2) + "\n", encoding="utf-8")
        say(f"Identity document: {public}")
    if trust is not None:
        trusted.write_trust(trust, _trust(home, witnesses, quorum))
        say(f"Trust file for auditors: {trust}")


def _trust(home: Path, witnesses: Sequence[str], quorum: int | None) -> trusted.Trust:
    try:
        keys = tuple(map(WitnessVerifier.parse, witnesses))
        return trusted.Trust(log_signer(home).verifier, keys, len(keys) if quorum is None else quorum)
    except (NoteError, TrustError) as error:
        raise BadInputError(
            str(error), place="--witness", way_out="Custodians read theirs with: flagstone agent witness show"
        ) from None
