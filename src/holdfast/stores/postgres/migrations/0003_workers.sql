-- One row per worker: one life of a process. Its key fences: a commit holds it with FOR KEY SHARE,
-- so that whoever deletes the row waits for commits under way, and renewals never do.
CREATE TABLE holdfast.workers (
    epoch bigint PRIMARY KEY,
    name text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    version text NOT NULL,
    slots integer NOT NULL CHECK (slots > 0),
    lease_ms bigint NOT NULL CHECK (lease_ms > 0),
    in_flight integer NOT NULL DEFAULT 0,
    leaving boolean NOT NULL DEFAULT false,
    started_at bigint NOT NULL,
    lease_until bigint NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- A lane is free when it has no owner. `clean`: its last owner gave it away; else `stamp` says when
-- it was taken from it. `offered`: another worker should have it although nothing may wait.
ALTER TABLE holdfast.lanes
ADD COLUMN owner bigint,
ADD COLUMN clean boolean NOT NULL DEFAULT true,
ADD COLUMN stamp bigint NOT NULL DEFAULT 0,
ADD COLUMN offered boolean NOT NULL DEFAULT false;

CREATE INDEX lanes_owner ON holdfast.lanes (owner) WHERE owner IS NOT NULL;

-- Store time: every persisted instant is compared with this clock alone.
CREATE FUNCTION holdfast.store_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- Before workers one process owned everything: where it did not say goodbye, all that waits may
-- have been sent.
INSERT INTO holdfast.lanes (recipient, body)
SELECT c.recipient, json_build_object('recipient', c.recipient)
FROM holdfast.counters AS c
WHERE c.pending > 0 AND NOT (SELECT clean FROM holdfast.owner)
ON CONFLICT DO NOTHING;

UPDATE holdfast.lanes
SET clean = false, stamp = holdfast.store_now()
WHERE NOT (SELECT clean FROM holdfast.owner);

-- What the old version sees when it is still running.
UPDATE holdfast.owner SET epoch = epoch + 1 WHERE epoch > 0;

ALTER TABLE holdfast.owner DROP COLUMN clean;
