"""An account's orders and fills as a person reads them, folded from what is on record, live or from the ledger."""

import collections
from collections.abc import Sequence

import msgspec

from njord.domain.command import Command, Refused, StrategyNote
from njord.domain.event import (
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
)
from njord.domain.fill import Fill
from njord.domain.governance import OrderUnknown
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.order import TERMINAL, NewOrder, OrderStatus, OrderType, Side, TimeInForce
from njord.ledger.lots import ClosedLot

# Of the newest; the ledger has all
ORDERS_MAX = 5_000
FILLS_MAX = 5_000
NOTES_MAX = 200
CHANGES_MAX = 10_000


class OrderLine(msgspec.Struct):
    """One order, refused ones too, and where it is in its life. ``changed`` is the number of its last change."""

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_lots: int
    filled_lots: int
    limit_ticks: int | None
    stop_ticks: int | None
    status: OrderStatus
    reason: str | None
    created_ns: int
    updated_ns: int
    cost_ticks: int = 0  # Sum of price times lots over its fills: with filled_lots, its average price
    changed: int = 0


class FillLine(msgspec.Struct, frozen=True):
    """One fill."""

    number: int
    fill: Fill
    strategy_id: StrategyId


class Note(msgspec.Struct, frozen=True):
    """What a strategy put on record about why."""

    time_ns: int
    strategy_id: StrategyId
    text: str


Change = OrderLine | FillLine


class Blotter:
    """The newest orders and fills of one account. Changes are numbered without gaps, so that a reader can resume.

    The numbers are the same after a restart, as they are of what the ledger has.
    """

    def __init__(self) -> None:
        self.number = 0
        self.orders: dict[ClientOrderId, OrderLine] = {}
        self.realised: dict[StrategyId, int] = {}  # Gains of round trips, before fees
        self.fills: collections.deque[FillLine] = collections.deque(maxlen=FILLS_MAX)
        self.notes: collections.deque[Note] = collections.deque(maxlen=NOTES_MAX)
        self._changes: collections.deque[tuple[int, Change]] = collections.deque(maxlen=CHANGES_MAX)

    def since(self, number: int) -> list[tuple[int, Change]] | None:
        """Return the changes after a number, in order; None where some of them are forgotten: read it all anew."""
        if number > self.number or (self._changes and self._changes[0][0] > number + 1):
            return None
        return [each for each in self._changes if each[0] > number]

    def apply(
        self, time_ns: int, event: Event | None, commands: Sequence[Command], closed: Sequence[ClosedLot] = ()
    ) -> None:
        """Take in one step that is on record, with the round trips it ended."""
        for trip in closed:
            self.realised[trip.strategy_id] = self.realised.get(trip.strategy_id, 0) + trip.gain_units
        for command in commands:
            if isinstance(command, NewOrder):
                self._add(time_ns, command)
        self._event(time_ns, event)
        for command in commands:
            if isinstance(command, Refused) and command.client_order_id not in self.orders:
                self._refuse(time_ns, command, event)
            elif isinstance(command, StrategyNote):
                self.notes.append(Note(time_ns, command.strategy_id, command.text))

    def _event(self, time_ns: int, event: Event | None) -> None:
        order = self.orders.get(getattr(event, "client_order_id", ClientOrderId("")))
        if order is None:
            return
        if isinstance(event, Fill):
            order.filled_lots += event.quantity_lots
            order.cost_ticks += event.price_ticks * event.quantity_lots
            whole = order.filled_lots >= order.quantity_lots
            order.status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
            self.number += 1
            line = FillLine(self.number, event, order.strategy_id)
            self.fills.append(line)
            self._changes.append((self.number, line))
        elif isinstance(event, OrderAccepted):
            order.status = OrderStatus.PARTIALLY_FILLED if order.filled_lots else OrderStatus.ACCEPTED
        elif isinstance(event, OrderReplaced):
            order.quantity_lots, order.limit_ticks = event.quantity_lots, event.limit_ticks
        elif isinstance(event, OrderRejected):
            order.status, order.reason = OrderStatus.REJECTED, event.reason
        elif isinstance(event, OrderCancelled):
            order.status, order.reason = OrderStatus.CANCELLED, event.reason
        elif isinstance(event, OrderExpired):
            order.status = OrderStatus.EXPIRED
        elif isinstance(event, OrderUnknown):
            order.status = OrderStatus.UNKNOWN
        else:
            return
        self._changed(order, time_ns)

    def _add(self, time_ns: int, order: NewOrder) -> None:
        line = OrderLine(
            order.client_order_id, order.strategy_id, order.instrument_id, order.side, order.order_type,
            order.time_in_force, order.quantity_lots, 0, order.limit_ticks, order.stop_ticks, OrderStatus.SUBMITTED,
            None, time_ns, time_ns,
        )  # fmt: skip
        self._keep(line)

    def _refuse(self, time_ns: int, refused: Refused, event: Event | None) -> None:
        wanted = getattr(event, "intent", None)
        if not isinstance(wanted, NewOrder) or wanted.client_order_id != refused.client_order_id:
            return  # A strategy's own wish: it knows, and the record says why
        self._add(time_ns, wanted)
        line = self.orders[refused.client_order_id]
        line.status, line.reason = OrderStatus.REFUSED, refused.reason

    def _keep(self, line: OrderLine) -> None:
        self.orders[line.client_order_id] = line
        self._changed(line, line.created_ns)
        if len(self.orders) > ORDERS_MAX:
            oldest = next((key for key, each in self.orders.items() if each.status in TERMINAL), None)
            if oldest is not None:
                del self.orders[oldest]

    def _changed(self, line: OrderLine, time_ns: int) -> None:
        self.number += 1
        line.updated_ns, line.changed = time_ns, self.number
        self._changes.append((self.number, msgspec.structs.replace(line)))
