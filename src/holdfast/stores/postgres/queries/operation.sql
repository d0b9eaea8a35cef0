-- One operation.
SELECT body::text FROM holdfast.operations WHERE id = :id::text
