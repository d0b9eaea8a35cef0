-- Operations of a restored store wait for a person: what ran on in the lost one is not known here.
UPDATE holdfast.operations
SET
    revision = revision + 1, active = false,
    body = (
        body::jsonb
        || jsonb_build_object('state', 'paused', 'why', :why::text, 'revision', revision + 1)
    )::json
WHERE active AND body ->> 'state' = 'running'
