"""Log-ins of users: the port, and the sessions in the users' own database.

One contract suite (tests/gateway/test_sessions.py) holds for both adapters; the other is ``gateway.redis_sessions``.
Only the SHA-256 of a token comes here, so a stolen store opens no door. Times are nanoseconds UTC, given as arguments.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol

import msgspec
import sqlalchemy as sa

from njord.domain.clock import NS_PER_DAY

SESSION_NS = 14 * NS_PER_DAY
SESSIONS_MAX = 20  # Of one user: the oldest goes
AGENT_CHARS_MAX, ADDRESS_CHARS_MAX, NAME_CHARS_MAX = 200, 64, 32

tables = sa.MetaData()
_sessions = sa.Table(
    "user_sessions", tables,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(NAME_CHARS_MAX), nullable=False, index=True),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("agent", sa.String(AGENT_CHARS_MAX), nullable=False),
    sa.Column("address", sa.String(ADDRESS_CHARS_MAX), nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("seen_ns", sa.BigInteger, nullable=False),
    sa.Column("ends_ns", sa.BigInteger, nullable=False),
)  # fmt: skip


class StoredSession(msgspec.Struct, frozen=True):
    """One log-in, as it is kept."""

    token_sha256: str
    name: str
    csrf: str
    agent: str
    address: str
    created_ns: int
    seen_ns: int
    ends_ns: int


class SessionsUnavailable(OSError):
    """The store cannot be reached now. Nobody is let in on a guess."""


class Sessions(Protocol):
    """All sessions of all users. Safe to use from many threads; every method raises SessionsUnavailable."""

    def add(self, session: StoredSession) -> None:
        """Begin a session. Beyond SESSIONS_MAX of one user the oldest end, as do those whose time is over."""

    def get(self, token_sha256: str, now_ns: int) -> StoredSession | None:
        """Return a session, where it has not ended."""

    def seen(self, session: StoredSession, now_ns: int) -> None:
        """Take note that a session is in use. One that has ended meanwhile stays ended."""

    def of(self, name: str, now_ns: int) -> list[StoredSession]:
        """Return a user's sessions, the newest first."""

    def end(self, sessions: list[StoredSession]) -> int:
        """End these. Return how many there still were."""

    def close(self) -> None:
        """Let go of connections."""


class SqlSessions:
    """Sessions in the users' database, which is looked after by whoever opened it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, session: StoredSession) -> None:
        """See the port."""
        theirs = _sessions.c.name == session.name
        with self._begun() as connection:
            newest = sa.select(_sessions.c.token_sha256).where(theirs).order_by(_sessions.c.created_ns.desc())
            kept = list(connection.execute(newest.limit(SESSIONS_MAX - 1)).scalars())
            old = theirs & _sessions.c.token_sha256.not_in(kept)
            connection.execute(_sessions.delete().where(old | (_sessions.c.ends_ns <= session.created_ns)))
            connection.execute(_sessions.insert().values(**msgspec.structs.asdict(session)))

    def get(self, token_sha256: str, now_ns: int) -> StoredSession | None:
        """See the port."""
        found = self._found(_sessions.c.token_sha256 == token_sha256, now_ns)
        return found[0] if found else None

    def seen(self, session: StoredSession, now_ns: int) -> None:
        """See the port."""
        changed = _sessions.update().where(_sessions.c.token_sha256 == session.token_sha256).values(seen_ns=now_ns)
        with self._begun() as connection:
            connection.execute(changed)

    def of(self, name: str, now_ns: int) -> list[StoredSession]:
        """See the port."""
        return self._found(_sessions.c.name == name, now_ns)

    def end(self, sessions: list[StoredSession]) -> int:
        """See the port."""
        ended = _sessions.c.token_sha256.in_([each.token_sha256 for each in sessions])
        with self._begun() as connection:
            return int(connection.execute(_sessions.delete().where(ended)).rowcount)

    def close(self) -> None:
        """See the port: the database is closed by whoever opened it."""

    def _found(self, which: sa.ColumnElement[bool], now_ns: int) -> list[StoredSession]:
        query = sa.select(_sessions).where(which & (_sessions.c.ends_ns > now_ns))
        with self._begun() as connection:
            rows = connection.execute(query.order_by(_sessions.c.created_ns.desc())).all()
        return [StoredSession(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it

    @contextlib.contextmanager
    def _begun(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.OperationalError as error:
            raise SessionsUnavailable("sessions: their database does not answer") from error
