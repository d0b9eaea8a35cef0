-- What a person judged the failures of a group to be; NULL: nobody did, the rules decide.
ALTER TABLE failure_groups
ADD COLUMN nature TEXT CHECK (nature IN ('temporary', 'permanent'));
ALTER TABLE failure_groups ADD COLUMN judged_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE failure_groups ADD COLUMN judged_by TEXT;

CREATE INDEX failure_groups_judged ON failure_groups (id) WHERE nature IS NOT NULL;

DROP VIEW group_rows;
CREATE VIEW group_rows AS
SELECT
    id, last_at, told, nature,
    json_array(
        id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures,
        revision, status, owner, until, ceiling, resolved_at, regressed_at, told, changed_at,
        changed_by, why, nature, judged_at, judged_by
    ) AS body
FROM failure_groups;
