-- Which migrations were applied, and which of their second halves; the first version had no such
-- column.
SELECT version, coalesce((to_jsonb(v) ->> 'cleaned')::integer, least(version, 1)) AS cleaned
FROM holdfast.version AS v
