"""The schema: forward and back, one canonical description, and what differs from it is named."""

import hashlib

import pytest

from njord.ledger.port import LedgerRefused
from njord.ledger.sql import ddl, drift, schema
from njord.ledger.sql.connecting import parsed, shown
from njord.ledger.sql.schema import NOTHING, OtherVersion, migrate, migrated
from njord.ledger.sql.store import SqlLedger
from njord.ledger.sql.validation import rules, violations

from .databases import DATABASES, database_url, unguarded
from .records import deposit, fills, run_records, story


@pytest.fixture(params=DATABASES)
def engine(request, tmp_path):
    made = migrated(database_url(request, tmp_path))
    yield made
    made.dispose()


def schema_hash(engine):
    described = drift._sqlite_described if engine.dialect.name == "sqlite" else drift._postgresql_described
    with engine.connect() as connection:
        return hashlib.sha256(repr(sorted(described(connection).items())).encode()).hexdigest()


@pytest.mark.parametrize("dialect", ddl.DIALECTS)
def test_the_committed_bootstrap_is_what_the_tables_say(dialect):
    assert drift.bootstrap_text(dialect) == ddl.bootstrap(dialect)


def test_up_down_up_is_where_it_was(engine):
    up = schema_hash(engine)
    assert up != hashlib.sha256(b"[]").hexdigest()

    assert migrate(engine, NOTHING) == (schema.LATEST, NOTHING)
    assert schema_hash(engine) == hashlib.sha256(b"[]").hexdigest()
    with pytest.raises(OtherVersion, match="has no ledger yet"):
        SqlLedger(engine)

    assert migrate(engine) == (NOTHING, schema.LATEST)
    assert schema_hash(engine) == up
    assert drift.drift(engine) == []


def test_going_back_never_throws_records_away(engine):
    ledger = SqlLedger(engine)
    head = ledger.commit([deposit()])

    with pytest.raises(LedgerRefused, match="has records"):
        migrate(engine, NOTHING)

    assert schema.version(engine) == schema.LATEST
    assert ledger.head(deposit().account_id) == head


def test_a_database_of_another_version_is_not_opened(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(OtherVersion, match="is of version 9999, this njord knows 0001"):
        SqlLedger(engine)
    with pytest.raises(OtherVersion, match="which this njord does not know"):
        migrate(engine)
    with pytest.raises(OtherVersion, match="no version 77"):
        migrate(engine, "77")


def test_the_latest_version_is_the_last_migration():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.LATEST


SQLITE_CHANGES = [
    ("ALTER TABLE fills ADD COLUMN extra TEXT", "column", "fills.extra"),
    ("ALTER TABLE fills RENAME COLUMN reason TO why", "column", "fills.reason"),
    ("DROP TRIGGER postings_no_update", "trigger", "postings_no_update"),
    ("DROP TABLE notes", "table", "notes"),
    ("CREATE TRIGGER mine AFTER INSERT ON fills BEGIN SELECT 1; END", "trigger", "mine"),
    ("CREATE UNIQUE INDEX mine ON fills (side)", "index", "mine"),
]
POSTGRES_CHANGES = [
    ("ALTER TABLE fills ADD COLUMN extra TEXT", "column", "fills.extra"),
    ("ALTER TABLE postings ALTER COLUMN amount TYPE NUMERIC(40,0)", "column", "postings.amount"),
    ("ALTER TABLE fills ALTER COLUMN reason DROP NOT NULL", "column", "fills.reason"),
    ("DROP TRIGGER postings_append_only ON postings", "trigger", "postings.postings_append_only"),
    ("ALTER TABLE models DISABLE TRIGGER models_append_only", "trigger", "models.models_append_only"),
    ("ALTER TABLE fills_20231113 DISABLE TRIGGER fills_append_only", "partition", "fills_20231113"),
    ("ALTER TABLE decisions DROP CONSTRAINT ck_decisions_leverage", "constraint", "decisions.ck_decisions_leverage"),
    ("ALTER TABLE trades DROP CONSTRAINT fk_trades_2", "constraint", "trades.fk_trades_2"),
    ("GRANT UPDATE ON fills TO njord_app", "grant", "fills"),
    ("DROP TABLE notes", "table", "notes"),
    (
        "CREATE OR REPLACE FUNCTION njord_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "function", "njord_refuse",
    ),
]  # fmt: skip


def drifted(engine, statement):
    SqlLedger(engine).commit(story())
    assert drift.drift(engine) == []
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    return {(d.kind, d.name) for d in drift.drift(engine)}


@pytest.mark.parametrize(("statement", "kind", "name"), SQLITE_CHANGES)
def test_drift_names_what_was_changed_in_sqlite(tmp_path, statement, kind, name):
    engine = migrated(f"sqlite:///{tmp_path / 'l'}")
    assert (kind, name) in drifted(engine, statement)
    engine.dispose()


def test_drift_names_a_check_taken_out_of_sqlite(tmp_path):
    engine = migrated(f"sqlite:///{tmp_path / 'l'}")
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, 'quantity_lots > 0', 'true') WHERE name = 'fills'")
        connection.invalidate()
    assert [(d.kind, d.name) for d in drift.drift(engine)] == [("constraint", "fills.ck_fills_quantity")]
    engine.dispose()


@pytest.mark.connects
@pytest.mark.parametrize(("statement", "kind", "name"), POSTGRES_CHANGES)
def test_drift_names_what_was_changed_in_postgresql(postgres_url, statement, kind, name):
    engine = migrated(postgres_url)
    assert (kind, name) in drifted(engine, statement)
    engine.dispose()


def test_what_real_runs_write_breaks_no_rule(engine, monkeypatch, bars):
    ledger = SqlLedger(engine)
    records, _ = run_records(monkeypatch, bars)
    ledger.commit(records)
    ledger.commit(story()[:5])
    ledger.commit(fills(200, "bulk"))
    assert violations(engine) == []


# What one statement breaks, and the rule that must notice
VIOLATIONS = [
    ("UPDATE postings SET amount = '1' WHERE step = 1 AND ordinal = 2", "unbalanced_entries"),
    ("DELETE FROM postings WHERE step = 1", "entries_without_postings"),
    ("DELETE FROM entry_ids WHERE step = 5", "fills_without_entry"),
    ("DELETE FROM lots", "fills_beyond_lots"),
    ("DELETE FROM lots", "lots_closed_twice"),
    ("UPDATE trades SET lots = -lots", "lots_closed_twice"),
    ("UPDATE trades SET lots = 11", "first_in_first_out"),
    ("UPDATE lots SET lots = 12", "positions_beyond_lots"),
    ("DELETE FROM decisions WHERE refusal IS NULL", "orders_without_decision"),
    ("DELETE FROM orders", "approvals_without_order"),
    ("DELETE FROM orders", "identifiers_without_owner"),
    ("DELETE FROM signals", "identifiers_without_owner"),
    ("UPDATE decisions SET drawdown_bp = 777 WHERE drawdown_bp IS NOT NULL", "decisions_beyond_limits"),
    ("DELETE FROM steps WHERE step = 3", "steps_not_contiguous"),
]


def test_every_rule_notices_what_it_is_for(engine, monkeypatch):
    SqlLedger(engine).commit(story())
    assert {rule for _, rule in VIOLATIONS} == set(rules())
    for statement, rule in VIOLATIONS:
        with unguarded(engine) as connection:
            connection.exec_driver_sql(statement)
            monkeypatch.setattr(engine, "connect", lambda c=connection: _Kept(c))
            found = {violation.rule for violation in violations(engine)}
            monkeypatch.undo()
        assert rule in found, statement
    assert violations(engine) == []


class _Kept:
    """The connection of a test where the code would open one of its own."""

    def __init__(self, connection):
        self._connection = connection

    def __enter__(self):
        return self._connection

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "must look like"),
        ("mysql://u:secret@h/d", "must begin with"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://u:secret@h", "names no database"),
        ("postgresql://h/d?port=x&password=secret:", None),
    ],
)
def test_a_url_is_refused_in_one_line_without_its_password(url, said):
    if said is None:
        assert "secret" not in shown(parsed(url))
        return
    with pytest.raises(ValueError, match=said) as caught:
        parsed(url)
    assert "secret" not in str(caught.value)


def test_a_ledger_that_is_not_there_is_not_made_by_looking(tmp_path):
    with pytest.raises(OtherVersion, match="no ledger at"):
        SqlLedger.open(f"sqlite:///{tmp_path / 'none'}")
    assert list(tmp_path.iterdir()) == []


def test_sqlite_is_durable_and_bounded(tmp_path):
    engine = migrated(f"sqlite:///{tmp_path / 'deep' / 'l'}")
    with engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "recursive_triggers")
        }
    assert values == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000, "recursive_triggers": 1,
    }  # fmt: skip
    engine.dispose()
