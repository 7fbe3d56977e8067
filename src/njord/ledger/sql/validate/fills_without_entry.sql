-- Every fill moved money, and says so in an entry named after it.
SELECT f.account_id, f.fill_id AS place, 'no entry fill:' || f.fill_id AS detail
FROM fills f
WHERE NOT EXISTS (
  SELECT 1 FROM entry_ids e WHERE e.account_id = f.account_id AND e.entry_id = 'fill:' || f.fill_id
)
