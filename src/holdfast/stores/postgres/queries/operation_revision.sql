-- Revision of an operation, 0: there is none.
SELECT coalesce((SELECT revision FROM holdfast.operations WHERE id = :id::text), 0)
