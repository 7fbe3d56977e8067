-- Steps of an account are numbered from 1 without a gap.
SELECT account_id, 'steps' AS place, count(*) || ' steps, the last is ' || max(step) AS detail
FROM steps
GROUP BY account_id
HAVING count(*) <> max(step)
