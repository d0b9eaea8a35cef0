-- Whether a commit is answered only when a standby has it on its disk, too.
SELECT current_setting('synchronous_standby_names') <> ''
    AND current_setting('synchronous_commit') IN ('on', 'remote_apply')
