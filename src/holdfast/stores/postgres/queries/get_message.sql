-- One message.
SELECT body::text FROM holdfast.message_rows WHERE id = :id::text
