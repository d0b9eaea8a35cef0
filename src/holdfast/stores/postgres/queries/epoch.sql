-- Who owns the lanes.
SELECT epoch FROM holdfast.owner
