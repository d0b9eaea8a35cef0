-- Become a worker. In a copy of the database on another server transaction ids begin low again; the
-- shift makes up for it, so that positions go on rising.
WITH
raised AS (
    UPDATE holdfast.owner AS o
    SET
        epoch = o.epoch + 1,
        shift = greatest(
            o.shift,
            (SELECT (coalesce(max(position), 0) >> 13) + 1 FROM holdfast.attempts)
            - pg_current_xact_id()::text::bigint
        )
    RETURNING o.epoch
)
INSERT INTO holdfast.workers (
    epoch, name, host, pid, version, configuration, slots, lease_ms, started_at, lease_until
)
SELECT
    raised.epoch, :name::text, :host::text, :pid::bigint, :version::text,
    :configuration::integer, :slots::integer, :lease_ms::bigint, holdfast.store_now(),
    holdfast.store_now() + :lease_ms::bigint
FROM raised
RETURNING epoch, started_at
