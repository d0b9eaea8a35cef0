-- An event that exists already: [delivery id, stale].
SELECT json_array(delivery_id, coalesce(body ->> 'stale', 0), outcome = 'success')
FROM attempts
WHERE event_id = :event_id
