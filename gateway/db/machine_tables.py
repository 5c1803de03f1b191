"""Tables of partners' machines, in the schema of `gateway.db.tables`."""

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Integer, LargeBinary, Table, Text

from gateway.db.tables import metadata

tls_certificates = Table(
    "tls_certificates",
    metadata,
    Column(
        "partner",
        Text,
        ForeignKey("partners.slug", deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    Column("thumbprint", LargeBinary, primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("announced_at", DateTime(timezone=True), nullable=False),
    Index("ix_tls_certificates_partner", "partner"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("partner", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("failed", Integer, nullable=False),
    Column("document", Text),
    CheckConstraint("octet_length(key) = 32", name="key_size"),
    CheckConstraint("failed >= 0", name="failed"),
)
"""Open enrolments: `key` is made slowly from a code that is kept nowhere; `document` holds public keys."""
