-- Which of these messages exist.
SELECT json_group_array(id) FROM messages WHERE id IN (SELECT value FROM json_each(:ids))
