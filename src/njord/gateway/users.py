"""Users and their reset tokens, in a database of its own: SQLite beside the platform, or PostgreSQL.

Their sessions are kept there as well, or in another store that ``gateway.sessions`` has an adapter for. Passwords are
Argon2id hashes; of session and reset tokens only SHA-256 is stored, so a stolen database opens no door. Times are
nanoseconds UTC and come in as arguments.
"""

import contextlib
import enum
import hashlib
import hmac
import secrets

import argon2
import msgspec
import sqlalchemy as sa

from njord.domain.clock import NS_PER_HOUR
from njord.gateway.sessions import (
    ADDRESS_CHARS_MAX,
    AGENT_CHARS_MAX,
    NAME_CHARS_MAX,
    SESSION_NS,
    Sessions,
    SessionsUnavailable,
    SqlSessions,
    StoredSession,
    tables,
)
from njord.ledger.sql.connecting import parsed

SCHEMA_VERSION = 2
RESET_NS = NS_PER_HOUR
USERS_MAX = 100_000
PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX = 10, 256
# RFC 9106, section 4, the second recommended option with a lower memory cost: 64 MiB, 3 passes, 4 lanes
HASHER = argon2.PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4, hash_len=32, salt_len=16)
# Verified where there is no such user, so that an answer takes as long as where there is one
_NOBODY = HASHER.hash(secrets.token_hex(16))

_schema = sa.Table("gateway_schema", tables, sa.Column("version", sa.Integer, primary_key=True))
_users = sa.Table(
    "users", tables,
    sa.Column("name", sa.String(NAME_CHARS_MAX), primary_key=True),
    sa.Column("account_id", sa.String(64), nullable=False, unique=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.String(256), nullable=False),
    sa.Column("password_ns", sa.BigInteger, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
)  # fmt: skip
_resets = sa.Table(
    "password_resets", tables,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(NAME_CHARS_MAX), nullable=False),
    sa.Column("ends_ns", sa.BigInteger, nullable=False),
)  # fmt: skip


class Role(enum.StrEnum):
    """What a user may do. Later in this list is more, and includes what is before."""

    TRADER = "trader"
    OPERATOR = "operator"
    FOUNDER = "founder"

    def includes(self, other: "Role") -> bool:
        """Return whether this role may do what another may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class User(msgspec.Struct, frozen=True):
    """Somebody with an account."""

    name: str
    account_id: str
    role: Role
    created_ns: int


class WebSession(msgspec.Struct, frozen=True):
    """One log-in of a user. ``session_id`` names it to its owner; it is no key to it."""

    session_id: str
    user: User
    csrf: str
    agent: str
    address: str
    created_ns: int
    seen_ns: int
    ends_ns: int


class NameTaken(ValueError):
    """There is such a user already."""


class BadName(ValueError):
    """A name or password cannot be one. The message says why."""


class OtherSchema(ValueError):
    """The database is of another version."""


class Users:
    """All users. Safe to use from many threads."""

    def __init__(self, url: str, sessions: Sessions | None = None) -> None:
        """Open the database and make its tables. ``sessions`` are elsewhere, where they are given.

        Raises OtherSchema in one line where it is of another version.
        """
        self._engine = sa.create_engine(parsed(url), pool_pre_ping=True)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _sqlite_pragmas)
        tables.create_all(self._engine)
        self._sessions: Sessions = SqlSessions(self._engine) if sessions is None else sessions
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(_schema.c.version)).scalar()
            if found is None:
                connection.execute(_schema.insert().values(version=SCHEMA_VERSION))
            elif found != SCHEMA_VERSION:
                shown = self._engine.url.render_as_string(hide_password=True)
                raise OtherSchema(f"{shown}: users of version {found}, this njord has version {SCHEMA_VERSION}")

    def register(self, name: str, password: str, role: Role, now_ns: int) -> User:
        """Add a user, whose account is named after them. Raises BadName or NameTaken."""
        check_name(name)
        check_password(password)
        user = User(name, f"user-{name}", role, now_ns)
        with self._engine.begin() as connection:
            if connection.execute(sa.select(sa.func.count()).select_from(_users)).scalar_one() >= USERS_MAX:
                raise BadName(f"there are {USERS_MAX} users already")
            row = {**msgspec.structs.asdict(user), "password": HASHER.hash(password), "password_ns": now_ns}
            try:
                connection.execute(_users.insert().values(**row))
            except sa.exc.IntegrityError:
                raise NameTaken(f"the name {name!r} is taken") from None
        return user

    def drop(self, name: str) -> None:
        """Take back a user whose account could not be opened."""
        with self._engine.begin() as connection:
            connection.execute(_users.delete().where(_users.c.name == name))

    def all(self) -> list[User]:
        """Return all users, by name."""
        with self._engine.connect() as connection:
            return [_user(row) for row in connection.execute(sa.select(_users).order_by(_users.c.name))]

    def named(self, name: str) -> User | None:
        """Return a user."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_users).where(_users.c.name == name)).one_or_none()
        return None if row is None else _user(row)

    def authenticated(self, name: str, password: str) -> User | None:
        """Return the user whose password this is. It takes as long where there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_users).where(_users.c.name == name)).one_or_none()
        known = _NOBODY if row is None else row.password
        try:
            HASHER.verify(known, password[:PASSWORD_CHARS_MAX])
        except argon2.exceptions.VerificationError:
            return None
        return None if row is None else _user(row)

    def log_in(self, user: User, agent: str, address: str, now_ns: int) -> tuple[str, WebSession]:
        """Begin a session. Return its token, which is nowhere stored, and what is known of it."""
        token = secrets.token_urlsafe(32)
        stored = StoredSession(
            _sha256(token), user.name, secrets.token_urlsafe(24), agent[:AGENT_CHARS_MAX], address[:ADDRESS_CHARS_MAX],
            now_ns, now_ns, now_ns + SESSION_NS,
        )  # fmt: skip
        self._sessions.add(stored)
        return token, _session(stored, user)

    def session(self, token: str, now_ns: int) -> WebSession | None:
        """Return the session of a token, where it has not ended. One of before a new password opens nothing."""
        stored = self._sessions.get(_sha256(token), now_ns)
        if stored is None:
            return None
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_users).where(_users.c.name == stored.name)).one_or_none()
        if row is None or stored.created_ns < row.password_ns:
            return None
        if now_ns - stored.seen_ns > NS_PER_HOUR:
            self._sessions.seen(stored, now_ns)
        return _session(stored, _user(row))

    def sessions(self, user: User, now_ns: int) -> list[WebSession]:
        """Return a user's sessions, the newest first."""
        return [_session(each, user) for each in self._sessions.of(user.name, now_ns)]

    def log_out(self, user: User, session_id: str, now_ns: int) -> int:
        """End one of a user's sessions. Return how many that were."""
        theirs = self._sessions.of(user.name, now_ns)
        return self._sessions.end([each for each in theirs if _id(each) == session_id])

    def change_password(self, user: User, password: str, now_ns: int) -> None:
        """Set a password and end all of the user's sessions. Raises BadName.

        The sessions of before are void from that moment, whether or not their store can be reached.
        """
        check_password(password)
        with self._engine.begin() as connection:
            changed = _users.update().where(_users.c.name == user.name)
            connection.execute(changed.values(password=HASHER.hash(password), password_ns=now_ns))
            connection.execute(_resets.delete().where(_resets.c.name == user.name))
        with contextlib.suppress(SessionsUnavailable):
            self._sessions.end(self._sessions.of(user.name, now_ns))

    def reset_token(self, user: User, now_ns: int) -> str:
        """Return a token that sets a new password, once and within RESET_NS. Earlier ones end."""
        token = secrets.token_urlsafe(32)
        with self._engine.begin() as connection:
            connection.execute(_resets.delete().where(_resets.c.name == user.name))
            row = {"token_sha256": _sha256(token), "name": user.name, "ends_ns": now_ns + RESET_NS}
            connection.execute(_resets.insert().values(**row))
        return token

    def reset(self, token: str, password: str, now_ns: int) -> User | None:
        """Set a new password by a token. Return whose, where the token was good; it is spent. Raises BadName."""
        check_password(password)
        with self._engine.begin() as connection:
            mine = _resets.c.token_sha256 == _sha256(token)
            row = connection.execute(sa.select(_resets).where(mine)).one_or_none()
            spent = connection.execute(_resets.delete().where(mine)).rowcount
        if row is None or spent != 1 or row.ends_ns <= now_ns:
            return None
        user = self.named(row.name)
        if user is not None:
            self.change_password(user, password, now_ns)
        return user

    def close(self) -> None:
        """Let go of the database."""
        self._sessions.close()
        self._engine.dispose()


_ID_CHARS = 16


def check_name(name: str) -> None:
    """Raise BadName unless this can be a user's name: it becomes part of file names and of ids."""
    good = 2 <= len(name) <= NAME_CHARS_MAX and name.isascii() and name == name.lower()
    if not good or not name.replace("-", "").replace("_", "").isalnum() or not name[0].isalpha():
        raise BadName(f"a name has 2 to {NAME_CHARS_MAX} of a-z, 0-9, - and _, and begins with a letter")


def check_password(password: str) -> None:
    """Raise BadName unless this can be a password."""
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise BadName(f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _user(row: sa.Row[tuple[object, ...]]) -> User:
    return User(row.name, row.account_id, Role(row.role), row.created_ns)


def _id(stored: StoredSession) -> str:
    return stored.token_sha256[:_ID_CHARS]


def _session(stored: StoredSession, user: User) -> WebSession:
    return WebSession(
        _id(stored), user, stored.csrf, stored.agent, stored.address, stored.created_ns, stored.seen_ns, stored.ends_ns
    )  # fmt: skip


def _sqlite_pragmas(connection: object, _record: object) -> None:
    with contextlib.closing(connection.cursor()) as cursor:  # type: ignore[attr-defined]  # A DB-API connection
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {pragma}")
