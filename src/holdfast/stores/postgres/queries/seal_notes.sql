-- Give audit lines their places in the chain.
UPDATE holdfast.notes AS n
SET number = new.number, hash = decode(new.hash, 'hex')
FROM unnest(:place::bigint[], :number::bigint[], :hash::text[]) AS new (place, number, hash)
WHERE n.place = new.place
