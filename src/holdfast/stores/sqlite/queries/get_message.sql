-- One message.
SELECT body FROM message_rows WHERE id = :id
