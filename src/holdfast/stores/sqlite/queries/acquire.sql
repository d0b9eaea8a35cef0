-- Become the owner.
UPDATE owner SET epoch = epoch + 1, clean = 0
