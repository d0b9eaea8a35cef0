-- A restored store: its last owner did not say goodbye, and is not the owner any more.
UPDATE owner SET epoch = epoch + :epochs, clean = 0
