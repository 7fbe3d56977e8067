-- Every order has a decision on record, in its own step, that approved it.
SELECT o.account_id, o.client_order_id AS place, 'no decision approved it' AS detail
FROM orders o
WHERE NOT EXISTS (
  SELECT 1 FROM decisions d
  WHERE d.account_id = o.account_id AND d.step = o.step AND d.client_order_id = o.client_order_id AND d.approved
)
