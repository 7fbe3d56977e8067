"""Events: all that can happen to the engine. Market events, a venue's reports about our orders, and timers."""

import msgspec

from njord.domain.fill import Fill
from njord.domain.governance import ClockTick, Governance, OrderUnknown
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.instruction import Instructed
from njord.domain.market import MarketEvent
from njord.domain.order import Rejection


class OrderAccepted(msgspec.Struct, frozen=True, gc=False, tag="order_accepted"):
    """The venue has the order."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int


class OrderRejected(msgspec.Struct, frozen=True, gc=False, tag="order_rejected"):
    """The venue did not take the order."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    reason: Rejection
    venue_time_ns: int
    local_time_ns: int


class OrderCancelled(msgspec.Struct, frozen=True, gc=False, tag="order_cancelled"):
    """What was left of the order is gone: because we asked, or for the reason given."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    reason: Rejection
    venue_time_ns: int
    local_time_ns: int


class OrderExpired(msgspec.Struct, frozen=True, gc=False, tag="order_expired"):
    """The order's time in force ended."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int


class OrderReplaced(msgspec.Struct, frozen=True, gc=False, tag="order_replaced"):
    """The order now has this price and this total quantity."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    quantity_lots: int
    limit_ticks: int | None
    venue_time_ns: int
    local_time_ns: int


class CancelRejected(msgspec.Struct, frozen=True, gc=False, tag="cancel_rejected"):
    """A cancel or a replacement came too late, or asked for what cannot be."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    reason: Rejection
    venue_time_ns: int
    local_time_ns: int


class TimerFired(msgspec.Struct, frozen=True, gc=False, tag="timer"):
    """A moment a strategy asked to be told of."""

    strategy_id: StrategyId
    name: str
    venue_time_ns: int
    local_time_ns: int


Report = OrderAccepted | OrderRejected | OrderCancelled | OrderExpired | OrderReplaced | CancelRejected | Fill
Event = MarketEvent | Report | TimerFired | OrderUnknown | ClockTick | Governance | Instructed
