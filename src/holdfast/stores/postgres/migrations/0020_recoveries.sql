-- What became of deliveries that failed as a group does: tried again and delivered, or dead. A row
-- may say that where nothing failed in its ten minutes.
ALTER TABLE holdfast.failure_buckets
    DROP CONSTRAINT failure_buckets_failures_check,
    ADD CONSTRAINT failure_buckets_failures_check CHECK (failures >= 0),
    ADD COLUMN recovered bigint NOT NULL DEFAULT 0 CHECK (recovered >= 0),
    ADD COLUMN lost bigint NOT NULL DEFAULT 0 CHECK (lost >= 0);
