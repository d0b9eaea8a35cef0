-- How often tries of these groups failed, by time: [group, step of time, failures].
SELECT json_group_array(json_array(group_id, place, failures))
FROM (
    SELECT group_id, (bucket - :first) / :width AS place, sum(failures) AS failures
    FROM failure_buckets
    WHERE group_id IN (SELECT value FROM json_each(:ids)) AND bucket >= :first
    GROUP BY group_id, place
)
