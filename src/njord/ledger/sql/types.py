"""Columns that both databases return as the same Python values."""

import re
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from njord.ledger.tables import UNITS_DIGITS_MAX

_WHOLE = re.compile(r"-?[1-9][0-9]*|0")


class Units(sa.types.TypeDecorator[int]):
    """A whole number of up to 38 digits: NUMERIC(38,0) in PostgreSQL, its decimal digits as text in SQLite."""

    impl = sa.Numeric(UNITS_DIGITS_MAX, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """Return the column type of a dialect."""
        text = dialect.name == "sqlite"
        return dialect.type_descriptor(sa.Text() if text else sa.Numeric(UNITS_DIGITS_MAX, 0))

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> Any:
        """Return what the driver is given."""
        if value is None:
            return None
        return str(value) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """Return the number; text that is none, put there by other hands, comes back as it is for verify to name."""
        if isinstance(value, str) and not _WHOLE.fullmatch(value):
            return value
        return None if value is None else int(value)


class Flag(sa.types.TypeDecorator[bool]):
    """True or false: BOOLEAN in PostgreSQL, 1 or 0 in SQLite."""

    impl = sa.Boolean()
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """Return the column type of a dialect."""
        return dialect.type_descriptor(sa.Integer() if dialect.name == "sqlite" else sa.Boolean())

    def process_bind_param(self, value: bool | None, dialect: sa.Dialect) -> Any:
        """Return what the driver is given."""
        return value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """Return the flag; a number that is none comes back as it is for verify to name."""
        return bool(value) if value in (0, 1) else value


BIGINT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
