-- What the overview asks: what fails and is urgent, and groups that are new or came back.
CREATE INDEX deliveries_failing ON holdfast.deliveries (priority, id, status, fingerprint)
WHERE status = 'dead' OR (status = 'pending' AND fingerprint IS NOT NULL);
CREATE INDEX deliveries_failing_account ON holdfast.deliveries (
    account, priority, id, status, fingerprint
) WHERE status = 'dead' OR (status = 'pending' AND fingerprint IS NOT NULL);

-- Groups by when they were new or came back: of all accounts, and of one.
CREATE INDEX failure_groups_alert ON holdfast.failure_groups (greatest(first_at, regressed_at), id)
WHERE status <> 'resolved';
CREATE INDEX failure_groups_account ON holdfast.failure_groups (
    account, greatest(first_at, regressed_at), id
) WHERE status <> 'resolved';
