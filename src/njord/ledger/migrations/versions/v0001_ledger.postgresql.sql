-- Version 0001. Released: it never changes; a new version gets a file of its own.
CREATE TABLE hours (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_hours PRIMARY KEY (account_id, session_id, hour_ns)
);

CREATE TABLE steps (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  time_ns BIGINT NOT NULL,
  cause TEXT NOT NULL,
  payload TEXT NOT NULL,
  payload_hash TEXT NOT NULL,
  rows_count BIGINT NOT NULL,
  rows_hash TEXT NOT NULL,
  chain TEXT NOT NULL,
  CONSTRAINT pk_steps PRIMARY KEY (account_id, step),
  CONSTRAINT uq_steps_1 UNIQUE (account_id, session_id, sequence),
  CONSTRAINT uq_steps_2 UNIQUE (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_steps_1 FOREIGN KEY(account_id, session_id, hour_ns) REFERENCES hours (account_id, session_id, hour_ns),
  CONSTRAINT ck_steps_step CHECK (step > 0),
  CONSTRAINT ck_steps_hour CHECK (hour_ns >= 0 AND hour_ns % 3600000000000 = 0 AND time_ns - hour_ns BETWEEN 0 AND 3599999999999),
  CONSTRAINT ck_steps_payload_is_json CHECK (CAST(payload AS json) IS NOT NULL)
);

CREATE TABLE profiles (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  profile TEXT NOT NULL,
  profile_version BIGINT NOT NULL,
  leverage_max_bp BIGINT NOT NULL,
  definition TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_profiles PRIMARY KEY (account_id, profile, profile_version),
  CONSTRAINT uq_profiles_1 UNIQUE (account_id, profile, profile_version, leverage_max_bp),
  CONSTRAINT fk_profiles_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT ck_profiles_definition_is_json CHECK (CAST(definition AS json) IS NOT NULL)
);

CREATE TABLE profile_tiers (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  profile TEXT NOT NULL,
  profile_version BIGINT NOT NULL,
  tier BIGINT NOT NULL,
  tier_from_bp BIGINT NOT NULL,
  tier_to_bp BIGINT NOT NULL,
  tier_entries BOOLEAN NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_profile_tiers PRIMARY KEY (account_id, profile, profile_version, tier),
  CONSTRAINT uq_profile_tiers_1 UNIQUE (account_id, profile, profile_version, tier, tier_from_bp, tier_to_bp, tier_entries),
  CONSTRAINT fk_profile_tiers_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_profile_tiers_2 FOREIGN KEY(account_id, profile, profile_version) REFERENCES profiles (account_id, profile, profile_version),
  CONSTRAINT ck_profile_tiers_range CHECK (tier_from_bp < tier_to_bp)
);

CREATE TABLE signal_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  signal_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_signal_ids PRIMARY KEY (account_id, signal_id),
  CONSTRAINT uq_signal_ids_1 UNIQUE (account_id, signal_id, step, ordinal),
  CONSTRAINT fk_signal_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
);

CREATE TABLE order_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  client_order_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_order_ids PRIMARY KEY (account_id, client_order_id),
  CONSTRAINT uq_order_ids_1 UNIQUE (account_id, client_order_id, step, ordinal),
  CONSTRAINT fk_order_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
);

CREATE TABLE fill_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  fill_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_fill_ids PRIMARY KEY (account_id, fill_id),
  CONSTRAINT uq_fill_ids_1 UNIQUE (account_id, fill_id, step, ordinal),
  CONSTRAINT fk_fill_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
);

CREATE TABLE entry_ids (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  entry_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_entry_ids PRIMARY KEY (account_id, entry_id),
  CONSTRAINT uq_entry_ids_1 UNIQUE (account_id, entry_id, step, ordinal),
  CONSTRAINT fk_entry_ids_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
);

CREATE TABLE signals (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
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
 PARTITION BY RANGE (hour_ns);

CREATE TABLE decisions (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  client_order_id TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  approved BOOLEAN NOT NULL,
  refusal TEXT,
  adds BOOLEAN,
  order_units NUMERIC(38, 0),
  equity_units NUMERIC(38, 0),
  gross_before_bp BIGINT,
  gross_after_bp BIGINT,
  leverage_max_bp BIGINT,
  drawdown_bp BIGINT,
  tier BIGINT,
  tier_from_bp BIGINT,
  tier_to_bp BIGINT,
  tier_entries BOOLEAN,
  var_before_units NUMERIC(38, 0),
  var_after_units NUMERIC(38, 0),
  var_max_units NUMERIC(38, 0),
  profile TEXT,
  profile_version BIGINT,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_decisions PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_decisions_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_decisions_2 FOREIGN KEY(account_id, profile, profile_version, leverage_max_bp) REFERENCES profiles (account_id, profile, profile_version, leverage_max_bp),
  CONSTRAINT fk_decisions_3 FOREIGN KEY(account_id, profile, profile_version, tier, tier_from_bp, tier_to_bp, tier_entries) REFERENCES profile_tiers (account_id, profile, profile_version, tier, tier_from_bp, tier_to_bp, tier_entries),
  CONSTRAINT ck_decisions_reason CHECK (approved = (refusal IS NULL)),
  CONSTRAINT ck_decisions_figures CHECK ((adds IS NULL AND order_units IS NULL AND equity_units IS NULL AND gross_before_bp IS NULL AND gross_after_bp IS NULL AND leverage_max_bp IS NULL AND drawdown_bp IS NULL AND tier IS NULL AND tier_from_bp IS NULL AND tier_to_bp IS NULL AND tier_entries IS NULL AND profile IS NULL AND profile_version IS NULL) OR (adds IS NOT NULL AND order_units IS NOT NULL AND equity_units IS NOT NULL AND gross_before_bp IS NOT NULL AND gross_after_bp IS NOT NULL AND leverage_max_bp IS NOT NULL AND drawdown_bp IS NOT NULL AND tier IS NOT NULL AND tier_from_bp IS NOT NULL AND tier_to_bp IS NOT NULL AND tier_entries IS NOT NULL AND profile IS NOT NULL AND profile_version IS NOT NULL)),
  CONSTRAINT ck_decisions_leverage CHECK (NOT (approved AND adds) OR gross_after_bp <= leverage_max_bp),
  CONSTRAINT ck_decisions_entries CHECK (NOT (approved AND adds) OR tier_entries),
  CONSTRAINT ck_decisions_drawdown CHECK (drawdown_bp >= tier_from_bp AND drawdown_bp < tier_to_bp)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE orders (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  client_order_id TEXT NOT NULL,
  signal_id TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  side TEXT NOT NULL,
  order_type TEXT NOT NULL,
  quantity_lots BIGINT NOT NULL,
  limit_ticks BIGINT,
  stop_ticks BIGINT,
  time_in_force TEXT NOT NULL,
  post_only BOOLEAN NOT NULL,
  reduce_only BOOLEAN NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_orders PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_orders_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_orders_2 FOREIGN KEY(account_id, client_order_id, step, ordinal) REFERENCES order_ids (account_id, client_order_id, step, ordinal),
  CONSTRAINT fk_orders_3 FOREIGN KEY(account_id, signal_id) REFERENCES signal_ids (account_id, signal_id),
  CONSTRAINT ck_orders_quantity CHECK (quantity_lots > 0),
  CONSTRAINT ck_orders_side CHECK (side IN ('buy', 'sell'))
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE order_events (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  client_order_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  reason TEXT,
  quantity_lots BIGINT,
  limit_ticks BIGINT,
  venue_time_ns BIGINT,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_order_events PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_order_events_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE fills (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  fill_id TEXT NOT NULL,
  client_order_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  side TEXT NOT NULL,
  price_ticks BIGINT NOT NULL,
  quantity_lots BIGINT NOT NULL,
  fee_units NUMERIC(38, 0) NOT NULL,
  fee_asset TEXT NOT NULL,
  liquidity TEXT NOT NULL,
  reason TEXT NOT NULL,
  causation_id TEXT NOT NULL,
  venue_time_ns BIGINT NOT NULL,
  local_time_ns BIGINT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_fills PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_fills_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_fills_2 FOREIGN KEY(account_id, fill_id, step, ordinal) REFERENCES fill_ids (account_id, fill_id, step, ordinal),
  CONSTRAINT fk_fills_3 FOREIGN KEY(account_id, client_order_id) REFERENCES order_ids (account_id, client_order_id),
  CONSTRAINT ck_fills_quantity CHECK (quantity_lots > 0),
  CONSTRAINT ck_fills_side CHECK (side IN ('buy', 'sell'))
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE entries (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  entry_id TEXT NOT NULL,
  cause TEXT NOT NULL,
  entry_time_ns BIGINT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_entries PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_entries_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_entries_2 FOREIGN KEY(account_id, entry_id, step, ordinal) REFERENCES entry_ids (account_id, entry_id, step, ordinal)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE postings (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  entry_id TEXT NOT NULL,
  leg BIGINT NOT NULL,
  book TEXT NOT NULL,
  asset TEXT NOT NULL,
  amount NUMERIC(38, 0) NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_postings PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_postings_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_postings_2 FOREIGN KEY(account_id, entry_id) REFERENCES entry_ids (account_id, entry_id)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE lots (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  fill_id TEXT NOT NULL,
  lots BIGINT NOT NULL,
  cost_units NUMERIC(38, 0) NOT NULL,
  fee_units NUMERIC(38, 0) NOT NULL,
  lot_time_ns BIGINT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_lots PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_lots_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_lots_2 FOREIGN KEY(account_id, fill_id) REFERENCES fill_ids (account_id, fill_id),
  CONSTRAINT ck_lots_lots CHECK (lots <> 0)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE trades (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  strategy_id TEXT NOT NULL,
  instrument_id TEXT NOT NULL,
  entry_fill_id TEXT NOT NULL,
  exit_fill_id TEXT NOT NULL,
  lots BIGINT NOT NULL,
  entry_units NUMERIC(38, 0) NOT NULL,
  exit_units NUMERIC(38, 0) NOT NULL,
  gain_units NUMERIC(38, 0) NOT NULL,
  fee_units NUMERIC(38, 0) NOT NULL,
  entry_time_ns BIGINT NOT NULL,
  exit_time_ns BIGINT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_trades PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_trades_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT fk_trades_2 FOREIGN KEY(account_id, entry_fill_id) REFERENCES fill_ids (account_id, fill_id),
  CONSTRAINT fk_trades_3 FOREIGN KEY(account_id, exit_fill_id) REFERENCES fill_ids (account_id, fill_id),
  CONSTRAINT ck_trades_lots CHECK (lots <> 0)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE snapshots (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  snapshot_time_ns BIGINT NOT NULL,
  equity_units NUMERIC(38, 0) NOT NULL,
  peak_units NUMERIC(38, 0) NOT NULL,
  day_units NUMERIC(38, 0) NOT NULL,
  cash TEXT NOT NULL,
  lots TEXT NOT NULL,
  ticks TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_snapshots PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_snapshots_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT ck_snapshots_cash_is_json CHECK (CAST(cash AS json) IS NOT NULL),
  CONSTRAINT ck_snapshots_lots_is_json CHECK (CAST(lots AS json) IS NOT NULL),
  CONSTRAINT ck_snapshots_ticks_is_json CHECK (CAST(ticks AS json) IS NOT NULL)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE notes (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  kind TEXT NOT NULL,
  strategy_id TEXT NOT NULL,
  text TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_notes PRIMARY KEY (account_id, step, ordinal, hour_ns),
  CONSTRAINT fk_notes_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
)
 PARTITION BY RANGE (hour_ns);

CREATE TABLE restrictions (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  scope TEXT NOT NULL,
  cause TEXT NOT NULL,
  level TEXT NOT NULL,
  whose TEXT NOT NULL,
  detail TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_restrictions PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_restrictions_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
);

CREATE TABLE kill_events (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  kind TEXT NOT NULL,
  scope TEXT NOT NULL,
  source TEXT,
  actors TEXT NOT NULL,
  reason TEXT NOT NULL,
  flatten BOOLEAN,
  venue_time_ns BIGINT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_kill_events PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_kill_events_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step),
  CONSTRAINT ck_kill_events_actors_is_json CHECK (CAST(actors AS json) IS NOT NULL)
);

CREATE TABLE profile_changes (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  profile TEXT NOT NULL,
  profile_version BIGINT NOT NULL,
  actor TEXT NOT NULL,
  approval_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_profile_changes PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_profile_changes_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
);

CREATE TABLE allocations (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
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
);

CREATE TABLE models (
  account_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  hour_ns BIGINT NOT NULL,
  step BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  model_id TEXT NOT NULL,
  active BOOLEAN NOT NULL,
  actor TEXT NOT NULL,
  approval_id TEXT NOT NULL,
  row_hash TEXT NOT NULL,
  CONSTRAINT pk_models PRIMARY KEY (account_id, step, ordinal),
  CONSTRAINT fk_models_1 FOREIGN KEY(account_id, session_id, hour_ns, step) REFERENCES steps (account_id, session_id, hour_ns, step)
);

CREATE FUNCTION njord_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION njord_balanced() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE lopsided record;
BEGIN
  SELECT asset, sum(amount) AS total INTO lopsided FROM postings
  WHERE account_id = NEW.account_id AND step = NEW.step AND hour_ns = NEW.hour_ns AND entry_id = NEW.entry_id
  GROUP BY asset HAVING sum(amount) <> 0 ORDER BY asset LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entry %: its postings of % sum to %, not to zero', NEW.entry_id, lopsided.asset, lopsided.total
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION njord_week(hour_ns bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
  week_ns CONSTANT bigint := 604800000000000;
  monday_ns CONSTANT bigint := 345600000000000;
  starts bigint := floor((hour_ns - monday_ns)::numeric / week_ns) * week_ns + monday_ns;
  suffix text := to_char(to_timestamp(starts / 1000000000) AT TIME ZONE 'UTC', 'YYYYMMDD');
  parent text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('njord_week'));
  FOREACH parent IN ARRAY ARRAY['signals', 'decisions', 'orders', 'order_events', 'fills', 'entries', 'postings', 'lots', 'trades', 'snapshots', 'notes'] LOOP
    IF to_regclass(format('%I', parent || '_' || suffix)) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', parent || '_' || suffix, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
        parent, parent || '_' || suffix, starts, starts + week_ns);
      EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse()', parent || '_' || suffix);
    END IF;
  END LOOP;
  RETURN starts;
END $$;

CREATE TRIGGER hours_append_only BEFORE UPDATE OR DELETE ON hours
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER hours_no_truncate BEFORE TRUNCATE ON hours
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER steps_append_only BEFORE UPDATE OR DELETE ON steps
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER steps_no_truncate BEFORE TRUNCATE ON steps
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER profiles_append_only BEFORE UPDATE OR DELETE ON profiles
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER profiles_no_truncate BEFORE TRUNCATE ON profiles
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER profile_tiers_append_only BEFORE UPDATE OR DELETE ON profile_tiers
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER profile_tiers_no_truncate BEFORE TRUNCATE ON profile_tiers
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER signal_ids_append_only BEFORE UPDATE OR DELETE ON signal_ids
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER signal_ids_no_truncate BEFORE TRUNCATE ON signal_ids
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER order_ids_append_only BEFORE UPDATE OR DELETE ON order_ids
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER order_ids_no_truncate BEFORE TRUNCATE ON order_ids
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER fill_ids_append_only BEFORE UPDATE OR DELETE ON fill_ids
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER fill_ids_no_truncate BEFORE TRUNCATE ON fill_ids
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER entry_ids_append_only BEFORE UPDATE OR DELETE ON entry_ids
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER entry_ids_no_truncate BEFORE TRUNCATE ON entry_ids
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER signals_append_only BEFORE UPDATE OR DELETE ON signals
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER signals_no_truncate BEFORE TRUNCATE ON signals
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER decisions_append_only BEFORE UPDATE OR DELETE ON decisions
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER decisions_no_truncate BEFORE TRUNCATE ON decisions
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER orders_append_only BEFORE UPDATE OR DELETE ON orders
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER orders_no_truncate BEFORE TRUNCATE ON orders
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER order_events_append_only BEFORE UPDATE OR DELETE ON order_events
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER order_events_no_truncate BEFORE TRUNCATE ON order_events
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER fills_append_only BEFORE UPDATE OR DELETE ON fills
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER fills_no_truncate BEFORE TRUNCATE ON fills
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE ON entries
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER entries_no_truncate BEFORE TRUNCATE ON entries
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE ON postings
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER postings_no_truncate BEFORE TRUNCATE ON postings
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER lots_append_only BEFORE UPDATE OR DELETE ON lots
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER lots_no_truncate BEFORE TRUNCATE ON lots
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER trades_append_only BEFORE UPDATE OR DELETE ON trades
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER trades_no_truncate BEFORE TRUNCATE ON trades
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER snapshots_append_only BEFORE UPDATE OR DELETE ON snapshots
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER snapshots_no_truncate BEFORE TRUNCATE ON snapshots
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER notes_append_only BEFORE UPDATE OR DELETE ON notes
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER notes_no_truncate BEFORE TRUNCATE ON notes
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER restrictions_append_only BEFORE UPDATE OR DELETE ON restrictions
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER restrictions_no_truncate BEFORE TRUNCATE ON restrictions
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER kill_events_append_only BEFORE UPDATE OR DELETE ON kill_events
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER kill_events_no_truncate BEFORE TRUNCATE ON kill_events
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER profile_changes_append_only BEFORE UPDATE OR DELETE ON profile_changes
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER profile_changes_no_truncate BEFORE TRUNCATE ON profile_changes
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER allocations_append_only BEFORE UPDATE OR DELETE ON allocations
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER allocations_no_truncate BEFORE TRUNCATE ON allocations
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER models_append_only BEFORE UPDATE OR DELETE ON models
FOR EACH ROW EXECUTE FUNCTION njord_refuse();

CREATE TRIGGER models_no_truncate BEFORE TRUNCATE ON models
FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();

CREATE CONSTRAINT TRIGGER postings_balanced AFTER INSERT ON postings
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION njord_balanced();

DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'njord_app') THEN
    BEGIN
      CREATE ROLE njord_app NOLOGIN;
    EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
      NULL;
    END;
  END IF;
  REVOKE ALL ON FUNCTION njord_week(bigint) FROM PUBLIC;
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'njord_app') THEN
    GRANT SELECT, INSERT ON hours, steps, profiles, profile_tiers, signal_ids, order_ids, fill_ids, entry_ids, signals, decisions, orders, order_events, fills, entries, postings, lots, trades, snapshots, notes, restrictions, kill_events, profile_changes, allocations, models TO njord_app;
    GRANT EXECUTE ON FUNCTION njord_week(bigint) TO njord_app;
    IF to_regclass('alembic_version') IS NOT NULL THEN
      GRANT SELECT ON alembic_version TO njord_app;
    END IF;
  END IF;
END $$;
