-- Every identifier belongs to the row it was made for.
SELECT i.account_id, i.client_order_id AS place, 'no such order' AS detail
FROM order_ids i WHERE NOT EXISTS (
  SELECT 1 FROM orders o WHERE o.account_id = i.account_id AND o.step = i.step AND o.client_order_id = i.client_order_id
)
UNION ALL
SELECT i.account_id, i.fill_id, 'no such fill'
FROM fill_ids i WHERE NOT EXISTS (
  SELECT 1 FROM fills f WHERE f.account_id = i.account_id AND f.step = i.step AND f.fill_id = i.fill_id
)
UNION ALL
SELECT i.account_id, i.entry_id, 'no such entry'
FROM entry_ids i WHERE NOT EXISTS (
  SELECT 1 FROM entries e WHERE e.account_id = i.account_id AND e.step = i.step AND e.entry_id = i.entry_id
)
UNION ALL
SELECT i.account_id, i.signal_id, 'no such signal'
FROM signal_ids i WHERE NOT EXISTS (
  SELECT 1 FROM signals s WHERE s.account_id = i.account_id AND s.step = i.step AND s.signal_id = i.signal_id
)
