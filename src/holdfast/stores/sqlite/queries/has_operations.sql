-- Whether the schema, which may be of an older version, knows operations.
SELECT count(*) FROM sqlite_schema WHERE name = 'operations'
