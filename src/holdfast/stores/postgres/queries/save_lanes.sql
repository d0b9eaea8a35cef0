-- Keep the state of lanes.
INSERT INTO holdfast.lanes (recipient, body)
SELECT new.recipient, new.body::json
FROM unnest(:recipient::text[], :body::text[]) AS new (recipient, body)
ON CONFLICT (recipient) DO UPDATE SET body = excluded.body
