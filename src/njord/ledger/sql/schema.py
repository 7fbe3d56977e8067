"""The version of a database's schema: read, checked, and changed by migrations."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from njord.ledger.port import LedgerRefused, LedgerUnavailable
from njord.ledger.sql.connecting import WRITES, connected, parsed, shown, sqlite_file
from njord.ledger.sql.tables import VERSION

LATEST = "0001"  # What this code reads and writes
NOTHING = "base"  # Alembic's word for a database without the schema
_MESSAGE_CHARS_MAX = 300  # A server can say much about one mistake
_MIGRATIONS = Path(__file__).parents[1] / "migrations"


class OtherVersion(ValueError):
    """The database has no ledger, or one of another version than this code's."""


@contextlib.contextmanager
def reaching(engine: sa.Engine) -> Iterator[None]:
    """Turn the database's errors into the ledger's: LedgerRefused for a broken rule, else LedgerUnavailable."""
    try:
        yield
    except (sa.exc.IntegrityError, sa.exc.DataError) as error:
        raise LedgerRefused(_line(error)) from error
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
        raise LedgerUnavailable(f"ledger {shown(engine.url)}: {_line(error)}") from error
    except OverflowError as error:
        raise LedgerRefused(f"a number does not fit its column: {error}") from error


def version(engine: sa.Engine) -> str:
    """Return the version of a database's schema, ``base`` where there is none. Raises LedgerUnavailable."""
    with reaching(engine), engine.connect() as connection:
        if not sa.inspect(connection).has_table(VERSION.name):
            return NOTHING
        return connection.execute(sa.select(VERSION.c.version_num)).scalar() or NOTHING


def require_latest(engine: sa.Engine) -> None:
    """Raise OtherVersion, in one line, unless the database's schema is the one this code knows."""
    file = sqlite_file(engine.url)
    if file is not None and not file.is_file():
        raise OtherVersion(f"no ledger at {file}: njord db migrate makes one")
    found = version(engine)
    if found == NOTHING:
        raise OtherVersion(f"{shown(engine.url)} has no ledger yet: njord db migrate makes one")
    if found != LATEST:
        raise OtherVersion(
            f"the ledger at {shown(engine.url)} is of version {found}, this njord knows {LATEST}: "
            "njord db migrate brings an older one up; a newer one needs a newer njord"
        )


def migrate(engine: sa.Engine, target: str = LATEST) -> tuple[str, str]:
    """Bring a database to a version, forward or back, in one transaction. Return the versions before and after.

    Raises OtherVersion for a version that is not known, LedgerRefused where going back would lose records.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if target not in (NOTHING, *known):
        raise OtherVersion(f"no version {target} of the ledger: there are {', '.join((NOTHING, *reversed(known)))}")
    before = version(engine)
    if before not in (NOTHING, *known):
        raise OtherVersion(f"the ledger at {shown(engine.url)} is of version {before}, which this njord does not know")
    order = [NOTHING, *reversed(known)]
    with reaching(engine), engine.execution_options(**{WRITES: True}).begin() as connection:
        if connection.dialect.name == "postgresql":
            # Functions keep this path; temporary tables of a caller come last in it
            connection.exec_driver_sql(
                "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
            )
        config.attributes["connection"] = connection
        try:
            step = command.upgrade if order.index(target) >= order.index(before) else command.downgrade
            step(config, target)
        except CommandError as error:
            raise OtherVersion(str(error)) from error
    return before, version(engine)


def migrated(url: str) -> sa.Engine:
    """Return an engine for a URL whose database has the latest schema, made or migrated where needed."""
    where = parsed(url)
    file = sqlite_file(where)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    engine = connected(where)
    migrate(engine)
    return engine


def _line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip() or cause.__class__.__name__
    return " ".join(text.split())[:_MESSAGE_CHARS_MAX]
