-- An entry says what it moved.
SELECT e.account_id, e.entry_id AS place, 'has no postings' AS detail
FROM entries e
WHERE NOT EXISTS (
  SELECT 1 FROM postings p WHERE p.account_id = e.account_id AND p.step = e.step AND p.entry_id = e.entry_id
)
