"""Matching on quotes and trades: the best prices and their sizes are known, and who traded, but not the depth.

- A taker gets the displayed size at the displayed price. What it took is gone until the quote changes; the rest of a
  market order waits for the next quote.
- A resting limit fills at its own price when the opposite quote moves through it, or when others trade beyond it, or
  at it once the queue that was displayed ahead of it is used up.
- Where only trades are known, a market order takes the next trade's price, as much as was traded.
"""

from njord.domain.fill import FillReason, Liquidity
from njord.domain.market import Quote, Trade
from njord.domain.order import Rejection, TimeInForce
from njord.venues.simulated.settings import LimitFill
from njord.venues.simulated.working import Blotter, Working


class QuoteMatcher:
    """Match one instrument's orders against its quotes, its trades, or both."""

    __slots__ = ("_taken", "blotter", "last", "last_trade", "orders", "quote")

    def __init__(self, blotter: Blotter) -> None:
        self.blotter = blotter
        self.orders = blotter.orders
        self.last: object = None
        self.quote: Quote | None = None
        self.last_trade: Trade | None = None
        self._taken = {1: 0, -1: 0}  # By the sign of the taker, since the last quote

    def on_event(self, event: Quote | Trade) -> None:
        """Take in a quote or a trade and work all orders through it."""
        if isinstance(event, Trade):
            self.last_trade = event
            if self.blotter.orders:
                self._on_trade(event)
            return
        self.quote = event
        taken = self._taken
        taken[1] = taken[-1] = 0
        if self.blotter.orders:
            self._on_quote(event)

    def on_arrival(self, working: Working, time_ns: int) -> None:
        """Let an order that just arrived take what is displayed; then it rests, or what is left is cancelled."""
        quote = self.quote
        if working.stop_ticks is not None:
            return
        if quote is not None and not self.blotter.halted:
            self._take(working, quote, time_ns, f"quote:{quote.instrument_id}:{quote.venue_time_ns}")
        if working.leaves_lots and working in self.blotter.orders:
            if working.at_once and (quote is not None or not working.at_market):
                self.blotter.end(working, Rejection.NOT_FILLABLE_AT_ONCE, time_ns)
            elif quote is not None and working.limit_ticks is not None:
                working.ahead_lots = _displayed(quote, working)
        working.fresh = False

    def best_against(self, sign: int) -> int | None:
        """Return the price an order of this side would meet first: the quote's, or the last trade's."""
        if self.quote is not None:
            return self.quote.ask_ticks if sign > 0 else self.quote.bid_ticks
        return None if self.last_trade is None else self.last_trade.price_ticks

    def would_cross(self, working: Working) -> bool:
        """Return whether a limit order would trade at once."""
        quote = self.quote
        if quote is None:
            return False
        lots, ticks = (quote.ask_lots, quote.ask_ticks) if working.sign > 0 else (quote.bid_lots, quote.bid_ticks)
        return lots > 0 and working.within(ticks)

    def _on_quote(self, quote: Quote) -> None:
        blotter = self.blotter
        blotter.expire(quote.venue_time_ns)
        if blotter.halted:
            return
        cause = f"quote:{quote.instrument_id}:{quote.venue_time_ns}"
        for working in blotter.stops_first():
            if working.stop_ticks is not None:
                ticks = quote.ask_ticks if working.sign > 0 else quote.bid_ticks
                if self.last_trade is None and self._displayed_against(working, quote):
                    self._trigger(working, ticks)
                if working.stop_ticks is None:
                    self._take(working, quote, quote.venue_time_ns, cause)
            elif working.at_market:
                self._take(working, quote, quote.venue_time_ns, cause)
            else:
                self._through(working, quote, cause)

    def _through(self, working: Working, quote: Quote, cause: str) -> None:
        limit = working.limit_ticks
        assert limit is not None
        ticks = quote.ask_ticks if working.sign > 0 else quote.bid_ticks
        beyond = (ticks - limit) * working.sign
        touch = self.blotter.settings.limit_fill is LimitFill.TOUCH
        available = self._displayed_against(working, quote) - self._taken[working.sign]
        if available > 0 and (beyond < 0 or (beyond == 0 and touch)):
            lots = min(self.blotter.allowed_lots(working), available)
            if lots:
                self._taken[working.sign] += lots
                self._fill(working, lots, limit, Liquidity.MAKER, FillReason.QUOTE_THROUGH, cause, quote.venue_time_ns)
            else:
                self.blotter.end(working, Rejection.REDUCE_ONLY_WOULD_INCREASE, quote.venue_time_ns)
        elif beyond > 0:
            # Its own level got worse than displayed when it joined: what is displayed there now bounds the queue
            own = quote.bid_ticks if working.sign > 0 else quote.ask_ticks
            if own == limit:
                working.ahead_lots = min(working.ahead_lots, _displayed(quote, working)) if working.ahead_lots else 0

    def _on_trade(self, trade: Trade) -> None:
        blotter = self.blotter
        blotter.expire(trade.venue_time_ns)
        if blotter.halted:
            return
        cause = f"trade:{trade.instrument_id}:{trade.venue_time_ns}"
        left_lots = trade.quantity_lots
        for working in blotter.stops_first():
            if working.stop_ticks is not None:
                self._trigger(working, trade.price_ticks)
                if working.stop_ticks is None and self.quote is not None:
                    self._take(working, self.quote, trade.venue_time_ns, cause)
                continue
            if working.at_market:
                if self.quote is None and left_lots:
                    left_lots -= self._last_trade(working, trade, left_lots, cause)
                continue
            if left_lots and trade.aggressor != working.sign:
                left_lots -= self._trade_makes(working, trade, left_lots, cause)

    def _trade_makes(self, working: Working, trade: Trade, left_lots: int, cause: str) -> int:
        limit = working.limit_ticks
        assert limit is not None
        beyond = (trade.price_ticks - limit) * working.sign
        if beyond > 0:
            return 0
        reason = FillReason.TRADE_THROUGH
        if beyond == 0:
            # Whoever was displayed before us trades first
            queue = min(int(working.ahead_lots), left_lots)
            working.ahead_lots -= queue
            left_lots -= queue
            reason = FillReason.TRADE_AT_LIMIT
            unseen = self.quote is None and self.blotter.settings.limit_fill is LimitFill.CROSS
            if unseen or working.ahead_lots:
                return 0
        lots = min(self.blotter.allowed_lots(working), left_lots)
        if lots:
            self._fill(working, lots, limit, Liquidity.MAKER, reason, cause, trade.venue_time_ns)
        return lots

    def _last_trade(self, working: Working, trade: Trade, left_lots: int, cause: str) -> int:
        lots = min(self.blotter.allowed_lots(working), left_lots)
        if lots:
            price = self.blotter.taker_price(working, trade.price_ticks, lots, trade.quantity_lots)
            self._fill(working, lots, price, Liquidity.TAKER, FillReason.LAST_TRADE, cause, trade.venue_time_ns)
        return lots

    def _take(self, working: Working, quote: Quote, time_ns: int, cause: str) -> None:
        ticks = quote.ask_ticks if working.sign > 0 else quote.bid_ticks
        displayed = self._displayed_against(working, quote)
        available = displayed - self._taken[working.sign]
        if available <= 0 or not working.within(ticks):
            return
        wanted = self.blotter.allowed_lots(working)
        lots = min(wanted, available)
        if wanted == 0:
            self.blotter.end(working, Rejection.REDUCE_ONLY_WOULD_INCREASE, time_ns)
        elif not (working.order.time_in_force is TimeInForce.FOK and lots < wanted):
            self._taken[working.sign] += lots
            price = self.blotter.taker_price(working, ticks, lots, displayed)
            self._fill(working, lots, price, Liquidity.TAKER, FillReason.CROSSED_QUOTE, cause, time_ns)

    def _fill(
        self, working: Working, lots: int, price_ticks: int, liquidity: Liquidity, reason: FillReason, cause: str,
        time_ns: int,
    ) -> None:  # fmt: skip
        self.blotter.fill(working, lots, price_ticks, liquidity, reason, cause, time_ns)

    def _trigger(self, working: Working, ticks: int) -> None:
        assert working.stop_ticks is not None
        if (ticks - working.stop_ticks) * working.sign >= 0:
            working.stop_ticks = None

    @staticmethod
    def _displayed_against(working: Working, quote: Quote) -> int:
        return quote.ask_lots if working.sign > 0 else quote.bid_lots


def _displayed(quote: Quote, working: Working) -> int:
    # The size displayed at the order's own price and side; 0 when it makes a new best price
    if working.sign > 0:
        return quote.bid_lots if quote.bid_ticks == working.limit_ticks else 0
    return quote.ask_lots if quote.ask_ticks == working.limit_ticks else 0
