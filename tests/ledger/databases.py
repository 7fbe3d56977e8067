"""What tests of databases share: which there are, a ledger in each, and hands that change it past its guards."""

import contextlib

import pytest
import sqlalchemy as sa

from njord.ledger.sql.connecting import WRITES

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.connects)]


def database_url(request, tmp_path):
    kind = request.param
    return request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path / 'l.sqlite'}"


@contextlib.contextmanager
def unguarded(engine):
    """A connection that is not held back by triggers or foreign keys, as a superuser could make one; rolled back."""
    with engine.connect().execution_options(**{WRITES: True}) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            connection.rollback()
            # Both settings only take outside a transaction
            raw = connection.connection.driver_connection
            raw.execute("PRAGMA foreign_keys = OFF")
            raw.execute("PRAGMA ignore_check_constraints = ON")
        transaction = connection.begin()
        if engine.dialect.name == "sqlite":
            query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for (name,) in connection.exec_driver_sql(query).all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for table, name in connection.exec_driver_sql(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND coninhcount = 0 "
                "AND connamespace = 'public'::regnamespace"
            ).all():
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        yield connection
        if transaction.is_active:
            transaction.rollback()
        if engine.dialect.name == "sqlite":
            connection.invalidate()


def inspector_columns(engine, table):
    return [column["name"] for column in sa.inspect(engine).get_columns(table)]
