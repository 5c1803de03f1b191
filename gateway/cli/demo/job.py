"""The main job, step by step, through the very commands that a council and its partners type."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.cli.demo.cases import Case, PartnerCase
from gateway.cli.demo.world import DemoError, World
from gateway.cli.output import out
from gateway.domain.errors import RefusedError
from gateway.domain.legal_date import legal_date

COUNCIL = "borough"
COUNCIL_NAME = "Example Borough Council"
ANALYST = "analyst"
IG_OFFICER = "ig-officer"
_RELEASE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """The users' tokens, as `flagstone user add` printed them."""

    programme: str
    reviewer: str


def open_council(world: World) -> None:
    """The council makes its keys and starts the gateway; the embedded PostgreSQL starts with it."""
    identity, trust = world.root / "council.json", world.root / "trust.json"
    world.run(
        "keys", "new", "--slug", COUNCIL, "--name", COUNCIL_NAME, "--public", identity, "--trust", trust
    )
    world.wait_ready(world.start("gateway", "serve", "--port", str(world.port)))


def enrol(world: World, partner: PartnerCase) -> None:
    """Both sides compare fingerprints; the council proposes, the partner countersigns, its agent starts."""
    home, slug = world.partner(partner.slug), partner.slug
    council = json.loads(world.run("keys", "list", "--json"))["fingerprint"]
    own = world.run(
        "agent",
        "init",
        "--home",
        home,
        "--slug",
        slug,
        "--name",
        partner.name,
        "--gateway",
        world.url,
        "--council",
        world.root / "council.json",
        "--fingerprint",
        council,
        "--register",
        partner.register,
        who=slug,
    )
    world.run("partner", "add", home / "identity.json", "--fingerprint", own.splitlines()[-1])
    until = legal_date(datetime.now(UTC)) + timedelta(days=365)
    number = agreement_number(partner)
    world.run(
        "agreement",
        "propose",
        number,
        "--partner",
        slug,
        "--dataset",
        partner.dataset,
        "--to",
        until.isoformat(),
        "--dpia",
        "DPIA-2026-014",
        "--apd",
        "APD-2026-003",
    )
    world.run("agent", "agreement", "sign", number, "--home", home, "--yes", who=slug)
    world.start(slug, "agent", "run", "--home", home)


def agreement_number(partner: PartnerCase) -> str:
    return f"{partner.slug.upper()}-2026-1"


def add_users(world: World) -> Tokens:
    """One programme analyst and one IG officer."""
    programme = world.run("user", "add", ANALYST, "--role", "programme")
    reviewer = world.run("user", "add", IG_OFFICER, "--role", "reviewer")
    return Tokens(programme, reviewer)


def ask(world: World, case: Case, partner: PartnerCase, purpose: str, tokens: Tokens) -> dict[str, Any]:
    """Submit the list to one partner; have its custodian approve where the policy says so; read the flags."""
    submitted = world.run(
        "exchange",
        "submit",
        case.household_list,
        "--dataset",
        partner.dataset,
        "--purpose",
        purpose,
        "--json",
        token=tokens.programme,
        who=ANALYST,
    )
    told = json.loads(submitted)
    if partner.approves:
        approve(world, partner, told["exchange"])
    results = world.run(
        "exchange",
        "results",
        told["exchange"],
        "--wait",
        str(int(_RELEASE_SECONDS)),
        "--json",
        token=tokens.programme,
        who=ANALYST,
    )
    return {"submitted": told, "results": json.loads(results)}


def approve(world: World, partner: PartnerCase, exchange: str) -> None:
    """The custodian sees the request pending, and approves it.

    Raises:
        DemoError: it never came to be pending.
    """
    home = world.partner(partner.slug)
    deadline = time.monotonic() + _RELEASE_SECONDS
    quiet, world.quiet = world.quiet, True
    try:
        while exchange not in world.run("agent", "pending", "--home", home, "--json", who=partner.slug):
            if time.monotonic() > deadline:
                raise DemoError("the request never came to be pending", place=partner.slug)
            time.sleep(0.25)
    finally:
        world.quiet = quiet
    out.print(world.run("agent", "pending", "--home", home, who=partner.slug))
    world.run("agent", "approve", exchange, "--home", home, who=partner.slug)


def ask_refused(world: World, case: Case, dataset: str, purpose: str, tokens: Tokens) -> dict[str, Any]:
    """Submit a list for a purpose that the policy refuses; return the decision.

    Raises:
        DemoError: it was not refused.
    """
    told = world.run(
        "exchange",
        "submit",
        case.household_list,
        "--dataset",
        dataset,
        "--purpose",
        purpose,
        "--json",
        token=tokens.programme,
        who=ANALYST,
        expect=RefusedError.exit_code,
    )
    decision: dict[str, Any] = json.loads(told)["decision"]
    if not decision["unmet"] or not all(unmet["citation"] for unmet in decision["unmet"]):
        raise DemoError("a refusal without reason and citation", place="exchange submit")
    return decision


def export_log(world: World, tokens: Tokens) -> Path:
    """The IG officer takes the whole log away."""
    log = world.root / "disclosure-log.txt"
    world.run("log", "export", "--out", log, token=tokens.reviewer, who=IG_OFFICER)
    return log
