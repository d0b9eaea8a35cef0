-- Whether the store was ever owned or written to.
SELECT
    (SELECT epoch > 0 FROM holdfast.owner)
    OR EXISTS (SELECT FROM holdfast.documents) OR EXISTS (SELECT FROM holdfast.messages)
