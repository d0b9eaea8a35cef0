-- Write new messages, in the field order of `Message`.
INSERT INTO holdfast.messages (
    id, account, flow, key, digest, sealed, size, value, priority, quality, region, consent,
    not_before, expires_at, created_at
)
SELECT *
FROM unnest(
    :id::text[], :account::text[], :flow::text[], :key::text[], :digest::bytea[],
    :sealed::bytea[], :size::bigint[], :value::double precision[], :priority::smallint[],
    :quality::smallint[], :region::text[], :consent::text[], :not_before::bigint[],
    :expires_at::bigint[], :created_at::bigint[]
)
