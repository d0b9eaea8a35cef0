-- Revision of a group, -1: there is none.
SELECT coalesce((SELECT revision FROM holdfast.failure_groups WHERE id = :id::text), -1)
