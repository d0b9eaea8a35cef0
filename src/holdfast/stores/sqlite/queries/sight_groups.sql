-- Count failures of groups; what was resolved has come back when a later send failed.
INSERT INTO failure_groups (
    id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures
)
SELECT * FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
WHERE column1 IS NOT NULL
ON CONFLICT (id) DO UPDATE
SET
    first_at = min(first_at, excluded.first_at),
    last_at = max(last_at, excluded.last_at),
    failures = failures + excluded.failures,
    revision = revision + (status = 'resolved' AND excluded.last_at > resolved_at),
    regressed_at = iif(
        status = 'resolved' AND excluded.last_at > resolved_at, excluded.last_at, regressed_at
    ),
    regressions = regressions + (status = 'resolved' AND excluded.last_at > resolved_at),
    told = iif(status = 'resolved' AND excluded.last_at > resolved_at, 0, told),
    status = iif(status = 'resolved' AND excluded.last_at > resolved_at, 'regressed', status)
