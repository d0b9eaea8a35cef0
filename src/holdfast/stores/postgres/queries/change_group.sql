-- Keep what a person made of a group, when it is still as it was looked at.
UPDATE holdfast.failure_groups
SET
    revision = revision + 1, status = :status::text, owner = :owner::text, until = :until::bigint,
    ceiling = :ceiling::bigint, resolved_at = :resolved_at::bigint, told = :told::boolean,
    changed_at = :changed_at::bigint, changed_by = :changed_by::text, why = :why::text,
    nature = :nature::text, judged_at = :judged_at::bigint, judged_by = :judged_by::text,
    cause = :cause::text, caused_by = :caused_by::text, resolutions = :resolutions::integer
WHERE id = :id::text AND revision = :seen::bigint
RETURNING 1
