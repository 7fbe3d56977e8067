"""Connections to the two databases: pooled, bounded in time, and as durable as money needs."""

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa

CONNECTIONS_MAX = 4  # One writer, and readers beside it
CONNECTION_WAIT_S = 5.0
BUSY_MS_MAX = 5_000  # How long one waits for another writer
CONNECT_S_MAX = 5
STATEMENT_MS_MAX = 600_000  # A verification reads much; nothing runs longer
# A peer that is gone without a word is noticed after this
TCP_MS_MAX = 10_000
WRITES = "njord_writes"


def parsed(url: str) -> sa.URL:
    """Return a ledger's URL: ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``. Raises ValueError."""
    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # What was given may have a password in it, and is not repeated
        raise ValueError("ledger URL: must look like sqlite:///FILE or postgresql://USER@HOST/DATABASE") from None
    backend = found.get_backend_name()
    if backend == "sqlite":
        if not found.database or found.database == ":memory:":
            raise ValueError(f"ledger URL {shown(found)}: names no file")
        return found.set(drivername="sqlite+pysqlite")
    if backend == "postgresql":
        if not found.database:
            raise ValueError(f"ledger URL {shown(found)}: names no database")
        return found.set(drivername="postgresql+psycopg")
    raise ValueError(f"ledger URL {shown(found)}: must begin with sqlite:/// or postgresql://")


def shown(url: sa.URL) -> str:
    """Return a URL for people: without its password, wherever that stands."""
    hidden = {key: "***" if "password" in key.lower() else value for key, value in url.query.items()}
    return url.set(query=hidden).render_as_string(hide_password=True)


def connected(url: sa.URL) -> sa.Engine:
    """Return an engine for a parsed URL. It connects when first used. Raises ValueError without the driver."""
    bounds: dict[str, Any] = {
        "pool_size": CONNECTIONS_MAX, "max_overflow": 0, "pool_timeout": CONNECTION_WAIT_S, "hide_parameters": True,
    }  # fmt: skip
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url, poolclass=sa.QueuePool, connect_args={"timeout": BUSY_MS_MAX / 1000, "isolation_level": None}, **bounds
        )
        sa.event.listen(engine, "connect", _sqlite_settings)
        sa.event.listen(engine, "begin", _sqlite_begin)
        return engine
    options = f"-c synchronous_commit=on -c lock_timeout={BUSY_MS_MAX} -c statement_timeout={STATEMENT_MS_MAX}"
    try:
        return sa.create_engine(
            url,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_S_MAX, "options": options, "tcp_user_timeout": TCP_MS_MAX},
            **bounds,
        )
    except ModuleNotFoundError as error:
        raise ValueError(f"ledger URL {shown(url)}: needs the extra postgres of njord ({error.name})") from error


def sqlite_file(url: sa.URL) -> Path | None:
    """Return the file of an SQLite ledger, None for any other."""
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def _sqlite_settings(connection: sqlite3.Connection, _record: object) -> None:
    for setting in (
        "journal_mode = WAL",  # Readers and a backup beside the writer
        "synchronous = FULL",  # What is committed survives the loss of power
        "foreign_keys = ON",
        "recursive_triggers = ON",  # REPLACE then asks the triggers that refuse DELETE
        f"busy_timeout = {BUSY_MS_MAX}",
    ):
        connection.execute(f"PRAGMA {setting}").close()
    connection.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]  # Answers with digits, not a number


def _sqlite_begin(connection: sa.Connection) -> None:
    # A writer takes its lock before it reads the head, so that two cannot both append to the same one
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class _ExactSum:
    """SUM over whole numbers kept as text, which SQLite's own would make floats of."""

    def __init__(self) -> None:
        self._total = 0

    def step(self, value: str | int | None) -> None:
        self._total += int(value or 0)

    def finalize(self) -> str:
        return str(self._total)
