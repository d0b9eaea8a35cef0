-- The same as `critical.sql`, of one account: it walks down another index.
WITH looked AS MATERIALIZED (
    SELECT t.place, t.id, t.priority
    FROM deliveries AS t INDEXED BY deliveries_failing_account
    WHERE
        t.account = :scope AND t.priority >= :priority
        AND (t.status = 'dead' OR (t.status = 'pending' AND t.fingerprint IS NOT NULL))
    ORDER BY t.priority DESC, t.id DESC
    LIMIT :look
)
SELECT json_array(
    (SELECT count(*) FROM looked),
    json((
        SELECT json_group_array(json(d.body) ORDER BY w.priority DESC, w.id DESC)
        FROM (SELECT * FROM looked ORDER BY priority DESC, id DESC LIMIT :limit) AS w
        JOIN delivery_rows AS d ON d.place = w.place
    ))
)
