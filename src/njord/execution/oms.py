"""Our orders, as far as we know them: one state machine each, and what all of them together could still do.

Invariants:
1. an order only ever moves along TRANSITIONS, and never leaves a terminal status;
2. working lots of an instrument and side are the unfilled lots of its orders that are not terminal, from the moment
   of submission, so that exposure in flight is counted;
3. a replacement that was asked for is reserved as well: the most the order could become, until the venue has said what
   it is. A refused one stays reserved until the order ends or a later one is confirmed, since reports do not say which
   request they answer;
4. a client order id names one order for ever; a fill id is applied once;
5. a fill is booked however late it comes: money has moved, whatever was said of the order in between.
"""

import collections
import contextlib
from collections.abc import Iterable, Iterator

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
from njord.domain.governance import OrderUnknown
from njord.domain.ids import ClientOrderId, FillId, InstrumentId, StrategyId
from njord.domain.instruction import BY_HAND
from njord.domain.instrument import Grid
from njord.domain.order import TRANSITIONS, IllegalTransition, NewOrder, OrderStatus, Rejection, Side

_SUBMITTED = OrderStatus.SUBMITTED
_BUY = Side.BUY
_TAKEN = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
# Orders that ended with something left, kept for fills that come late. Beyond it the oldest is forgotten, and a fill of
# it is one of an order that is over: an error, which stops the engine
ENDED_MAX = 10_000
# Fills and orders that are over, of which a session remembers so many, as it may run for ever: more than an exchange
# tells again (venues.simulated.account_truth). Ids that a person chose are never forgotten; those made here are never
# made again. The ledger has it all
REMEMBERED_MAX = 12_000
ASKED_MAX = 8  # Replacements of one order that may be told apart


class Working:
    """What the open orders of one strategy in one instrument could still fill."""

    __slots__ = ("buy_lots", "key", "sell_lots")

    def __init__(self, key: tuple[StrategyId, InstrumentId]) -> None:
        self.key = key
        self.buy_lots = 0
        self.sell_lots = 0


class Tracked:
    """One of our orders and what has become of it."""

    __slots__ = ("asked", "filled_lots", "grid", "limit_ticks", "order", "quantity_lots", "status", "working")

    def __init__(self, order: NewOrder, grid: Grid) -> None:
        self.order = order
        self.grid = grid
        self.status = OrderStatus.INITIALISED
        self.quantity_lots = order.quantity_lots
        self.filled_lots = 0
        self.limit_ticks = order.limit_ticks
        self.working: Working | None = None  # Where it is reserved, while it is open
        self.asked: list[tuple[int, int | None]] = []  # Replacements under way: total quantity and limit

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
    def reserved_lots(self) -> int:
        """The most that can still be filled of it, whichever of the replacements under way comes about."""
        return max((self.quantity_lots, *(lots for lots, _ in self.asked))) - self.filled_lots

    @property
    def priced_at(self) -> int | None:
        """The price it is judged by: its limit or its trigger, None where it has neither."""
        return self.order.stop_ticks if self.limit_ticks is None else self.limit_ticks

    @property
    def reserved_cost(self) -> int:
        """The most it could still cost, in lots times ticks; 0 where it has no price."""
        could_be = ((self.quantity_lots, self.priced_at), *self.asked)
        return max(((lots - self.filled_lots) * ticks for lots, ticks in could_be if ticks is not None), default=0)

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
        self._of: dict[InstrumentId, dict[ClientOrderId, Tracked]] = {}  # The open ones of each instrument
        self.done: dict[ClientOrderId, OrderStatus] = {}
        self.ended: dict[ClientOrderId, Tracked] = {}  # The last ENDED_MAX that were not filled, oldest first
        self._fill_ids: dict[FillId, None] = {}
        self._remembered_max: int | None = None
        self._oldest_done: collections.deque[ClientOrderId] = collections.deque()  # Where there is such a bound
        self._oldest_fills: collections.deque[FillId] = collections.deque()
        self.buys: dict[InstrumentId, int] = {}  # Lots still working, by instrument
        self._buy_cost: dict[InstrumentId, int] = {}  # Their lots times ticks, of those that have a price
        self._buys_at_market: dict[InstrumentId, int] = {}  # The lots of those that have none
        self.sells: dict[InstrumentId, int] = {}
        self.working: dict[tuple[StrategyId, InstrumentId], Working] = {}  # The same lots by strategy as well
        self.changed: dict[tuple[StrategyId, InstrumentId], None] = {}  # Of which, since whoever counts took note

    def remember_at_most(self, count: int) -> None:
        """Forget all but so many fills and orders that are over, oldest first: for a session, which may never end."""
        self._remembered_max = count
        self._oldest_done = collections.deque(order_id for order_id in self.done if _made_here(order_id))
        self._oldest_fills = collections.deque(self._fill_ids)
        self._forget()

    def known(self, client_order_id: ClientOrderId) -> bool:
        """Return whether this id ever named an order, as far as is remembered."""
        return client_order_id in self.open or client_order_id in self.done or client_order_id in self.ended

    def approved(self, order: NewOrder) -> bool:
        """Return whether this very order was approved and is on record: the only kind that may reach a venue."""
        tracked = self.open.get(order.client_order_id)
        return tracked is not None and tracked.order is order

    def of_instrument(self, instrument_id: InstrumentId) -> Iterable[Tracked]:
        """Return the open orders of one instrument, of all strategies."""
        return self._of.get(instrument_id, {}).values()

    def buying(self, instrument_id: InstrumentId) -> tuple[int, int]:
        """Return what buy orders could still cost: lots times ticks of those with a price, and the other lots."""
        return self._buy_cost.get(instrument_id, 0), self._buys_at_market.get(instrument_id, 0)

    def submit(self, order: NewOrder, grid: Grid) -> Tracked:
        """Take an approved order on record as on its way, and reserve what it could fill."""
        order_id = order.client_order_id
        assert order_id not in self.open, order
        assert order_id not in self.done, order
        tracked = Tracked(order, grid)
        self._open(tracked)
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
            return self._fill_late(fill)
        lots = fill.quantity_lots
        filled_lots = tracked.filled_lots + lots
        if filled_lots > tracked.quantity_lots:
            raise IllegalTransition(f"order {order_id}: filled {lots} lots, had {tracked.leaves_lots} left")
        self._applied(fill.fill_id)
        if tracked.asked:
            self._release(tracked)
            tracked.filled_lots = filled_lots
            if filled_lots < tracked.quantity_lots:
                self._reserve_all(tracked)
                tracked.become(OrderStatus.PARTIALLY_FILLED)
            else:
                tracked.asked.clear()
                self._finish(tracked, OrderStatus.FILLED)
            return tracked
        tracked.filled_lots = filled_lots
        self._reserve(tracked, -lots)
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
            tracked.status = OrderStatus.PARTIALLY_FILLED if tracked.filled_lots else OrderStatus.ACCEPTED
            return tracked
        return None

    def unknown(self, report: OrderUnknown) -> Tracked | None:
        """Take note that nobody knows what became of an order. It stays reserved until the venue answers."""
        tracked = self.open.get(report.client_order_id)
        if tracked is None:
            self._must_be_known(report.client_order_id)
            return None
        if tracked.status is OrderStatus.UNKNOWN:
            return None
        tracked.become(OrderStatus.UNKNOWN)
        return tracked

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
            return self._replace(tracked, report)
        if kind is CancelRejected:
            return tracked
        if kind is OrderRejected and tracked.status in _TAKEN:
            assert isinstance(report, OrderRejected)
            if report.reason is Rejection.DUPLICATE_ORDER_ID:
                return None  # Of a copy that came after it; the order itself is what it was
        self._finish(tracked, _ENDS[kind])
        return tracked

    def replacing(self, order_id: ClientOrderId, quantity_lots: int, limit_ticks: int | None) -> None:
        """Take on record that a replacement was asked for, and reserve what the order could become."""
        tracked = self.open[order_id]
        self._release(tracked)
        tracked.asked.append((quantity_lots, limit_ticks))
        if len(tracked.asked) > ASKED_MAX:  # The two oldest become one, as large and as dear as both
            (lots, ticks), (others, at) = tracked.asked[:2]
            dearest = ticks if at is None else at if ticks is None else max(ticks, at)
            tracked.asked[:2] = [(max(lots, others), dearest)]
        self._reserve_all(tracked)

    @contextlib.contextmanager
    def without(self, tracked: Tracked) -> Iterator[None]:
        """Judge something in the place of an order: for as long as this lasts nothing is reserved for it."""
        self._release(tracked)
        try:
            yield
        finally:
            self._reserve_all(tracked)

    def open_of(self, instrument_id: InstrumentId | None, ids: Iterable[ClientOrderId]) -> list[Tracked]:
        """Return those of ``ids`` that are open, of one instrument or of all."""
        found = [self.open[order_id] for order_id in ids if order_id in self.open]
        if instrument_id is None or not found:
            return found
        return [tracked for tracked in found if tracked.order.instrument_id == instrument_id]

    def restore(self, tracked: Tracked) -> None:
        """Take an open order back that was on record before a restart."""
        assert not self.known(tracked.client_order_id), tracked.client_order_id
        assert tracked.leaves_lots > 0, tracked.client_order_id
        self._open(tracked)
        self._reserve_all(tracked)

    def restore_done(self, done: dict[ClientOrderId, OrderStatus], ended: list[Tracked], fills: list[FillId]) -> None:
        """Take back what is over: how orders ended, those that could still be filled late, and fills applied."""
        assert not self.done, "something is over already"
        self.done.update(done)
        self.ended.update((tracked.client_order_id, tracked) for tracked in ended)
        self._fill_ids.update(dict.fromkeys(fills))
        if self._remembered_max is not None:
            self.remember_at_most(self._remembered_max)

    def applied(self, fill_id: FillId) -> bool:
        """Return whether a fill was applied."""
        return fill_id in self._fill_ids

    @property
    def fill_ids(self) -> list[FillId]:
        """All fills that were applied, in order."""
        return list(self._fill_ids)

    def _replace(self, tracked: Tracked, report: OrderReplaced) -> Tracked | None:
        if report.quantity_lots < tracked.filled_lots:
            return None  # Older than the fills that are booked: it was overtaken, and is no news any more
        self._release(tracked)
        tracked.quantity_lots = report.quantity_lots
        tracked.limit_ticks = report.limit_ticks
        now = (report.quantity_lots, report.limit_ticks)
        if now in tracked.asked:  # They are answered in order, so those before it are over as well
            del tracked.asked[: tracked.asked.index(now) + 1]
        self._reserve_all(tracked)
        if tracked.leaves_lots == 0:  # The fills that leave nothing of it came first
            self._finish(tracked, OrderStatus.FILLED)
        return tracked

    def _fill_late(self, fill: Fill) -> Tracked:
        # A cancel crossed it on the wire, or a report overtook it. Nothing is reserved any more; the money is real
        order_id, lots = fill.client_order_id, fill.quantity_lots
        tracked = self.ended.get(order_id)
        if tracked is None:
            raise IllegalTransition(f"order {order_id}: filled by {fill.fill_id}, but it {self._absent(order_id)}")
        if lots > tracked.leaves_lots:
            raise IllegalTransition(f"order {order_id}: filled {lots} lots, had {tracked.leaves_lots} left")
        self._applied(fill.fill_id)
        tracked.filled_lots += lots
        return tracked

    def _applied(self, fill_id: FillId) -> None:
        self._fill_ids[fill_id] = None
        if self._remembered_max is not None:
            self._oldest_fills.append(fill_id)
            self._forget()

    def _forget(self) -> None:
        count = self._remembered_max
        assert count is not None
        while len(self._oldest_done) > count:
            del self.done[self._oldest_done.popleft()]
        while len(self._oldest_fills) > count:
            del self._fill_ids[self._oldest_fills.popleft()]

    def _must_be_known(self, order_id: ClientOrderId) -> None:
        if not self.known(order_id):
            raise IllegalTransition(f"order {order_id}: a report of an order that was never sent")

    def _absent(self, order_id: ClientOrderId) -> str:
        return f"was {self.done[order_id]} already" if order_id in self.done else "was never sent"

    def _finish(self, tracked: Tracked, status: OrderStatus) -> None:
        tracked.become(status)
        if tracked.asked:
            self._release(tracked)
            tracked.asked.clear()
            self._reserve_all(tracked)
        left = tracked.quantity_lots - tracked.filled_lots
        order_id = tracked.order.client_order_id
        if left:
            self._reserve(tracked, -left)
            self.ended[order_id] = tracked
            if len(self.ended) > ENDED_MAX:
                del self.ended[next(iter(self.ended))]
        self.done[order_id] = status
        if self._remembered_max is not None and _made_here(order_id):
            self._oldest_done.append(order_id)
            self._forget()
        del self.open[order_id]
        del self._of[tracked.order.instrument_id][order_id]

    def _open(self, tracked: Tracked) -> None:
        order = tracked.order
        self.open[order.client_order_id] = tracked
        own = self._of.get(order.instrument_id)
        if own is None:
            own = self._of[order.instrument_id] = {}
        own[order.client_order_id] = tracked
        key = (order.strategy_id, order.instrument_id)
        tracked.working = self.working.get(key)
        if tracked.working is None:
            tracked.working = self.working[key] = Working(key)

    def _release(self, tracked: Tracked) -> None:
        self._reserve(tracked, -tracked.reserved_lots, -tracked.reserved_cost)

    def _reserve_all(self, tracked: Tracked) -> None:
        self._reserve(tracked, tracked.reserved_lots, tracked.reserved_cost)

    def _reserve(self, tracked: Tracked, lots: int, cost: int | None = None) -> None:
        order, own = tracked.order, tracked.working
        assert own is not None, order
        instrument_id = order.instrument_id
        if order.side is _BUY:
            working = self.buys
            own.buy_lots += lots
            self._cost(tracked, lots, cost)
        else:
            working = self.sells
            own.sell_lots += lots
        left = working.get(instrument_id, 0) + lots
        assert left >= 0, order
        working[instrument_id] = left
        self.changed[own.key] = None

    def _cost(self, tracked: Tracked, lots: int, cost: int | None = None) -> None:
        instrument_id = tracked.order.instrument_id
        at = tracked.priced_at
        if at is None:
            self._buys_at_market[instrument_id] = self._buys_at_market.get(instrument_id, 0) + lots
        else:
            self._buy_cost[instrument_id] = self._buy_cost.get(instrument_id, 0) + (lots * at if cost is None else cost)


def _made_here(order_id: ClientOrderId) -> bool:
    return not order_id.startswith(f"{BY_HAND}:")


_ENDS: dict[type, OrderStatus] = {
    OrderRejected: OrderStatus.REJECTED,
    OrderCancelled: OrderStatus.CANCELLED,
    OrderExpired: OrderStatus.EXPIRED,
}
