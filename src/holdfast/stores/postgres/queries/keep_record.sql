-- Keep a record when its revision is the expected one (0: there is none).
WITH
updated AS (
    UPDATE holdfast.access_records
    SET revision = :revision::bigint, body = :body::json, until = :until::bigint
    WHERE kind = :kind::text AND key = :key::text AND revision = :revision::bigint - 1
    RETURNING 1 AS done
),
inserted AS (
    INSERT INTO holdfast.access_records (kind, key, revision, body, until)
    SELECT :kind::text, :key::text, 1, :body::json, :until::bigint
    WHERE :revision::bigint = 1
    ON CONFLICT DO NOTHING
    RETURNING 1 AS done
)
SELECT done FROM updated UNION ALL SELECT done FROM inserted
