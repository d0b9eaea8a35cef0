-- Revision of an operation.
SELECT revision FROM operations WHERE id = :id
