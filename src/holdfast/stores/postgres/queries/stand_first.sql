-- The same for the first versions, which had one number.
UPDATE holdfast.version SET version = :version::integer
