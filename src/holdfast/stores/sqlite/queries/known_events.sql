-- Which of these events exist: [event id, delivery id, stale, success].
SELECT json_group_array(
    json_array(event_id, delivery_id, coalesce(body ->> 'stale', 0), outcome = 'success')
)
FROM attempts
WHERE event_id IN (SELECT value FROM json_each(:ids))
