-- Which migrations are applied, and which of their second halves.
UPDATE holdfast.version SET version = :version::integer, cleaned = :cleaned::integer
