-- Laid end to end, what is closed covers what was opened in the same order. Instruments that were split are passed over.
WITH splits AS (
  SELECT DISTINCT e.account_id, p.asset FROM entries e
  JOIN postings p ON p.account_id = e.account_id AND p.step = e.step AND p.entry_id = e.entry_id
  WHERE e.cause = 'split'
),
opened AS (
  SELECT account_id, strategy_id, instrument_id, fill_id, abs(lots) AS lots,
    sum(abs(lots)) OVER (PARTITION BY account_id, strategy_id, instrument_id ORDER BY step, ordinal) AS until
  FROM lots
),
closed AS (
  SELECT account_id, strategy_id, instrument_id, entry_fill_id, exit_fill_id, abs(lots) AS lots,
    sum(abs(lots)) OVER (PARTITION BY account_id, strategy_id, instrument_id ORDER BY step, ordinal) AS until
  FROM trades
)
SELECT c.account_id, c.exit_fill_id AS place, 'closes lot ' || c.entry_fill_id || ' out of turn' AS detail
FROM closed c
JOIN opened o
  ON o.account_id = c.account_id AND o.strategy_id = c.strategy_id AND o.instrument_id = c.instrument_id
  AND o.fill_id = c.entry_fill_id
LEFT JOIN splits s ON s.account_id = c.account_id AND s.asset = c.instrument_id
WHERE s.asset IS NULL AND (c.until > o.until OR c.until - c.lots < o.until - o.lots)
