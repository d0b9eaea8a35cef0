-- Which of these events exist: [event id, delivery id, stale, success].
SELECT
    coalesce(
        json_agg(
            json_build_array(
                a.event_id, a.delivery_id, coalesce((a.body ->> 'stale')::boolean, false),
                a.outcome = 'success'
            )
        ),
        '[]'
    )::text
FROM unnest(:event_id::text[], :retry_timestamp::bigint[]) AS wanted (event_id, retry_timestamp)
JOIN holdfast.attempts AS a
    ON a.event_id = wanted.event_id AND a.retry_timestamp = wanted.retry_timestamp
