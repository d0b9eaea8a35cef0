-- Forget records whose time is over.
DELETE FROM holdfast.access_records
WHERE (kind, key) IN (
    SELECT kind, key
    FROM holdfast.access_records
    WHERE until <= :now::bigint AND until < 9007199254740991
    LIMIT :limit::bigint
)
