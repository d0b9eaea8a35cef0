-- Keep what became of deliveries of an operation; a later outcome takes the place of an earlier one.
INSERT OR REPLACE INTO operation_results (
    operation_id, delivery_id, outcome, reason, revision, at
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL
