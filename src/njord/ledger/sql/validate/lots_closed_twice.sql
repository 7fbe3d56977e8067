-- No lot is closed further than it was opened. A split makes new lots of old ones: instruments with one are passed over.
WITH splits AS (
  SELECT DISTINCT e.account_id, p.asset FROM entries e
  JOIN postings p ON p.account_id = e.account_id AND p.step = e.step AND p.entry_id = e.entry_id
  WHERE e.cause = 'split'
)
SELECT t.account_id, t.entry_fill_id AS place, 'closed ' || sum(t.lots) || ' of ' || coalesce(max(o.lots), 0) AS detail
FROM trades t
LEFT JOIN (
  -- Grouped, so that SQLite indexes it by all columns and not by the account alone
  SELECT account_id, strategy_id, instrument_id, fill_id, sum(lots) AS lots
  FROM lots GROUP BY account_id, strategy_id, instrument_id, fill_id
) o
  ON o.account_id = t.account_id AND o.fill_id = t.entry_fill_id
  AND o.strategy_id = t.strategy_id AND o.instrument_id = t.instrument_id
LEFT JOIN splits s ON s.account_id = t.account_id AND s.asset = t.instrument_id
WHERE s.asset IS NULL
GROUP BY t.account_id, t.strategy_id, t.instrument_id, t.entry_fill_id
HAVING abs(sum(t.lots)) > abs(coalesce(max(o.lots), 0)) OR sum(t.lots) * coalesce(max(o.lots), 0) < 0
