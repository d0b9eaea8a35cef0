-- Say goodbye.
UPDATE holdfast.owner SET clean = true WHERE epoch = :epoch::bigint RETURNING 1
