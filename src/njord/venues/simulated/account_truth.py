"""What an exchange knows of one account: its orders, its fills and what it holds, whatever the client has heard."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

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
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.order import TERMINAL, NewOrder, OrderStatus, Rejection
from njord.venues.port import Truth, VenueOrder

# What an account is told of orders that are over, and of fills: the last so many, of fills some more, as they are
# forgotten by the thousand. It must be less than a session remembers (execution.oms): one that is told of a fill it
# forgot takes it for a new one
ORDERS_KEPT_MAX = 10_000
FILLS_KEPT_MAX = 10_000
FILLS_FORGOTTEN_AT_ONCE = 1_000

_ENDS: dict[type, OrderStatus] = {
    OrderRejected: OrderStatus.REJECTED, OrderCancelled: OrderStatus.CANCELLED, OrderExpired: OrderStatus.EXPIRED,
}  # fmt: skip


class AccountTruth:
    """One account, folded from its orders and from what was reported of them."""

    def __init__(self) -> None:
        self.orders: dict[ClientOrderId, VenueOrder] = {}
        self.fills: list[Fill] = []
        self.positions: dict[InstrumentId, int] = {}
        self._over: collections.deque[ClientOrderId] = collections.deque()
        self._forgotten_fills = 0

    @property
    def open_orders(self) -> tuple[VenueOrder, ...]:
        """The orders that work, oldest first."""
        return tuple(order for order in self.orders.values() if order.status not in TERMINAL)

    def restore(
        self, orders: Iterable[VenueOrder], fills: Iterable[Fill], positions: Mapping[InstrumentId, int]
    ) -> None:
        """Begin with what an earlier run of the exchange knew."""
        self.orders.update({order.client_order_id: order for order in orders})
        self.fills.extend(fills)
        self.positions.update(positions)

    def received(self, order: NewOrder) -> None:
        """Take note of an order that has come in. The same id again changes nothing."""
        if order.client_order_id not in self.orders:
            self.orders[order.client_order_id] = VenueOrder(
                order.client_order_id, order.instrument_id, order.side, OrderStatus.SUBMITTED, order.quantity_lots, 0,
                order.limit_ticks,
            )  # fmt: skip

    def reported(self, report: Report) -> None:
        """Take note of what happened to an order."""
        known = self.orders.get(report.client_order_id)
        if known is None:
            return
        change: dict[str, Any] = {}
        if isinstance(report, Fill):
            filled = known.filled_lots + report.quantity_lots
            status = OrderStatus.FILLED if filled == known.quantity_lots else OrderStatus.PARTIALLY_FILLED
            change = {"filled_lots": filled, "status": status}
            self.fills.append(report)
            held = self.positions.get(report.instrument_id, 0)
            self.positions[report.instrument_id] = held + report.side.sign * report.quantity_lots
        elif isinstance(report, OrderAccepted):
            change = {"status": OrderStatus.ACCEPTED}
        elif isinstance(report, OrderReplaced):
            change = {"quantity_lots": report.quantity_lots, "limit_ticks": report.limit_ticks}
        elif isinstance(report, OrderRejected) and report.reason is Rejection.DUPLICATE_ORDER_ID:
            return  # Of a copy; the order itself is what it was
        elif not isinstance(report, CancelRejected):
            change = {"status": _ENDS[type(report)], "reason": getattr(report, "reason", None)}
        if change:
            order = self.orders[report.client_order_id] = msgspec.structs.replace(known, **change)
            if order.status in TERMINAL:
                self._over.append(order.client_order_id)
                self._forget()

    def truth(self, time_ns: int, asked: tuple[ClientOrderId, ...], fills_from: int) -> Truth:
        """Return what is known at a moment. See ``venues.port``."""
        return Truth(
            time_ns, self.open_orders, tuple(self.orders.get(order_id) for order_id in asked),
            tuple(self.fills[max(0, fills_from - self._forgotten_fills) :]), self._forgotten_fills + len(self.fills),
            {name: lots for name, lots in self.positions.items() if lots},
        )  # fmt: skip

    def _forget(self) -> None:
        # As venues do: what is long over is not told of any more
        while len(self._over) > ORDERS_KEPT_MAX:
            del self.orders[self._over.popleft()]
        if len(self.fills) >= FILLS_KEPT_MAX + FILLS_FORGOTTEN_AT_ONCE:
            self._forgotten_fills += FILLS_FORGOTTEN_AT_ONCE
            del self.fills[:FILLS_FORGOTTEN_AT_ONCE]
