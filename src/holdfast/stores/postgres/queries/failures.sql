-- How often tries of these groups failed, and what became of deliveries that had failed so, by time:
-- [group, step of time, failures, recovered, lost].
SELECT
    coalesce(json_agg(json_build_array(group_id, place, failures, recovered, lost)), '[]')::text
FROM (
    SELECT
        group_id, (bucket - :first::bigint) / :width::bigint AS place,
        sum(failures)::bigint AS failures, sum(recovered)::bigint AS recovered,
        sum(lost)::bigint AS lost
    FROM holdfast.failure_buckets
    WHERE group_id = ANY(:ids::text[]) AND bucket >= :first::bigint
    GROUP BY 1, 2
) AS found
