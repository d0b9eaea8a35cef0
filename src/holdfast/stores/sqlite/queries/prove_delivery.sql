-- A success came for a delivery that had changed meanwhile: it is delivered, whatever it was.
UPDATE deliveries
SET
    status = 'delivered',
    revision = revision + 1,
    in_doubt = 0,
    hold_gate = NULL,
    code = NULL,
    http_status = :http_status,
    updated_at = :now,
    ended_at = :now
WHERE place = :place
