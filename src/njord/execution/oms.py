"""Our orders, as far as we know them: one state machine each, and what all of them together could still do.

Invariants:
1. an order only ever moves along TRANSITIONS, and never leaves a terminal status;
2. working lots of an instrument and side are the unfilled lots of its orders that are not terminal, from the moment
   of submission, so that exposure in flight is counted;
3. a client order id names one order for ever; a fill id is applied once.
"""

from collections.abc import Iterable

from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    Report,
)
from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId, FillId, InstrumentId
from njord.domain.instrument import Grid
from njord.domain.order import TRANSITIONS, IllegalTransition, NewOrder, OrderStatus, Side

_SUBMITTED = OrderStatus.SUBMITTED


class Tracked:
    """One of our orders and what has become of it."""

    __slots__ = ("filled_lots", "grid", "limit_ticks", "order", "quantity_lots", "status")

    def __init__(self, order: NewOrder, grid: Grid) -> None:
        self.order = order
        self.grid = grid
        self.status = OrderStatus.INITIALISED
        self.quantity_lots = order.quantity_lots
        self.filled_lots = 0
        self.limit_ticks = order.limit_ticks

    @property
    def client_order_id(self) -> ClientOrderId:
        return self.order.client_order_id

    @property
    def instrument_id(self) -> InstrumentId:
        return self.order.instrument_id

    @property
    def side(self) -> Side:
        return self.order.side

    @property
    def leaves_lots(self) -> int:
        return self.quantity_lots - self.filled_lots

    @property
    def limit(self) -> float | None:
        return None if self.limit_ticks is None else self.grid.price(self.limit_ticks)

    @property
    def quantity(self) -> float:
        return self.grid.quantity(self.quantity_lots)

    @property
    def filled(self) -> float:
        return self.grid.quantity(self.filled_lots)

    def become(self, status: OrderStatus) -> None:
        """Move to ``status``. Raises IllegalTransition naming both."""
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"order {self.client_order_id}: {self.status} cannot become {status}")
        self.status = status


class Orders:
    """All orders of one account."""

    def __init__(self) -> None:
        self.open: dict[ClientOrderId, Tracked] = {}
        self.done: dict[ClientOrderId, OrderStatus] = {}
        self._fill_ids: set[FillId] = set()
        self._buys: dict[InstrumentId, int] = {}  # Lots still working, by instrument
        self._sells: dict[InstrumentId, int] = {}

    def known(self, client_order_id: ClientOrderId) -> bool:
        """Return whether this id ever named an order."""
        return client_order_id in self.open or client_order_id in self.done

    def working_lots(self, instrument_id: InstrumentId, side: Side) -> int:
        """Return what orders of this side could still fill."""
        return (self._buys if side is Side.BUY else self._sells).get(instrument_id, 0)

    def submit(self, order: NewOrder, grid: Grid) -> Tracked:
        """Take an approved order on record as on its way, and reserve what it could fill."""
        order_id = order.client_order_id
        assert order_id not in self.open, order
        assert order_id not in self.done, order
        tracked = self.open[order_id] = Tracked(order, grid)
        tracked.status = _SUBMITTED  # From INITIALISED, always legal
        self._reserve(tracked, order.quantity_lots)
        return tracked

    def fill(self, fill: Fill) -> Tracked | None:
        """Apply a fill. Return the order it filled; None where this fill was applied before.

        Raises IllegalTransition for what cannot be true, such as a fill beyond the order's quantity.
        """
        if fill.fill_id in self._fill_ids:
            return None
        order_id = fill.client_order_id
        tracked = self.open.get(order_id)
        if tracked is None:
            raise IllegalTransition(f"order {order_id}: filled by {fill.fill_id}, but it {self._absent(order_id)}")
        lots = fill.quantity_lots
        filled_lots = tracked.filled_lots + lots
        if filled_lots > tracked.quantity_lots:
            raise IllegalTransition(f"order {order_id}: filled {lots} lots, had {tracked.leaves_lots} left")
        self._fill_ids.add(fill.fill_id)
        tracked.filled_lots = filled_lots
        working = self._buys if tracked.order.side is Side.BUY else self._sells
        working[tracked.order.instrument_id] -= lots
        if filled_lots == tracked.quantity_lots:
            self._finish(tracked, OrderStatus.FILLED)
        else:
            tracked.become(OrderStatus.PARTIALLY_FILLED)
        return tracked

    def accept(self, report: OrderAccepted) -> Tracked | None:
        """Apply an acknowledgement. A fill can overtake it; then there is nothing left to learn from it."""
        tracked = self.open.get(report.client_order_id)
        if tracked is None:
            self._must_be_known(report.client_order_id)
            return None
        if tracked.status is _SUBMITTED or tracked.status is OrderStatus.UNKNOWN:
            tracked.status = OrderStatus.ACCEPTED
            return tracked
        return None

    def apply(self, report: Report) -> Tracked | None:
        """Apply what a venue said. Return the order it changed; None where it is repeated, late, or changes nothing.

        Raises IllegalTransition for what cannot be true.
        """
        if report.__class__ is Fill:
            return self.fill(report)
        if report.__class__ is OrderAccepted:
            return self.accept(report)
        tracked = self.open.get(report.client_order_id)
        if tracked is None:
            self._must_be_known(report.client_order_id)
            return None
        kind = type(report)
        if kind is OrderReplaced:
            assert isinstance(report, OrderReplaced)
            self._reserve(tracked, report.quantity_lots - tracked.quantity_lots)
            tracked.quantity_lots = report.quantity_lots
            tracked.limit_ticks = report.limit_ticks
            return tracked
        if kind is CancelRejected:
            return tracked
        self._finish(tracked, _ENDS[kind])
        return tracked

    def open_of(self, instrument_id: InstrumentId | None, ids: Iterable[ClientOrderId]) -> list[Tracked]:
        """Return those of ``ids`` that are open, of one instrument or of all."""
        found = [self.open[order_id] for order_id in ids if order_id in self.open]
        if instrument_id is None or not found:
            return found
        return [tracked for tracked in found if tracked.order.instrument_id == instrument_id]

    def _must_be_known(self, order_id: ClientOrderId) -> None:
        if order_id not in self.done:
            raise IllegalTransition(f"order {order_id}: a report of an order that was never sent")

    def _absent(self, order_id: ClientOrderId) -> str:
        return f"was {self.done[order_id]} already" if order_id in self.done else "was never sent"

    def _finish(self, tracked: Tracked, status: OrderStatus) -> None:
        tracked.become(status)
        left = tracked.quantity_lots - tracked.filled_lots
        if left:
            self._reserve(tracked, -left)
        order_id = tracked.order.client_order_id
        self.done[order_id] = status
        del self.open[order_id]

    def _reserve(self, tracked: Tracked, lots: int) -> None:
        working = self._buys if tracked.order.side is Side.BUY else self._sells
        instrument_id = tracked.order.instrument_id
        left = working.get(instrument_id, 0) + lots
        assert left >= 0, tracked.client_order_id
        working[instrument_id] = left


_ENDS: dict[type, OrderStatus] = {
    OrderRejected: OrderStatus.REJECTED,
    OrderCancelled: OrderStatus.CANCELLED,
    OrderExpired: OrderStatus.EXPIRED,
}
