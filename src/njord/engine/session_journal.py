"""The journal of a session: how it began, every step with its event and commands, how it ended. One chained file.

It is enough to replay the session, and it is written before anything is acted upon: what the ledger lacks after a crash
is in here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from njord.domain.command import Command
from njord.domain.event import Event, TimerFired
from njord.domain.fill import Fill
from njord.domain.governance import ClockTick
from njord.domain.market import MarketEvent
from njord.engine.boundary import Boundary
from njord.ledger import chain
from njord.ledger.chain import Broken, Chain
from njord.ledger.lots import ClosedLot
from njord.ledger.record import OpenedLot, StepRecord

NAME = "journal"
# A line of the journal has at most so many steps, so that a reader's memory is bounded
STEPS_PER_LINE_MAX = 1_024


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One step: the event, what it caused, and the lots it opened and closed. No event: the session's start or end."""

    sequence: int
    time_ns: int
    cause: str
    event: Event | None
    commands: tuple[Command, ...] = ()
    opened: tuple[OpenedLot, ...] = ()
    closed: tuple[ClosedLot, ...] = ()


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened"):
    """The session begins: what it is made of, what the account brings, and where its ledger stood."""

    session_id: str
    account_id: str
    world: str
    manifest: dict[str, Any]
    boundary: Boundary
    ledger_position: int
    ledger_chain: str


class Steps(msgspec.Struct, frozen=True, tag="steps"):
    """Some steps, one after the other: they became durable together."""

    steps: tuple[Step, ...]


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """The session ended in order, after so many steps, with this digest of all its commands."""

    sequence: int
    digest: str
    ledger_position: int
    ledger_chain: str


# Events that alone are no reason to keep a step: prices and time pass by, and a fill without an entry was booked before
UNKEPT = frozenset({*MarketEvent.__args__, TimerFired, ClockTick, Fill})

Line = Opened | Steps | Closed

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


class SessionJournal:
    """The writing end of a session's journal."""

    def __init__(self, folder: Path, *, segment_bytes_max: int = chain.SEGMENT_BYTES_MAX) -> None:
        self._chain = Chain(folder, NAME, segment_bytes_max=segment_bytes_max)

    @property
    def head(self) -> str:
        """The hash of all that was appended."""
        return self._chain.head

    def append(self, line: Line) -> None:
        """Add a line to what is written next."""
        self._chain.append(_encode(line))

    def write(self) -> None:
        """Hand what was appended to the system. Raises Unwritable; call again, nothing is lost or doubled."""
        self._chain.write()

    def sync(self) -> None:
        """Wait until the disk has what was appended. Raises Unwritable; call again, nothing is lost or doubled."""
        self._chain.sync()

    def close(self) -> None:
        """Write what is left and let go of the file."""
        self._chain.close()


def read(folder: Path) -> Iterator[Line]:
    """Yield the lines of a session's journal, each verified. Raises Broken naming the file and what is wrong."""
    for number, body in enumerate(chain.read(folder, NAME), start=1):
        line = decoded(folder, body, number)
        if isinstance(line, Opened) != (number == 1):
            raise Broken(f"{folder}: {NAME} line {number}: a journal has one beginning, in its first line")
        yield line


def decoded(folder: Path, body: bytes, number: int | None = None) -> Line:
    """Return a line of a session's journal. Raises Broken naming the folder and, where it is known, the line."""
    try:
        line: Line = _decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise Broken(f"{folder}: {NAME}{'' if number is None else f' line {number}'}: {error}") from error
    return line


def opened(folder: Path) -> Opened:
    """Return how a session began. Raises Broken where there is no journal, or nothing whole in it."""
    first = next(read(folder), None)
    if not isinstance(first, Opened):
        raise Broken(f"{folder}: no journal of a session")
    return first


def record_of(step: Step, account_id: str, session_id: str) -> StepRecord | None:
    """Return what the ledger keeps of a step: None where it changed nothing but prices."""
    if not step.commands and (step.event is None or type(step.event) in UNKEPT):
        return None
    return StepRecord(
        account_id=account_id, session_id=session_id, sequence=step.sequence, time_ns=step.time_ns, cause=step.cause,
        event=step.event, commands=step.commands, opened=step.opened, closed=step.closed,
    )  # fmt: skip
