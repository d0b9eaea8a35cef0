-- One operation.
SELECT body FROM operations WHERE id = :id
