"""Whatever hand changes a ledger: the database refuses it, and where it cannot, the verifier names it."""

import pytest
import sqlalchemy as sa

from njord.ledger.port import BreakKind
from njord.ledger.sql import store
from njord.ledger.sql.connecting import connected, parsed
from njord.ledger.sql.ddl import APP_ROLE
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ledger.sql.tables import SQL_TABLES
from njord.ledger.tables import BY_NAME, TABLES, Kind
from njord.ledger.verifying import breaks

from .databases import DATABASES, database_url, unguarded
from .records import ACCOUNT, assessed, profile_change, record, story

EVERY = [spec.name for spec in TABLES]


@pytest.fixture(params=DATABASES)
def ledger(request, tmp_path):
    made = SqlLedger(migrated(database_url(request, tmp_path)))
    made.commit(story())
    yield made
    made.close()


def found(connection):
    return [b for name in store._all_accounts(connection) for b in breaks(name, store._windows(connection, name))]


def flipped(column, value):
    if column.kind is Kind.FLAG:
        return True if value is None else not value
    if column.kind in (Kind.INTEGER, Kind.UNITS):
        return 7 if value is None else value + 1_000
    return "x" if value is None else value[:-1] + ("x" if value[-1:] != "x" else "y")


def where(table, row):
    keys = BY_NAME[table].key
    return sa.and_(*(SQL_TABLES[table].c[name] == row[name] for name in keys))


def test_any_column_of_any_table_is_missed_when_flipped(ledger):
    with unguarded(ledger.engine) as connection:
        for spec in TABLES:
            table = SQL_TABLES[spec.name]
            row = connection.execute(sa.select(table).where(table.c.step > 1)).mappings().first()
            row = row or connection.execute(sa.select(table)).mappings().first()
            for column in spec.columns:
                value = flipped(column, row[column.name])
                if column.name == "hour_ns" and connection.dialect.name == "postgresql":
                    value = row["hour_ns"] + 3_600_000_000_000  # Still of a week that has a partition
                saved = connection.begin_nested()
                connection.execute(sa.update(table).where(where(spec.name, row)).values({column.name: value}))
                named = [(b.table, b.kind) for b in found(connection)]
                saved.rollback()
                assert any(table_name == spec.name for table_name, _ in named), (spec.name, column.name, named)
        assert found(connection) == []


def test_both_sides_and_the_place_of_a_change_are_named(ledger):
    with unguarded(ledger.engine) as connection:
        connection.execute(sa.update(SQL_TABLES["fills"]).where(SQL_TABLES["fills"].c.step == 5).values(price_ticks=99))
        (one,) = found(connection)
    assert (one.kind, one.account_id, one.table, one.position) == (BreakKind.CHANGED, ACCOUNT, "fills", 5)
    assert one.detail == "ordinal 1: price_ticks is 99, made again it is 100"


@pytest.mark.parametrize("table", EVERY)
def test_a_row_taken_out_is_missed(ledger, table):
    with unguarded(ledger.engine) as connection:
        rows = connection.execute(sa.select(SQL_TABLES[table])).mappings().all()
        for row in (rows[0], rows[-1]):
            saved = connection.begin_nested()
            connection.execute(sa.delete(SQL_TABLES[table]).where(where(table, row)))
            named = found(connection)
            saved.rollback()
            # A step taken out from the end leaves its rows behind; one from the middle a gap
            expected = {table} if table != "steps" else {"steps", "snapshots"}
            assert {b.table for b in named} & expected, named
            assert {b.position for b in named} & {row["step"], row["step"] + 1}


@pytest.mark.parametrize("table", EVERY)
def test_a_row_put_in_is_noticed(ledger, table):
    with unguarded(ledger.engine) as connection:
        row = dict(connection.execute(sa.select(SQL_TABLES[table])).mappings().first())
        column = "ordinal" if table not in ("steps",) and not BY_NAME[table].once else "step"
        if table.endswith("_ids"):
            row[BY_NAME[table].key[1]] = "invented"
        if BY_NAME[table].once:
            name = {"hours": "session_id", "profiles": "profile", "profile_tiers": "tier"}[table]
            row[name] = 9 if name == "tier" else "invented"
        elif table == "steps":
            row |= {"step": 99, "sequence": 99}
        else:
            row[column] = 50
        connection.execute(sa.insert(SQL_TABLES[table]), [row])
        named = found(connection)
    assert table in {b.table for b in named}, named


def test_an_account_put_in_or_renamed_is_noticed(ledger):
    with unguarded(ledger.engine) as connection:
        table = SQL_TABLES["notes"]
        connection.execute(sa.update(table).values(account_id="ghost"))
        named = {(b.account_id, b.table, b.kind) for b in found(connection)}
    assert named == {("ghost", "notes", BreakKind.EXTRA), (ACCOUNT, "notes", BreakKind.MISSING)}


def test_two_records_that_changed_places_are_noticed(ledger):
    with unguarded(ledger.engine) as connection:
        steps = SQL_TABLES["steps"]
        for old, new in ((4, 400), (5, 4), (400, 5)):
            connection.execute(sa.update(steps).where(steps.c.step == old).values(step=new))
        named = found(connection)
    assert {(b.table, b.position) for b in named} >= {("steps", 4), ("steps", 5)}
    assert BreakKind.OUT_OF_ORDER in {b.kind for b in named}


def test_a_payload_that_cannot_be_read_is_named(ledger):
    with unguarded(ledger.engine) as connection:
        steps = SQL_TABLES["steps"]
        connection.execute(sa.update(steps).where(steps.c.step == 3).values(payload="{}"))
        named = found(connection)
    assert (BreakKind.UNREADABLE, "steps", 3) in {(b.kind, b.table, b.position) for b in named}


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "REPLACE", "TRUNCATE"])
def test_no_table_can_be_changed_with_its_guards_on(ledger, verb):
    sqlite = ledger.engine.dialect.name == "sqlite"
    if (sqlite, verb) in ((True, "TRUNCATE"), (False, "REPLACE")):
        pytest.skip(f"no {verb} in this database")
    for table in EVERY:
        statement = {
            "UPDATE": f"UPDATE {table} SET step = step",
            "DELETE": f"DELETE FROM {table}",
            "REPLACE": f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
            "TRUNCATE": f"TRUNCATE {table} CASCADE",
        }[verb]
        expected = "has a row with this" if verb == "REPLACE" else "append-only"
        with pytest.raises(sa.exc.IntegrityError, match=expected), ledger.engine.begin() as connection:
            connection.exec_driver_sql(statement)
    assert ledger.verify() == []


@pytest.mark.connects
def test_the_role_of_the_application_may_only_read_and_add(postgres_url):
    ledger = SqlLedger(migrated(postgres_url))
    ledger.commit(story())
    partitions = (
        "SELECT inhrelid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = inhrelid AND relkind = 'r'"
    )
    with ledger.engine.connect() as connection:
        tables = connection.exec_driver_sql(partitions).scalars().all()
    assert len(tables) == 2 * 11
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"SET ROLE {APP_ROLE}")
        for table in (*EVERY, *tables):
            for statement in (f"UPDATE {table} SET step = 1", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
                    connection.exec_driver_sql(statement)
        connection.invalidate()
    app = connected(parsed(postgres_url))
    sa.event.listen(app, "connect", lambda raw, _: raw.execute(f"SET ROLE {APP_ROLE}") and raw.commit())
    as_app = SqlLedger(app)
    as_app.commit([record(99, time_ns=1_800_000_000 * 10**9)])  # In a week that the role must have made
    assert as_app.verify() == []
    as_app.close()
    ledger.close()


BAD_DECISIONS = [
    {"gross_after_bp": 15_001},
    {"gross_after_bp": 15_001, "leverage_max_bp": 20_000},
    {"tier": 2, "tier_from_bp": 1_000, "tier_to_bp": 2**63 - 1, "tier_entries": False, "drawdown_bp": 1_000},
    {"tier": 2, "tier_from_bp": 1_000, "tier_to_bp": 2**63 - 1, "tier_entries": True, "drawdown_bp": 1_000},
    {"drawdown_bp": 500},
    {"drawdown_bp": -1},
    {"tier_to_bp": 501, "drawdown_bp": 500},
    {"refusal": "halted"},
    {"gross_after_bp": None},
    {"profile": "nobody's"},
    {"profile_version": 9},
]


@pytest.mark.parametrize("change", BAD_DECISIONS, ids=str)
def test_sql_of_any_hand_cannot_put_in_a_decision_beyond_the_limits(ledger, change):
    ledger.commit([record(20, assessed("n"))])
    table = SQL_TABLES["decisions"]
    with ledger.engine.connect() as connection, connection.begin() as transaction:
        row = dict(connection.execute(sa.select(table).where(table.c.client_order_id == "n")).mappings().one())
        connection.execute(sa.insert(table), [row | {"ordinal": 50}])  # What is right goes in
        transaction.rollback()
    with pytest.raises(sa.exc.IntegrityError), ledger.engine.begin() as connection:
        connection.execute(sa.insert(table), [row | {"ordinal": 51} | change])


ORPHANS = [
    ("fills", {"client_order_id": "nobody's"}),
    ("fills", {"step": 999}),
    ("fills", {"session_id": "another"}),
    ("fills", {"hour_ns": -3_600_000_000_000}),
    ("lots", {"fill_id": "none"}),
    ("trades", {"entry_fill_id": "none"}),
    ("trades", {"exit_fill_id": "none"}),
    ("postings", {"entry_id": "none"}),
    ("orders", {"signal_id": "none"}),
    ("orders", {}),  # The same order once more
    ("signals", {}),
    ("entries", {}),
    ("fills", {}),
    ("steps", {"step": 99, "sequence": 99, "hour_ns": 0}),
]


@pytest.mark.parametrize(("table", "change"), ORPHANS, ids=str)
def test_an_orphan_and_a_second_of_what_is_unique_are_refused(ledger, table, change):
    with ledger.engine.connect() as connection:
        row = dict(connection.execute(sa.select(SQL_TABLES[table])).mappings().first())
    fresh = {} if table == "steps" else {"ordinal": 50}
    with pytest.raises(sa.exc.IntegrityError), ledger.engine.begin() as connection:
        connection.execute(sa.insert(SQL_TABLES[table]), [row | fresh | change])


def test_an_identifier_cannot_be_used_twice(ledger):
    for name in ("signal_ids", "order_ids", "fill_ids", "entry_ids"):
        with ledger.engine.connect() as connection:
            row = dict(connection.execute(sa.select(SQL_TABLES[name])).mappings().first())
        with pytest.raises(sa.exc.IntegrityError), ledger.engine.begin() as connection:
            connection.execute(sa.insert(SQL_TABLES[name]), [row | {"ordinal": 50}])


@pytest.mark.connects
def test_postgresql_itself_refuses_an_entry_out_of_balance(postgres_url):
    ledger = SqlLedger(migrated(postgres_url))
    ledger.commit(story())
    postings = SQL_TABLES["postings"]
    with ledger.engine.connect() as connection:
        row = dict(connection.execute(sa.select(postings)).mappings().first())
    with pytest.raises(sa.exc.IntegrityError, match="not to zero"), ledger.engine.begin() as connection:
        connection.execute(sa.insert(postings), [row | {"ordinal": 50, "amount": 1}])
    with ledger.engine.begin() as connection:  # Both legs in one transaction are fine with it
        pair = [row | {"ordinal": 50, "amount": 2**100}, row | {"ordinal": 51, "amount": -(2**100)}]
        connection.execute(sa.insert(postings), pair)
    assert {b.kind for b in ledger.verify()} == {BreakKind.EXTRA}
    ledger.close()


@pytest.mark.parametrize("bad", ["", "-", "--1", "01", "1.5", "1e3", "-0", " 1", "x", "9" * 39])
def test_sqlite_takes_no_text_for_an_amount_that_is_no_whole_number(tmp_path, bad):
    ledger = SqlLedger(migrated(f"sqlite:///{tmp_path / 'l'}"))
    ledger.commit([profile_change(1), *story()[2:5]])
    insert = (
        "INSERT INTO postings SELECT account_id, session_id, hour_ns, step, 50, entry_id, leg, book, asset, ?, row_hash"
    )
    for text, fine in ((bad, False), ("-" + "9" * 38, True)):
        with ledger.engine.connect() as connection:
            if fine:
                connection.exec_driver_sql(f"{insert} FROM postings LIMIT 1", (text,))
            else:
                with pytest.raises(sa.exc.IntegrityError, match="is_units"):
                    connection.exec_driver_sql(f"{insert} FROM postings LIMIT 1", (text,))
    ledger.close()


@pytest.mark.connects
def test_the_planner_passes_over_other_weeks(postgres_url):
    ledger = SqlLedger(migrated(postgres_url))
    ledger.commit(story())
    with ledger.engine.connect() as connection:
        hour_ns = connection.exec_driver_sql("SELECT min(hour_ns) FROM order_events").scalar()

        def plan(condition):
            query = f"EXPLAIN SELECT * FROM order_events {condition}"
            return "\n".join(connection.exec_driver_sql(query).scalars())

        assert plan("").count("Scan on order_events_2023") == 2
        assert plan(f"WHERE hour_ns = {hour_ns}").count("Scan on order_events_2023") == 1
    ledger.close()


def test_the_hour_joins_each_row_to_exactly_one(ledger):
    for table in EVERY:
        if table != "hours":
            query = (
                f"SELECT count(*), (SELECT count(*) FROM {table}) FROM {table} t JOIN hours h ON "
                "h.account_id = t.account_id AND h.session_id = t.session_id AND h.hour_ns = t.hour_ns"
            )
            with ledger.engine.connect() as connection:
                joined, rows = connection.exec_driver_sql(query).one()
            assert joined == rows > 0, table
