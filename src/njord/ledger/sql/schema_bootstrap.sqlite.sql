-- The canonical schema of the ledger, which njord db drift compares a database with.
-- Written from njord.ledger.sql.ddl; statements are separated by an empty line.
CREATE TABLE hours (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_hours PRIMARY KEY (account_id, session_id, hour_ns)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE steps (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  time_ns INTEGER NOT NULL,
  cause TEXT NOT NULL,
  payload TEXT NOT NULL,
  payload_hash TEXT NOT NULL,
  rows_count INTEGER NOT NULL,
  rows_hash TEXT NOT NULL,
  chain TEXT NOT NULL,
  CONSTRAINT pk_steps PRIMARY KEY (account_id, step),
  CONSTRAINT uq_steps_1 UNIQUE (account_id, session_id, sequence),
  CONSTRAINT uq_steps_2 UNIQUE (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_steps_1 FOREIGN KEY(account_id, session_id, hour_ns) REFERENCES hours (account_id, session_id, hour_ns),
  CONSTRAINT ck_steps_step CHECK (step > 0),
  CONSTRAINT ck_steps_hour CHECK (hour_ns >= 0 AND hour_ns % 3600000000000 = 0 AND time_ns - hour_ns BETWEEN 0 AND 3599999999999),
  CONSTRAINT ck_steps_payload_is_json CHECK (json_valid(payload))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE profiles (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  profile TEXT NOT NULL,
  profile_version INTEGER NOT NULL,
  leverage_max_bp INTEGER NOT NULL,
  definition TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_profiles PRIMARY KEY (account_id, profile, profile_version),
  CONSTRAINT uq_profiles_1 UNIQUE (account_id, profile, profile_version, leverage_max_bp),
  CONSTRAINT fk_profiles_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT ck_profiles_definition_is_json CHECK (json_valid(definition))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE profile_tiers (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  profile TEXT NOT NULL,
  profile_version INTEGER NOT NULL,
  tier INTEGER NOT NULL,
  tier_from_bp INTEGER NOT NULL,
  tier_to_bp INTEGER NOT NULL,
  tier_entries INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_profile_tiers PRIMARY KEY (account_id, profile, profile_version, tier),
  CONSTRAINT uq_profile_tiers_1 UNIQUE (account_id, profile, profile_version, tier, tier_from_bp, tier_to_bp, tier_entries),
  CONSTRAINT fk_profile_tiers_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_profile_tiers_2 FOREIGN KEY(account_id, profile, profile_version) REFERENCES profiles (account_id, profile, profile_version),
  CONSTRAINT ck_profile_tiers_range CHECK (tier_from_bp < tier_to_bp),
  CONSTRAINT ck_profile_tiers_tier_entries_is_flag CHECK (tier_entries IN (0, 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE signal_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  signal_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_signal_ids PRIMARY KEY (account_id, signal_id),
  CONSTRAINT uq_signal_ids_1 UNIQUE (account_id, signal_id, step, ordinal),
  CONSTRAINT fk_signal_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE order_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  client_order_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_order_ids PRIMARY KEY (account_id, client_order_id),
  CONSTRAINT uq_order_ids_1 UNIQUE (account_id, client_order_id, step, ordinal),
  CONSTRAINT fk_order_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE fill_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  fill_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_fill_ids PRIMARY KEY (account_id, fill_id),
  CONSTRAINT uq_fill_ids_1 UNIQUE (account_id, fill_id, step, ordinal),
  CONSTRAINT fk_fill_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE entry_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  entry_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_entry_ids PRIMARY KEY (account_id, entry_id),
  CONSTRAINT uq_entry_ids_1 UNIQUE (account_id, entry_id, step, ordinal),
  CONSTRAINT fk_entry_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE signals (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  signal_id TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  cause TEXT NOT NULL,
  client_order_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_signals PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_signals_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_signals_2 FOREIGN KEY(account_id, signal_id, step, ordinal) REFERENCES signal_ids (account_id, signal_id, step, ordinal)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE decisions (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  client_order_id TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  approved INTEGER NOT NULL,
  refusal TEXT,
  adds INTEGER,
  order_units TEXT,
  equity_units TEXT,
  gross_before_bp INTEGER,
  gross_after_bp INTEGER,
  leverage_max_bp INTEGER,
  drawdown_bp INTEGER,
  tier INTEGER,
  tier_from_bp INTEGER,
  tier_to_bp INTEGER,
  tier_entries INTEGER,
  var_before_units TEXT,
  var_after_units TEXT,
  var_max_units TEXT,
  profile TEXT,
  profile_version INTEGER,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_decisions PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_decisions_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_decisions_2 FOREIGN KEY(account_id, profile, profile_version, leverage_max_bp) REFERENCES profiles (account_id, profile, profile_version, leverage_max_bp),
  CONSTRAINT fk_decisions_3 FOREIGN KEY(account_id, profile, profile_version, tier, tier_from_bp, tier_to_bp, tier_entries) REFERENCES profile_tiers (account_id, profile, profile_version, tier, tier_from_bp, tier_to_bp, tier_entries),
  CONSTRAINT ck_decisions_reason CHECK (approved = (refusal IS NULL)),
  CONSTRAINT ck_decisions_figures CHECK ((adds IS NULL AND order_units IS NULL AND equity_units IS NULL AND gross_before_bp IS NULL AND gross_after_bp IS NULL AND leverage_max_bp IS NULL AND drawdown_bp IS NULL AND tier IS NULL AND tier_from_bp IS NULL AND tier_to_bp IS NULL AND tier_entries IS NULL AND profile IS NULL AND profile_version IS NULL) OR (adds IS NOT NULL AND order_units IS NOT NULL AND equity_units IS NOT NULL AND gross_before_bp IS NOT NULL AND gross_after_bp IS NOT NULL AND leverage_max_bp IS NOT NULL AND drawdown_bp IS NOT NULL AND tier IS NOT NULL AND tier_from_bp IS NOT NULL AND tier_to_bp IS NOT NULL AND tier_entries IS NOT NULL AND profile IS NOT NULL AND profile_version IS NOT NULL)),
  CONSTRAINT ck_decisions_leverage CHECK (NOT (approved AND adds) OR gross_after_bp <= leverage_max_bp),
  CONSTRAINT ck_decisions_entries CHECK (NOT (approved AND adds) OR tier_entries),
  CONSTRAINT ck_decisions_drawdown CHECK (drawdown_bp >= tier_from_bp AND drawdown_bp < tier_to_bp),
  CONSTRAINT ck_decisions_approved_is_flag CHECK (approved IN (0, 1)),
  CONSTRAINT ck_decisions_adds_is_flag CHECK (adds IN (0, 1)),
  CONSTRAINT ck_decisions_order_units_is_units CHECK (order_units = '0' OR (ltrim(order_units, '-') GLOB '[1-9]*' AND NOT ltrim(order_units, '-') GLOB '*[^0-9]*' AND length(ltrim(order_units, '-')) <= 38 AND length(order_units) - length(ltrim(order_units, '-')) <= 1)),
  CONSTRAINT ck_decisions_equity_units_is_units CHECK (equity_units = '0' OR (ltrim(equity_units, '-') GLOB '[1-9]*' AND NOT ltrim(equity_units, '-') GLOB '*[^0-9]*' AND length(ltrim(equity_units, '-')) <= 38 AND length(equity_units) - length(ltrim(equity_units, '-')) <= 1)),
  CONSTRAINT ck_decisions_tier_entries_is_flag CHECK (tier_entries IN (0, 1)),
  CONSTRAINT ck_decisions_var_before_units_is_units CHECK (var_before_units = '0' OR (ltrim(var_before_units, '-') GLOB '[1-9]*' AND NOT ltrim(var_before_units, '-') GLOB '*[^0-9]*' AND length(ltrim(var_before_units, '-')) <= 38 AND length(var_before_units) - length(ltrim(var_before_units, '-')) <= 1)),
  CONSTRAINT ck_decisions_var_after_units_is_units CHECK (var_after_units = '0' OR (ltrim(var_after_units, '-') GLOB '[1-9]*' AND NOT ltrim(var_after_units, '-') GLOB '*[^0-9]*' AND length(ltrim(var_after_units, '-')) <= 38 AND length(var_after_units) - length(ltrim(var_after_units, '-')) <= 1)),
  CONSTRAINT ck_decisions_var_max_units_is_units CHECK (var_max_units = '0' OR (ltrim(var_max_units, '-') GLOB '[1-9]*' AND NOT ltrim(var_max_units, '-') GLOB '*[^0-9]*' AND length(ltrim(var_max_units, '-')) <= 38 AND length(var_max_units) - length(ltrim(var_max_units, '-')) <= 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE orders (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  client_order_id TEXT NOT NULL,
  signal_id TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  side TEXT NOT NULL,
  order_type TEXT NOT NULL,
  quantity_lots INTEGER NOT NULL,
  limit_ticks INTEGER,
  stop_ticks INTEGER,
  time_in_force TEXT NOT NULL,
  post_only INTEGER NOT NULL,
  reduce_only INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_orders PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_orders_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_orders_2 FOREIGN KEY(account_id, client_order_id, step, ordinal) REFERENCES order_ids (account_id, client_order_id, step, ordinal),
  CONSTRAINT fk_orders_3 FOREIGN KEY(account_id, signal_id) REFERENCES signal_ids (account_id, signal_id),
  CONSTRAINT ck_orders_quantity CHECK (quantity_lots > 0),
  CONSTRAINT ck_orders_side CHECK (side IN ('buy', 'sell')),
  CONSTRAINT ck_orders_post_only_is_flag CHECK (post_only IN (0, 1)),
  CONSTRAINT ck_orders_reduce_only_is_flag CHECK (reduce_only IN (0, 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE order_events (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  client_order_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  reason TEXT,
  quantity_lots INTEGER,
  limit_ticks INTEGER,
  venue_time_ns INTEGER,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_order_events PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_order_events_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE fills (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  fill_id TEXT NOT NULL,
  client_order_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  side TEXT NOT NULL,
  price_ticks INTEGER NOT NULL,
  quantity_lots INTEGER NOT NULL,
  fee_units TEXT NOT NULL,
  fee_asset TEXT NOT NULL,
  liquidity TEXT NOT NULL,
  reason TEXT NOT NULL,
  causation_id TEXT NOT NULL,
  venue_time_ns INTEGER NOT NULL,
  local_time_ns INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_fills PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_fills_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_fills_2 FOREIGN KEY(account_id, fill_id, step, ordinal) REFERENCES fill_ids (account_id, fill_id, step, ordinal),
  CONSTRAINT fk_fills_3 FOREIGN KEY(account_id, client_order_id) REFERENCES order_ids (account_id, client_order_id),
  CONSTRAINT ck_fills_quantity CHECK (quantity_lots > 0),
  CONSTRAINT ck_fills_side CHECK (side IN ('buy', 'sell')),
  CONSTRAINT ck_fills_fee_units_is_units CHECK (fee_units = '0' OR (ltrim(fee_units, '-') GLOB '[1-9]*' AND NOT ltrim(fee_units, '-') GLOB '*[^0-9]*' AND length(ltrim(fee_units, '-')) <= 38 AND length(fee_units) - length(ltrim(fee_units, '-')) <= 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE entries (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  entry_id TEXT NOT NULL,
  cause TEXT NOT NULL,
  entry_time_ns INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_entries PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_entries_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_entries_2 FOREIGN KEY(account_id, entry_id, step, ordinal) REFERENCES entry_ids (account_id, entry_id, step, ordinal)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE postings (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  entry_id TEXT NOT NULL,
  leg INTEGER NOT NULL,
  book TEXT NOT NULL,
  asset TEXT NOT NULL,
  amount TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_postings PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_postings_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_postings_2 FOREIGN KEY(account_id, entry_id) REFERENCES entry_ids (account_id, entry_id),
  CONSTRAINT ck_postings_amount_is_units CHECK (amount = '0' OR (ltrim(amount, '-') GLOB '[1-9]*' AND NOT ltrim(amount, '-') GLOB '*[^0-9]*' AND length(ltrim(amount, '-')) <= 38 AND length(amount) - length(ltrim(amount, '-')) <= 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE lots (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  fill_id TEXT NOT NULL,
  lots INTEGER NOT NULL,
  cost_units TEXT NOT NULL,
  fee_units TEXT NOT NULL,
  lot_time_ns INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_lots PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_lots_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_lots_2 FOREIGN KEY(account_id, fill_id) REFERENCES fill_ids (account_id, fill_id),
  CONSTRAINT ck_lots_lots CHECK (lots <> 0),
  CONSTRAINT ck_lots_cost_units_is_units CHECK (cost_units = '0' OR (ltrim(cost_units, '-') GLOB '[1-9]*' AND NOT ltrim(cost_units, '-') GLOB '*[^0-9]*' AND length(ltrim(cost_units, '-')) <= 38 AND length(cost_units) - length(ltrim(cost_units, '-')) <= 1)),
  CONSTRAINT ck_lots_fee_units_is_units CHECK (fee_units = '0' OR (ltrim(fee_units, '-') GLOB '[1-9]*' AND NOT ltrim(fee_units, '-') GLOB '*[^0-9]*' AND length(ltrim(fee_units, '-')) <= 38 AND length(fee_units) - length(ltrim(fee_units, '-')) <= 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE trades (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  entry_fill_id TEXT NOT NULL,
  exit_fill_id TEXT NOT NULL,
  lots INTEGER NOT NULL,
  entry_units TEXT NOT NULL,
  exit_units TEXT NOT NULL,
  gain_units TEXT NOT NULL,
  fee_units TEXT NOT NULL,
  entry_time_ns INTEGER NOT NULL,
  exit_time_ns INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_trades PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_trades_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_trades_2 FOREIGN KEY(account_id, entry_fill_id) REFERENCES fill_ids (account_id, fill_id),
  CONSTRAINT fk_trades_3 FOREIGN KEY(account_id, exit_fill_id) REFERENCES fill_ids (account_id, fill_id),
  CONSTRAINT ck_trades_lots CHECK (lots <> 0),
  CONSTRAINT ck_trades_entry_units_is_units CHECK (entry_units = '0' OR (ltrim(entry_units, '-') GLOB '[1-9]*' AND NOT ltrim(entry_units, '-') GLOB '*[^0-9]*' AND length(ltrim(entry_units, '-')) <= 38 AND length(entry_units) - length(ltrim(entry_units, '-')) <= 1)),
  CONSTRAINT ck_trades_exit_units_is_units CHECK (exit_units = '0' OR (ltrim(exit_units, '-') GLOB '[1-9]*' AND NOT ltrim(exit_units, '-') GLOB '*[^0-9]*' AND length(ltrim(exit_units, '-')) <= 38 AND length(exit_units) - length(ltrim(exit_units, '-')) <= 1)),
  CONSTRAINT ck_trades_gain_units_is_units CHECK (gain_units = '0' OR (ltrim(gain_units, '-') GLOB '[1-9]*' AND NOT ltrim(gain_units, '-') GLOB '*[^0-9]*' AND length(ltrim(gain_units, '-')) <= 38 AND length(gain_units) - length(ltrim(gain_units, '-')) <= 1)),
  CONSTRAINT ck_trades_fee_units_is_units CHECK (fee_units = '0' OR (ltrim(fee_units, '-') GLOB '[1-9]*' AND NOT ltrim(fee_units, '-') GLOB '*[^0-9]*' AND length(ltrim(fee_units, '-')) <= 38 AND length(fee_units) - length(ltrim(fee_units, '-')) <= 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE snapshots (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  snapshot_time_ns INTEGER NOT NULL,
  equity_units TEXT NOT NULL,
  peak_units TEXT NOT NULL,
  day_units TEXT NOT NULL,
  cash TEXT NOT NULL,
  lots TEXT NOT NULL,
  ticks TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_snapshots PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_snapshots_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT ck_snapshots_equity_units_is_units CHECK (equity_units = '0' OR (ltrim(equity_units, '-') GLOB '[1-9]*' AND NOT ltrim(equity_units, '-') GLOB '*[^0-9]*' AND length(ltrim(equity_units, '-')) <= 38 AND length(equity_units) - length(ltrim(equity_units, '-')) <= 1)),
  CONSTRAINT ck_snapshots_peak_units_is_units CHECK (peak_units = '0' OR (ltrim(peak_units, '-') GLOB '[1-9]*' AND NOT ltrim(peak_units, '-') GLOB '*[^0-9]*' AND length(ltrim(peak_units, '-')) <= 38 AND length(peak_units) - length(ltrim(peak_units, '-')) <= 1)),
  CONSTRAINT ck_snapshots_day_units_is_units CHECK (day_units = '0' OR (ltrim(day_units, '-') GLOB '[1-9]*' AND NOT ltrim(day_units, '-') GLOB '*[^0-9]*' AND length(ltrim(day_units, '-')) <= 38 AND length(day_units) - length(ltrim(day_units, '-')) <= 1)),
  CONSTRAINT ck_snapshots_cash_is_json CHECK (json_valid(cash)),
  CONSTRAINT ck_snapshots_lots_is_json CHECK (json_valid(lots)),
  CONSTRAINT ck_snapshots_ticks_is_json CHECK (json_valid(ticks))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE notes (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  kind TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  text TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_notes PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_notes_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE restrictions (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  scope TEXT NOT NULL,
  cause TEXT NOT NULL,
  level TEXT NOT NULL,
  whose TEXT NOT NULL,
  detail TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_restrictions PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_restrictions_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE kill_events (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  kind TEXT NOT NULL,
  scope TEXT NOT NULL,
  source TEXT,
  actors TEXT NOT NULL,
  reason TEXT NOT NULL,
  flatten INTEGER,
  venue_time_ns INTEGER NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_kill_events PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_kill_events_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT ck_kill_events_actors_is_json CHECK (json_valid(actors)),
  CONSTRAINT ck_kill_events_flatten_is_flag CHECK (flatten IN (0, 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE profile_changes (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  profile TEXT NOT NULL,
  profile_version INTEGER NOT NULL,
  actor TEXT NOT NULL,
  approval_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_profile_changes PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_profile_changes_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE allocations (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  kind TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  before_share TEXT,
  after_share TEXT NOT NULL,
  actor TEXT,
  approval_id TEXT,
  reason TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_allocations PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_allocations_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE models (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns INTEGER NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  model_id TEXT NOT NULL,
  active INTEGER NOT NULL,
  actor TEXT NOT NULL,
  approval_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_models PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_models_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT ck_models_active_is_flag CHECK (active IN (0, 1))
)
 WITHOUT ROWID,
 STRICT;

CREATE TRIGGER hours_no_update BEFORE UPDATE ON hours
BEGIN SELECT RAISE(ABORT, 'hours is append-only: UPDATE refused'); END;

CREATE TRIGGER hours_no_delete BEFORE DELETE ON hours
BEGIN SELECT RAISE(ABORT, 'hours is append-only: DELETE refused'); END;

CREATE TRIGGER hours_no_replace_1 BEFORE INSERT ON hours
WHEN EXISTS (SELECT 1 FROM hours WHERE account_id = NEW.account_id AND session_id = NEW.session_id AND hour_ns = NEW.hour_ns)
BEGIN SELECT RAISE(ABORT, 'hours has a row with this account_id, session_id, hour_ns'); END;

CREATE TRIGGER steps_no_update BEFORE UPDATE ON steps
BEGIN SELECT RAISE(ABORT, 'steps is append-only: UPDATE refused'); END;

CREATE TRIGGER steps_no_delete BEFORE DELETE ON steps
BEGIN SELECT RAISE(ABORT, 'steps is append-only: DELETE refused'); END;

CREATE TRIGGER steps_no_replace_1 BEFORE INSERT ON steps
WHEN EXISTS (SELECT 1 FROM steps WHERE account_id = NEW.account_id AND step = NEW.step)
BEGIN SELECT RAISE(ABORT, 'steps has a row with this account_id, step'); END;

CREATE TRIGGER steps_no_replace_2 BEFORE INSERT ON steps
WHEN EXISTS (SELECT 1 FROM steps WHERE account_id = NEW.account_id AND session_id = NEW.session_id AND sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'steps has a row with this account_id, session_id, sequence'); END;

CREATE TRIGGER steps_no_replace_3 BEFORE INSERT ON steps
WHEN EXISTS (SELECT 1 FROM steps WHERE account_id = NEW.account_id AND session_id = NEW.session_id AND hour_ns = NEW.hour_ns AND step = NEW.step)
BEGIN SELECT RAISE(ABORT, 'steps has a row with this account_id, session_id, hour_ns, step'); END;

CREATE TRIGGER profiles_no_update BEFORE UPDATE ON profiles
BEGIN SELECT RAISE(ABORT, 'profiles is append-only: UPDATE refused'); END;

CREATE TRIGGER profiles_no_delete BEFORE DELETE ON profiles
BEGIN SELECT RAISE(ABORT, 'profiles is append-only: DELETE refused'); END;

CREATE TRIGGER profiles_no_replace_1 BEFORE INSERT ON profiles
WHEN EXISTS (SELECT 1 FROM profiles WHERE account_id = NEW.account_id AND profile = NEW.profile AND profile_version = NEW.profile_version)
BEGIN SELECT RAISE(ABORT, 'profiles has a row with this account_id, profile, profile_version'); END;

CREATE TRIGGER profiles_no_replace_2 BEFORE INSERT ON profiles
WHEN EXISTS (SELECT 1 FROM profiles WHERE account_id = NEW.account_id AND profile = NEW.profile AND profile_version = NEW.profile_version AND leverage_max_bp = NEW.leverage_max_bp)
BEGIN SELECT RAISE(ABORT, 'profiles has a row with this account_id, profile, profile_version, leverage_max_bp'); END;

CREATE TRIGGER profile_tiers_no_update BEFORE UPDATE ON profile_tiers
BEGIN SELECT RAISE(ABORT, 'profile_tiers is append-only: UPDATE refused'); END;

CREATE TRIGGER profile_tiers_no_delete BEFORE DELETE ON profile_tiers
BEGIN SELECT RAISE(ABORT, 'profile_tiers is append-only: DELETE refused'); END;

CREATE TRIGGER profile_tiers_no_replace_1 BEFORE INSERT ON profile_tiers
WHEN EXISTS (SELECT 1 FROM profile_tiers WHERE account_id = NEW.account_id AND profile = NEW.profile AND profile_version = NEW.profile_version AND tier = NEW.tier)
BEGIN SELECT RAISE(ABORT, 'profile_tiers has a row with this account_id, profile, profile_version, tier'); END;

CREATE TRIGGER profile_tiers_no_replace_2 BEFORE INSERT ON profile_tiers
WHEN EXISTS (SELECT 1 FROM profile_tiers WHERE account_id = NEW.account_id AND profile = NEW.profile AND profile_version = NEW.profile_version AND tier = NEW.tier AND tier_from_bp = NEW.tier_from_bp AND tier_to_bp = NEW.tier_to_bp AND tier_entries = NEW.tier_entries)
BEGIN SELECT RAISE(ABORT, 'profile_tiers has a row with this account_id, profile, profile_version, tier, tier_from_bp, tier_to_bp, tier_entries'); END;

CREATE TRIGGER signal_ids_no_update BEFORE UPDATE ON signal_ids
BEGIN SELECT RAISE(ABORT, 'signal_ids is append-only: UPDATE refused'); END;

CREATE TRIGGER signal_ids_no_delete BEFORE DELETE ON signal_ids
BEGIN SELECT RAISE(ABORT, 'signal_ids is append-only: DELETE refused'); END;

CREATE TRIGGER signal_ids_no_replace_1 BEFORE INSERT ON signal_ids
WHEN EXISTS (SELECT 1 FROM signal_ids WHERE account_id = NEW.account_id AND signal_id = NEW.signal_id)
BEGIN SELECT RAISE(ABORT, 'signal_ids has a row with this account_id, signal_id'); END;

CREATE TRIGGER signal_ids_no_replace_2 BEFORE INSERT ON signal_ids
WHEN EXISTS (SELECT 1 FROM signal_ids WHERE account_id = NEW.account_id AND signal_id = NEW.signal_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'signal_ids has a row with this account_id, signal_id, step, ordinal'); END;

CREATE TRIGGER order_ids_no_update BEFORE UPDATE ON order_ids
BEGIN SELECT RAISE(ABORT, 'order_ids is append-only: UPDATE refused'); END;

CREATE TRIGGER order_ids_no_delete BEFORE DELETE ON order_ids
BEGIN SELECT RAISE(ABORT, 'order_ids is append-only: DELETE refused'); END;

CREATE TRIGGER order_ids_no_replace_1 BEFORE INSERT ON order_ids
WHEN EXISTS (SELECT 1 FROM order_ids WHERE account_id = NEW.account_id AND client_order_id = NEW.client_order_id)
BEGIN SELECT RAISE(ABORT, 'order_ids has a row with this account_id, client_order_id'); END;

CREATE TRIGGER order_ids_no_replace_2 BEFORE INSERT ON order_ids
WHEN EXISTS (SELECT 1 FROM order_ids WHERE account_id = NEW.account_id AND client_order_id = NEW.client_order_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'order_ids has a row with this account_id, client_order_id, step, ordinal'); END;

CREATE TRIGGER fill_ids_no_update BEFORE UPDATE ON fill_ids
BEGIN SELECT RAISE(ABORT, 'fill_ids is append-only: UPDATE refused'); END;

CREATE TRIGGER fill_ids_no_delete BEFORE DELETE ON fill_ids
BEGIN SELECT RAISE(ABORT, 'fill_ids is append-only: DELETE refused'); END;

CREATE TRIGGER fill_ids_no_replace_1 BEFORE INSERT ON fill_ids
WHEN EXISTS (SELECT 1 FROM fill_ids WHERE account_id = NEW.account_id AND fill_id = NEW.fill_id)
BEGIN SELECT RAISE(ABORT, 'fill_ids has a row with this account_id, fill_id'); END;

CREATE TRIGGER fill_ids_no_replace_2 BEFORE INSERT ON fill_ids
WHEN EXISTS (SELECT 1 FROM fill_ids WHERE account_id = NEW.account_id AND fill_id = NEW.fill_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'fill_ids has a row with this account_id, fill_id, step, ordinal'); END;

CREATE TRIGGER entry_ids_no_update BEFORE UPDATE ON entry_ids
BEGIN SELECT RAISE(ABORT, 'entry_ids is append-only: UPDATE refused'); END;

CREATE TRIGGER entry_ids_no_delete BEFORE DELETE ON entry_ids
BEGIN SELECT RAISE(ABORT, 'entry_ids is append-only: DELETE refused'); END;

CREATE TRIGGER entry_ids_no_replace_1 BEFORE INSERT ON entry_ids
WHEN EXISTS (SELECT 1 FROM entry_ids WHERE account_id = NEW.account_id AND entry_id = NEW.entry_id)
BEGIN SELECT RAISE(ABORT, 'entry_ids has a row with this account_id, entry_id'); END;

CREATE TRIGGER entry_ids_no_replace_2 BEFORE INSERT ON entry_ids
WHEN EXISTS (SELECT 1 FROM entry_ids WHERE account_id = NEW.account_id AND entry_id = NEW.entry_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'entry_ids has a row with this account_id, entry_id, step, ordinal'); END;

CREATE TRIGGER signals_no_update BEFORE UPDATE ON signals
BEGIN SELECT RAISE(ABORT, 'signals is append-only: UPDATE refused'); END;

CREATE TRIGGER signals_no_delete BEFORE DELETE ON signals
BEGIN SELECT RAISE(ABORT, 'signals is append-only: DELETE refused'); END;

CREATE TRIGGER signals_no_replace_1 BEFORE INSERT ON signals
WHEN EXISTS (SELECT 1 FROM signals WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'signals has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions is append-only: UPDATE refused'); END;

CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions is append-only: DELETE refused'); END;

CREATE TRIGGER decisions_no_replace_1 BEFORE INSERT ON decisions
WHEN EXISTS (SELECT 1 FROM decisions WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'decisions has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER orders_no_update BEFORE UPDATE ON orders
BEGIN SELECT RAISE(ABORT, 'orders is append-only: UPDATE refused'); END;

CREATE TRIGGER orders_no_delete BEFORE DELETE ON orders
BEGIN SELECT RAISE(ABORT, 'orders is append-only: DELETE refused'); END;

CREATE TRIGGER orders_no_replace_1 BEFORE INSERT ON orders
WHEN EXISTS (SELECT 1 FROM orders WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'orders has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER order_events_no_update BEFORE UPDATE ON order_events
BEGIN SELECT RAISE(ABORT, 'order_events is append-only: UPDATE refused'); END;

CREATE TRIGGER order_events_no_delete BEFORE DELETE ON order_events
BEGIN SELECT RAISE(ABORT, 'order_events is append-only: DELETE refused'); END;

CREATE TRIGGER order_events_no_replace_1 BEFORE INSERT ON order_events
WHEN EXISTS (SELECT 1 FROM order_events WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'order_events has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER fills_no_update BEFORE UPDATE ON fills
BEGIN SELECT RAISE(ABORT, 'fills is append-only: UPDATE refused'); END;

CREATE TRIGGER fills_no_delete BEFORE DELETE ON fills
BEGIN SELECT RAISE(ABORT, 'fills is append-only: DELETE refused'); END;

CREATE TRIGGER fills_no_replace_1 BEFORE INSERT ON fills
WHEN EXISTS (SELECT 1 FROM fills WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'fills has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries is append-only: UPDATE refused'); END;

CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries is append-only: DELETE refused'); END;

CREATE TRIGGER entries_no_replace_1 BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'entries has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is append-only: UPDATE refused'); END;

CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'postings is append-only: DELETE refused'); END;

CREATE TRIGGER postings_no_replace_1 BEFORE INSERT ON postings
WHEN EXISTS (SELECT 1 FROM postings WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'postings has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER lots_no_update BEFORE UPDATE ON lots
BEGIN SELECT RAISE(ABORT, 'lots is append-only: UPDATE refused'); END;

CREATE TRIGGER lots_no_delete BEFORE DELETE ON lots
BEGIN SELECT RAISE(ABORT, 'lots is append-only: DELETE refused'); END;

CREATE TRIGGER lots_no_replace_1 BEFORE INSERT ON lots
WHEN EXISTS (SELECT 1 FROM lots WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'lots has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER trades_no_update BEFORE UPDATE ON trades
BEGIN SELECT RAISE(ABORT, 'trades is append-only: UPDATE refused'); END;

CREATE TRIGGER trades_no_delete BEFORE DELETE ON trades
BEGIN SELECT RAISE(ABORT, 'trades is append-only: DELETE refused'); END;

CREATE TRIGGER trades_no_replace_1 BEFORE INSERT ON trades
WHEN EXISTS (SELECT 1 FROM trades WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'trades has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER snapshots_no_update BEFORE UPDATE ON snapshots
BEGIN SELECT RAISE(ABORT, 'snapshots is append-only: UPDATE refused'); END;

CREATE TRIGGER snapshots_no_delete BEFORE DELETE ON snapshots
BEGIN SELECT RAISE(ABORT, 'snapshots is append-only: DELETE refused'); END;

CREATE TRIGGER snapshots_no_replace_1 BEFORE INSERT ON snapshots
WHEN EXISTS (SELECT 1 FROM snapshots WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'snapshots has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER notes_no_update BEFORE UPDATE ON notes
BEGIN SELECT RAISE(ABORT, 'notes is append-only: UPDATE refused'); END;

CREATE TRIGGER notes_no_delete BEFORE DELETE ON notes
BEGIN SELECT RAISE(ABORT, 'notes is append-only: DELETE refused'); END;

CREATE TRIGGER notes_no_replace_1 BEFORE INSERT ON notes
WHEN EXISTS (SELECT 1 FROM notes WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'notes has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER restrictions_no_update BEFORE UPDATE ON restrictions
BEGIN SELECT RAISE(ABORT, 'restrictions is append-only: UPDATE refused'); END;

CREATE TRIGGER restrictions_no_delete BEFORE DELETE ON restrictions
BEGIN SELECT RAISE(ABORT, 'restrictions is append-only: DELETE refused'); END;

CREATE TRIGGER restrictions_no_replace_1 BEFORE INSERT ON restrictions
WHEN EXISTS (SELECT 1 FROM restrictions WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'restrictions has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER kill_events_no_update BEFORE UPDATE ON kill_events
BEGIN SELECT RAISE(ABORT, 'kill_events is append-only: UPDATE refused'); END;

CREATE TRIGGER kill_events_no_delete BEFORE DELETE ON kill_events
BEGIN SELECT RAISE(ABORT, 'kill_events is append-only: DELETE refused'); END;

CREATE TRIGGER kill_events_no_replace_1 BEFORE INSERT ON kill_events
WHEN EXISTS (SELECT 1 FROM kill_events WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'kill_events has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER profile_changes_no_update BEFORE UPDATE ON profile_changes
BEGIN SELECT RAISE(ABORT, 'profile_changes is append-only: UPDATE refused'); END;

CREATE TRIGGER profile_changes_no_delete BEFORE DELETE ON profile_changes
BEGIN SELECT RAISE(ABORT, 'profile_changes is append-only: DELETE refused'); END;

CREATE TRIGGER profile_changes_no_replace_1 BEFORE INSERT ON profile_changes
WHEN EXISTS (SELECT 1 FROM profile_changes WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'profile_changes has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER allocations_no_update BEFORE UPDATE ON allocations
BEGIN SELECT RAISE(ABORT, 'allocations is append-only: UPDATE refused'); END;

CREATE TRIGGER allocations_no_delete BEFORE DELETE ON allocations
BEGIN SELECT RAISE(ABORT, 'allocations is append-only: DELETE refused'); END;

CREATE TRIGGER allocations_no_replace_1 BEFORE INSERT ON allocations
WHEN EXISTS (SELECT 1 FROM allocations WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'allocations has a row with this account_id, step, ordinal'); END;

CREATE TRIGGER models_no_update BEFORE UPDATE ON models
BEGIN SELECT RAISE(ABORT, 'models is append-only: UPDATE refused'); END;

CREATE TRIGGER models_no_delete BEFORE DELETE ON models
BEGIN SELECT RAISE(ABORT, 'models is append-only: DELETE refused'); END;

CREATE TRIGGER models_no_replace_1 BEFORE INSERT ON models
WHEN EXISTS (SELECT 1 FROM models WHERE account_id = NEW.account_id AND step = NEW.step AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'models has a row with this account_id, step, ordinal'); END;
