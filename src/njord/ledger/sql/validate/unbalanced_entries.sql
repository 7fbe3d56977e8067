-- An entry's postings sum to zero for each asset.
SELECT account_id, entry_id AS place, asset || ' sums to ' || CAST(exact_sum(amount) AS TEXT) AS detail
FROM postings
GROUP BY account_id, entry_id, asset
HAVING CAST(exact_sum(amount) AS TEXT) <> '0'
