-- Remove old retry events.
DELETE FROM attempts
WHERE position IN (
    SELECT position FROM attempts
    WHERE retry_timestamp < :before ORDER BY retry_timestamp LIMIT :limit
)
