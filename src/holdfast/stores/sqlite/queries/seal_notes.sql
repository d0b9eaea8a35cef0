-- Give audit lines their places in the chain.
UPDATE notes SET number = new.column2, hash = unhex(new.column3)
FROM (VALUES (?, ?, ?)) AS new
WHERE notes.place = new.column1
