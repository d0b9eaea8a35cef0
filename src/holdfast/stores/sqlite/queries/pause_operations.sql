-- Operations of a restored store wait for a person: what ran on in the lost one is not known here.
UPDATE operations
SET
    revision = revision + 1, active = 0,
    body = json_set(body, '$.state', 'paused', '$.why', :why, '$.revision', revision + 1)
WHERE active = 1 AND body ->> 'state' = 'running'
