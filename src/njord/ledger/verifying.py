"""Tamper evidence: rows are made again from each payload, and whatever differs from what is stored is named.

What a chain cannot show is that its end is missing, or that all of it was written anew: for that, compare the head with
one kept elsewhere (a backup has it).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from njord.ledger.port import Break, BreakKind, LedgerRefused
from njord.ledger.record import StepRecord, parse
from njord.ledger.rows import EMPTY_CHAIN, Columns, Profiles, made, unbalanced
from njord.ledger.tables import BY_NAME, TABLES

BREAKS_MAX = 1_000  # Who has so many needs a restore, not a longer list
_ROW_TABLES = tuple(table for table in TABLES if table.name != "steps")


class Window(NamedTuple):
    """A stretch of an account's ledger: its steps in order, and by table all rows of those steps, or without a step."""

    steps: list[Columns]
    rows: dict[str, list[Columns]]


def breaks(account_id: str, windows: Iterable[Window]) -> list[Break]:
    """Return what does not hold in an account's ledger, in order, the first ``BREAKS_MAX`` at most."""
    found: list[Break] = []
    check = _Check(account_id)
    for window in windows:
        for broken in check.window(window):
            found.append(broken)
            if len(found) == BREAKS_MAX:
                return found
    return found


class _Check:
    """What has to be remembered from one step to the next."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._expected = 1
        self._chain = EMPTY_CHAIN
        self._profiles: Profiles = {}
        self._seen_once: set[tuple[object, ...]] = set()
        self._session_id = ""
        self._sequence = -1
        self._sessions: set[str] = set()

    def window(self, window: Window) -> Iterator[Break]:
        stored = _by_step(window)
        for step in window.steps:
            yield from self._step(step, stored)
        for (position, table), rows in sorted(stored.items()):
            for row in rows.values():
                yield self._break(BreakKind.EXTRA, table, position, f"{_place(row)}: belongs to no step: {_shown(row)}")

    def _step(self, step: Columns, stored: dict[tuple[int, str], dict[object, Columns]]) -> Iterator[Break]:
        position = step["step"]
        if position != self._expected:
            detail = f"steps {self._expected} to {position - 1} are not there, step {position} follows"
            yield self._break(BreakKind.MISSING, "steps", self._expected, detail)
        self._expected = position + 1
        chain, self._chain = self._chain, step["chain"]
        try:
            record = parse(step["payload"].encode())
        except (ValueError, msgspec.MsgspecError) as error:
            yield self._break(BreakKind.UNREADABLE, "steps", position, f"payload: {error}")
            return
        yield from self._order(record, position)
        try:
            expected = made(record, step["payload"], position, chain, self._profiles)
        except LedgerRefused as error:
            yield self._break(BreakKind.UNREADABLE, "steps", position, f"no rows can be made of its payload: {error}")
            return
        yield from self._compare("steps", position, "", step, expected.step)
        lopsided = unbalanced(expected.rows)
        if lopsided is not None:
            yield self._break(BreakKind.UNBALANCED, "postings", position, lopsided)
        wanted: dict[str, list[Columns]] = {}
        for table, row in expected.rows:
            wanted.setdefault(table, []).append(row)
        for table, row in expected.once:
            key = (table, *(row[name] for name in BY_NAME[table].key))
            if key not in self._seen_once:
                self._seen_once.add(key)
                wanted.setdefault(table, []).append(row)
        for spec in _ROW_TABLES:
            there = stored.pop((position, spec.name), {})
            for row in wanted.get(spec.name, ()):
                found = there.pop(_key(spec.name, row), None)
                if found is None:
                    yield self._break(BreakKind.MISSING, spec.name, position, f"{_place(row)}: {_shown(row)}")
                else:
                    yield from self._compare(spec.name, position, _place(row), found, row)
            for row in there.values():
                detail = f"{_place(row)}: not made by its step: {_shown(row)}"
                yield self._break(BreakKind.EXTRA, spec.name, position, detail)

    def _order(self, record: StepRecord, position: int) -> Iterator[Break]:
        if record.session_id == self._session_id:
            if record.sequence <= self._sequence:
                detail = f"sequence {record.sequence} of session {record.session_id} follows sequence {self._sequence}"
                yield self._break(BreakKind.OUT_OF_ORDER, "steps", position, detail)
        elif record.session_id in self._sessions:
            detail = f"session {record.session_id} goes on after session {self._session_id}"
            yield self._break(BreakKind.OUT_OF_ORDER, "steps", position, detail)
        self._sessions.add(record.session_id)
        self._session_id, self._sequence = record.session_id, record.sequence

    def _compare(self, table: str, position: int, place: str, stored: Columns, expected: Columns) -> Iterator[Break]:
        for name, should in expected.items():
            found = stored[name]
            if found != should or found.__class__ is not should.__class__:
                detail = f"{place + ': ' if place else ''}{name} is {found!r}, made again it is {should!r}"
                yield self._break(BreakKind.CHANGED, table, position, detail)

    def _break(self, kind: BreakKind, table: str, position: int, detail: str) -> Break:
        return Break(kind, self._account_id, table, position, detail)


def _by_step(window: Window) -> dict[tuple[int, str], dict[object, Columns]]:
    found: dict[tuple[int, str], dict[object, Columns]] = {}
    for table, rows in window.rows.items():
        for row in rows:
            found.setdefault((row["step"], table), {})[_key(table, row)] = row
    return found


def _key(table: str, row: Columns) -> object:
    spec = BY_NAME[table]
    return tuple(row[name] for name in spec.key) if spec.once else row["ordinal"]


def _place(row: Columns) -> str:
    return f"ordinal {row['ordinal']}"


def _shown(row: Columns) -> str:
    # What tells rows apart; the columns that all tables have are said elsewhere
    own = {name: value for name, value in row.items() if name not in _SAID and value is not None}
    return ", ".join(f"{name} {value!r}" for name, value in own.items())[:300]


_SAID = frozenset({"account_id", "session_id", "hour_ns", "step", "ordinal", "row_hash"})
