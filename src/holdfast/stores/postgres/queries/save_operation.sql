-- Keep an operation, when it is still as it was looked at.
INSERT INTO holdfast.operations AS o (id, revision, active, body)
VALUES (:id::text, :revision::bigint, :active::boolean, :body::json)
ON CONFLICT (id) DO UPDATE
    SET revision = excluded.revision, active = excluded.active, body = excluded.body
    WHERE o.revision = :seen::bigint
RETURNING 1
