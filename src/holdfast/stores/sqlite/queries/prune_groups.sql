-- Forget groups that were seen last long ago and have no failing deliveries any more; what a
-- person judged stays, as it decides what comes.
DELETE FROM failure_groups AS g
WHERE
    g.last_at < :before AND g.changed_at < :before AND g.nature IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM deliveries AS d
        WHERE d.fingerprint = g.id AND d.status IN ('pending', 'dead')
    )
