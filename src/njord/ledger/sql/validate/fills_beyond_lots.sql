-- What a fill traded closed lots, or opened one: no more and no less.
SELECT f.account_id, f.fill_id AS place,
  'filled ' || f.quantity_lots || ', opened ' || coalesce(o.lots, 0) || ', closed ' || coalesce(c.lots, 0) AS detail
FROM fills f
LEFT JOIN (SELECT account_id, fill_id, sum(abs(lots)) AS lots FROM lots GROUP BY account_id, fill_id) o
  ON o.account_id = f.account_id AND o.fill_id = f.fill_id
LEFT JOIN (SELECT account_id, exit_fill_id, sum(abs(lots)) AS lots FROM trades GROUP BY account_id, exit_fill_id) c
  ON c.account_id = f.account_id AND c.exit_fill_id = f.fill_id
WHERE coalesce(o.lots, 0) + coalesce(c.lots, 0) <> f.quantity_lots
