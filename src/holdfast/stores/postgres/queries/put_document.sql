-- Write a document when its version is the expected one (0: there is none).
WITH
updated AS (
    UPDATE holdfast.documents
    SET version = version + 1, body = :body::bytea, written_at = :now::bigint
    WHERE name = :name::text AND version = :expected::bigint
    RETURNING version
),
inserted AS (
    INSERT INTO holdfast.documents (name, version, body, written_at)
    SELECT :name::text, 1, :body::bytea, :now::bigint
    WHERE :expected::bigint = 0
    ON CONFLICT DO NOTHING
    RETURNING version
)
SELECT version FROM updated UNION ALL SELECT version FROM inserted
