-- A send of which the recipient may have taken the payload ended after the delivery had changed:
-- the change stays, and that is not forgotten.
UPDATE deliveries
SET in_doubt = 1, revision = revision + 1, updated_at = :now
WHERE place = :place
