-- A restored store: its last workers did not say goodbye and are none any more, so that all that
-- waits may have been sent; positions leave out those that the lost store may have given after the
-- backup.
WITH
lost AS (
    INSERT INTO holdfast.lanes (recipient, body, clean, stamp)
    SELECT
        known.recipient, json_build_object('recipient', known.recipient), false,
        holdfast.store_now()
    FROM (
        SELECT recipient FROM holdfast.counters UNION SELECT recipient FROM holdfast.lanes
    ) AS known
    ON CONFLICT (recipient) DO UPDATE
    SET owner = NULL, clean = false, stamp = excluded.stamp, offered = false
)
UPDATE holdfast.owner
SET
    epoch = :epoch::bigint,
    shift = greatest(0, :after::bigint - pg_current_xact_id()::text::bigint)
RETURNING 1
