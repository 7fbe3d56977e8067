"""The ledger in SQLite or PostgreSQL. One transaction a commit; the database itself refuses what breaks a rule."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from njord.domain.command import Assessed
from njord.domain.governance import ProfileChanged
from njord.domain.profile import RiskProfile
from njord.ledger.appending import RECORDS_PER_COMMIT_MAX, empty_head, fresh, one_account
from njord.ledger.port import Break, Head, LedgerRefused, LedgerUnavailable
from njord.ledger.record import StepRecord, parse
from njord.ledger.rows import Columns, Profiles, Row, made, on_record, unbalanced
from njord.ledger.sql.breaker import Breaker
from njord.ledger.sql.connecting import WRITES, connected, parsed, shown
from njord.ledger.sql.schema import reaching, require_latest
from njord.ledger.sql.tables import SQL_TABLES
from njord.ledger.tables import TABLES
from njord.ledger.verifying import BREAKS_MAX, Window, breaks

STEPS_PER_READ = 1_000
# From so many rows of a table on, PostgreSQL's COPY is faster than INSERT
COPY_ROWS_MIN = 64
_HOURS_CACHED_MAX = 10_000
_STEPS = SQL_TABLES["steps"]
_PARTITIONED = {spec.name for spec in TABLES if spec.partitioned}
_WEEK_HOURS_NS = 7 * 24 * 3_600_000_000_000
_MONDAY_NS = 4 * 24 * 3_600_000_000_000  # 1970 began on a Thursday


class SqlLedger:
    """A ledger in a database. See ``ledger.port.Ledger``. Raises OtherVersion when opened on another schema.

    While the breaker is open every call raises LedgerUnavailable at once. A connection lost during COMMIT leaves open
    whether it was written: the same call again is passed over if it was.
    """

    def __init__(
        self, engine: sa.Engine, *, breaker: Breaker | None = None, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._breaker = breaker or Breaker()
        self._clock_s = clock_s
        self._profiles: dict[str, Profiles] = {}
        self._hours: set[tuple[str, str, int]] = set()
        self._weeks: set[int] = set()
        with self._guarded():
            require_latest(engine)

    @classmethod
    def open(cls, url: str) -> "SqlLedger":
        """Open the ledger at a URL. Raises ValueError for a URL or schema that is not one."""
        return cls(connected(parsed(url)))

    @property
    def engine(self) -> sa.Engine:
        return self._engine

    def head(self, account_id: str) -> Head:
        """Return where an account's ledger ends."""
        with self._transaction() as connection:
            return _head(connection, account_id)

    def commit(self, records: Sequence[StepRecord]) -> Head:
        """Append records of one account, all or none. Return the new head. Raises LedgerRefused."""
        if not records:
            raise LedgerRefused("no records: a commit needs at least one")
        account_id = one_account(records)
        self._make_weeks(records)
        with self._transaction(writes=True) as connection:
            head = self._locked_head(connection, account_id)
            new = fresh(
                records,
                head,
                lambda session_id, sequence: _stored_hash(connection, account_id, session_id, sequence),
                lambda session_id: _known_session(connection, account_id, session_id),
            )
            if not new:
                return head
            head, profiles, hours = self._append(connection, head, new)
        self._remember(account_id, profiles, hours)
        return head

    def load(self, account_id: str, payloads: Sequence[str], after: Head) -> Head:
        """Append payloads that a ledger has written, after the head given. For a restore; raises LedgerRefused."""
        new = [(parse(text.encode()), text) for text in payloads]
        self._make_weeks([record for record, _ in new])
        with self._transaction(writes=True) as connection:
            head = self._locked_head(connection, account_id)
            if head != after:
                raise LedgerRefused(f"account {account_id}: ends at step {head.position}, not at {after.position}")
            head, profiles, hours = self._append(connection, head, new)
        self._remember(account_id, profiles, hours)
        return head

    def records(self, account_id: str, after: int = 0) -> Iterator[StepRecord]:
        """Yield an account's records in order, from the one after a position."""
        for step in self.steps(account_id, after):
            yield parse(step["payload"].encode())

    def steps(self, account_id: str, after: int = 0) -> Iterator[Columns]:
        """Yield the rows of ``steps`` of an account in order. Many can be read: each stretch is a read of its own."""
        while True:
            with self._transaction() as connection:
                found = _steps_after(connection, account_id, after)
            yield from found
            if len(found) < STEPS_PER_READ:
                return
            after = found[-1]["step"]

    def accounts(self) -> list[str]:
        """Return the accounts that have records, sorted."""
        with self._transaction() as connection:
            return sorted(_account_ids(connection, _STEPS))

    def verify(self, account_id: str | None = None) -> list[Break]:
        """Recompute every hash, chain and row, in one consistent read. Return what does not hold."""
        found: list[Break] = []
        with self._transaction(snapshot=True) as connection:
            for name in _all_accounts(connection) if account_id is None else [account_id]:
                found += breaks(name, _windows(connection, name))
                if len(found) >= BREAKS_MAX:
                    return found[:BREAKS_MAX]
        return found

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Iterator[tuple[str, Columns]]]:
        """Read all accounts' steps as they are at one moment, whoever writes meanwhile."""
        with self._transaction(snapshot=True) as connection:
            yield _all_steps(connection)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _append(
        self, connection: sa.Connection, head: Head, new: list[tuple[StepRecord, str]]
    ) -> tuple[Head, Profiles, set[tuple[str, str, int]]]:
        account_id = new[0][0].account_id
        profiles = self._known_profiles(connection, account_id, [record for record, _ in new])
        on_file = frozenset(profiles)
        position, chain = head.position, head.chain
        by_table: dict[str, list[Columns]] = {spec.name: [] for spec in TABLES}
        once: dict[tuple[Any, ...], Row] = {}
        for record, text in new:
            position += 1
            result = made(record, text, position, chain, profiles)
            chain = result.chain
            lopsided = unbalanced(result.rows)
            if lopsided is not None:
                raise LedgerRefused(f"account {account_id} step {position}: {lopsided}")
            by_table["steps"].append(result.step)
            for table, row in result.rows:
                by_table[table].append(row)
            for table, row in result.once:
                if table == "hours":
                    once.setdefault((table, row["session_id"], row["hour_ns"]), (table, row))
                elif (row["profile"], row["profile_version"]) not in on_file:
                    key = (table, row["profile"], row["profile_version"], row.get("tier"))
                    once.setdefault(key, (table, row))
        hours = self._new_hours(connection, account_id, [row for table, row in once.values() if table == "hours"])
        for table, row in once.values():
            if table != "hours" or (account_id, row["session_id"], row["hour_ns"]) in hours:
                by_table[table].append(row)
        for spec in TABLES:
            if by_table[spec.name]:
                _insert(connection, spec.name, by_table[spec.name])
        last = new[-1][0]
        seen = {(account_id, row["session_id"], row["hour_ns"]) for table, row in once.values() if table == "hours"}
        return Head(position, last.session_id, last.sequence, chain), profiles, seen

    def _locked_head(self, connection: sa.Connection, account_id: str) -> Head:
        # One writer an account at a time, also of other processes: SQLite's BEGIN IMMEDIATE has done it already
        if connection.dialect.name == "postgresql":
            key = f"njord-ledger:{account_id}"
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
        return _head(connection, account_id)

    def _known_profiles(self, connection: sa.Connection, account_id: str, records: list[StepRecord]) -> Profiles:
        known = dict(self._profiles.get(account_id, {}))
        wanted = {
            (command.profile, command.profile_version)
            for record in records
            for command in record.commands
            if isinstance(command, Assessed)
        }
        brought = any(isinstance(record.event, ProfileChanged) for record in records)
        if brought or not wanted <= known.keys():
            table = SQL_TABLES["profiles"]
            named = sa.select(table.c.definition).where(table.c.account_id == account_id)
            for text in connection.execute(named).scalars():
                profile = msgspec.json.decode(text, type=RiskProfile)
                known[profile.name, profile.version] = on_record(profile)
        return known

    def _new_hours(self, connection: sa.Connection, account_id: str, rows: list[Columns]) -> set[tuple[str, str, int]]:
        places = {(account_id, row["session_id"], row["hour_ns"]) for row in rows}
        unsure = places - self._hours
        if not unsure:
            return set()
        table = SQL_TABLES["hours"]
        there = connection.execute(
            sa.select(table.c.session_id, table.c.hour_ns).where(
                table.c.account_id == account_id,
                table.c.session_id.in_(sorted({session_id for _, session_id, _ in unsure})),
                table.c.hour_ns.between(min(h for _, _, h in unsure), max(h for _, _, h in unsure)),
            )
        )
        return unsure - {(account_id, session_id, hour_ns) for session_id, hour_ns in there}

    def _make_weeks(self, records: Sequence[StepRecord]) -> None:
        # Before, in a transaction of their own: to make a partition takes locks that two writers could deadlock over
        if self._engine.dialect.name != "postgresql":
            return
        weeks = {(record.time_ns - _MONDAY_NS) // _WEEK_HOURS_NS * _WEEK_HOURS_NS + _MONDAY_NS for record in records}
        missing = sorted(weeks - self._weeks)
        if missing:
            with self._transaction(writes=True) as connection:
                for week_ns in missing:
                    connection.execute(sa.text("SELECT njord_week(:week_ns)"), {"week_ns": week_ns})
            self._weeks.update(missing)

    def _remember(self, account_id: str, profiles: Profiles, hours: set[tuple[str, str, int]]) -> None:
        # Only what is committed: neither changes any more
        self._profiles[account_id] = profiles
        if len(self._hours) > _HOURS_CACHED_MAX:
            self._hours.clear()
        self._hours |= hours

    @contextlib.contextmanager
    def _transaction(self, *, writes: bool = False, snapshot: bool = False) -> Iterator[sa.Connection]:
        options: dict[str, Any] = {WRITES: writes}
        if snapshot and self._engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._guarded(), reaching(self._engine), self._engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        wait_s = self._breaker.open_for_s(self._clock_s())
        if wait_s > 0:
            raise LedgerUnavailable(
                f"ledger {shown(self._engine.url)}: failed again and again, left alone {wait_s:.1f} s"
            )
        try:
            yield
        except LedgerUnavailable:
            self._breaker.failed(self._clock_s())
            raise
        except LedgerRefused:
            self._breaker.succeeded()  # It answered
            raise
        self._breaker.succeeded()


def _insert(connection: sa.Connection, table: str, rows: list[Columns]) -> None:
    if connection.dialect.name == "postgresql" and len(rows) >= COPY_ROWS_MIN:
        names = list(rows[0])
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    else:
        connection.execute(sa.insert(SQL_TABLES[table]), rows)


def _head(connection: sa.Connection, account_id: str) -> Head:
    last = (
        sa.select(_STEPS.c.step, _STEPS.c.session_id, _STEPS.c.sequence, _STEPS.c.chain)
        .where(_STEPS.c.account_id == account_id)
        .order_by(_STEPS.c.step.desc())
        .limit(1)
    )
    found = connection.execute(last).first()
    return empty_head() if found is None else Head(*found)


def _stored_hash(connection: sa.Connection, account_id: str, session_id: str, sequence: int) -> str | None:
    where = (_STEPS.c.account_id == account_id, _STEPS.c.session_id == session_id, _STEPS.c.sequence == sequence)
    return connection.execute(sa.select(_STEPS.c.payload_hash).where(*where)).scalar()


def _known_session(connection: sa.Connection, account_id: str, session_id: str) -> bool:
    where = (_STEPS.c.account_id == account_id, _STEPS.c.session_id == session_id)
    return connection.execute(sa.select(_STEPS.c.step).where(*where).limit(1)).first() is not None


def _steps_after(connection: sa.Connection, account_id: str, after: int | None) -> list[Columns]:
    chosen = sa.select(_STEPS).where(_STEPS.c.account_id == account_id).order_by(_STEPS.c.step).limit(STEPS_PER_READ)
    if after is not None:
        chosen = chosen.where(_STEPS.c.step > after)
    return [dict(row) for row in connection.execute(chosen).mappings()]


def _all_steps(connection: sa.Connection) -> Iterator[tuple[str, Columns]]:
    for account_id in sorted(_account_ids(connection, _STEPS)):
        after: int | None = None
        while found := _steps_after(connection, account_id, after):
            for step in found:
                yield account_id, step
            after = found[-1]["step"]


def _account_ids(connection: sa.Connection, table: sa.Table) -> Iterator[str]:
    # One look-up in the primary key for each account, where DISTINCT would read every row
    last: str | None = None
    while True:
        least = sa.select(sa.func.min(table.c.account_id))
        last = connection.execute(least if last is None else least.where(table.c.account_id > last)).scalar()
        if last is None:
            return
        yield last


def _all_accounts(connection: sa.Connection) -> list[str]:
    # Also of rows that have no step: those are what a verification is for
    names: set[str] = set()
    for table in SQL_TABLES.values():
        names.update(_account_ids(connection, table))
    return sorted(names)


def _windows(connection: sa.Connection, account_id: str) -> Iterator[Window]:
    low: int | None = None
    while True:
        steps = _steps_after(connection, account_id, low)
        high = steps[-1]["step"] if len(steps) == STEPS_PER_READ else None
        rows: dict[str, list[Columns]] = {}
        for name, table in SQL_TABLES.items():
            if name != "steps":
                chosen = sa.select(table).where(table.c.account_id == account_id)
                if low is not None:
                    chosen = chosen.where(table.c.step > low)
                if high is not None:
                    chosen = chosen.where(table.c.step <= high)
                rows[name] = [dict(row) for row in connection.execute(chosen).mappings()]
        yield Window(steps, rows)
        if high is None:
            return
        low = high


assert STEPS_PER_READ <= RECORDS_PER_COMMIT_MAX  # What a restore reads at once it can also write at once
