-- Keep what a person made of a group, when it is still as it was looked at.
UPDATE failure_groups
SET
    revision = revision + 1, status = :status, owner = :owner, until = :until,
    ceiling = :ceiling, resolved_at = :resolved_at, told = :told,
    changed_at = :changed_at, changed_by = :changed_by, why = :why,
    nature = :nature, judged_at = :judged_at, judged_by = :judged_by,
    cause = :cause, caused_by = :caused_by, resolutions = :resolutions
WHERE id = :id AND revision = :seen
