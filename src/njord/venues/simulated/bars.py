"""Matching on bars, the least that can be known: four prices and a volume, in an order nobody recorded.

- A market order takes the open of the bar after the decision (or, opted into, the close it was decided on).
- A limit order new to the market and already marketable takes the open, as a taker.
- A resting limit fills at its own price, never better, when the bar trades beyond it; touching is opted into.
- A stop takes its trigger, or the open where the bar gapped beyond it. Stops come before limits.
- A stop-limit whose limit was not reachable at the trigger rests from the next bar on.

An order that arrives while a bar runs may use that bar: the open printed up to the latency before it arrived.
"""

from njord.domain.fill import FillReason, Liquidity
from njord.domain.market import Bar, QuoteBar
from njord.domain.order import Rejection, TimeInForce
from njord.venues.simulated.settings import FillAt, LimitFill
from njord.venues.simulated.working import UNBOUNDED_LOTS, Blotter, Working


class BarMatcher:
    """Match one instrument's orders against its bars.

    ``last`` is set by the driver once all that a bar made known at its open has been delivered: whoever reacts to the
    open of a bar must not trade at its close.
    """

    __slots__ = ("_known_ns", "_left_lots", "_open_ns", "_volume_lots", "blotter", "last", "orders")

    def __init__(self, blotter: Blotter) -> None:
        self.blotter = blotter
        self.orders = blotter.orders
        self.last: Bar | None = None
        self._left_lots = 0
        self._volume_lots = 0.0
        self._open_ns = 0
        self._known_ns = 0

    def on_event(self, bar: Bar) -> None:
        """Work all orders through one bar."""
        blotter = self.blotter
        if not blotter.orders:
            return
        self._open_ns = bar.venue_time_ns - bar.interval_ns
        self._known_ns = bar.venue_time_ns
        blotter.expire(self._open_ns)
        if blotter.halted:
            return
        self._start(bar)
        cause = f"bar:{bar.instrument_id}:{bar.venue_time_ns}"
        for working in blotter.stops_first():
            if working.stop_ticks is not None:
                self._stop(working, _prices(bar, working.sign, self), cause)
            elif working.limit_ticks is None:
                self._take(working, _open(bar, working.sign, self), FillReason.NEXT_OPEN, cause, self._open_ns)
            else:
                self._limit(working, _prices(bar, working.sign, self), cause)
            working.fresh = False

    def on_arrival(self, working: Working, time_ns: int) -> None:
        """Let an order that just arrived trade at the close it was decided on, where that is opted into."""
        bar = self.last
        if self.blotter.settings.fill is not FillAt.SAME_CLOSE or bar is None or working.stop_ticks is not None:
            return
        close = _close(bar, working.sign, self)
        if working.at_market or (working.within(close) and not working.order.post_only):
            self._start(bar)
            self._known_ns = time_ns
            self._take(working, close, FillReason.SAME_CLOSE, f"bar:{bar.instrument_id}:{bar.venue_time_ns}", time_ns)

    def best_against(self, sign: int) -> int | None:
        """Return the price an order of this side would meet first, as far as the last close tells."""
        return None if self.last is None else _close(self.last, sign, self)

    def would_cross(self, working: Working) -> bool:
        """Return whether a limit order would trade at once, as far as the last close tells."""
        return self.last is not None and working.within(_close(self.last, working.sign, self))

    def _start(self, bar: Bar) -> None:
        grid = self.blotter.grid
        share = self.blotter.settings.volume_share
        self._volume_lots = bar.volume * grid.lot_denominator / grid.lot_numerator
        self._left_lots = UNBOUNDED_LOTS if share is None else int(self._volume_lots * share)

    def _limit(self, working: Working, prices: tuple[int, int, int, int], cause: str) -> None:
        opened, high, low, _ = prices
        limit = working.limit_ticks
        assert limit is not None
        reached = low if working.sign > 0 else high
        if working.fresh and working.within(opened) and not working.order.post_only:
            self._take(working, opened, FillReason.BAR_OPEN, cause, self._open_ns)
        elif working.at_once:
            self.blotter.end(working, Rejection.NOT_FILLABLE_AT_ONCE, self._open_ns)
        elif (reached - limit) * working.sign < 0:
            self._make(working, limit, FillReason.BAR_THROUGH, cause)
        elif reached == limit and self.blotter.settings.limit_fill is LimitFill.TOUCH:
            self._make(working, limit, FillReason.BAR_TOUCH, cause)

    def _stop(self, working: Working, prices: tuple[int, int, int, int], cause: str) -> None:
        opened, high, low, _ = prices
        stop = working.stop_ticks
        assert stop is not None
        furthest = high if working.sign > 0 else low
        if (furthest - stop) * working.sign < 0:
            return
        working.stop_ticks = None
        gapped = (opened - stop) * working.sign > 0
        price, reason = (opened, FillReason.STOP_GAPPED) if gapped else (stop, FillReason.STOP_TRIGGERED)
        if working.within(price):
            self._take(working, price, reason, cause, self._open_ns if gapped else self._known_ns)

    def _take(self, working: Working, price_ticks: int, reason: FillReason, cause: str, time_ns: int) -> None:
        blotter = self.blotter
        wanted = blotter.allowed_lots(working)
        lots = min(wanted, self._left_lots)
        if wanted == 0:
            blotter.end(working, Rejection.REDUCE_ONLY_WOULD_INCREASE, time_ns)
        elif lots < wanted and working.order.time_in_force is TimeInForce.FOK:
            blotter.end(working, Rejection.NOT_FILLABLE_AT_ONCE, time_ns)
        else:
            if lots:
                self._left_lots -= lots
                blotter.took(lots, self._volume_lots)
                price_ticks = blotter.taker_price(working, price_ticks, lots, self._volume_lots)
                blotter.fill(
                    working, lots, price_ticks, Liquidity.TAKER, reason, cause, max(time_ns, working.arrived_ns)
                )
            if working.leaves_lots and lots < wanted and working.at_once:
                blotter.end(working, Rejection.NOT_FILLABLE_AT_ONCE, time_ns)
            elif working.leaves_lots and lots == wanted:  # Reduce-only, and the position is flat now
                blotter.end(working, Rejection.REDUCE_ONLY_WOULD_INCREASE, time_ns)

    def _make(self, working: Working, price_ticks: int, reason: FillReason, cause: str) -> None:
        wanted = self.blotter.allowed_lots(working)
        lots = min(wanted, self._left_lots)
        if wanted == 0:
            self.blotter.end(working, Rejection.REDUCE_ONLY_WOULD_INCREASE, self._known_ns)
        elif lots:
            self._left_lots -= lots
            self.blotter.took(lots, self._volume_lots)
            time_ns = self._known_ns
            self.blotter.fill(working, lots, price_ticks, Liquidity.MAKER, reason, cause, time_ns)


def _open(bar: Bar, sign: int, matcher: BarMatcher) -> int:
    # The open in ticks, of the side this order trades against
    price = bar.open
    if isinstance(bar, QuoteBar):
        price = bar.ask_open if sign > 0 else bar.bid_open
    return matcher.blotter.grid.nearest_ticks(price)


def _close(bar: Bar, sign: int, matcher: BarMatcher) -> int:
    price = bar.close
    if isinstance(bar, QuoteBar):
        price = bar.ask_close if sign > 0 else bar.bid_close
    return matcher.blotter.grid.nearest_ticks(price)


def _prices(bar: Bar, sign: int, matcher: BarMatcher) -> tuple[int, int, int, int]:
    # Open, high, low, close in ticks, of the side this order trades against
    ticks = matcher.blotter.grid.nearest_ticks
    if isinstance(bar, QuoteBar):
        if sign > 0:
            return ticks(bar.ask_open), ticks(bar.ask_high), ticks(bar.ask_low), ticks(bar.ask_close)
        return ticks(bar.bid_open), ticks(bar.bid_high), ticks(bar.bid_low), ticks(bar.bid_close)
    return ticks(bar.open), ticks(bar.high), ticks(bar.low), ticks(bar.close)
