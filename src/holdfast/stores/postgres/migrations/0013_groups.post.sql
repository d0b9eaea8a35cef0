-- `delivery_bodies` has taken its place.
DROP VIEW holdfast.delivery_rows;
