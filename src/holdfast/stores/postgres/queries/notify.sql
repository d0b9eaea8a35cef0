-- Wake others up.
SELECT pg_notify('holdfast', :payload::text)
