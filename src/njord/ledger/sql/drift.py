"""Does a database still have the schema it should? Compared with ``schema_bootstrap.*.sql``, thing by thing."""

import re
from pathlib import Path

import msgspec
import sqlalchemy as sa

from njord.ledger.sql.ddl import APP_ROLE, execute
from njord.ledger.sql.schema import reaching
from njord.ledger.tables import TABLES

_SCRATCH = "njord_drift_scratch"
_NAMES = [spec.name for spec in TABLES]
_Described = dict[tuple[str, str], str]


class Drift(msgspec.Struct, frozen=True):
    """One difference: what kind of thing, which one, what it should be and what it is; empty where it is missing."""

    kind: str  # table, column, constraint, index, trigger, function, grant or partition
    name: str
    should: str
    found: str


def drift(engine: sa.Engine) -> list[Drift]:
    """Return what differs between a database and the canonical schema, sorted. Raises LedgerUnavailable.

    PostgreSQL builds the canonical schema beside the real one and rolls it back, so that the server's own words are
    compared with themselves, whatever its version; the user must be allowed to create a schema.
    """
    with reaching(engine):
        should, found = (_sqlite if engine.dialect.name == "sqlite" else _postgresql)(engine)
    return [
        Drift(kind, name, should.get((kind, name), ""), found.get((kind, name), ""))
        for kind, name in sorted(should.keys() | found.keys())
        if should.get((kind, name)) != found.get((kind, name))
    ]


def bootstrap_text(dialect: str) -> str:
    """Return the committed canonical schema."""
    return Path(__file__).with_name(f"schema_bootstrap.{dialect}.sql").read_text(encoding="utf-8")


def _sqlite(engine: sa.Engine) -> tuple[_Described, _Described]:
    canonical = sa.create_engine("sqlite://")
    with canonical.connect() as connection:
        execute(connection, bootstrap_text("sqlite"))
        should = _sqlite_described(connection)
    canonical.dispose()
    with engine.connect() as connection:
        return should, _sqlite_described(connection)


def _sqlite_described(connection: sa.Connection) -> _Described:
    found: _Described = {}
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    for kind, name, table, text in connection.exec_driver_sql(query).all():
        if table not in _NAMES:
            continue
        if kind != "table":
            found[kind, name] = " ".join(text.split())
            continue
        found["table", name] = text.rpartition(")")[2].strip()
        for constraint, rule in re.findall(r"CONSTRAINT (\w+) (.*?)(?=,?\n|\Z)", text):
            found["constraint", f"{name}.{constraint}"] = rule
        for column in connection.exec_driver_sql(f"PRAGMA table_xinfo({name})").mappings():
            words = f"{column['type']}{' NOT NULL' if column['notnull'] else ''}"
            default = "" if column["dflt_value"] is None else f" DEFAULT {column['dflt_value']}"
            found["column", f"{name}.{column['name']}"] = words + default
    return found


def _postgresql(engine: sa.Engine) -> tuple[_Described, _Described]:
    with engine.connect() as connection, connection.begin() as transaction:
        found = _postgresql_described(connection)
        connection.exec_driver_sql(f"CREATE SCHEMA {_SCRATCH}")
        connection.exec_driver_sql(f"SET LOCAL search_path = {_SCRATCH}, pg_temp")
        execute(connection, bootstrap_text("postgresql"))
        connection.exec_driver_sql("SELECT njord_week(0)")  # What a partition has
        should = _postgresql_described(connection)
        transaction.rollback()
    # Every partition is compared with the one of the canonical schema
    like = {name.rpartition("_")[0]: text for (kind, name), text in should.items() if kind == "partition"}
    should = {key: text for key, text in should.items() if key[0] != "partition"}
    for kind, name in found:
        if kind == "partition":
            should[kind, name] = like.get(name.rpartition("_")[0], "")
    return should, found


def _postgresql_described(connection: sa.Connection) -> _Described:
    found: _Described = {}
    for kind, template in _QUERIES.items():
        query = template.replace("{ours}", _OURS)
        values = {"tables": _NAMES, "role": APP_ROLE}
        wanted = {name: values[name] for name in values if f":{name}" in query}
        for name, text in connection.execute(sa.text(query), wanted):
            found[kind, name] = " ".join(text.split())
    return found


_OURS = "c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(:tables)"
_QUERIES = {
    "table": """
        SELECT c.relname, c.relkind::text || coalesce(' ' || pg_get_partkeydef(c.oid), '')
        FROM pg_class c WHERE {ours}""",
    "column": """
        SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
          || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
          || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE {ours}""",
    "constraint": """
        SELECT c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
          || CASE WHEN k.convalidated THEN '' ELSE ' NOT VALID' END
        FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid
        WHERE {ours} AND k.contype <> 't' AND k.conparentid = 0""",
    "trigger": """
        SELECT c.relname || '.' || t.tgname,
          replace(pg_get_triggerdef(t.oid, true), current_schema() || '.', '') || ' ' || t.tgenabled::text
        FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE {ours} AND NOT t.tgisinternal""",
    "function": """
        SELECT p.proname, p.prosrc || CASE WHEN p.prosecdef THEN ' SECURITY DEFINER' ELSE '' END
        FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'njord_%'""",
    "grant": """
        SELECT c.relname, string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type)
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee
        WHERE {ours} AND r.rolname = :role GROUP BY 1""",
    "partition": """
        SELECT p.relname, coalesce(string_agg(t.tgname || ' ' || t.tgenabled::text, ', ' ORDER BY t.tgname), '')
        FROM pg_class c JOIN pg_inherits i ON i.inhparent = c.oid JOIN pg_class p ON p.oid = i.inhrelid
        LEFT JOIN pg_trigger t ON t.tgrelid = p.oid AND NOT t.tgisinternal WHERE {ours} GROUP BY 1""",
}
