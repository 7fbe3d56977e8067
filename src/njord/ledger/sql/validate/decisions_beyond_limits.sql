-- The limits the table's own constraints hold, asked once more.
SELECT account_id, client_order_id AS place,
  'gross ' || gross_after_bp || ' of ' || leverage_max_bp || ', drawdown ' || drawdown_bp || ' in tier ' || tier AS detail
FROM decisions
WHERE (approved AND adds AND (gross_after_bp > leverage_max_bp OR NOT tier_entries))
  OR drawdown_bp < tier_from_bp OR drawdown_bp >= tier_to_bp
