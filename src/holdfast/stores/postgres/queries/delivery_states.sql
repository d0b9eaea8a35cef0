-- What a transition is checked against: [id, row, revision, status, recipient, priority].
SELECT
    coalesce(
        json_agg(json_build_array(id, id, revision, status, recipient, priority)), '[]'
    )::text
FROM holdfast.deliveries
WHERE id = ANY(:ids::text[])
