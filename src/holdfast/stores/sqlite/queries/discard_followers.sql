-- The predecessor did not succeed: these will not be sent.
UPDATE deliveries
SET
    status = 'discarded', revision = revision + 1, hold_gate = NULL, code = 'PREDECESSOR',
    updated_at = :now, ended_at = :now
WHERE place IN (SELECT value FROM json_each(:places))
