-- Keep what became of deliveries of an operation; a later outcome takes the place of an earlier one.
INSERT INTO holdfast.operation_results (operation_id, delivery_id, outcome, reason, revision, at)
SELECT :operation::text, new.delivery_id, new.outcome, new.reason, new.revision, new.at
FROM
    unnest(
        :delivery_id::text[], :outcome::text[], :reason::text[], :revision::integer[],
        :at::bigint[]
    ) AS new (delivery_id, outcome, reason, revision, at)
ON CONFLICT (operation_id, delivery_id) DO UPDATE
    SET
        outcome = excluded.outcome, reason = excluded.reason, revision = excluded.revision,
        at = excluded.at
