"""The tables, in schema `flagstone`. DBOS keeps its own in schema `dbos` of the same database.

No name, date of birth, address or identifier of a person of a household list has a column here; sealed bytes
and public documents only. The one name is that of a user, in `users`, which no other table copies.
"""

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    TableClause,
    Text,
    UniqueConstraint,
    Uuid,
    column,
    text,
)

from gateway.domain.alerts import Caller, Denied, Rule
from gateway.domain.exchange import ENDED, Granularity, Role, Status
from gateway.domain.retention import HoldReason, RetentionClock

SCHEMA: Final = "flagstone"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    },
)


def _bytes(name: str, size: int, *, nullable: bool = False) -> tuple[Column[bytes], CheckConstraint]:
    """A column of exactly `size` bytes: a digest or a public key."""
    return (
        Column(name, LargeBinary, nullable=nullable),
        CheckConstraint(f"octet_length({name}) = {size}", name=f"{name}_size"),
    )


def _one_of(name: str, values: type[StrEnum]) -> tuple[Column[str], CheckConstraint]:
    allowed = ", ".join(f"'{value}'" for value in values)
    return Column(name, Text, nullable=False), CheckConstraint(f"{name} IN ({allowed})", name=name)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> tuple[Column[int], CheckConstraint]:
    return Column(name, Integer, nullable=False), CheckConstraint(f"{name} >= 0", name=name)


def _order() -> Column[int]:
    """The order of arrival; timestamps of two processes may tie or go back."""
    return Column("arrival", BigInteger, Identity(always=True), nullable=False)


def _exchange(*, primary_key: bool) -> Column[Any]:
    """Checked when the unit commits, so that the order of writes inside a unit is free."""
    key = ForeignKey("exchanges.id", deferrable=True, initially="DEFERRED")
    return Column("exchange", Uuid, key, primary_key=primary_key, nullable=False)


def _partner() -> Column[str]:
    key = ForeignKey("partners.slug", deferrable=True, initially="DEFERRED")
    return Column("partner", Text, key, nullable=False)


_ENDED: Final = ", ".join(f"'{status}'" for status in sorted(ENDED))
UNFINISHED: Final = text(f"status NOT IN ({_ENDED})")
"""Literal, since PostgreSQL uses a partial index only for a query that states its condition."""
RUNNING: Final = text("destroyed_at IS NULL AND due IS NOT NULL")
UNCERTIFIED: Final = text("destroyed_at IS NOT NULL AND certificate IS NULL")
UNTAKEN: Final = text("certificate IS NOT NULL AND NOT taken")


partners = Table(
    "partners",
    metadata,
    Column("slug", Text, primary_key=True),
    _text("name"),
    *_bytes("signing", 32),
    *_bytes("exchange", 32),
    *_bytes("auth", 32),
    _time("added_at"),
    _time("revoked_at", nullable=True),
)

agreements = Table(
    "agreements",
    metadata,
    Column("number", Text, primary_key=True),
    _partner(),
    _text("dataset"),
    _text("digest"),
    _text("council_jws"),
    Column("partner_jws", Text),
    _time("proposed_at"),
    _time("signed_at", nullable=True),
    _time("revoked_at", nullable=True),
    CheckConstraint("(partner_jws IS NULL) = (signed_at IS NULL)", name="signed_whole"),
)

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    _text("name"),
    *_one_of("role", Role),
    *_bytes("token_hash", 32, nullable=True),
    _time("created_at"),
    _time("revoked_at", nullable=True),
    Column("partner", Text, ForeignKey("partners.slug")),
    *_bytes("account", 32, nullable=True),
    UniqueConstraint("token_hash"),
    UniqueConstraint("account"),
    CheckConstraint("(role = 'custodian') = (partner IS NOT NULL)", name="custodians_of_partners"),
    Index("uq_users_name_in_force", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
)

prekeys = Table(
    "prekeys",
    metadata,
    _partner(),
    _text("id"),
    *_bytes("public", 32),
    _text("jws"),
    _time("expires_at"),
    Column("exchange", Uuid),  # who claimed it; no foreign key, since the claim comes before the exchange
    _order(),
    PrimaryKeyConstraint("partner", "id"),  # by partner: nobody can use up another's ids
    Index("ix_prekeys_free", "partner", "arrival", postgresql_where=text("exchange IS NULL")),
)

exchanges = Table(
    "exchanges",
    metadata,
    Column("id", Uuid, primary_key=True),
    _partner(),
    Column(
        "agreement",
        Text,
        ForeignKey("agreements.number", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    _text("dataset"),
    _text("purpose"),
    _text("framework"),
    *_one_of("granularity", Granularity),
    Column("indicators", ARRAY(Text), nullable=False),
    Column("submitted_by", Uuid, nullable=False),
    _time("submitted_at"),
    _time("expires_at"),
    *_one_of("status", Status),
    _text("prekey"),
    *_bytes("request_digest", 32),
    *_number("households"),
    *_number("slots"),
    Index("ix_exchanges_dataset", "partner", "dataset", "submitted_at"),
    Index("ix_exchanges_submitted_by", "submitted_by", "submitted_at"),
    Index("ix_exchanges_agreement", "agreement", "submitted_at"),
    Index("ix_exchanges_unfinished", "submitted_at", postgresql_where=UNFINISHED),
)

vault = Table(
    "vault",
    metadata,
    _exchange(primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

mailbox = Table(
    "mailbox",
    metadata,
    _exchange(primary_key=True),
    _text("partner"),
    Column("bundle", LargeBinary, nullable=False),
    _order(),
    Index("ix_mailbox_partner", "partner", "arrival"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("key_hash", LargeBinary, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("exchange", Uuid),  # empty where the answer was a refusal
    Column("outcome", LargeBinary, nullable=False),
    Index("ix_submissions_request", "user_id", "request_digest"),
    Index("ix_submissions_exchange", "exchange"),
)

retentions = Table(
    "retentions",
    metadata,
    _exchange(primary_key=False),
    *_one_of("clock", RetentionClock),
    *_number("days"),
    Column("due", Date),
    _time("destroyed_at", nullable=True),
    Column("entry", BigInteger),
    Column("certificate", Text),
    Column("taken", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("exchange", "clock"),
    CheckConstraint("(destroyed_at IS NULL) = (entry IS NULL)", name="destroyed_whole"),
    CheckConstraint("certificate IS NULL OR destroyed_at IS NOT NULL", name="certified_after"),
    Index("ix_retentions_due", "due", postgresql_where=RUNNING),
    Index("ix_retentions_uncertified", "exchange", postgresql_where=UNCERTIFIED),
    Index("ix_retentions_untaken", "exchange", postgresql_where=UNTAKEN),
)

holds = Table(
    "holds",
    metadata,
    _exchange(primary_key=True),
    Column("until", Date, nullable=False),
    *_one_of("reason", HoldReason),
    Index("ix_holds_until", "until"),
)

replays = Table(
    "replays",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    _time("until"),
    Index("ix_replays_until", "until"),
)

policy_sets = Table(
    "policy_sets",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("document", LargeBinary, nullable=False),  # RFC 8785 JSON of the whole set: law, no person
    _time("kept_at"),
)

witnesses = Table(
    "witnesses",
    metadata,
    Column(
        "partner",
        Text,
        ForeignKey("partners.slug", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    _text("vkey"),
    _text("jws"),
    _time("announced_at"),
    UniqueConstraint("vkey"),
)

witness_alarms = Table(
    "witness_alarms",
    metadata,
    Column("digest", Text, primary_key=True),
    _partner(),
    _text("jws"),
    _time("at"),
)

cosigned = Table(
    "cosigned",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("partner", Text, primary_key=True),
    Column("note", LargeBinary, nullable=False),
    _time("at"),
    Index("ix_cosigned_partner", "origin", "partner", "size"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _exchange(primary_key=True),
    _text("origin"),
    Column("size", BigInteger, nullable=False),  # of the first checkpoint that covers the delivery's entry
)

successions = Table(
    "successions",
    metadata,
    Column(
        "partner",
        Text,
        ForeignKey("partners.slug", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    _text("document"),  # the signed succession: public keys alone
    _text("fingerprint"),
    _time("received_at"),
    _time("confirmed_at", nullable=True),
)

keys_taken = Table(
    "keys_taken",
    metadata,
    Column(
        "partner",
        Text,
        ForeignKey("partners.slug", deferrable=True, initially="DEFERRED"),
        primary_key=True,
    ),
    Column("council", Text, primary_key=True),
    _text("jws"),
    _time("at"),
    _order(),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    *_one_of("caller", Caller),
    *_one_of("reason", Denied),
    _time("minute"),
    *_number("failed"),
    PrimaryKeyConstraint("minute", "caller", "reason"),
)

marks = Table("marks", metadata, Column("name", Text, primary_key=True), _text("text"))

alerts = Table(
    "alerts",
    metadata,
    Column("id", Uuid, primary_key=True),
    *_one_of("rule", Rule),
    _text("about"),
    Column("day", Date, nullable=False),
    _time("at"),
    _text("detail"),  # JSON of ids, codes and counts
    _time("raised_at", nullable=True),
    Column("entry", Uuid),
    Column("salt", LargeBinary, nullable=False),
    _time("looked_at", nullable=True),
    Column("looked_by", Uuid),
    _time("closed_at", nullable=True),
    Column("closed_by", Uuid),
    Column("reason", Text),
    _order(),
    UniqueConstraint("rule", "about", "day"),
    Index("ix_alerts_open", "arrival", postgresql_where=text("closed_at IS NULL")),
)

caller_key = Table(
    "caller_key",
    metadata,
    Column("one", Boolean, CheckConstraint("one", name="one"), primary_key=True),
    *_bytes("inner_pad", 64),
    *_bytes("outer_pad", 64),
)
"""One row: the key of `gateway.db.callers`, as its hash function takes it. No application role reads it."""

uses = Table(
    "uses",
    metadata,
    Column("bucket", Text, primary_key=True),
    Column("window", DateTime(timezone=True), primary_key=True),
    *_number("used"),
    prefixes=["UNLOGGED"],
)

subject_tags = TableClause(
    "subject_tags", column("exchange", Uuid), column("sealed", LargeBinary), schema=SCHEMA
)
"""A view: the search tags in the vault, which the role `review` may read and nothing else there."""
