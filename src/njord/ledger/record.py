"""What a ledger keeps: one record for each step of the engine that changed anything but prices.

A record is a value: the event, the commands it caused, and the lots it opened and closed. Ledgers make their rows of it
(``ledger.rows``), and all runtime state is rebuilt from records (``engine.restore``).
"""

import msgspec

from njord.domain.command import Command
from njord.domain.event import Event
from njord.domain.ids import InstrumentId, StrategyId
from njord.ledger.lots import ClosedLot, Lot


class OpenedLot(msgspec.Struct, frozen=True, gc=False):
    """A lot that a fill opened."""

    strategy_id: StrategyId
    instrument_id: InstrumentId
    lot: Lot


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one session of one account.

    ``sequence`` is the engine's count of events in this session, so it rises but has gaps: steps that changed nothing
    are not kept. ``cause`` names the event, ``event`` is it; None for the start and the end of a session.
    """

    account_id: str
    session_id: str
    sequence: int
    time_ns: int
    cause: str
    event: Event | None
    commands: tuple[Command, ...]
    opened: tuple[OpenedLot, ...] = ()
    closed: tuple[ClosedLot, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StepRecord).decode


def canonical(record: StepRecord) -> bytes:
    """Return the canonical bytes of a record: what its hash is taken of."""
    return _encode(record)


def parse(data: bytes) -> StepRecord:
    """Read a record. Raises msgspec.DecodeError or ValueError saying what is wrong."""
    return _decode(data)
