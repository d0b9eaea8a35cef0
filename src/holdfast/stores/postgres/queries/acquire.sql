-- Become the owner. In a copy of the database on another server transaction ids begin low again;
-- the shift makes up for it, so that positions go on rising.
WITH before AS (SELECT clean FROM holdfast.owner FOR UPDATE)
UPDATE holdfast.owner AS o
SET
    epoch = o.epoch + 1,
    clean = false,
    shift = greatest(
        o.shift,
        (SELECT (coalesce(max(position), 0) >> 13) + 1 FROM holdfast.attempts)
        - pg_current_xact_id()::text::bigint
    )
FROM before
RETURNING o.epoch, before.clean
