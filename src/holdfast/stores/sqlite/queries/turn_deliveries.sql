-- Change deliveries that get another status (or are settled again). A redriven one gets a new life.
UPDATE deliveries
SET
    due_at = new.column2, revision = new.column3, generation = new.column4, attempt = new.column5,
    counted = new.column6, attempts = new.column7, active_ms = new.column8,
    last_delay_ms = new.column9, first_attempt_at = new.column10, in_doubt = new.column11,
    crashes = new.column12, hold_gate = new.column13, code = new.column14,
    failure_class = new.column15, http_status = new.column16, reason = new.column17,
    original_event_id = new.column18, endpoint = new.column19, policy = new.column20,
    fingerprint = new.column21, assignee = new.column22, cause = new.column23,
    updated_at = new.column24, status = new.column25, ended_at = new.column26,
    expires_at = new.column27
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS new
WHERE deliveries.place = new.column1
