-- Remove old audit lines; revoked consents hold for ever.
DELETE FROM notes WHERE number <= :number AND action <> 'revoke_consent'
