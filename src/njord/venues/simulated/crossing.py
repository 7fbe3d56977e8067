"""An exchange on which many take part: users, strategies and agents meet in one book for each instrument.

Orders come in with who owns them; reports for owners and events for everybody come out. Price-time priority is
``matching``'s. Invariants, after every call:
1. the best bid is below the best ask, and nobody trades with themselves;
2. what one side of a trade gets the other side gives: lots and notional sum to zero, fees aside;
3. while an instrument is halted nothing trades: limit orders queue for the auction that ends the halt.
"""

from collections.abc import Iterable, Mapping

import msgspec

from njord.domain.clock import NS_PER_DAY
from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    Report,
)
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.ids import ClientOrderId, FillId, InstrumentId
from njord.domain.instrument import Grid, Instrument
from njord.domain.market import Aggressor, BookUpdate, MarketEvent, Quote, Trade, TradingStatus
from njord.domain.order import NewOrder, Rejection, Side, TimeInForce
from njord.venues.simulated.auction import Waiting, uncross
from njord.venues.simulated.fees import FeeSchedule
from njord.venues.simulated.matching import MatchingBook
from njord.venues.simulated.settings import Fees, SelfTrade

# Working orders of one owner, over all instruments
OPEN_ORDERS_MAX = 10_000
# Stops that one trade may set off, one after the other; what is beyond it waits for the next order
CASCADE_MAX = 1_000

_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
_NO_FEES = Fees(maker=Fees().maker * 0, taker=Fees().taker * 0)


class Working(msgspec.Struct):
    """An order at the exchange. ``number`` is its place in time; ``quantity_lots`` the whole, traded or not."""

    owner: str
    order: NewOrder
    number: int
    quantity_lots: int
    leaves_lots: int
    limit_ticks: int | None
    day_end_ns: int | None = None
    awake: bool = False  # Of a stop: it has been triggered, and sleeps no more


class _Listing:
    """One instrument at the exchange."""

    def __init__(self, instrument: Instrument, fees: Fees, self_trade: SelfTrade) -> None:
        self.instrument = instrument
        self.grid = Grid.of(instrument)
        self.fees = FeeSchedule(fees, self.grid)
        self.book = MatchingBook(self_trade)
        self.orders: dict[int, Working] = {}  # All that work, wherever they are
        self.stops: dict[int, Working] = {}  # Asleep
        self.queued: dict[int, Working] = {}  # Came during a halt
        self.touched: dict[tuple[Side, int], None] = {}  # Levels that changed and were not published yet
        self.top: tuple[int, int, int, int] = (0, 0, 0, 0)
        self.last_ticks: int | None = None
        self.halted = False
        self.updates = 0
        self.trades = 0
        self.day_orders = 0


class Crossing:
    """All books of one exchange. Times come in as arguments; nothing here waits or rolls dice.

    Whoever drives it drains what happened: reports with their owner, and the events that everybody sees.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        fees: Mapping[InstrumentId, Fees] | None = None,
        self_trade: SelfTrade = SelfTrade.CANCEL_NEWEST,
        fill_prefix: str = "",
    ) -> None:
        self.positions: dict[str, dict[InstrumentId, int]] = {}  # Of each owner, in lots
        self._self_trade = self_trade
        self._fill_prefix = fill_prefix  # So that fills of an exchange that was started anew have ids of their own
        self._woken: list[tuple[str, ClientOrderId]] = []
        self._private: list[tuple[str, Report]] = []
        self._public: list[MarketEvent] = []
        self._number = 0
        self._owned: dict[str, dict[ClientOrderId, Working]] = {}
        self._listings: dict[InstrumentId, _Listing] = {}
        for instrument in instruments:
            name = instrument.instrument_id
            own = _NO_FEES if fees is None else fees.get(name, _NO_FEES)
            self._listings[name] = _Listing(instrument, own, self_trade)

    def drain_private(self) -> list[tuple[str, Report]]:
        """Return (owner, report) of all that was reported since the last call, in order."""
        found, self._private = self._private, []
        return found

    def drain_woken(self) -> list[tuple[str, ClientOrderId]]:
        """Return (owner, order) of the stops that were triggered since the last call, in order."""
        found, self._woken = self._woken, []
        return found

    def drain_public(self) -> list[MarketEvent]:
        """Return the market events since the last call, in order."""
        found, self._public = self._public, []
        return found

    def top(self, instrument_id: InstrumentId) -> tuple[int, int, int, int]:
        """Return (bid_ticks, bid_lots, ask_ticks, ask_lots); a side without orders has 0 lots."""
        return self._listings[instrument_id].top

    def last_ticks(self, instrument_id: InstrumentId) -> int | None:
        """Return the price of the last trade."""
        return self._listings[instrument_id].last_ticks

    def halted(self, instrument_id: InstrumentId) -> bool:
        """Return whether trading of an instrument has stopped."""
        return self._listings[instrument_id].halted

    def depth(self, instrument_id: InstrumentId, levels: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return bids and asks as (price_ticks, lots), best first."""
        book = self._listings[instrument_id].book
        return book.depth(Side.BUY, levels), book.depth(Side.SELL, levels)

    def working(self, owner: str) -> list[Working]:
        """Return an owner's working orders, oldest first."""
        return list(self._owned.get(owner, {}).values())

    def owners(self) -> list[str]:
        """Return everybody who has working orders."""
        return [owner for owner, orders in self._owned.items() if orders]

    def counters(self, instrument_id: InstrumentId) -> tuple[int, int, int | None]:
        """Return (book updates, trades, last trade's price) so far: what ids and sequence numbers go on from."""
        listing = self._listings[instrument_id]
        return listing.updates, listing.trades, listing.last_ticks

    def set_counters(self, instrument_id: InstrumentId, updates: int, trades: int, last_ticks: int | None) -> None:
        """Let a book that was started again count on."""
        listing = self._listings[instrument_id]
        listing.updates, listing.trades, listing.last_ticks = updates, trades, last_ticks

    def ahead_lots(self, owner: str, order_id: ClientOrderId) -> int | None:
        """Return how many lots trade before an order at its price; None where it does not rest in a book."""
        working = self._owned.get(owner, {}).get(order_id)
        return None if working is None else self._listings[working.order.instrument_id].book.ahead_lots(working.number)

    def seed(
        self, owner: str, positions: Mapping[InstrumentId, int], orders: Iterable[Working] = (), now_ns: int = 0
    ) -> None:
        """Let an owner begin with positions, and with orders that worked before the exchange was started again.

        The orders are taken as new ones, in their old order of time. Nobody is told of their acceptance again.
        """
        self.positions[owner] = dict(positions)
        for each in sorted(orders, key=lambda working: working.number):
            listing = self._listings[each.order.instrument_id]
            back = msgspec.structs.replace(each, owner=owner, number=self._next_number())
            self._enter(listing, back, now_ns)

    def submit(self, owner: str, order: NewOrder, now_ns: int) -> None:
        """Take an order. It trades, rests, sleeps or is rejected, and its owner hears which."""
        listing = self._listings.get(order.instrument_id)
        reason = Rejection.INSTRUMENT_UNKNOWN if listing is None else self._rejection(listing, owner, order)
        if reason is not None or listing is None:
            refused = reason or Rejection.INSTRUMENT_UNKNOWN
            self._tell(owner, OrderRejected(order.client_order_id, order.instrument_id, refused, now_ns, now_ns))
            return
        day = order.time_in_force is TimeInForce.DAY
        self._tell(owner, OrderAccepted(order.client_order_id, order.instrument_id, now_ns, now_ns))
        lots = order.quantity_lots
        ends_ns = (now_ns // NS_PER_DAY + 1) * NS_PER_DAY if day else None
        self._enter(listing, Working(owner, order, self._next_number(), lots, lots, order.limit_ticks, ends_ns), now_ns)

    def cancel(self, owner: str, command: CancelOrder, now_ns: int) -> None:
        """Take what is left of an order off the exchange."""
        working = self._owned.get(owner, {}).get(command.client_order_id)
        if working is None:
            self._too_late(owner, command, Rejection.ORDER_UNKNOWN, now_ns)
            return
        listing = self._listings[working.order.instrument_id]
        self._remove(listing, working)
        self._gone(working, Rejection.REQUESTED, now_ns)
        self._publish(listing, now_ns)

    def replace(self, owner: str, command: ReplaceOrder, now_ns: int) -> None:
        """Change an order's whole quantity or its limit. It keeps its place only where it just gets smaller."""
        working = self._owned.get(owner, {}).get(command.client_order_id)
        if working is None:
            self._too_late(owner, command, Rejection.ORDER_UNKNOWN, now_ns)
            return
        listing = self._listings[working.order.instrument_id]
        left = command.quantity_lots - (working.quantity_lots - working.leaves_lots)
        reason = self._replace_rejection(listing, working, command, left)
        if reason is not None:
            self._too_late(owner, command, reason, now_ns)
            return
        limit = command.limit_ticks
        self._tell(
            owner,
            OrderReplaced(
                command.client_order_id, command.instrument_id, command.quantity_lots, limit, now_ns, now_ns
            ),
        )  # fmt: skip
        if limit == working.limit_ticks and left <= working.leaves_lots:
            self._touch(listing, working)
            listing.book.reduce(working.number, left)
            working.quantity_lots, working.leaves_lots = command.quantity_lots, left
            self._publish(listing, now_ns)
            return
        self._remove(listing, working)
        self._enter(
            listing,
            msgspec.structs.replace(
                working, number=self._next_number(), quantity_lots=command.quantity_lots, leaves_lots=left,
                limit_ticks=limit,
            ),
            now_ns,
        )  # fmt: skip

    def halt(self, instrument_id: InstrumentId, now_ns: int) -> None:
        """Stop trading of an instrument. What rests stays, and may be cancelled."""
        listing = self._listings[instrument_id]
        if not listing.halted:
            listing.halted = True
            self._public.append(TradingStatus(instrument_id, now_ns, now_ns, halted=True))

    def resume(self, instrument_id: InstrumentId, now_ns: int) -> None:
        """End a halt with an auction: one price at which the most trades, then continuous trading."""
        listing = self._listings[instrument_id]
        if not listing.halted:
            return
        listing.halted = False
        self._public.append(TradingStatus(instrument_id, now_ns, now_ns, halted=False))
        resting = [listing.orders[each.order_id] for each in listing.book.orders()]
        found = uncross(
            [
                Waiting(w.number, w.owner, w.order.side, w.limit_ticks, w.leaves_lots)
                for w in (*resting, *listing.queued.values())
                if w.limit_ticks is not None
            ],
            listing.last_ticks, self._self_trade,
        )  # fmt: skip
        for buy, sell, lots in found.pairs:
            for number in (buy, sell):
                if number in listing.book:
                    self._touch(listing, listing.orders[number])
                    if not listing.book.reduce(number, listing.orders[number].leaves_lots - lots):
                        listing.book.cancel(number)
            self._trade(listing, (buy, sell), found.price_ticks, lots, Aggressor.UNKNOWN, now_ns)
        for number in found.self_cancelled:
            working = listing.orders[number]
            self._remove(listing, working)
            self._gone(working, Rejection.SELF_TRADE, now_ns)
        queued, listing.queued = listing.queued, {}
        for working in queued.values():
            if working.number in listing.orders:
                self._match(listing, working, now_ns)
        self._wake_stops(listing, now_ns)
        self._publish(listing, now_ns)

    def expire(self, now_ns: int) -> None:
        """End the day orders whose day is over."""
        for listing in self._listings.values():
            if listing.day_orders:
                for working in list(listing.orders.values()):
                    if working.day_end_ns is not None and working.day_end_ns <= now_ns:
                        self._remove(listing, working)
                        order = working.order
                        self._tell(
                            working.owner,
                            OrderExpired(order.client_order_id, order.instrument_id, working.day_end_ns, now_ns),
                        )  # fmt: skip
                self._publish(listing, now_ns)

    def _rejection(self, listing: _Listing, owner: str, order: NewOrder) -> Rejection | None:
        instrument, mine = listing.instrument, self._owned.get(owner, {})
        if order.client_order_id in mine:
            return Rejection.DUPLICATE_ORDER_ID
        if len(mine) >= OPEN_ORDERS_MAX:
            return Rejection.TOO_MANY_ORDERS
        if listing.halted and (order.limit_ticks is None or order.time_in_force in _AT_ONCE):
            return Rejection.INSTRUMENT_HALTED
        if instrument.quantity_min and order.quantity_lots * instrument.quantity_lot < instrument.quantity_min:
            return Rejection.BELOW_QUANTITY_MIN
        for price in (order.limit_ticks, order.stop_ticks):
            if not _price_ok(listing, price):
                return Rejection.PRICE_INVALID
            if price is not None and instrument.notional_min:
                quantity = order.quantity_lots * instrument.quantity_lot
                if price * instrument.price_tick * quantity < instrument.notional_min:
                    return Rejection.BELOW_NOTIONAL_MIN
        if order.post_only and _crosses(listing, order.side, order.limit_ticks):
            return Rejection.POST_ONLY_WOULD_CROSS
        held = self.positions.get(owner, {}).get(order.instrument_id, 0)
        if order.reduce_only and -order.side.sign * held < order.quantity_lots:
            return Rejection.REDUCE_ONLY_WOULD_INCREASE
        return None

    @staticmethod
    def _replace_rejection(listing: _Listing, working: Working, command: ReplaceOrder, left: int) -> Rejection | None:
        limit = command.limit_ticks
        if left <= 0:
            return Rejection.ORDER_DONE
        if (limit is None) != (working.limit_ticks is None) or not _price_ok(listing, limit):
            return Rejection.PRICE_INVALID
        if working.order.post_only and _crosses(listing, working.order.side, limit):
            return Rejection.POST_ONLY_WOULD_CROSS
        return None

    def _enter(self, listing: _Listing, working: Working, now_ns: int) -> None:
        listing.orders[working.number] = working
        listing.day_orders += working.day_end_ns is not None
        self._owned.setdefault(working.owner, {})[working.order.client_order_id] = working
        if _triggered(working, listing.last_ticks):
            self._wake(working)
        if working.order.stop_ticks is not None and not working.awake:
            listing.stops[working.number] = working
        elif listing.halted:
            listing.queued[working.number] = working
        else:
            self._match(listing, working, now_ns)
            self._wake_stops(listing, now_ns)
        self._publish(listing, now_ns)

    def _match(self, listing: _Listing, working: Working, now_ns: int) -> None:
        order, book, number = working.order, listing.book, working.number
        side, limit, wanted = order.side, working.limit_ticks, working.leaves_lots
        if order.time_in_force is TimeInForce.FOK and not book.fillable(working.owner, side, wanted, limit):
            self._remove(listing, working)
            self._gone(working, Rejection.NOT_FILLABLE_AT_ONCE, now_ns)
            return
        rests = limit is not None and order.time_in_force not in _AT_ONCE
        # An order that slept or queued has an older number than the book's last, and comes to the book as a new one
        if number < self._number:
            number = self._renumber(listing, working)
        matches = book.submit(number, working.owner, side, wanted, limit, rest=rests)
        gone = [listing.orders[each] for each in book.self_cancelled]
        for match in matches:
            listing.touched[side.opposite, match.price_ticks] = None
            aggressor = Aggressor.BUYER if side is Side.BUY else Aggressor.SELLER
            pair = (match.maker_order_id, match.taker_order_id)
            self._trade(listing, pair, match.price_ticks, match.lots, aggressor, now_ns)
        for each in gone:
            self._remove(listing, each)
            self._gone(each, Rejection.SELF_TRADE, now_ns)
        if not working.leaves_lots or working in gone:
            return
        if number in book:
            self._touch(listing, working)
            return
        self._remove(listing, working)
        self._gone(working, Rejection.NO_LIQUIDITY if limit is None else Rejection.NOT_FILLABLE_AT_ONCE, now_ns)

    def _trade(
        self, listing: _Listing, numbers: tuple[int, int], price: int, lots: int, aggressor: Aggressor, now_ns: int
    ) -> None:
        listing.trades += 1
        listing.last_ticks = price
        name, grid = listing.instrument.instrument_id, listing.grid
        trade = f"{self._fill_prefix}{name}-{listing.trades}"
        self._public.append(
            Trade(name, now_ns, now_ns, grid.price(price), grid.quantity(lots), price, lots, aggressor)
        )  # fmt: skip
        for place, number in enumerate(numbers):
            working = listing.orders[number]
            order = working.order
            taker = place == 1 and aggressor is not Aggressor.UNKNOWN
            liquidity = Liquidity.TAKER if taker else Liquidity.MAKER
            working.leaves_lots -= lots
            held = self.positions.setdefault(working.owner, {})
            held[name] = held.get(name, 0) + order.side.sign * lots
            self._tell(
                working.owner,
                Fill(
                    FillId(f"{trade}{order.side[0]}"), order.client_order_id, name, order.side, price, lots,
                    listing.fees.fee_units(price, lots, liquidity), listing.instrument.settlement, liquidity,
                    FillReason.PARTICIPANT, trade, now_ns, now_ns,
                ),
            )  # fmt: skip
            if not working.leaves_lots:
                self._forget(listing, working)

    def _wake_stops(self, listing: _Listing, now_ns: int) -> None:
        for _ in range(CASCADE_MAX):
            awake = next((w for w in listing.stops.values() if _triggered(w, listing.last_ticks)), None)
            if awake is None:
                return
            del listing.stops[awake.number]
            self._wake(awake)
            self._match(listing, awake, now_ns)

    def _wake(self, working: Working) -> None:
        if not working.awake:
            working.awake = True
            self._woken.append((working.owner, working.order.client_order_id))

    def _publish(self, listing: _Listing, now_ns: int) -> None:
        if not listing.touched:
            return
        name, book, grid = listing.instrument.instrument_id, listing.book, listing.grid
        sides: dict[Side, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
        for side, price in listing.touched:
            sides[side].append((price, book.lots_at(side, price)))
        listing.touched.clear()
        listing.updates += 1
        self._public.append(
            BookUpdate(
                name, now_ns, now_ns, listing.updates, listing.updates == 1, tuple(sides[Side.BUY]),
                tuple(sides[Side.SELL]),
            )
        )  # fmt: skip
        bid, ask = book.best(Side.BUY) or (0, 0), book.best(Side.SELL) or (0, 0)
        top = (*bid, *ask)
        if top != listing.top:
            listing.top = top
            self._public.append(
                Quote(
                    name, now_ns, now_ns, grid.price(bid[0]), grid.price(ask[0]), grid.quantity(bid[1]),
                    grid.quantity(ask[1]), bid[0], ask[0], bid[1], ask[1],
                )
            )  # fmt: skip

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _renumber(self, listing: _Listing, working: Working) -> int:
        del listing.orders[working.number]
        working.number = self._next_number()
        listing.orders[working.number] = working
        return working.number

    def _touch(self, listing: _Listing, working: Working) -> None:
        if working.limit_ticks is not None:
            listing.touched[working.order.side, working.limit_ticks] = None

    def _remove(self, listing: _Listing, working: Working) -> None:
        if working.number in listing.book:
            self._touch(listing, working)
            listing.book.cancel(working.number)
        elif working.number in listing.orders:
            self._touch(listing, working)  # The book itself let go of it
        self._forget(listing, working)

    def _forget(self, listing: _Listing, working: Working) -> None:
        del listing.orders[working.number]
        listing.stops.pop(working.number, None)
        listing.queued.pop(working.number, None)
        listing.day_orders -= working.day_end_ns is not None
        del self._owned[working.owner][working.order.client_order_id]

    def _gone(self, working: Working, reason: Rejection, now_ns: int) -> None:
        order = working.order
        self._tell(working.owner, OrderCancelled(order.client_order_id, order.instrument_id, reason, now_ns, now_ns))

    def _too_late(self, owner: str, command: CancelOrder | ReplaceOrder, reason: Rejection, now_ns: int) -> None:
        self._tell(owner, CancelRejected(command.client_order_id, command.instrument_id, reason, now_ns, now_ns))

    def _tell(self, owner: str, report: Report) -> None:
        self._private.append((owner, report))


def _price_ok(listing: _Listing, price_ticks: int | None) -> bool:
    return price_ticks is None or price_ticks > 0 or listing.instrument.price_can_be_negative


def _crosses(listing: _Listing, side: Side, limit_ticks: int | None) -> bool:
    best = listing.book.best(side.opposite)
    return best is not None and limit_ticks is not None and (limit_ticks - best[0]) * side.sign >= 0


def _triggered(working: Working, last_ticks: int | None) -> bool:
    stop = working.order.stop_ticks
    return last_ticks is not None and stop is not None and (last_ticks - stop) * working.order.side.sign >= 0
