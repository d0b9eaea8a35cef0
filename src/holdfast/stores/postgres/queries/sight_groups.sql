-- Count failures of groups; what was resolved has come back when a later send failed.
INSERT INTO holdfast.failure_groups AS g (
    id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures
)
SELECT *
FROM unnest(
    :id::text[], :account::text[], :flow::text[], :step::text[], :recipient::text[],
    :failure_class::text[], :code::text[], :template::text[], :first_at::bigint[],
    :last_at::bigint[], :failures::bigint[]
)
ON CONFLICT (id) DO UPDATE
SET
    first_at = least(g.first_at, excluded.first_at),
    last_at = greatest(g.last_at, excluded.last_at),
    failures = g.failures + excluded.failures,
    revision = g.revision
        + (g.status = 'resolved' AND excluded.last_at > g.resolved_at)::integer,
    regressed_at = CASE
        WHEN g.status = 'resolved' AND excluded.last_at > g.resolved_at THEN excluded.last_at
        ELSE g.regressed_at
    END,
    regressions = g.regressions
        + (g.status = 'resolved' AND excluded.last_at > g.resolved_at)::integer,
    told = g.told AND NOT (g.status = 'resolved' AND excluded.last_at > g.resolved_at),
    status = CASE
        WHEN g.status = 'resolved' AND excluded.last_at > g.resolved_at THEN 'regressed'
        ELSE g.status
    END
