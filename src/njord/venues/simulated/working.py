"""Orders that a venue works, and what every way of matching them shares: fills, their fees, and how orders end."""

from njord.domain.clock import NS_PER_DAY
from njord.domain.event import OrderCancelled, OrderExpired, Report
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.ids import FillId
from njord.domain.instrument import Grid, Instrument
from njord.domain.order import NewOrder, Rejection, Side, TimeInForce
from njord.venues.simulated import slippage
from njord.venues.simulated.fees import FeeSchedule
from njord.venues.simulated.latency import Line
from njord.venues.simulated.settings import SlippageModel, VenueSettings

# What a fill may take where nothing bounds it
UNBOUNDED_LOTS = 2**62
# More of a bar's volume than this would have moved its prices
VOLUME_SHARE_LARGE = 0.1


class Working:
    """An order the venue has. ``fresh`` until the first market event after its arrival.

    ``ahead_lots`` is its queue, an estimate; ``level_lots`` what its level was last seen to show, less what traded.
    """

    __slots__ = (
        "ahead_lots",
        "arrived_ns",
        "day_end_ns",
        "fresh",
        "leaves_lots",
        "level_lots",
        "limit_ticks",
        "order",
        "sign",
        "stop_ticks",
    )

    def __init__(self, order: NewOrder, time_ns: int) -> None:
        self.order = order
        self.sign = 1 if order.side is Side.BUY else -1
        self.leaves_lots = order.quantity_lots
        self.limit_ticks = order.limit_ticks
        self.stop_ticks = order.stop_ticks
        self.fresh = True
        self.arrived_ns = time_ns
        self.ahead_lots = 0.0
        self.level_lots = 0
        day = order.time_in_force is TimeInForce.DAY
        self.day_end_ns = (time_ns // NS_PER_DAY + 1) * NS_PER_DAY if day else None

    @property
    def at_market(self) -> bool:
        """Whether it trades at any price: a market order, or a stop that has been triggered."""
        return self.limit_ticks is None and self.stop_ticks is None

    @property
    def at_once(self) -> bool:
        """Whether what can't trade at once is cancelled."""
        return self.order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)

    def within(self, price_ticks: int) -> bool:
        """Whether it may trade at a price."""
        limit = self.limit_ticks
        return limit is None or (price_ticks - limit) * self.sign <= 0


class Blotter:
    """One instrument's orders at the venue, and what was reported about them."""

    __slots__ = (
        "_fee_schedule", "_fills", "_response", "_slips", "fill_prefix", "grid", "halted", "instrument", "orders",
        "position_lots", "reports", "settings", "shares_large", "volume_share_max",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, settings: VenueSettings, response: Line | None = None) -> None:
        self.instrument = instrument
        self.settings = settings
        self.grid = Grid.of(instrument)
        self.fill_prefix = ""  # So that fills of an exchange that was started anew have ids of their own
        self.orders: list[Working] = []
        self.position_lots = 0
        self.halted = False
        self.reports: list[Report] = []
        self.volume_share_max = 0.0  # The most that one fill was of its bar's volume
        self.shares_large = 0  # Fills that were more of it than would go unnoticed
        self._fee_schedule = FeeSchedule(settings.fees, self.grid)
        self._response = settings.response_line() if response is None else response
        self._slips = settings.slippage.model is not SlippageModel.NONE
        self._fills = 0

    def local_ns(self, venue_time_ns: int) -> int:
        """Return when a report of this moment arrives at our end."""
        return self._response.arrives_ns(venue_time_ns)

    def took(self, lots: int, volume_lots: float) -> None:
        """Take note of how much of a bar's volume a fill was; where there is none to compare with, nothing."""
        if volume_lots > 0:
            share = lots / volume_lots
            self.volume_share_max = max(self.volume_share_max, share)
            self.shares_large += share > VOLUME_SHARE_LARGE

    def taker_price(self, working: Working, price_ticks: int, lots: int, market_lots: float) -> int:
        """Return the price with slippage, at worst the order's limit."""
        if not self._slips:
            return price_ticks
        worse = slippage.ticks_against(self.settings.slippage, price_ticks, lots, market_lots)
        price_ticks += working.sign * worse
        return price_ticks if working.within(price_ticks) else working.limit_ticks or price_ticks

    def allowed_lots(self, working: Working) -> int:
        """Return what the order may still trade: all that is left or, reduce-only, what the position allows."""
        if not working.order.reduce_only:
            return working.leaves_lots
        return min(working.leaves_lots, max(0, -working.sign * self.position_lots))

    def fill(
        self, working: Working, lots: int, price_ticks: int, liquidity: Liquidity, reason: FillReason, cause: str,
        venue_time_ns: int,
    ) -> None:  # fmt: skip
        """Report a fill, and let go of the order when nothing is left of it."""
        assert 0 < lots <= working.leaves_lots, working.order
        order = working.order
        self._fills += 1
        fill_id = FillId(f"{self.fill_prefix}{order.instrument_id}-{self._fills}")
        self.reports.append(
            Fill(
                fill_id, order.client_order_id, order.instrument_id, order.side,
                price_ticks, lots, self._fee_schedule.fee_units(price_ticks, lots, liquidity),
                self.instrument.settlement, liquidity, reason, cause, venue_time_ns, self.local_ns(venue_time_ns),
            )
        )  # fmt: skip
        working.leaves_lots -= lots
        self.position_lots += working.sign * lots
        if working.leaves_lots == 0:
            self.orders.remove(working)

    def end(self, working: Working, reason: Rejection, time_ns: int) -> None:
        """Cancel what is left of an order."""
        self.orders.remove(working)
        order = working.order
        self.reports.append(
            OrderCancelled(order.client_order_id, order.instrument_id, reason, time_ns, self.local_ns(time_ns))
        )

    def expire(self, now_ns: int) -> None:
        """End the day orders whose day is over."""
        for working in self.orders:
            if working.day_end_ns is not None:
                break
        else:
            return
        for working in [w for w in self.orders if w.day_end_ns is not None and now_ns >= w.day_end_ns]:
            self.orders.remove(working)
            order = working.order
            ended_ns = working.day_end_ns or now_ns
            self.reports.append(
                OrderExpired(order.client_order_id, order.instrument_id, ended_ns, self.local_ns(now_ns))
            )

    def drain(self) -> list[Report]:
        """Return what was reported since the last call."""
        reports, self.reports = self.reports, []
        return reports

    def stops_first(self) -> list[Working]:
        """Return the orders, stops before limits: where one bar reaches both, the loss is taken first."""
        if len(self.orders) == 1:
            return [self.orders[0]]
        stops = [w for w in self.orders if w.stop_ticks is not None]
        return stops + [w for w in self.orders if w.stop_ticks is None]
