-- What was approved was done: an order, or a replacement of one, in the same step.
SELECT d.account_id, d.client_order_id AS place, 'approved, and neither ordered nor replaced' AS detail
FROM decisions d
WHERE d.approved
AND NOT EXISTS (
  SELECT 1 FROM orders o WHERE o.account_id = d.account_id AND o.step = d.step AND o.client_order_id = d.client_order_id
)
AND NOT EXISTS (
  SELECT 1 FROM order_events r
  WHERE r.account_id = d.account_id AND r.step = d.step AND r.client_order_id = d.client_order_id
    AND r.kind = 'replace_requested'
)
