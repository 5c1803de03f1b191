"""Who a transaction of the web role is done for: the key of the seals, and the function that row policies ask.
Counts of uses for the rates: unlogged, since losing a minute's counts in a crash costs nothing, and writing
them to disk before each answer would.

`caller()` runs as its owner, to read the key that the web role may not read; it gives back what a good seal
says and nothing else. No setting, no key or a bad seal: NULL, and no row. Both sides are hashed again before
they are compared, so that how long the comparison takes says nothing of the seal. STABLE: once a statement.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "caller_key",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("inner_pad", sa.LargeBinary(), nullable=False),
        sa.Column("outer_pad", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_caller_key_one")),
        sa.CheckConstraint("octet_length(inner_pad) = 64", name=op.f("ck_caller_key_inner_pad_size")),
        sa.CheckConstraint("octet_length(outer_pad) = 64", name=op.f("ck_caller_key_outer_pad_size")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_caller_key")),
        schema="flagstone",
    )
    op.create_table(
        "uses",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("window", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_uses_used")),
        sa.PrimaryKeyConstraint("bucket", "window", name=op.f("pk_uses")),
        schema="flagstone",
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_exchanges_agreement", "exchanges", ["agreement", "submitted_at"], schema="flagstone")
    op.execute(
        """
        CREATE FUNCTION flagstone.caller() RETURNS text[]
        LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            told text := current_setting('flagstone.caller', true);
            tags text := substr(told, 66);
            key flagstone.caller_key;
            seal bytea;
        BEGIN
            IF coalesce(told, '') = '' THEN
                RETURN NULL;
            END IF;
            SELECT * INTO key FROM flagstone.caller_key;
            seal := sha256(key.outer_pad || sha256(
                key.inner_pad || convert_to(pg_backend_pid() || ' ' || tags, 'UTF8')
            ));
            IF sha256(convert_to(encode(seal, 'hex') || ' ', 'UTF8'))
                = sha256(convert_to(left(told, 65), 'UTF8')) THEN
                RETURN string_to_array(tags, ' ');
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute("REVOKE ALL ON FUNCTION flagstone.caller() FROM PUBLIC")
