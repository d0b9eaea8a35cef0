-- Audit lines, newest first; of one subject.
SELECT json_group_array(
    json_array(at, actor, action, subject, reason, detail) ORDER BY place DESC
)
FROM (
    SELECT * FROM notes
    WHERE subject = :subject
    ORDER BY place DESC
    LIMIT :limit
)
