"""The first tables. There is no way down: going back means restoring a backup, and a log is never dropped."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_CIPHERTEXTS = {"vault": "sealed", "mailbox": "bundle"}
_LOG = ("log_leaves", "log_nodes", "log_checkpoints")


def upgrade() -> None:
    _parties()
    _exchanges()
    _sealed()
    _log()
    _append_only()


def _parties() -> None:
    op.create_table(
        "partners",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("signing", sa.LargeBinary(), nullable=False),
        sa.Column("exchange", sa.LargeBinary(), nullable=False),
        sa.Column("auth", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("octet_length(auth) = 32", name=op.f("ck_partners_auth_size")),
        sa.CheckConstraint("octet_length(exchange) = 32", name=op.f("ck_partners_exchange_size")),
        sa.CheckConstraint("octet_length(signing) = 32", name=op.f("ck_partners_signing_size")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_partners")),
        schema="flagstone",
    )
    op.create_table(
        "agreements",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("council_jws", sa.Text(), nullable=False),
        sa.Column("partner_jws", sa.Text(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(partner_jws IS NULL) = (signed_at IS NULL)", name=op.f("ck_agreements_signed_whole")
        ),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["flagstone.partners.slug"],
            name=op.f("fk_agreements_partner"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_agreements")),
        schema="flagstone",
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('programme', 'reviewer', 'operator')", name=op.f("ck_users_role")),
        sa.CheckConstraint("octet_length(token_hash) = 32", name=op.f("ck_users_token_hash_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_users_token_hash")),
        schema="flagstone",
    )
    op.create_index(
        "uq_users_name_in_force",
        "users",
        ["name"],
        unique=True,
        schema="flagstone",
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "prekeys",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("exchange", sa.Uuid(), nullable=True),
        sa.Column("arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("octet_length(public) = 32", name=op.f("ck_prekeys_public_size")),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["flagstone.partners.slug"],
            name=op.f("fk_prekeys_partner"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("partner", "id", name=op.f("pk_prekeys")),
        schema="flagstone",
    )
    op.create_index(
        "ix_prekeys_free",
        "prekeys",
        ["partner", "arrival"],
        unique=False,
        schema="flagstone",
        postgresql_where=sa.text("exchange IS NULL"),
    )


def _exchanges() -> None:
    op.create_table(
        "exchanges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("agreement", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("framework", sa.Text(), nullable=False),
        sa.Column("granularity", sa.Text(), nullable=False),
        sa.Column("indicators", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("prekey", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("households", sa.Integer(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "granularity IN ('household-any', 'household-indicators', 'person-indicators')",
            name=op.f("ck_exchanges_granularity"),
        ),
        sa.CheckConstraint(
            "status IN ('prepared', 'authorised', 'sent', 'delivered', 'released', 'declined', 'cancelled', 'expired', 'failed')",
            name=op.f("ck_exchanges_status"),
        ),
        sa.CheckConstraint("households >= 0", name=op.f("ck_exchanges_households")),
        sa.CheckConstraint(
            "octet_length(request_digest) = 32", name=op.f("ck_exchanges_request_digest_size")
        ),
        sa.CheckConstraint("slots >= 0", name=op.f("ck_exchanges_slots")),
        sa.ForeignKeyConstraint(
            ["agreement"],
            ["flagstone.agreements.number"],
            name=op.f("fk_exchanges_agreement"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["flagstone.partners.slug"],
            name=op.f("fk_exchanges_partner"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchanges")),
        schema="flagstone",
    )
    op.create_index(
        "ix_exchanges_submitted_by",
        "exchanges",
        ["submitted_by", "submitted_at"],
        unique=False,
        schema="flagstone",
    )
    op.create_index(
        "ix_exchanges_unfinished",
        "exchanges",
        ["submitted_at"],
        unique=False,
        schema="flagstone",
        postgresql_where=sa.text("status NOT IN ('cancelled', 'declined', 'expired', 'failed', 'released')"),
    )
    op.create_table(
        "submissions",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("exchange", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key_hash", name=op.f("pk_submissions")),
        schema="flagstone",
    )
    op.create_index(
        "ix_submissions_request", "submissions", ["user_id", "request_digest"], schema="flagstone"
    )
    op.create_table(
        "replays",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_replays")),
        schema="flagstone",
    )
    op.create_index("ix_replays_until", "replays", ["until"], unique=False, schema="flagstone")


def _sealed() -> None:
    op.create_table(
        "vault",
        sa.Column("exchange", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exchange"],
            ["flagstone.exchanges.id"],
            name=op.f("fk_vault_exchange"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("exchange", "kind", name=op.f("pk_vault")),
        schema="flagstone",
    )
    op.create_table(
        "mailbox",
        sa.Column("exchange", sa.Uuid(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("bundle", sa.LargeBinary(), nullable=False),
        sa.Column("arrival", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["exchange"],
            ["flagstone.exchanges.id"],
            name=op.f("fk_mailbox_exchange"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("exchange", name=op.f("pk_mailbox")),
        schema="flagstone",
    )
    op.create_index("ix_mailbox_partner", "mailbox", ["partner", "arrival"], unique=False, schema="flagstone")
    for table, column in _CIPHERTEXTS.items():
        # ciphertext does not compress: don't try
        op.execute(f"ALTER TABLE flagstone.{table} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def _log() -> None:
    op.create_table(
        "log_leaves",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_log_leaves")),
        schema="flagstone",
    )
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_log_nodes_hash_size")),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_log_nodes")),
        schema="flagstone",
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_checkpoints")),
        schema="flagstone",
    )


def _append_only() -> None:
    """Privileges keep the other roles from it; this stops a slip of the owner's. Malice is for the verifier."""
    op.execute(
        """
        CREATE FUNCTION flagstone.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    for table in _LOG:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON flagstone.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION flagstone.refuse_change()"
        )
