-- What lies behind a group by a person's word (NULL: its class says it), and how often a resolution
-- held. Of what was resolved before this only the last time is known.
ALTER TABLE failure_groups
ADD COLUMN cause TEXT CHECK (
    cause IN (
        'connection', 'auth', 'data', 'system', 'business', 'performance', 'physical', 'security',
        'configuration'
    )
);
ALTER TABLE failure_groups ADD COLUMN caused_by TEXT;
ALTER TABLE failure_groups
ADD COLUMN resolutions INTEGER NOT NULL DEFAULT 0 CHECK (resolutions >= 0);
ALTER TABLE failure_groups
ADD COLUMN regressions INTEGER NOT NULL DEFAULT 0 CHECK (regressions >= 0);
UPDATE failure_groups
SET resolutions = 1, regressions = regressed_at > resolved_at
WHERE resolved_at > 0;

DROP VIEW group_rows;
CREATE VIEW group_rows AS
SELECT
    id, last_at, told, nature,
    json_array(
        id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures,
        revision, status, owner, until, ceiling, resolved_at, regressed_at, told, changed_at,
        changed_by, why, nature, judged_at, judged_by, cause, caused_by, resolutions, regressions
    ) AS body
FROM failure_groups;
