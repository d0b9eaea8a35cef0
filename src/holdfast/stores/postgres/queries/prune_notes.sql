-- Remove old audit lines; revoked consents hold for ever.
DELETE FROM holdfast.notes WHERE number <= :number::bigint AND action <> 'revoke_consent'
