-- The counters.
SELECT
    coalesce(
        json_agg(
            json_build_array(
                recipient, created, pending, delivered, dead, discarded, pruned, high, normal, low
            )
            ORDER BY recipient
        ),
        '[]'
    )::text
FROM holdfast.counters
