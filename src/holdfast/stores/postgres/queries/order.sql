-- Leave word for the owner of a lane; what nobody has taken for a minute goes.
WITH forgotten AS (
    DELETE FROM holdfast.lane_orders WHERE at < holdfast.store_now() - 60000
)
INSERT INTO holdfast.lane_orders (id, recipient, at, body)
VALUES (:id::text, :recipient::text, holdfast.store_now(), :body::text::json)
