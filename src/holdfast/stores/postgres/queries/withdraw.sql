-- Take an order back that nobody has taken yet.
DELETE FROM holdfast.lane_orders WHERE id = :id::text
