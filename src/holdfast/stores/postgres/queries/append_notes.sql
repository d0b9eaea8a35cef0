-- Append audit lines, in their order.
INSERT INTO holdfast.notes (at, actor, action, subject, reason, detail, account)
SELECT new.at, new.actor, new.action, new.subject, new.reason, new.detail, new.account
FROM
    unnest(
        :at::bigint[], :actor::text[], :action::text[], :subject::text[], :reason::text[],
        :detail::text[], :account::text[]
    ) WITH ORDINALITY AS new (at, actor, action, subject, reason, detail, account, number)
ORDER BY new.number
ON CONFLICT DO NOTHING
