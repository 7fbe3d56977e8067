"""The ledger's first schema.

Back: an empty ledger is taken away. One with records is not: what happened to our money is not undone by a migration.
"""

from pathlib import Path

from alembic import op

from njord.ledger.port import LedgerRefused
from njord.ledger.sql.ddl import execute

revision = "0001"
down_revision = None

_TABLES = (
    "models", "allocations", "profile_changes", "kill_events", "restrictions", "notes", "snapshots", "trades", "lots",
    "postings", "entries", "fills", "order_events", "orders", "decisions", "signals", "entry_ids", "fill_ids",
    "order_ids", "signal_ids", "profile_tiers", "profiles", "steps", "hours",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables, triggers and, in PostgreSQL, functions and the role of the application."""
    dialect = op.get_bind().dialect.name
    text = Path(__file__).with_name(f"v0001_ledger.{dialect}.sql").read_text(encoding="utf-8")
    execute(op.get_bind(), text)


def downgrade() -> None:
    """Take it all away, unless there are records. Raises LedgerRefused."""
    connection = op.get_bind()
    if connection.exec_driver_sql("SELECT 1 FROM steps LIMIT 1").first() is not None:
        raise LedgerRefused("the ledger has records: they are not thrown away by going back to before it")
    for table in _TABLES:
        connection.exec_driver_sql(f"DROP TABLE {table}")
    if connection.dialect.name == "postgresql":
        for function in ("njord_week(bigint)", "njord_balanced()", "njord_refuse()"):
            connection.exec_driver_sql(f"DROP FUNCTION {function}")
