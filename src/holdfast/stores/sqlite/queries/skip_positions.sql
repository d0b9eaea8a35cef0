-- Leave out the positions that the lost store may have given after the backup.
UPDATE sqlite_sequence SET seq = seq + :positions WHERE name = 'attempts'
