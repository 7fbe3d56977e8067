"""What an account had at the end of each hour, added up from records alone, and held against the marks it left.

A mark (``Snapshot``) is what the running engine believed; here the same figures come from postings and lots. Hours are
chained by hash, so that two accounts of the same hours are equal where their last hashes are.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from njord.domain.clock import NS_PER_HOUR, iso
from njord.domain.command import Entry, Snapshot
from njord.domain.ids import InstrumentId
from njord.domain.market import RESTATING
from njord.engine import session_journal
from njord.engine.boundary import Boundary
from njord.engine.session_journal import Steps, record_of
from njord.ledger.record import StepRecord

MISMATCHES_MAX = 100
_Key = TypeVar("_Key", bound=str)
_encode = msgspec.json.Encoder(order="sorted").encode


class Hour(msgspec.Struct, frozen=True):
    """An hour in which something was recorded: money in units and holdings in lots at its end, and the hash so far."""

    hour: str
    cash: dict[str, int]
    lots: dict[InstrumentId, int]
    marks: int  # How many marks of the account were held against this
    sha256: str


class Mismatch(msgspec.Struct, frozen=True):
    """A mark that is not what the records come to."""

    session_id: str
    sequence: int
    what: str
    marked: dict[str, int]
    recomputed: dict[str, int]


class Economics(msgspec.Struct, frozen=True):
    """The hours of an account, and the marks that do not agree."""

    hours: list[Hour]
    mismatches: list[Mismatch]

    def at(self, time_ns: int) -> Hour | None:
        """Return the account as it was at the end of the hour of a moment; None where nothing is on record so early."""
        wanted = iso(time_ns // NS_PER_HOUR * NS_PER_HOUR)
        return next((hour for hour in reversed(self.hours) if hour.hour <= wanted), None)


def of_records(records: Iterable[StepRecord], start: Boundary | None = None) -> Economics:
    """Add up an account's records, from what it had before them."""
    cash: dict[str, int] = {} if start is None else dict(start.totals.cash)
    lots: dict[InstrumentId, int] = {}
    for held in start.holdings if start is not None else ():
        lots[held.instrument_id] = lots.get(held.instrument_id, 0) + sum(lot.lots for lot in held.lots)
    hours: list[Hour] = []
    mismatches: list[Mismatch] = []
    current, marks = None, 0
    for record in records:
        hour_ns = record.time_ns // NS_PER_HOUR * NS_PER_HOUR
        if current is not None and hour_ns != current:
            hours.append(_closed(current, cash, lots, marks, hours))
            marks = 0
        current = hour_ns
        _apply(record, cash, lots)
        for command in record.commands:
            if isinstance(command, Snapshot):
                marks += 1
                mismatches += _compared(record, command, cash, lots)
    if current is not None:
        hours.append(_closed(current, cash, lots, marks, hours))
    return Economics(hours, mismatches[:MISMATCHES_MAX])


def of_session(folder: Path) -> Economics:
    """Add up a session from its journal alone. Raises Broken."""
    opened = session_journal.opened(folder)
    return of_records(_records(folder, opened.account_id, opened.session_id), opened.boundary)


def _records(folder: Path, account_id: str, session_id: str) -> Iterator[StepRecord]:
    for line in session_journal.read(folder):
        for step in line.steps if isinstance(line, Steps) else ():
            record = record_of(step, account_id, session_id)
            if record is not None:
                yield record


def _apply(record: StepRecord, cash: dict[str, int], lots: dict[InstrumentId, int]) -> None:
    for command in record.commands:
        if isinstance(command, Entry):
            for posting in command.postings:
                if posting.account == "cash":
                    cash[posting.asset] = cash.get(posting.asset, 0) + posting.amount
    if isinstance(record.event, RESTATING):
        lots[record.event.instrument_id] = 0  # Its record has every lot as it is now
    else:
        for closed in record.closed:
            lots[closed.instrument_id] = lots.get(closed.instrument_id, 0) - closed.lots
    for opened in record.opened:
        lots[opened.instrument_id] = lots.get(opened.instrument_id, 0) + opened.lot.lots


def _compared(
    record: StepRecord, mark: Snapshot, cash: dict[str, int], lots: dict[InstrumentId, int]
) -> Iterator[Mismatch]:
    if _some(mark.cash) != _some(cash):
        yield Mismatch(record.session_id, record.sequence, "cash", _some(mark.cash), _some(cash))
    if _some(mark.lots) != _some(lots):
        held = {str(name): held for name, held in _some(mark.lots).items()}
        yield Mismatch(record.session_id, record.sequence, "lots", held, {str(n): x for n, x in _some(lots).items()})


def _closed(hour_ns: int, cash: dict[str, int], lots: dict[InstrumentId, int], marks: int, before: list[Hour]) -> Hour:
    hour, money, held = iso(hour_ns), _some(cash), _some(lots)
    previous = before[-1].sha256 if before else ""
    digest = hashlib.sha256(previous.encode() + _encode((hour, money, held))).hexdigest()
    return Hour(hour, money, held, marks, digest)


def _some(amounts: dict[_Key, int]) -> dict[_Key, int]:
    return {name: amount for name, amount in amounts.items() if amount}
