-- What became of deliveries that failed as a group does: tried again and delivered, or dead. A row
-- may say that where nothing failed in its ten minutes.
ALTER TABLE failure_buckets RENAME TO failure_buckets_before;
CREATE TABLE failure_buckets (
    group_id TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    failures INTEGER NOT NULL CHECK (failures >= 0),
    recovered INTEGER NOT NULL DEFAULT 0 CHECK (recovered >= 0),
    lost INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0),
    PRIMARY KEY (group_id, bucket)
) STRICT, WITHOUT ROWID;
INSERT INTO failure_buckets (group_id, bucket, failures)
SELECT group_id, bucket, failures FROM failure_buckets_before;
DROP TABLE failure_buckets_before;
CREATE INDEX failure_buckets_bucket ON failure_buckets (bucket);
