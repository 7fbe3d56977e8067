"""The compiled venue's state, made from the settings of the readable one, and its log in the words of the domain."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from njord.domain.command import CancelOrder, Refused, ReplaceOrder
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.ids import ClientOrderId, FillId, StrategyId
from njord.domain.instrument import Grid, Instrument
from njord.domain.limits import Refusal
from njord.domain.order import NewOrder, OrderType, Rejection, Side, TimeInForce
from njord.market.view import NO_PRICE, VIEW
from njord.venues.simulated.fees import FeeSchedule
from njord.venues.simulated.kernels import layout
from njord.venues.simulated.kernels.layout import World
from njord.venues.simulated.latency import Line
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import LimitFill, SelfTrade, SlippageModel, VenueSettings

Array = npt.NDArray[Any]

MARKETS_MAX = 256
# A ladder has a cell a tick. Pages nobody writes to take no memory, so this bounds addresses, not memory
CELLS_MAX = 2**28
CELLS_MIN = 2**14

_REASONS = (
    FillReason.QUOTE_THROUGH, FillReason.TRADE_THROUGH, FillReason.TRADE_AT_LIMIT, FillReason.CROSSED_BOOK,
)  # fmt: skip
REJECTIONS = (
    Rejection.INSTRUMENT_HALTED, Rejection.TOO_MANY_ORDERS, Rejection.BELOW_QUANTITY_MIN, Rejection.PRICE_INVALID,
    Rejection.BELOW_NOTIONAL_MIN, Rejection.POST_ONLY_WOULD_CROSS, Rejection.REDUCE_ONLY_WOULD_INCREASE,
    Rejection.SELF_TRADE, Rejection.NO_LIQUIDITY, Rejection.NOT_FILLABLE_AT_ONCE, Rejection.REQUESTED,
    Rejection.ORDER_DONE, Rejection.ORDER_UNKNOWN,
)  # fmt: skip
_REFUSALS = {
    Rejection.INSTRUMENT_HALTED: Refusal.HALTED, Rejection.BELOW_QUANTITY_MIN: Refusal.QUANTITY_TOO_SMALL,
    Rejection.PRICE_INVALID: Refusal.PRICE_NOT_POSITIVE,
}  # fmt: skip
_TIMES_IN_FORCE = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY)
_SELF_TRADES = (SelfTrade.CANCEL_NEWEST, SelfTrade.CANCEL_OLDEST, SelfTrade.CANCEL_BOTH)
_SLIPPAGES = (SlippageModel.NONE, SlippageModel.FIXED, SlippageModel.LINEAR, SlippageModel.SQUARE_ROOT)
_QUEUE_CODES = {
    QueueModel.CROSS: layout.Q_CROSS, QueueModel.RISK_AVERSE: layout.Q_RISK_AVERSE, QueueModel.POWER: layout.Q_POWER,
    QueueModel.LOG: layout.Q_LOG, QueueModel.POWER_OF_TOTAL: layout.Q_POWER_OF_TOTAL,
    QueueModel.LOG_OF_TOTAL: layout.Q_LOG_OF_TOTAL, QueueModel.FRONT_SHARE: layout.Q_FRONT_SHARE,
    QueueModel.EXACT: layout.Q_EXACT, QueueModel.TOUCH: layout.Q_TOUCH,
}  # fmt: skip
_ERRORS = {
    layout.TOO_MANY_UNDER_WAY: "more than {0} messages are under way at once",
    layout.TOO_MANY_SLOTS: "more than {0} own orders are open at once",
    layout.TOO_MANY_ORDERS_EVER: "more than {0} orders in one run",
    layout.TOO_MANY_TAKEN: "orders took from more than {0} levels that were not shown anew",
    layout.ENDLESS: "more than {0} reactions to one event",
    layout.BAD_LOTS: "the strategy asked for an order of {0} lots, or on a side or instrument that is none",
    layout.TOO_MANY_COMMANDS: "the strategy asked for {0} things at once",
    layout.BAD_ORDER: "the strategy asked for an order that cannot be: time in force {0}, or post-only and not resting",
    layout.BAD_NOTE: "the strategy made a note on instrument {0}, which it does not have",
}


class CompiledVenue:
    """All venues of a run, as arrays. ``instruments`` are in the order of the views a strategy sees."""

    def __init__(self, instruments: Sequence[Instrument], settings: Mapping[str, VenueSettings]) -> None:
        if len(instruments) > MARKETS_MAX:
            raise ValueError(f"at most {MARKETS_MAX} instruments, was {len(instruments)}")
        self.instruments = list(instruments)
        self.settings = [settings[instrument.venue] for instrument in instruments]
        self.grids = [Grid.of(instrument) for instrument in instruments]
        self._fees = [FeeSchedule(each.fees, grid) for each, grid in zip(self.settings, self.grids, strict=True)]
        self._venues = list(dict.fromkeys(instrument.venue for instrument in instruments))
        self._spans: list[tuple[int, int]] = [(0, 0)] * len(instruments)
        feeds = [each.feed_line() for each in self.settings]
        shared = all(feed.instant for feed in feeds)
        # News of one venue comes in the order it was sent, unless a curve falls so steeply that one data set overtakes
        # another
        one_feed = not shared and len(self._venues) == 1 and feeds[0].steepest > -0.5
        self.world = _world(len(instruments), len(self._venues), shared=shared, one_feed=one_feed)
        for k, instrument in enumerate(instruments):
            self._market(k, instrument)
        self._lines([settings[venue] for venue in self._venues])

    @property
    def error(self) -> str:
        """What went wrong, in words."""
        clock = self.world.clock[0]
        return _ERRORS[int(clock["error"])].format(int(clock["error_number"]))

    def make_room(self, lowest: Sequence[int], highest: Sequence[int]) -> None:
        """See to it that every price has its cell: those of each market from the lowest to the highest there will be.

        Raises ValueError naming an instrument whose prices lie too far apart.
        """
        wanted = list(self._spans)
        for k, instrument in enumerate(self.instruments):
            low, high = lowest[k], highest[k]
            begin, end = self._spans[k]
            if low > high or (begin <= low and high < end):
                continue
            room = max(CELLS_MIN, (high - low) // 4)
            wanted[k] = (low - room, high + room)
            if wanted[k][1] - wanted[k][0] > CELLS_MAX:
                raise ValueError(f"{instrument.instrument_id}: prices from {low} to {high} ticks lie too far apart")
        if wanted != self._spans:
            self._move(wanted)

    def fill_of(self, row: Any, strategy: str) -> Fill:
        """Return a row of the log as the fill it tells of."""
        k = int(row["market"])
        name, price, lots = self.instruments[k].instrument_id, int(row["limit"]), int(row["lots"])
        liquidity = Liquidity.MAKER if row["liquidity"] == layout.MAKER else Liquidity.TAKER
        cause = f"trade:{name}:{int(row['cause_ns'])}"
        if row["cause"] == layout.BOOK_CAUSE:
            cause = f"book:{name}:{int(row['cause_ns'])}:{int(row['cause_sequence'])}"
        return Fill(
            FillId(f"{name}-{int(row['fill'])}"), ClientOrderId(f"{strategy}-{int(row['number'])}"), name,
            Side.BUY if row["sign"] > 0 else Side.SELL, price, lots, self._fees[k].fee_units(price, lots, liquidity),
            self.instruments[k].settlement, liquidity, _REASONS[int(row["reason"])], cause, int(row["venue_ns"]),
            int(row["local_ns"]),
        )  # fmt: skip

    def command_of(self, row: Any, strategy_id: StrategyId) -> NewOrder | CancelOrder | ReplaceOrder:
        """Return a row of the log as the command it tells of."""
        order_id = ClientOrderId(f"{strategy_id}-{int(row['number'])}")
        name, lots = self.instruments[int(row["market"])].instrument_id, int(row["lots"])
        limit = None if row["limit"] == NO_PRICE else int(row["limit"])
        if row["kind"] == layout.SEND_CANCEL:
            return CancelOrder(order_id, strategy_id, name)
        if row["kind"] == layout.SEND_REPLACE:
            return ReplaceOrder(order_id, strategy_id, name, lots, limit)
        stop = None if row["stop"] == NO_PRICE else int(row["stop"])
        if limit is None:
            order_type = OrderType.MARKET if stop is None else OrderType.STOP
        else:
            order_type = OrderType.LIMIT if stop is None else OrderType.STOP_LIMIT
        return NewOrder(
            order_id, strategy_id, name, Side.BUY if row["sign"] > 0 else Side.SELL, order_type, lots, limit, stop,
            _TIMES_IN_FORCE[int(row["cause"])], bool(row["liquidity"]), bool(row["fill"]),
        )  # fmt: skip

    def refused_of(self, row: Any, strategy_id: StrategyId) -> Refused:
        """Return a row of the log as the refusal of our own risk engine that it tells of."""
        name = self.instruments[int(row["market"])].instrument_id
        order_id = ClientOrderId(f"{strategy_id}-{int(row['number'])}")
        return Refused(order_id, strategy_id, name, Refusal(self.rejection_of(row)))

    def rejection_of(self, row: Any) -> str:
        """Return why an order of the log did not live: the venue's word, or that of our own risk engine."""
        reason = REJECTIONS[int(row["reason"])]
        return (_REFUSALS[reason] if row["kind"] == layout.REFUSED else reason).value

    def _market(self, k: int, instrument: Instrument) -> None:
        settings, world = self.settings[k], self.world
        market = world.markets[k]
        market["venue"] = self._venues.index(instrument.venue)
        market["quantity_min"] = _lots_of(instrument.quantity_min, instrument.quantity_lot)
        market["notional_min"] = -(2**62)
        if instrument.notional_min and not instrument.inverse:
            market["notional_min"] = _lots_of(instrument.notional_min, instrument.price_tick * instrument.quantity_lot)
        market["negative"] = instrument.price_can_be_negative
        market["self_trade"] = _SELF_TRADES.index(settings.self_trade)
        market["open_max"] = min(settings.open_orders_max, layout.SLOTS_MAX)
        market["queue"] = _QUEUE_CODES[settings.queue.model]
        market["exponent"] = settings.queue.exponent
        market["touch"] = settings.queue.model is QueueModel.TOUCH or settings.limit_fill is LimitFill.TOUCH
        market["slippage"] = _SLIPPAGES.index(settings.slippage.model)
        market["coefficient"] = settings.slippage.coefficient
        world.views[k]["price_tick"] = float(instrument.price_tick)
        world.views[k]["quantity_lot"] = float(instrument.quantity_lot)

    def _lines(self, settings: Sequence[VenueSettings]) -> None:
        first = 0
        knots: list[Line] = []
        for venue, each in enumerate(settings):
            own = np.flatnonzero(self.world.markets["venue"] == venue)
            lines, feeds = self.world.lines[venue], self.world.feeds[own]
            for line, records in (
                (each.order_line(), lines[:1]), (each.response_line(), lines[1:]), (each.feed_line(), feeds),
            ):  # fmt: skip
                records["constant_ns"], records["first"], records["knots"] = line.constant_ns, first, len(line.times_ns)
                records["last_ns"] = line.last_ns
                first += len(line.times_ns)
                knots.append(line)
            self.world.feeds[own] = feeds
        times = np.concatenate([line.times_ns for line in knots])
        latencies = np.concatenate([line.latencies_ns for line in knots])
        self.world = self.world._replace(knot_times=times, knot_latencies=latencies)

    def _move(self, spans: list[tuple[int, int]]) -> None:
        # Ladders of new sizes, with what is in the old ones
        world = self.world
        sizes = [end - begin for begin, end in spans]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        shared = bool(world.clock[0]["shared"])
        pairs = [(world.markets, world.bids, world.asks)]
        if not shared:
            pairs.append((world.seen, world.seen_bids, world.seen_asks))
        moved: list[tuple[Array, Array]] = []
        for markets, bids, asks in pairs:
            new_bids, new_asks = (np.zeros(offsets[-1] + 1, dtype=np.int64) for _ in range(2))
            for k, (begin, _) in enumerate(spans):
                market = markets[k]
                shift = offsets[k] - begin + int(market["floor"]) - int(market["offset"])
                for old, new, side in ((bids, new_bids, "bid"), (asks, new_asks, "ask")):
                    low, high = int(market[f"{side}_low"]), int(market[f"{side}_high"])
                    if market[f"{side}s"]:
                        new[low + shift : high + 1 + shift] = old[low : high + 1]
                _shift(market, shift, offsets[k], begin, sizes[k])
            moved.append((new_bids, new_asks))
        seen_bids, seen_asks = moved[-1]
        self.world = world._replace(bids=moved[0][0], asks=moved[0][1], seen_bids=seen_bids, seen_asks=seen_asks)
        self._spans = spans


def _shift(market: Any, shift: int, offset: int, floor: int, cells: int) -> None:
    for side in ("bid", "ask"):
        if market[f"{side}s"]:
            for name in (side, f"{side}_low", f"{side}_high"):
                market[name] += shift
        else:
            market[f"{side}_low"], market[f"{side}_high"] = offset + cells, offset - 1
            market[side] = offset - 1 if side == "bid" else offset + cells
    market["offset"], market["floor"], market["cells"] = offset, floor, cells


def _world(markets: int, venues: int, *, shared: bool, one_feed: bool) -> World:
    empty = np.zeros(1, dtype=np.int64)
    own = np.zeros(markets, dtype=layout.MARKET)
    world = World(
        clock=np.zeros(1, dtype=layout.CLOCK),
        markets=own, bids=empty, asks=empty,
        seen=own if shared else np.zeros(markets, dtype=layout.MARKET), seen_bids=empty, seen_asks=empty,
        orders=np.zeros(layout.SLOTS_MAX, dtype=layout.ORDER),
        working=np.zeros((markets, layout.SLOTS_MAX), dtype=np.int64),
        turn=np.zeros(layout.SLOTS_MAX, dtype=np.int64),
        mine=np.zeros(layout.SLOTS_MAX, dtype=np.int64),
        free=np.arange(layout.SLOTS_MAX, dtype=np.int64)[::-1].copy(),
        fate=np.zeros(layout.ORDERS_EVER_MAX, dtype=np.int8),
        pending=np.zeros(layout.UNDER_WAY_MAX, dtype=layout.MESSAGE),
        now=np.zeros(layout.UNDER_WAY_MAX, dtype=layout.MESSAGE),
        outbox=np.zeros(layout.LOG_MAX, dtype=layout.MESSAGE),
        log=np.zeros(layout.LOG_MAX, dtype=layout.MESSAGE),
        lines=np.zeros((venues, 2), dtype=layout.LINE),
        feeds=np.zeros((markets, 3), dtype=layout.LINE),
        knot_times=empty, knot_latencies=empty,
        taken=np.zeros((markets, layout.TAKEN_MAX, 3), dtype=np.int64),
        message=np.zeros(2, dtype=layout.MESSAGE),
        views=np.zeros(markets, dtype=VIEW),
    )  # fmt: skip
    clock = world.clock[0]
    clock["free_count"], clock["shared"], clock["depth"] = layout.SLOTS_MAX, shared, 1
    clock["one_feed"], clock["news_ns"] = one_feed, layout.NEVER_NS
    clock["timer_ns"] = layout.NEVER_NS
    return world


def _lots_of(amount: Decimal | None, unit: Decimal) -> int:
    # The least whole number of units that is not below an amount
    return 0 if not amount else math.ceil(Fraction(amount) / Fraction(unit))
