"""The schema as SQL text: what ``schema_bootstrap.*.sql`` is written from, and held to by a test.

Statements are separated by one empty line, and have none within.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.schema import CreateTable

from njord.ledger.sql.tables import SQL_TABLES
from njord.ledger.tables import TABLES, Table

DIALECTS = ("sqlite", "postgresql")
APP_ROLE = "njord_app"  # Of the cluster, not of one database: without login, for real users to be members of
# Drivers' own styles would double every percent sign
_SETTINGS: dict[str, Any] = {"paramstyle": "named"}
_DIALECTS: dict[str, sa.Dialect] = {
    "sqlite": SQLiteDialect(**_SETTINGS),
    "postgresql": PGDialect(**_SETTINGS),  # type: ignore[no-untyped-call]  # SQLAlchemy has no types for it
}


def bootstrap(dialect: str) -> str:
    """Return the whole schema for one of ``DIALECTS``."""
    said = "-- The canonical schema of the ledger, which njord db drift compares a database with.\n"
    said += "-- Written from njord.ledger.sql.ddl; statements are separated by an empty line.\n"
    made = [_create(spec, dialect) for spec in TABLES]
    made += _sqlite_triggers() if dialect == "sqlite" else _postgresql_rest()
    return said + "\n\n".join(made) + "\n"


def execute(connection: sa.Connection, text: str) -> None:
    """Run the statements of a schema file."""
    # psycopg takes a percent sign for a parameter, SQLite does not
    percent = "%%" if connection.dialect.name == "postgresql" else "%"
    for statement in text.split("\n\n"):
        connection.exec_driver_sql(statement.replace("%", percent))


def _create(spec: Table, dialect: str) -> str:
    text = str(CreateTable(SQL_TABLES[spec.name]).compile(dialect=_DIALECTS[dialect]))
    lines = [line.replace("\t", "  ").rstrip() for line in text.strip().splitlines()]
    return "\n".join(line for line in lines if line) + ";"


def _sqlite_triggers() -> list[str]:
    made = []
    for spec in TABLES:
        made += [
            f"CREATE TRIGGER {spec.name}_no_{verb.lower()} BEFORE {verb} ON {spec.name}\n"
            f"BEGIN SELECT RAISE(ABORT, '{spec.name} is append-only: {verb} refused'); END;"
            for verb in ("UPDATE", "DELETE")
        ]
        # INSERT OR REPLACE would delete what it replaces without asking the trigger above
        for number, columns in enumerate((spec.key, *spec.unique), start=1):
            same = " AND ".join(f"{name} = NEW.{name}" for name in columns)
            there = f"SELECT 1 FROM {spec.name} WHERE {same}"  # noqa: S608 - names of our own tables
            made.append(
                f"CREATE TRIGGER {spec.name}_no_replace_{number} BEFORE INSERT ON {spec.name}\n"
                f"WHEN EXISTS ({there})\n"
                f"BEGIN SELECT RAISE(ABORT, '{spec.name} has a row with this {', '.join(columns)}'); END;"
            )
    return made


def _postgresql_rest() -> list[str]:
    partitioned = ", ".join(f"'{spec.name}'" for spec in TABLES if spec.partitioned)
    names = ", ".join(spec.name for spec in TABLES)
    made = [_REFUSE, _BALANCED, _WEEK.replace("{partitioned}", partitioned)]
    for spec in TABLES:
        made.append(
            f"CREATE TRIGGER {spec.name}_append_only BEFORE UPDATE OR DELETE ON {spec.name}\n"
            "FOR EACH ROW EXECUTE FUNCTION njord_refuse();"
        )
        made.append(
            f"CREATE TRIGGER {spec.name}_no_truncate BEFORE TRUNCATE ON {spec.name}\n"
            "FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse();"
        )
    made.append(
        "CREATE CONSTRAINT TRIGGER postings_balanced AFTER INSERT ON postings\n"
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION njord_balanced();"
    )
    made.append(_ROLE.replace("{role}", APP_ROLE).replace("{names}", names))
    return made


_REFUSE = """\
CREATE FUNCTION njord_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;"""

# A search path of its own, so that no caller's tables can stand in for these
_BALANCED = """\
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
END $$;"""

# Weeks begin on Monday. ATTACH asks for a weaker lock than CREATE ... PARTITION OF, so that readers are not waited for
_WEEK = """\
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
  FOREACH parent IN ARRAY ARRAY[{partitioned}] LOOP
    IF to_regclass(format('%I', parent || '_' || suffix)) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', parent || '_' || suffix, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
        parent, parent || '_' || suffix, starts, starts + week_ns);
      EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION njord_refuse()', parent || '_' || suffix);
    END IF;
  END LOOP;
  RETURN starts;
END $$;"""

# A role is made once for all databases; whoever may not make roles gets a ledger without one
_ROLE = """\
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN
    BEGIN
      CREATE ROLE {role} NOLOGIN;
    EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
      NULL;
    END;
  END IF;
  REVOKE ALL ON FUNCTION njord_week(bigint) FROM PUBLIC;
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN
    GRANT SELECT, INSERT ON {names} TO {role};
    GRANT EXECUTE ON FUNCTION njord_week(bigint) TO {role};
    IF to_regclass('alembic_version') IS NOT NULL THEN
      GRANT SELECT ON alembic_version TO {role};
    END IF;
  END IF;
END $$;"""
