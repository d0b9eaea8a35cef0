-- Say that these are in use.
UPDATE snapshots SET used_at = :now WHERE id IN (SELECT value FROM json_each(:ids))
