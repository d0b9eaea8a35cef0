-- Say goodbye.
UPDATE owner SET clean = 1 WHERE epoch = :epoch
