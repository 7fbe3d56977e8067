"""Matching on an L2 book: every level is known, and who traded; not who stands where in a queue.

- A taker walks the displayed levels. What it took stays gone until the venue says what is at that level now.
- A resting limit joins behind all that is displayed at its price; trades at the level move it forward, and so does what
  leaves the level, as far as the queue model believes (see ``queue``). It fills at its own price when others trade
  beyond it, at it once the queue is used up, or when the opposite side of the book moves through it.
- While the book is empty, one-sided where it matters, or crossed, nothing matches.
"""

import math

from njord.domain.fill import FillReason, Liquidity
from njord.domain.market import BookUpdate, Trade
from njord.domain.order import Rejection, TimeInForce
from njord.market.book import Book
from njord.venues.simulated.queue import QueueModel, ahead_after
from njord.venues.simulated.settings import LimitFill
from njord.venues.simulated.working import Blotter, Working

# A taker walks at most this many levels of one book at once; the rest is cancelled as without liquidity
LEVELS_WALKED_MAX = 10_000


class BookMatcher:
    """Match one instrument's orders against its order book and its trades."""

    __slots__ = ("_exponent", "_queue", "_taken", "_touch", "blotter", "book", "last", "last_trade", "orders")

    def __init__(self, blotter: Blotter) -> None:
        self.blotter = blotter
        self.orders = blotter.orders
        self.book = Book(blotter.instrument.instrument_id)
        self.last: object = None
        self.last_trade: Trade | None = None
        self._queue, self._exponent = blotter.settings.queue.model, blotter.settings.queue.exponent
        self._touch = self._queue is QueueModel.TOUCH or blotter.settings.limit_fill is LimitFill.TOUCH
        # Lots we took from a displayed level, by (sign of the taker, price), until the level is displayed anew
        self._taken: dict[tuple[int, int], int] = {}

    def on_event(self, event: BookUpdate | Trade) -> None:
        """Take in a book update or a trade and work all orders through it."""
        if isinstance(event, Trade):
            self.last_trade = event
            if self.blotter.orders and not self.blotter.halted:
                self._on_trade(event)
            return
        if not self.book.apply(event):
            return
        if self._taken:
            self._forget_taken(event)
        if self.blotter.orders:
            self._on_book(event)

    def on_arrival(self, working: Working, time_ns: int) -> None:
        """Let an order that just arrived walk the book; then it rests, or what is left is cancelled."""
        if working.stop_ticks is not None:
            return
        if not self.blotter.halted and not self.book.is_crossed:
            sequence = self.book.sequence
            self._take(working, time_ns, f"book:{working.order.instrument_id}:{self.book.venue_time_ns}:{sequence}")
        if working.leaves_lots and working in self.blotter.orders:
            if working.at_market:
                self.blotter.end(working, Rejection.NO_LIQUIDITY, time_ns)
            elif working.at_once:
                self.blotter.end(working, Rejection.NOT_FILLABLE_AT_ONCE, time_ns)
            else:
                self._join(working)
        working.fresh = False

    def best_against(self, sign: int) -> int | None:
        """Return the price an order of this side would meet first."""
        best = self.book.best_ask() if sign > 0 else self.book.best_bid()
        return None if best is None else best[0]

    def would_cross(self, working: Working) -> bool:
        """Return whether a limit order would trade at once."""
        best = self.book.best_ask() if working.sign > 0 else self.book.best_bid()
        return best is not None and working.within(best[0])

    def _on_book(self, update: BookUpdate) -> None:
        blotter = self.blotter
        blotter.expire(update.venue_time_ns)
        for working in blotter.orders:
            if working.stop_ticks is None:
                self._move_up(working, update)
        if blotter.halted or self.book.is_crossed:
            return
        cause = f"book:{update.instrument_id}:{update.venue_time_ns}:{update.sequence}"
        for working in blotter.stops_first():
            if working.stop_ticks is not None:
                best = self.book.best_ask() if working.sign > 0 else self.book.best_bid()
                if self.last_trade is None and best is not None:
                    self._trigger(working, best[0], update.venue_time_ns, cause)
                continue
            self._through(working, update.venue_time_ns, cause)

    def _through(self, working: Working, time_ns: int, cause: str) -> None:
        best = self.book.best_ask() if working.sign > 0 else self.book.best_bid()
        limit = working.limit_ticks
        if best is None or limit is None:
            return
        beyond = (best[0] - limit) * working.sign
        if beyond > 0 or (beyond == 0 and not self._touch):
            return
        for ticks, lots in self._opposite(working):
            if working.leaves_lots == 0 or not working.within(ticks):
                break
            available = lots - self._taken.get((working.sign, ticks), 0)
            take = min(self.blotter.allowed_lots(working), available)
            if take > 0:
                self._taken[working.sign, ticks] = self._taken.get((working.sign, ticks), 0) + take
                self._fill(working, take, limit, Liquidity.MAKER, FillReason.QUOTE_THROUGH, cause, time_ns)

    def _on_trade(self, trade: Trade) -> None:
        self.blotter.expire(trade.venue_time_ns)
        cause = f"trade:{trade.instrument_id}:{trade.venue_time_ns}"
        ours = 0  # Of the lots that traded, those our own orders already had
        for working in self.blotter.stops_first():
            if working.stop_ticks is not None:
                self._trigger(working, trade.price_ticks, trade.venue_time_ns, cause)
                continue
            limit = working.limit_ticks
            if limit is None or trade.aggressor == working.sign:
                continue
            beyond = (trade.price_ticks - limit) * working.sign
            if beyond > 0:
                continue
            left = trade.quantity_lots - ours
            reason = FillReason.TRADE_THROUGH
            if beyond == 0:
                ahead = working.ahead_lots
                working.ahead_lots = max(0.0, ahead - left)
                # What traded is off the level at once: the depth change that tells of it is no cancellation
                working.level_lots = max(0, working.level_lots - trade.quantity_lots)
                left = 0 if self._queue is QueueModel.CROSS else max(0, math.floor(left - ahead))
                reason = FillReason.TRADE_AT_LIMIT
            lots = min(self.blotter.allowed_lots(working), left)
            if lots:
                ours += lots
                self._fill(working, lots, limit, Liquidity.MAKER, reason, cause, trade.venue_time_ns)

    def _take(self, working: Working, time_ns: int, cause: str) -> None:
        wanted = self.blotter.allowed_lots(working)
        if wanted == 0:
            self.blotter.end(working, Rejection.REDUCE_ONLY_WOULD_INCREASE, time_ns)
            return
        takes: list[tuple[int, int, int]] = []
        for ticks, lots in self._opposite(working):
            if wanted == 0 or not working.within(ticks):
                break
            take = min(wanted, lots - self._taken.get((working.sign, ticks), 0))
            if take > 0:
                takes.append((ticks, take, lots))
                wanted -= take
        if wanted and working.order.time_in_force is TimeInForce.FOK:
            return
        for ticks, take, lots in takes:
            self._taken[working.sign, ticks] = self._taken.get((working.sign, ticks), 0) + take
            price = self.blotter.taker_price(working, ticks, take, lots)
            self._fill(working, take, price, Liquidity.TAKER, FillReason.CROSSED_BOOK, cause, time_ns)

    def _fill(
        self, working: Working, lots: int, price_ticks: int, liquidity: Liquidity, reason: FillReason, cause: str,
        time_ns: int,
    ) -> None:  # fmt: skip
        self.blotter.fill(working, lots, price_ticks, liquidity, reason, cause, time_ns)

    def _trigger(self, working: Working, ticks: int, time_ns: int, cause: str) -> None:
        assert working.stop_ticks is not None
        if (ticks - working.stop_ticks) * working.sign < 0:
            return
        working.stop_ticks = None
        self._take(working, time_ns, cause)
        if working.leaves_lots and working in self.blotter.orders:
            if working.at_market:
                self.blotter.end(working, Rejection.NO_LIQUIDITY, time_ns)
            else:
                self._join(working)

    def _join(self, working: Working) -> None:
        # Behind everybody at the level
        working.level_lots = self._resting_lots(working)
        working.ahead_lots = 0.0 if self._touch else float(working.level_lots)

    def _move_up(self, working: Working, update: BookUpdate) -> None:
        if working.limit_ticks is None:
            return
        for sign, price_ticks, lots, entered_ns in update.left if self._queue is QueueModel.EXACT else ():
            if sign == working.sign and price_ticks == working.limit_ticks and entered_ns <= working.arrived_ns:
                working.ahead_lots = max(0.0, working.ahead_lots - lots)
        shown = self._resting_lots(working)
        if shown != working.level_lots:
            working.ahead_lots = ahead_after(self._queue, self._exponent, working.ahead_lots, working.level_lots, shown)
            working.level_lots = shown

    def _opposite(self, working: Working) -> list[tuple[int, int]]:
        # Most orders end within a few levels; only a big one pays for the whole ladder
        for levels in (8, LEVELS_WALKED_MAX):
            bids, asks = self.book.depth(levels)
            side = asks if working.sign > 0 else bids
            free = sum(lots - self._taken.get((working.sign, ticks), 0) for ticks, lots in side)
            if len(side) < levels or free >= working.leaves_lots:
                break
        return side

    def _resting_lots(self, working: Working) -> int:
        assert working.limit_ticks is not None
        bid_lots, ask_lots = self.book.lots_at(working.limit_ticks)
        return bid_lots if working.sign > 0 else ask_lots

    def _forget_taken(self, update: BookUpdate) -> None:
        if update.snapshot:
            self._taken.clear()
            return
        for ticks, _ in update.asks:
            self._taken.pop((1, ticks), None)
        for ticks, _ in update.bids:
            self._taken.pop((-1, ticks), None)
