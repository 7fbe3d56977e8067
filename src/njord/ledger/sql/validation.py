"""Validation: queries that each return what should not be there. One file a rule, in ``validate/``."""

from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from njord.ledger.sql.schema import reaching

VIOLATIONS_MAX = 100  # Of each rule: who has so many needs no longer list
_FOLDER = Path(__file__).with_name("validate")


class Violation(msgspec.Struct, frozen=True):
    """A row that breaks a rule: of which account, where, and the figures."""

    rule: str
    account_id: str
    place: str
    detail: str


def rules() -> dict[str, str]:
    """Return the queries by the name of their rule. Each selects account_id, place and detail."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("*.sql"))}


def violations(engine: sa.Engine) -> list[Violation]:
    """Run every rule. Return what breaks one, sorted; none where all is well. Raises LedgerUnavailable."""
    found: list[Violation] = []
    with reaching(engine), engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # What it believes of tables just filled is far off, and any join but by hash then compares all with all
            connection.exec_driver_sql("SET LOCAL enable_nestloop = off")
            connection.exec_driver_sql("SET LOCAL enable_mergejoin = off")
        for rule, query in rules().items():
            if connection.dialect.name == "postgresql":
                query = query.replace("exact_sum(", "sum(")  # SQLite has none that is exact beyond 64 bits
            rows: list[Any] = list(connection.exec_driver_sql(query).fetchmany(VIOLATIONS_MAX))
            found += sorted(
                (Violation(rule, *(str(value) for value in row)) for row in rows),
                key=lambda v: (v.account_id, v.place, v.detail),
            )
    return found
