-- How often tries of these groups failed, by time: [group, step of time, failures].
SELECT coalesce(json_agg(json_build_array(group_id, place, failures)), '[]')::text
FROM (
    SELECT
        group_id, (bucket - :first::bigint) / :width::bigint AS place,
        sum(failures)::bigint AS failures
    FROM holdfast.failure_buckets
    WHERE group_id = ANY(:ids::text[]) AND bucket >= :first::bigint
    GROUP BY 1, 2
) AS found
