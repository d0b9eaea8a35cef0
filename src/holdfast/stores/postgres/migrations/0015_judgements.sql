-- What a person judged the failures of a group to be; NULL: nobody did, the rules decide.
ALTER TABLE holdfast.failure_groups
    ADD COLUMN nature text COLLATE "C" CHECK (nature IN ('temporary', 'permanent')),
    ADD COLUMN judged_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN judged_by text COLLATE "C";

CREATE INDEX failure_groups_judged ON holdfast.failure_groups (id) WHERE nature IS NOT NULL;

-- Programs of the version before read it too: they leave out what follows the values they know.
CREATE OR REPLACE VIEW holdfast.group_rows AS
SELECT
    id, last_at, told,
    json_build_array(
        id, account, flow, step, recipient, failure_class, code, template, first_at, last_at, failures,
        revision, status, owner, until, ceiling, resolved_at, regressed_at, told, changed_at,
        changed_by, why, nature, judged_at, judged_by
    ) AS body,
    nature
FROM holdfast.failure_groups;
