-- Keep the state of lanes.
INSERT OR REPLACE INTO lanes (recipient, body)
SELECT * FROM (VALUES (?, ?)) WHERE column1 IS NOT NULL
