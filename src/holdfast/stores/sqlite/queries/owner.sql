-- Who owns the lanes: the epoch, and whether the last owner released them.
SELECT epoch, clean FROM owner
