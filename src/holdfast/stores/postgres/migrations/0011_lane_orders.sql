-- What people want of lanes that the worker whom they asked does not own.
CREATE TABLE holdfast.lane_orders (
    id text COLLATE "C" PRIMARY KEY,
    recipient text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    body json NOT NULL
);
