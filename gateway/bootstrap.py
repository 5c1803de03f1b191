"""The one place that builds edges and wires them to the use cases."""

import contextlib
import fcntl
import secrets
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import Engine

from adapters.cosigned import FileCosignedMemory
from adapters.identity.config import load_config
from adapters.identity.provider import Provider
from adapters.keys.files import (
    FileExchangeKeys,
    FileIdentity,
    FilePartyKeys,
    create_party_keys,
    party_ring,
)
from adapters.keys.logkey import FileSuccessions, LogSigner, create_signer, load_signer
from adapters.keys.places import Places
from adapters.keys.rotating import RotatingKeys
from adapters.keys.search import FileSearchKey, FileSearchSeal, create_search_key
from adapters.keys.settings import read_key_settings
from adapters.keys.upkeep import Home
from adapters.transports.mailbox import MailboxTransport
from gateway.db.callers import CallerSeal
from gateway.db.embedded import EmbeddedPostgres
from gateway.db.engine import make_engine
from gateway.db.roles import Urls
from gateway.db.uow import PostgresStore
from gateway.db.upgrade import DBOS_SCHEMA, upgrade
from gateway.db.uses import PostgresUses
from gateway.domain.errors import ConfigurationError, ConflictError
from gateway.domain.identity import Identity
from gateway.domain.legal_date import legal_date
from gateway.key_ports import KeyInfo, PartyKeys
from gateway.linkage.secret import address_key
from gateway.pages.browser import Browser
from gateway.service import keyrotation
from gateway.service.context import Context
from gateway.service.cosigned import check_not_rolled_back
from gateway.service.keyrotation import USES
from gateway.service.ownkeys import announce_keys
from gateway.service.policysets import announce
from gateway.service.search_context import SearchContext
from gateway.service.users import require_their_provider
from gateway.service.watching import Limits, WorkingHours
from gateway.settings import MEBIBYTE, Settings
from gateway.telemetry import Telemetry, configure_logging
from gateway.web.app import create_app, create_review_app
from gateway.workflows import Workflows
from policies.loader import builtin, load

_SEARCH_KEY = "search-key"
_WEB_CONNECTIONS = 20  # half as many as there are threads to answer in: most of the time a request has none


@dataclass(frozen=True, slots=True)
class Installation:
    """A council's gateway, opened, with the context of its use cases under each role of the store."""

    settings: Settings
    urls: Urls
    operator: Context
    web: Context
    worker: Context
    review: SearchContext


def now() -> datetime:
    return datetime.now(UTC)


def as_wired(context: Context) -> Context:
    """Leave a context as it is: the default where one may be decorated."""
    return context


def create_keys(home: Path, slug: str, name: str) -> Identity:
    """Make the council's keys and the log's, once.

    Raises:
        ConflictError: there are keys already.
    """
    _create_home(home)
    places = key_places(home)
    keys = create_party_keys(home / "keys", slug, name, places)
    create_signer(home / "log-key", f"flagstone/{slug}", places)
    create_search_key(home / _SEARCH_KEY, places)
    return keys.identity


def create_search_keys(home: Path) -> None:
    """Make the reviewer's search key in a home that was made before there was one.

    Raises:
        ConflictError: there is one already.
    """
    create_search_key(home / _SEARCH_KEY, key_places(home))


def council_identity(home: Path) -> Identity:
    """The council's public keys.

    Raises:
        ConfigurationError: there are none, or they are open to others.
    """
    return RotatingKeys(home / "keys", load=_identity_alone).identity


def own_keys(home: Path) -> RotatingKeys:
    """The council's keys, every generation.

    Raises:
        ConfigurationError: those in use are missing, damaged or open to others.
    """
    return RotatingKeys(home / "keys", key_places(home))


def key_places(home: Path) -> Places:
    """Where the keys of a home may live, by the environment.

    Raises:
        ConfigurationError: a setting is missing or malformed.
    """
    return read_key_settings().places(home)


def key_home(settings: Settings) -> Home:
    """All keys of a gateway's home."""
    return Home(settings.home, key_places(settings.home), settings.search_key)


def sweep_keys(settings: Settings, operator: Context) -> list[KeyInfo]:
    """Finish rotations that were cut short, and destroy keys that nothing needs any more."""
    home, overlap = key_home(settings), timedelta(days=read_key_settings().key_overlap_days)
    rings = {kind: ring for kind, ring in home.rings().items() if kind in USES}
    for kind, ring in rings.items():
        keyrotation.announce(operator, ring, kind)
    return keyrotation.sweep(operator, rings, home.needed, overlap)


def log_signer(home: Path) -> LogSigner:
    return load_signer(home / "log-key", key_places(home))


@contextlib.contextmanager
def opened(
    settings: Settings,
    decorate: Callable[[Context], Context] = as_wired,
    load_keys: Callable[[Path, Places], PartyKeys] = FilePartyKeys.load,
) -> Iterator[Installation]:
    """Start or find the database, and wire everything to it. `decorate` may wrap the ports of each context.

    Raises:
        ConfigurationError: keys or folders are missing or unsafe, a policy is malformed.
        StoreUnavailableError: the database can't be reached.
        RolledBackError: its log is behind what a witness has cosigned.
    """
    places = key_places(settings.home)
    keys = RotatingKeys(settings.home / "keys", places, load_keys)
    sealing = party_ring(settings.home / "keys", places)
    counting = _address_key(keys)
    signer = load_signer(settings.home / "log-key", places)
    seal = FileSearchSeal.load(settings.home / _SEARCH_KEY, places)
    search_key = FileSearchKey(settings.search_key or settings.home / _SEARCH_KEY, places)
    own = [settings.policies] if settings.policies else []
    policies = load(builtin(), *own, on=legal_date(now()))
    with database_urls(settings) as urls, contextlib.ExitStack() as engines:

        def engine_of(url: str, **options: int) -> Engine:
            engine = make_engine(url, **options)
            engines.callback(engine.dispose)
            return engine

        def context(engine: Engine, callers: CallerSeal | None = None) -> Context:
            store = PostgresStore(engine, signer, callers)
            wired = Context(
                store=store,
                keys=keys,
                exchange_keys=FileExchangeKeys(settings.home / "exchange-keys", sealing),
                search_seal=seal,
                policies=policies,
                transport=MailboxTransport(store),
                clock=now,
                entropy=secrets.token_bytes,
                cosigned=FileCosignedMemory(settings.home / "cosigned"),
                confirm_successions=settings.confirm_successions,
                log_successions=FileSuccessions(settings.home / "log-key"),
                rules=settings.rules,
                key_backup_days=settings.key_backup_days,
                uses=PostgresUses(engine),
                allowances=settings.allowances,
                address_key=counting,
            )
            return decorate(wired)

        owner = engine_of(urls.migrate)
        operator = context(owner)
        check_not_rolled_back(operator)  # before anything appends: two logs of one key would be a fork
        yield Installation(
            settings,
            urls,
            operator,
            context(engine_of(urls.web, pool_size=_WEB_CONNECTIONS), CallerSeal(owner)),
            context(engine_of(urls.worker)),
            SearchContext(context(engine_of(urls.review)), search_key, settings.searches_per_day),
        )


def _address_key(keys: PartyKeys) -> bytes:
    """One for all processes that hold the council's keys; one of its own for a process that holds none."""
    try:
        return address_key(keys.agree(keys.identity.exchange))
    except ConfigurationError:
        return secrets.token_bytes(32)


def require_provider(settings: Settings) -> None:
    """Raise ConfigurationError when others can reach the gateway and no identity provider signs people in."""
    if settings.reached_by_others and settings.oidc is None:
        raise ConfigurationError(
            "the gateway can be reached from other machines, and no identity provider is configured",
            place="FLAGSTONE_OIDC",
            way_out="Name the provider's file (docs/sign-in.md), or listen on 127.0.0.1",
        )


def identity_provider(settings: Settings) -> Provider | None:
    """The configured identity provider, not asked yet.

    Raises:
        ConfigurationError: its file is malformed, a secret is missing, or the client key can't be used.
    """
    if settings.oidc is None:
        return None
    config = load_config(settings.oidc, settings.oidc_client_secret)
    return Provider(config, f"{settings.origin}/signin/callback", now)


def destroy_embedded(home: Path) -> None:
    """Stop the embedded database of a home and delete all it holds. For demos and tests."""
    EmbeddedPostgres(home / "postgres").destroy()


def upgrade_database(settings: Settings) -> None:
    """Bring the schema up to date.

    Raises:
        ConfigurationError: a role is missing.
        StoreUnavailableError: the database can't be reached.
    """
    with database_urls(settings) as urls:
        upgrade(urls.migrate)


@contextlib.contextmanager
def serving(settings: Settings, decorate: Callable[[Context], Context] = as_wired) -> Iterator[FastAPI]:
    """The gateway's application, with its workflows running while the block lasts. `decorate` as in `opened`.

    Raises:
        ConflictError: another process serves this home.
        ConfigurationError: others can reach it, and there is no identity provider.
    """
    require_provider(settings)
    configure_logging(sys.stderr)
    telemetry = Telemetry(sys.stderr)
    provider = identity_provider(settings)
    with opened(settings, decorate) as installation, only_one(settings.home) as executor:
        upgrade(installation.urls.migrate)
        require_their_provider(installation.operator)
        announce(installation.operator)
        announce_keys(installation.operator)
        sweep_keys(settings, installation.operator)
        workflows = Workflows(
            installation.worker,
            url=installation.urls.worker,
            schema=DBOS_SCHEMA,
            executor=executor,
            moved=telemetry.moved,
            limits=Limits(WorkingHours.read(settings.working_hours)),
        )
        workflows.launch()
        try:
            yield create_app(
                installation.web,
                review=installation.review,
                on_submitted=workflows.submitted,
                on_answered=workflows.answered,
                max_upload=settings.max_upload_mib * MEBIBYTE,
                observer=telemetry,
                behind_tls=settings.behind_tls,
                public_url=settings.origin or None,
                max_concurrent=settings.max_concurrent,
                browser=_browser(settings),
                provider=provider,
            )
        finally:
            workflows.stop()


@contextlib.contextmanager
def searching(settings: Settings) -> Iterator[FastAPI]:
    """The reviewers' routes alone, without workflows: for a Unix user of its own, which has the search key.

    Its home needs `keys/` without the `*.key` files, `log-key/`, `search-key/`, `cosigned/`, and of
    `exchange-keys/` the `*.tags`.
    """
    require_provider(settings)
    configure_logging(sys.stderr)
    if not (settings.home / "cosigned").is_dir():
        # it appends to the log: without what witnesses cosigned it could go on from a restored backup
        raise ConfigurationError(
            "there is no cosigned/ folder",
            place="FLAGSTONE_HOME",
            way_out="Keep a copy of the gateway's there, in step like exchange-keys/*.tags",
        )
    identity_provider(settings)  # a file that can't be read demands no second factor of anybody
    with opened(settings, load_keys=_identity_alone) as installation:
        require_their_provider(installation.operator)
        yield create_review_app(
            installation.web,
            review=installation.review,
            observer=Telemetry(sys.stderr),
            behind_tls=settings.behind_tls,
            max_concurrent=settings.max_concurrent,
            public_url=settings.origin or None,
            browser=_browser(settings),
        )


def _browser(settings: Settings) -> Browser:
    return Browser(settings.origin, settings.tls_certificate is not None)


def _identity_alone(folder: Path, places: Places) -> FileIdentity:
    del places  # it needs no private key
    return FileIdentity.load(folder)


@contextlib.contextmanager
def database_urls(settings: Settings) -> Iterator[Urls]:
    """The database of these settings, for each role; the embedded one runs while the block lasts."""
    _create_home(settings.home)
    given = (
        settings.database_url_migrate,
        settings.database_url,
        settings.database_url_worker,
        settings.database_url_review,
    )
    if settings.database_url is None:
        with EmbeddedPostgres(settings.home / "postgres") as urls:
            yield urls
    else:
        yield Urls(*(url.get_secret_value() for url in given if url))


def _create_home(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_mode & 0o077:
        raise ConfigurationError("open to other users", place="FLAGSTONE_HOME", way_out="chmod 700 it")


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[str]:
    """The executor id of this home, held by one process at a time.

    DBOS recovers the work of its own executor id: two processes under one id would take a live step twice.
    """
    path = home / "executor"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                "another gateway process serves this home", place="FLAGSTONE_HOME", way_out="Stop it first"
            ) from None
        file.seek(0)
        executor = file.read().strip()
        if not executor:
            executor = str(uuid.uuid4())
            file.write(executor)
            file.flush()
        yield executor
