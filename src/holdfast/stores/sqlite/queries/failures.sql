-- How often tries of these groups failed, and what became of deliveries that had failed so, by time:
-- [group, step of time, failures, recovered, lost].
SELECT json_group_array(json_array(group_id, place, failures, recovered, lost))
FROM (
    SELECT
        group_id, (bucket - :first) / :width AS place, sum(failures) AS failures,
        sum(recovered) AS recovered, sum(lost) AS lost
    FROM failure_buckets
    WHERE group_id IN (SELECT value FROM json_each(:ids)) AND bucket >= :first
    GROUP BY group_id, place
)
