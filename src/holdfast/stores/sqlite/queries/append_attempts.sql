-- Append retry events.
INSERT INTO attempts (
    event_id, delivery_id, recipient, retry_timestamp, outcome, failure_class, body, excerpt
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL
