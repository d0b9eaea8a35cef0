-- Which of these messages exist.
SELECT coalesce(json_agg(id), '[]')::text FROM holdfast.messages WHERE id = ANY(:ids::text[])
