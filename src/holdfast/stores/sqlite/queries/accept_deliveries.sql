-- Write new deliveries, in the field order of `Delivery`.
INSERT INTO deliveries (
    id, message_id, account, flow, step, recipient, priority, predecessor, followed, expires_at,
    created_at, value, parent, status, due_at, revision, generation, attempt, counted, attempts,
    active_ms, last_delay_ms, first_attempt_at, in_doubt, crashes, hold_gate, code, failure_class,
    http_status, reason, original_event_id, endpoint, policy, fingerprint, assignee, cause,
    updated_at, ended_at
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL
