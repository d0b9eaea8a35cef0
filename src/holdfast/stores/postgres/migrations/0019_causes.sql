-- What lies behind a group by a person's word (NULL: its class says it), and how often a resolution
-- held. Of what was resolved before this only the last time is known.
ALTER TABLE holdfast.failure_groups
    ADD COLUMN cause text COLLATE "C" CHECK (
        cause IN (
            'connection', 'auth', 'data', 'system', 'business', 'performance', 'physical', 'security',
            'configuration'
        )
    ),
    ADD COLUMN caused_by text COLLATE "C",
    ADD COLUMN resolutions integer NOT NULL DEFAULT 0 CHECK (resolutions >= 0),
    ADD COLUMN regressions integer NOT NULL DEFAULT 0 CHECK (regressions >= 0);
UPDATE holdfast.failure_groups
SET resolutions = 1, regressions = (regressed_at > resolved_at)::integer
WHERE resolved_at > 0;

-- Programs of the version before read it too: they leave out what follows the values they know.
CREATE OR REPLACE VIEW holdfast.group_rows AS
SELECT
    id, last_at, told,
    json_build_array(
        id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures,
        revision, status, owner, until, ceiling, resolved_at, regressed_at, told, changed_at,
        changed_by, why, nature, judged_at, judged_by, cause, caused_by, resolutions, regressions
    ) AS body,
    nature
FROM holdfast.failure_groups;
