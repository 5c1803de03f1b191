"""The agent's composition root: it makes an agent's folder, and wires an agent from one."""

import contextlib
import fcntl
import hmac
import json
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from adapters.agent.agreements import AgreementBook
from adapters.agent.approvals import Approvals
from adapters.agent.context import Agent
from adapters.agent.council import Council
from adapters.agent.journal import Journal
from adapters.agent.settings import FILE, AgentSettings, read_settings, settings_text
from adapters.agent.tray import Tray
from adapters.agent.witness import Witness
from adapters.keys.files import (
    FilePrekeys,
    create_party_keys,
    party_ring,
)
from adapters.keys.logkey import create_signer, load_signer, witness_cosigner
from adapters.keys.rotating import RotatingKeys
from adapters.keys.settings import read_key_settings
from adapters.registers.opening import Kind, open_register
from adapters.registers.register import Register
from adapters.transports.mailbox import MailboxClient
from adapters.transports.wire import SignIn, Wire, http_client
from audit.errors import AuditError
from audit.log import Log
from audit.store import FileStore
from gateway.bundle.witness import witness_name
from gateway.domain.errors import BadInputError, ConfigurationError, ConflictError, VerificationError
from gateway.domain.identity import Identity
from gateway.linkage.selftest import self_test

COUNCIL: Final = "council.json"
_MAX_DOCUMENT: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Opened:
    """An agent with what its commands need beside it."""

    agent: Agent
    keys: RotatingKeys
    log: Log
    log_key: str
    """The log's public key, as a trust file has it."""
    settings: AgentSettings


def now() -> datetime:
    return datetime.now(UTC)


def initialise(
    home: Path,
    *,
    slug: str,
    name: str,
    gateway: str,
    council: bytes,
    fingerprint: str,
    kind: Kind,
    source: str,
    query: str = "",
    ca_file: str | None = None,
) -> Identity:
    """Make a partner's folder: keys, log, the pinned council and `agent.toml`.

    `council`: the council's identity document; `fingerprint`: as its staff read it out.

    Raises:
        VerificationError: the document is not the one of the fingerprint; nothing was made.
        ConflictError: there is an agent in this folder.
    """
    pinned = identity_of(council)
    told = fingerprint.replace("-", "").replace(" ", "").upper()
    if not hmac.compare_digest(pinned.fingerprint.replace("-", "").encode(), told.encode()):
        raise VerificationError(
            "not the fingerprint of this council's identity",
            place=COUNCIL,
            way_out="Compare both by telephone; do not go on until they agree",
        )
    http_client(gateway).close()  # refuses a URL that would send tokens in the clear
    text = settings_text(gateway, kind, source, query, ca_file)
    if (home / FILE).exists():
        raise ConflictError("there is an agent in this folder", place=FILE, way_out="Use another folder")
    _make_folder(home)
    places = read_key_settings().places(home)
    identity = create_party_keys(home / "keys", slug, name, places).identity
    create_signer(home / "log-key", f"flagstone/{slug}/agent", places)
    witness_cosigner(home / "witness-key", witness_name(slug), places)
    FileStore.create(home / "log").close()
    _write_new(home / "identity.json", json.dumps(identity.to_json(), indent=1))
    _write_new(home / COUNCIL, json.dumps(pinned.to_json(), indent=1))
    # commit point: a folder without it is a creation that never ended
    _write_new(home / FILE, text)
    return identity


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Opened]:
    """Wire the agent of a folder.

    Raises:
        ConfigurationError: there is none, or a file is missing, damaged or open to others.
    """
    settings = read_settings(home)
    places = read_key_settings().places(home)
    keys = RotatingKeys(home / "keys", places)
    council = Council(Tray(home / "council-keys"), identity_of((home / COUNCIL).read_bytes()))
    own = settings.gateway.certificate(home)
    with (
        _store(home / "log") as store,
        http_client(settings.gateway.url, settings.gateway.ca_file, own) as http,
    ):
        signer = load_signer(home / "log-key", places)
        log = Log(store, signer)
        sign_in = SignIn(keys, council.slug, now, secrets.token_bytes)
        wire = Wire(http, sign_in, certified=own is not None)
        journal = Journal(log, Tray(home / "openings"), keys.identity.slug, now, secrets.token_bytes)
        cosigner = witness_cosigner(home / "witness-key", witness_name(keys.identity.slug), places)
        register = settings.source(home)

        def open_now(today: date) -> Register:
            return open_register(register, today)

        agent = Agent(
            keys=keys,
            council=council,
            prekeys=FilePrekeys(home / "prekeys", party_ring(home / "keys", places)),
            agreements=AgreementBook(Tray(home / "agreements"), keys, council),
            approvals=Approvals(Tray(home / "approvals")),
            inbox=Tray(home / "inbox"),
            outbox=Tray(home / "outbox"),
            certificates=Tray(home / "certificates"),
            journal=journal,
            witness=Witness(Tray(home / "witness"), cosigner, council),
            gateway=MailboxClient(wire),
            limits=settings.own_limits(),
            open_register=open_now,
            self_test=self_test,
            clock=now,
            entropy=secrets.token_bytes,
            events=events(),
            confirm_successions=settings.gateway.confirm_successions,
            max_clock_offset=timedelta(seconds=settings.gateway.max_clock_offset_seconds),
        )
        yield Opened(agent, keys, log, signer.verifier.vkey, settings)


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the folder's run lock: two loops would answer one exchange twice.

    Raises:
        ConflictError: another process runs this agent.
    """
    with (home / "run.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                "another process runs this agent", place="agent folder", way_out="Stop it first"
            ) from None
        yield


def events() -> FilteringBoundLogger:
    """JSON lines on standard error. Callers pass opaque ids, codes and error texts only."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return logger


def identity_of(document: bytes) -> Identity:
    """The identity in a document.

    Raises:
        BadInputError: there is none.
    """
    if len(document) > _MAX_DOCUMENT:
        raise BadInputError("larger than an identity document", place=COUNCIL)
    try:
        content = json.loads(document)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise BadInputError("not an identity document", place=COUNCIL)
    return Identity.from_json(content)


@contextlib.contextmanager
def _store(folder: Path) -> Iterator[FileStore]:
    try:
        store = FileStore(folder)
    except AuditError as error:
        raise ConfigurationError(str(error), place="agent log") from None
    with store:
        yield store


def _make_folder(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_mode & 0o077:
        raise ConfigurationError("open to other users", place="agent folder", way_out="chmod 700 it")


def _write_new(path: Path, text: str) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
