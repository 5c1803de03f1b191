"""An append to the log in one call: the lock, the look at where the log is, and the rows.

Both functions run with the caller's privileges (SECURITY INVOKER, the default): they give nobody any.
They are VOLATILE, the default: each statement sees what was committed before it began, so what follows the
lock sees what the writer before has done. `subtrees` are the hashes of the complete subtrees, `hashes` those
of the nodes that the leaves complete, by level and index: 32 bytes each, one after the other. Without
`enable_seqscan = off` a plan made while the log was small would go on reading all of it when it is large.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION flagstone.log_head(OUT size bigint, OUT subtrees bytea, OUT checkpoint bytea)
        LANGUAGE plpgsql SET enable_seqscan = off AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(7380380986182166273);
            size := coalesce((SELECT max(l.index) + 1 FROM flagstone.log_leaves l), 0);
            subtrees := (
                SELECT string_agg((SELECT n.hash FROM flagstone.log_nodes n
                                   WHERE n.level = bit AND n.index = (log_head.size >> bit) - 1),
                                  '' ORDER BY bit DESC)
                FROM generate_series(0, 62) bit WHERE (log_head.size >> bit) & 1 = 1
            );
            checkpoint := (SELECT c.note FROM flagstone.log_checkpoints c ORDER BY c.size DESC LIMIT 1);
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION flagstone.log_append(
            after_size bigint, after_subtrees bytea, after_checkpoint bytea,
            leaves bytea[], hashes bytea, note bytea
        ) RETURNS TABLE (size bigint, subtrees bytea, checkpoint bytea)
        LANGUAGE plpgsql AS $$
        DECLARE
            new_size bigint := after_size + cardinality(leaves);
        BEGIN
            SELECT * INTO size, subtrees, checkpoint FROM flagstone.log_head();
            IF (size, subtrees, checkpoint)
                IS DISTINCT FROM (after_size, after_subtrees, after_checkpoint) THEN
                RETURN NEXT;
                RETURN;
            END IF;
            INSERT INTO flagstone.log_leaves
                SELECT after_size + place - 1, leaf FROM unnest(leaves) WITH ORDINALITY AS added (leaf, place);
            INSERT INTO flagstone.log_nodes
                SELECT level, index,
                       substring(hashes FROM 32 * (row_number() OVER (ORDER BY level, index))::int - 31 FOR 32)
                FROM generate_series(0, 62) level,
                     generate_series(after_size >> level, (new_size >> level) - 1) index
                WHERE new_size >> level > after_size >> level;
            INSERT INTO flagstone.log_checkpoints VALUES (new_size, note);
        END $$
        """
    )
