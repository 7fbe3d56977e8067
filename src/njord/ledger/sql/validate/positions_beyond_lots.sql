-- The position in the books is the sum of open lots. Instruments that were split are passed over: their lots changed.
WITH splits AS (
  SELECT DISTINCT e.account_id, p.asset FROM entries e
  JOIN postings p ON p.account_id = e.account_id AND p.step = e.step AND p.entry_id = e.entry_id
  WHERE e.cause = 'split'
),
traded AS (SELECT DISTINCT account_id, instrument_id FROM fills),
books AS (
  SELECT p.account_id, p.asset, CAST(CAST(exact_sum(p.amount) AS TEXT) AS BIGINT) AS position
  FROM postings p JOIN traded t ON t.account_id = p.account_id AND t.instrument_id = p.asset
  WHERE p.book = 'position'
  GROUP BY p.account_id, p.asset
)
SELECT b.account_id, b.asset AS place,
  'books say ' || b.position || ', open lots ' || (coalesce(o.lots, 0) - coalesce(c.lots, 0)) AS detail
FROM books b
LEFT JOIN (SELECT account_id, instrument_id, sum(lots) AS lots FROM lots GROUP BY account_id, instrument_id) o
  ON o.account_id = b.account_id AND o.instrument_id = b.asset
LEFT JOIN (SELECT account_id, instrument_id, sum(lots) AS lots FROM trades GROUP BY account_id, instrument_id) c
  ON c.account_id = b.account_id AND c.instrument_id = b.asset
LEFT JOIN splits s ON s.account_id = b.account_id AND s.asset = b.asset
WHERE s.asset IS NULL AND b.position <> coalesce(o.lots, 0) - coalesce(c.lots, 0)
