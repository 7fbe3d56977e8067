"""The tables of ``ledger.tables`` for SQLAlchemy, with every constraint under a name of its own."""

from typing import Any

import sqlalchemy as sa

from njord.ledger.sql.types import BIGINT, Flag, Units
from njord.ledger.tables import TABLES, UNITS_DIGITS_MAX, Column, Kind, Table

METADATA = sa.MetaData()
_TYPES: dict[Kind, Any] = {
    Kind.TEXT: sa.Text(), Kind.JSON: sa.Text(), Kind.INTEGER: BIGINT, Kind.UNITS: Units(), Kind.FLAG: Flag(),
}  # fmt: skip


def _sa_table(spec: Table) -> sa.Table:
    key = spec.key + (("hour_ns",) if spec.partitioned else ())
    return sa.Table(
        spec.name,
        METADATA,
        *(sa.Column(column.name, _TYPES[column.kind], nullable=column.null) for column in spec.columns),
        sa.PrimaryKeyConstraint(*key, name=f"pk_{spec.name}"),
        *(
            sa.UniqueConstraint(*columns, name=f"uq_{spec.name}_{number}")
            for number, columns in enumerate(spec.unique, start=1)
        ),
        *(
            sa.ForeignKeyConstraint(r.columns, [f"{r.table}.{t}" for t in r.target], name=f"fk_{spec.name}_{number}")
            for number, r in enumerate(spec.references, start=1)
        ),
        *(sa.CheckConstraint(rule, name=f"ck_{spec.name}_{name}") for name, rule in spec.checks),
        *(constraint for column in spec.columns for constraint in _column_checks(spec, column)),
        sqlite_with_rowid=False,  # A row that has a rowid can be replaced by it, past its key
        sqlite_strict=True,
        postgresql_partition_by="RANGE (hour_ns)" if spec.partitioned else None,
    )


def _column_checks(spec: Table, column: Column) -> list[sa.CheckConstraint]:
    name = column.name
    if column.kind is Kind.JSON:
        sqlite, postgresql = f"json_valid({name})", f"CAST({name} AS json) IS NOT NULL"
    elif column.kind is Kind.UNITS:
        digits = f"ltrim({name}, '-')"
        sqlite = (
            f"{name} = '0' OR ({digits} GLOB '[1-9]*' AND NOT {digits} GLOB '*[^0-9]*' "
            f"AND length({digits}) <= {UNITS_DIGITS_MAX} AND length({name}) - length({digits}) <= 1)"
        )
        postgresql = ""  # NUMERIC(38,0) says it
    elif column.kind is Kind.FLAG:
        sqlite, postgresql = f"{name} IN (0, 1)", ""
    else:
        return []
    checks = []
    for dialect, rule in (("sqlite", sqlite), ("postgresql", postgresql)):
        if rule:
            check = sa.CheckConstraint(rule, name=f"ck_{spec.name}_{name}_is_{column.kind}")
            checks.append(check.ddl_if(dialect=dialect))
    return checks


SQL_TABLES: dict[str, sa.Table] = {spec.name: _sa_table(spec) for spec in TABLES}
VERSION = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))
