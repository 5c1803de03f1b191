"""The tables of sessions, one-time links and proposals; a part of `gateway.db.tables`."""

from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    UniqueConstraint,
    Uuid,
)

from gateway.db.tables import _bytes, _one_of, _order, _text, _time, metadata
from gateway.domain.exchange import Role
from gateway.domain.proposals import Act, ActReason
from gateway.domain.sessions import Way


def _user() -> Column[Any]:
    return Column("user", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False)


sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    *_bytes("secret_hash", 32),
    _user(),
    *_one_of("role", Role),
    *_one_of("way", Way),
    Column("multi_factor", Boolean, nullable=False),
    _time("began_at"),
    _time("seen_at"),
    _time("ends_at"),
    *_bytes("provider_session", 32, nullable=True),
    UniqueConstraint("secret_hash"),
    Index("ix_sessions_user", "user"),
    Index("ix_sessions_provider_session", "provider_session"),
    Index("ix_sessions_ends_at", "ends_at"),
    Index("ix_sessions_seen_at", "seen_at"),
)

session_tokens = Table(
    "session_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("session", Uuid, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    _time("expires_at"),
    Index("ix_session_tokens_session", "session"),
)

links = Table(
    "links",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    _user(),
    *_one_of("way", Way),
    _time("expires_at"),
    _time("session_ends_at"),
)

proposals = Table(
    "proposals",
    metadata,
    Column("id", Uuid, primary_key=True),
    *_one_of("act", Act),
    _text("about"),
    *_one_of("reason", ActReason),
    Column("proposed_by", Uuid, nullable=False),
    _time("proposed_at"),
    _time("expires_at"),
    Column("decided_by", Uuid),
    _time("decided_at", nullable=True),
    Column("approved", Boolean),
    _time("used_at", nullable=True),
    _order(),
    CheckConstraint("decided_by <> proposed_by", name="two_people"),
    CheckConstraint("used_at IS NULL OR approved", name="used_when_approved"),
    Index("ix_proposals_about", "about"),
)
