"""Lots: what one strategy holds of one instrument, first in, first out.

Invariants, after every call:
1. the open lots sum to the position, and all have its sign;
2. cost is conserved: what a lot cost leaves it in proportion and entirely by the time it is closed;
3. fees are conserved in the same way, so the fees of all round trips and open lots sum to the fees paid.
"""

import collections
from collections.abc import Iterable

import msgspec

from njord.domain.fill import Fill
from njord.domain.ids import FillId, InstrumentId, StrategyId
from njord.domain.instrument import Grid
from njord.domain.order import Side


class Lot(msgspec.Struct):
    """Some of one fill that is still held. ``lots`` is negative when short; ``cost_units`` is its worth at entry."""

    fill_id: FillId
    lots: int
    cost_units: int
    fee_units: int
    time_ns: int


class ClosedLot(msgspec.Struct, frozen=True, gc=False):
    """A round trip: one entry fill met one exit fill. ``lots`` is positive for a long that was sold.

    ``gain_units`` is before fees; ``fee_units`` is the share of both fills' fees.
    """

    strategy_id: StrategyId
    instrument_id: InstrumentId
    entry_fill_id: FillId
    exit_fill_id: FillId
    lots: int
    entry_units: int
    exit_units: int
    fee_units: int
    entry_ns: int
    exit_ns: int

    @property
    def gain_units(self) -> int:
        return self.exit_units - self.entry_units


class Holding:
    """The open lots of one strategy in one instrument."""

    __slots__ = ("_open", "cost_units", "instrument_id", "lots", "strategy_id")

    def __init__(self, strategy_id: StrategyId, instrument_id: InstrumentId) -> None:
        self.strategy_id = strategy_id
        self.instrument_id = instrument_id
        self.lots = 0
        self.cost_units = 0
        self._open: collections.deque[Lot] = collections.deque()

    @property
    def open_lots(self) -> tuple[Lot, ...]:
        return tuple(self._open)

    @property
    def newest(self) -> Lot | None:
        """The lot that was opened last; None when flat."""
        return self._open[-1] if self._open else None

    def restore(self, lots: Iterable[Lot]) -> None:
        """Take back the open lots of an earlier session, oldest first."""
        self._open = collections.deque(lots)
        self.lots = sum(lot.lots for lot in self._open)
        self.cost_units = sum(lot.cost_units for lot in self._open)

    def apply(self, fill: Fill, grid: Grid) -> list[ClosedLot]:
        """Add the fill, closing lots of the other sign first, oldest first. Return the round trips it ended."""
        left = fill.quantity_lots if fill.side is Side.BUY else -fill.quantity_lots
        fee_left = fill.fee_units
        closed: list[ClosedLot] = []
        while left and self._open and (self._open[0].lots > 0) != (left > 0):
            lot = self._open[0]
            lots = min(abs(lot.lots), abs(left))
            signed = lots if lot.lots > 0 else -lots
            entry_units = lot.cost_units * lots // abs(lot.lots)
            entry_fee = lot.fee_units * lots // abs(lot.lots)
            exit_fee = fee_left * lots // abs(left)
            closed.append(
                ClosedLot(
                    self.strategy_id, self.instrument_id, lot.fill_id, fill.fill_id, signed, entry_units,
                    grid.value_units(fill.price_ticks, signed), entry_fee + exit_fee, lot.time_ns, fill.venue_time_ns,
                )
            )  # fmt: skip
            fee_left -= exit_fee
            left += signed
            self.lots -= signed
            self.cost_units -= entry_units
            if lot.lots == signed:
                self._open.popleft()
            else:
                lot.lots -= signed
                lot.cost_units -= entry_units
                lot.fee_units -= entry_fee
        if left:
            cost_units = grid.value_units(fill.price_ticks, left)
            self._open.append(Lot(fill.fill_id, left, cost_units, fee_left, fill.venue_time_ns))
            self.lots += left
            self.cost_units += cost_units
        return closed

    def split(self, numerator: int, denominator: int) -> int:
        """Turn every ``denominator`` lots into ``numerator``; cost stays. Return the numerator of the fraction lost.

        The position is rounded towards zero as a whole, and the fraction (over ``denominator``) is paid out in cash.
        """
        exact = self.lots * numerator
        whole = abs(exact) // denominator * (1 if exact >= 0 else -1)
        kept = 0
        seen = 0
        for lot in self._open:
            seen += lot.lots
            until = abs(seen * numerator) // denominator * (1 if exact >= 0 else -1)
            lot.lots = until - kept
            kept = until
        emptied = [lot for lot in self._open if lot.lots == 0]
        self._open = collections.deque(lot for lot in self._open if lot.lots != 0)
        # A lot too small to survive leaves its cost to its neighbour, so that none gets lost
        for lot in emptied:
            if self._open:
                self._open[0].cost_units += lot.cost_units
                self._open[0].fee_units += lot.fee_units
            else:
                self.cost_units -= lot.cost_units
        self.lots = whole
        return exact - whole * denominator
