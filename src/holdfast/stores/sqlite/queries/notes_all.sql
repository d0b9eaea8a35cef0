-- Audit lines, newest first.
SELECT json_group_array(
    json_array(at, actor, action, subject, reason, detail) ORDER BY place DESC
)
FROM (SELECT * FROM notes ORDER BY place DESC LIMIT :limit)
