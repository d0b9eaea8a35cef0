-- Forget records whose time is over.
DELETE FROM access_records
WHERE (kind, key) IN (
    SELECT kind, key FROM access_records
    WHERE until <= :now AND until < 9007199254740991
    LIMIT :limit
)
