"""The venue: takes orders, checks them as a venue does, and matches them against what the market did.

It sees market events at venue time. All it answers are reports with the time they reach us.
"""

from collections.abc import Mapping

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import CancelRejected, OrderAccepted, OrderRejected, OrderReplaced, Report
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.instrument import Instrument
from njord.domain.market import (
    RESTATING,
    Bar,
    BookUpdate,
    Kind,
    MarketEvent,
    Quote,
    QuoteBar,
    Split,
    Trade,
    TradingStatus,
)
from njord.domain.order import NewOrder, Rejection
from njord.market.book import Book
from njord.venues.simulated.bars import BarMatcher
from njord.venues.simulated.depth import BookMatcher
from njord.venues.simulated.quotes import QuoteMatcher
from njord.venues.simulated.settings import SelfTrade, VenueSettings
from njord.venues.simulated.working import Blotter, Working

Matcher = BarMatcher | QuoteMatcher | BookMatcher

# The kinds that can be matched against, the most faithful first, and what each is matched by
_FIDELITY: tuple[tuple[Kind, type[Matcher], tuple[type, ...]], ...] = (
    (Kind.BOOK, BookMatcher, (BookUpdate, Trade)),
    (Kind.QUOTES, QuoteMatcher, (Quote, Trade)),
    (Kind.TRADES, QuoteMatcher, (Trade,)),
    (Kind.QUOTE_BARS, BarMatcher, (QuoteBar,)),
    (Kind.BARS, BarMatcher, (Bar,)),
)


class SimulatedVenue:
    """All instruments of one simulated exchange.

    ``data`` says which kinds of data there are of each instrument and, for bars, the intervals: the most faithful kind,
    and of bars the shortest, is what orders are matched against.
    """

    def __init__(
        self,
        instruments: Mapping[InstrumentId, Instrument],
        data: Mapping[InstrumentId, Mapping[Kind, int | None]],
        settings: VenueSettings,
    ) -> None:
        self.settings = settings
        self._blotters: dict[InstrumentId, Blotter] = {}
        self._matchers: dict[InstrumentId, Matcher] = {}
        self._order_ids: set[ClientOrderId] = set()
        response = settings.response_line()
        # What the driver asks on every event: is there anybody who matches on this?
        self.listening: dict[type, dict[InstrumentId, Matcher]] = {
            kind: {} for kind in (Bar, QuoteBar, Quote, Trade, BookUpdate)
        }
        self.fidelity: dict[InstrumentId, Kind] = {}
        self.bar_interval_ns: dict[InstrumentId, int] = {}
        for instrument_id, instrument in instruments.items():
            kinds = data.get(instrument_id, {})
            for kind, matcher_type, heard in _FIDELITY:
                if kind not in kinds:
                    continue
                blotter = self._blotters[instrument_id] = Blotter(instrument, settings, response)
                matcher = self._matchers[instrument_id] = matcher_type(blotter)
                self.fidelity[instrument_id] = kind
                for event_type in heard:
                    self.listening[event_type][instrument_id] = matcher
                interval_ns = kinds[kind]
                if interval_ns is not None:
                    self.bar_interval_ns[instrument_id] = interval_ns
                break

    def book_of(self, instrument_id: InstrumentId) -> Book | None:
        """Return the order book of an instrument that is matched against one."""
        matcher = self._matchers.get(instrument_id)
        return matcher.book if isinstance(matcher, BookMatcher) else None

    def position_lots(self, instrument_id: InstrumentId) -> int:
        """Return what the account holds of an instrument here."""
        return self._blotters[instrument_id].position_lots

    def name_fills(self, prefix: str) -> None:
        """Begin the ids of all fills with ``prefix``."""
        for blotter in self._blotters.values():
            blotter.fill_prefix = prefix

    def seed(self, instrument_id: InstrumentId, lots: int) -> None:
        """Let the account begin with a position."""
        self._blotters[instrument_id].position_lots = lots

    def volume_shares(self) -> tuple[float, int]:
        """Return the most that one fill was of its bar's volume, and how many were a large share of it."""
        blotters = self._blotters.values()
        return max((b.volume_share_max for b in blotters), default=0.0), sum(b.shares_large for b in blotters)

    def on_status(self, event: MarketEvent) -> None:
        """Take in what concerns trading itself: halts, splits, which change what an order is for, and the end."""
        blotter = self._blotters.get(event.instrument_id)
        if blotter is None:
            return
        if isinstance(event, TradingStatus):
            blotter.halted = event.halted
        elif isinstance(event, RESTATING):
            # As exchanges do with good-till-cancelled orders they cannot restate: cancel, and let their owner decide
            for working in list(blotter.orders):
                blotter.end(working, Rejection.INSTRUMENT_HALTED, event.venue_time_ns)
            if isinstance(event, Split):
                position = blotter.position_lots * event.numerator
                blotter.position_lots = abs(position) // event.denominator * (1 if position >= 0 else -1)
            else:
                blotter.position_lots, blotter.halted = 0, True

    def reports_of(self, instrument_id: InstrumentId) -> list[Report]:
        """Return what has been reported of an instrument since the last call."""
        return self._blotters[instrument_id].drain()

    def submit(self, order: NewOrder, time_ns: int) -> list[Report]:
        """Take an order that arrives at ``time_ns``. The same id again is refused, and changes nothing."""
        blotter = self._blotters.get(order.instrument_id)
        if blotter is None:
            return [_rejected(order, Rejection.INSTRUMENT_UNKNOWN, time_ns, time_ns)]
        local_ns = blotter.local_ns(time_ns)
        working = Working(order, time_ns)
        matcher = self._matchers[order.instrument_id]
        reason = self._rejection(blotter, matcher, working)
        if reason is not None:
            return [_rejected(order, reason, time_ns, local_ns)]
        self._order_ids.add(order.client_order_id)
        if blotter.orders and self._self_trades(blotter, matcher, working, time_ns):
            return [*blotter.drain(), _rejected(order, Rejection.SELF_TRADE, time_ns, local_ns)]
        blotter.reports.append(OrderAccepted(order.client_order_id, order.instrument_id, time_ns, local_ns))
        blotter.orders.append(working)
        matcher.on_arrival(working, time_ns)
        return blotter.drain()

    def cancel(self, command: CancelOrder, time_ns: int) -> list[Report]:
        """Take a cancel that arrives at ``time_ns``."""
        blotter, working = self._find(command.instrument_id, command.client_order_id)
        if blotter is None or working is None:
            reason = self._why_not_found(command.client_order_id)
            return [_not_found(command, reason, time_ns, blotter)]
        blotter.end(working, Rejection.REQUESTED, time_ns)
        return blotter.drain()

    def replace(self, command: ReplaceOrder, time_ns: int) -> list[Report]:
        """Take a replacement that arrives at ``time_ns``. The order loses its place unless it only gets smaller."""
        blotter, working = self._find(command.instrument_id, command.client_order_id)
        if blotter is None or working is None:
            reason = self._why_not_found(command.client_order_id)
            return [_not_found(command, reason, time_ns, blotter)]
        local_ns = blotter.local_ns(time_ns)
        filled = working.order.quantity_lots - working.leaves_lots
        moved = command.limit_ticks != working.limit_ticks
        if (command.limit_ticks is None) != (working.limit_ticks is None) or command.quantity_lots <= filled:
            reason = Rejection.PRICE_INVALID if command.quantity_lots > filled else Rejection.ORDER_DONE
            return [CancelRejected(command.client_order_id, command.instrument_id, reason, time_ns, local_ns)]
        changed = Working(_replaced(working.order, command), time_ns)
        changed.leaves_lots = command.quantity_lots - filled
        changed.stop_ticks = working.stop_ticks
        changed.day_end_ns = working.day_end_ns
        changed.level_lots = working.level_lots
        matcher = self._matchers[command.instrument_id]
        crosses = moved and (
            (changed.order.post_only and matcher.would_cross(changed))
            or any(_would_trade(changed, other, matcher) for other in blotter.orders if other is not working)
        )
        if crosses:
            post_only = Rejection.POST_ONLY_WOULD_CROSS if changed.order.post_only else Rejection.SELF_TRADE
            return [CancelRejected(command.client_order_id, command.instrument_id, post_only, time_ns, local_ns)]
        blotter.reports.append(
            OrderReplaced(
                command.client_order_id, command.instrument_id, command.quantity_lots, command.limit_ticks,
                time_ns, local_ns,
            )
        )  # fmt: skip
        place = blotter.orders.index(working)
        if not moved and changed.leaves_lots <= working.leaves_lots:
            changed.ahead_lots, changed.fresh = working.ahead_lots, working.fresh
            changed.arrived_ns = working.arrived_ns
            blotter.orders[place] = changed
        else:
            del blotter.orders[place]
            blotter.orders.append(changed)
            matcher.on_arrival(changed, time_ns)
        return blotter.drain()

    def _self_trades(self, blotter: Blotter, matcher: Matcher, working: Working, time_ns: int) -> bool:
        # Deal with those of our own orders this one would trade with; True where this one must not live
        ours = [other for other in blotter.orders if _would_trade(working, other, matcher)]
        if not ours:
            return False
        if self.settings.self_trade is not SelfTrade.CANCEL_NEWEST:
            for other in ours:
                blotter.end(other, Rejection.SELF_TRADE, time_ns)
        return self.settings.self_trade is not SelfTrade.CANCEL_OLDEST

    def _find(
        self, instrument_id: InstrumentId, client_order_id: ClientOrderId
    ) -> tuple[Blotter | None, Working | None]:
        blotter = self._blotters.get(instrument_id)
        if blotter is None:
            return None, None
        for working in blotter.orders:
            if working.order.client_order_id == client_order_id:
                return blotter, working
        return blotter, None

    def _why_not_found(self, client_order_id: ClientOrderId) -> Rejection:
        return Rejection.ORDER_DONE if client_order_id in self._order_ids else Rejection.ORDER_UNKNOWN

    def _rejection(self, blotter: Blotter, matcher: Matcher, working: Working) -> Rejection | None:
        order, instrument = working.order, blotter.instrument
        if order.client_order_id in self._order_ids:
            return Rejection.DUPLICATE_ORDER_ID
        if blotter.halted:
            return Rejection.INSTRUMENT_HALTED
        if len(blotter.orders) >= self.settings.open_orders_max:
            return Rejection.TOO_MANY_ORDERS
        if instrument.quantity_min and order.quantity_lots * instrument.quantity_lot < instrument.quantity_min:
            return Rejection.BELOW_QUANTITY_MIN
        price = order.limit_ticks if order.limit_ticks is not None else order.stop_ticks
        if price is not None:
            if price <= 0 and not instrument.price_can_be_negative:
                return Rejection.PRICE_INVALID
            notional = price * instrument.price_tick * order.quantity_lots * instrument.quantity_lot
            if instrument.notional_min and not instrument.inverse and notional < instrument.notional_min:
                return Rejection.BELOW_NOTIONAL_MIN
        if order.post_only and matcher.would_cross(working):
            return Rejection.POST_ONLY_WOULD_CROSS
        if order.reduce_only and blotter.allowed_lots(working) == 0:
            return Rejection.REDUCE_ONLY_WOULD_INCREASE
        return None


def _replaced(order: NewOrder, command: ReplaceOrder) -> NewOrder:
    return NewOrder(
        order.client_order_id, order.strategy_id, order.instrument_id, order.side, order.order_type,
        command.quantity_lots, command.limit_ticks, order.stop_ticks, order.time_in_force, order.post_only,
        order.reduce_only,
    )  # fmt: skip


def _would_trade(incoming: Working, resting: Working, matcher: Matcher) -> bool:
    """Return whether two of our own orders, both awake and on opposite sides, could meet.

    Two limits meet when their prices do. An order at market meets ours only where ours is as good as the best that
    others are known to offer; behind that, others trade first.
    """
    if incoming.sign == resting.sign or incoming.stop_ticks is not None or resting.stop_ticks is not None:
        return False
    if resting.limit_ticks is None:
        return incoming.at_market
    if not incoming.at_market:
        return incoming.within(resting.limit_ticks)
    best = matcher.best_against(incoming.sign)
    return best is not None and (resting.limit_ticks - best) * incoming.sign <= 0


def _not_found(
    command: CancelOrder | ReplaceOrder, reason: Rejection, time_ns: int, blotter: Blotter | None
) -> CancelRejected:
    local_ns = time_ns if blotter is None else blotter.local_ns(time_ns)
    return CancelRejected(command.client_order_id, command.instrument_id, reason, time_ns, local_ns)


def _rejected(order: NewOrder, reason: Rejection, time_ns: int, local_ns: int) -> OrderRejected:
    return OrderRejected(order.client_order_id, order.instrument_id, reason, time_ns, local_ns)
