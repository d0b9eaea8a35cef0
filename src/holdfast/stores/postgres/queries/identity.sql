-- Whether the database has a schema of our name, and whether it is ours.
SELECT
    to_regnamespace('holdfast') IS NOT NULL
    AND EXISTS (
        SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('holdfast')
    ) AS named,
    to_regclass('holdfast.version') IS NOT NULL
    AND to_regclass('holdfast.owner') IS NOT NULL AS ours
