"""The simulated venue: every kind of order on every fidelity of data, against hand-worked cases.

Bars are (open, high, low, close, volume) in whole ticks; time is in seconds, one bar a second.
"""

from decimal import Decimal

import pytest

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import CancelRejected, OrderAccepted, OrderCancelled, OrderExpired, OrderRejected, OrderReplaced
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Aggressor, Bar, BookUpdate, Kind, Quote, Split, Trade, TradingStatus
from njord.domain.order import NewOrder, OrderType, Rejection, Side, TimeInForce
from njord.venues.simulated.settings import (
    Fees,
    FillAt,
    LimitFill,
    SelfTrade,
    Slippage,
    SlippageModel,
    VenueSettings,
)
from njord.venues.simulated.venue import SimulatedVenue

NAME = "A/USD.SIM"
INSTRUMENT = Instrument(
    instrument_id=NAME, kind=InstrumentKind.SPOT, base="A", quote="USD", price_tick=Decimal(1), quantity_lot=Decimal(1),
    quantity_min=Decimal(2), notional_min=Decimal(150),
)  # fmt: skip
S = 10**9
BUY, SELL = Side.BUY, Side.SELL


class Market:
    """A venue of one instrument, driven by hand."""

    def __init__(self, kind=Kind.BARS, instrument=INSTRUMENT, **settings):
        settings = {"latency_ms": 0, "fees": Fees(maker=Decimal(0), taker=Decimal("0.01")), **settings}
        also = {Kind.TRADES: None} if kind in (Kind.QUOTES, Kind.BOOK) else {}
        interval = S if kind is Kind.BARS else None
        self.venue = SimulatedVenue({NAME: instrument}, {NAME: {kind: interval, **also}}, VenueSettings(**settings))
        self.now = 0
        self.count = 0

    def order(self, side, lots=10, limit=None, stop=None, at=None, **more):
        self.count += 1
        kinds = {(False, False): OrderType.MARKET, (True, False): OrderType.LIMIT, (False, True): OrderType.STOP,
                 (True, True): OrderType.STOP_LIMIT}  # fmt: skip
        kind = kinds[limit is not None, stop is not None]
        order = NewOrder(more.pop("id", f"o{self.count}"), "s", NAME, side, kind, lots, limit, stop, **more)
        return self.venue.submit(order, self.now if at is None else at)

    def event(self, event):
        matcher = self.venue.listening[type(event)][NAME]
        matcher.on_event(event)
        matcher.last = event
        self.now = event.venue_time_ns
        return matcher.blotter.drain()

    def bar(self, opened, high, low, close, volume=1_000):
        end = self.now + S
        return self.event(Bar(NAME, S, end, end, opened, high, low, close, volume))

    def quote(self, bid, bid_lots, ask, ask_lots):
        self.now += S
        return self.event(Quote(NAME, self.now, self.now, bid, ask, bid_lots, ask_lots, bid, ask, bid_lots, ask_lots))

    def trade(self, price, lots, aggressor=Aggressor.UNKNOWN):
        self.now += S
        return self.event(Trade(NAME, self.now, self.now, price, lots, price, lots, aggressor))

    def book(self, bids=(), asks=(), snapshot=False):
        self.now += S
        return self.event(BookUpdate(NAME, self.now, self.now, self.now, snapshot, tuple(bids), tuple(asks)))


def fills(reports):
    return [(r.quantity_lots, r.price_ticks, r.reason) for r in reports if isinstance(r, Fill)]


def reasons(reports):
    return [r.reason for r in reports if isinstance(r, OrderRejected | OrderCancelled | CancelRejected)]


# Bars


def test_a_market_order_takes_the_next_open_and_pays_the_taker_fee():
    market = Market()
    market.bar(100, 110, 90, 105)
    assert [type(r) for r in market.order(BUY)] == [OrderAccepted]
    (fill,) = market.bar(103, 110, 90, 95)
    assert (fill.price_ticks, fill.quantity_lots, fill.reason) == (103, 10, FillReason.NEXT_OPEN)
    assert (fill.liquidity, fill.fee_units, fill.fee_asset) == (Liquidity.TAKER, 103 * 10 * 10**16, "USD")
    assert fill.causation_id == f"bar:{NAME}:{2 * S}"
    assert fill.venue_time_ns == S


def test_the_same_close_is_opted_into():
    market = Market(fill=FillAt.SAME_CLOSE)
    market.bar(100, 110, 90, 105)
    assert fills(market.order(SELL)) == [(10, 105, FillReason.SAME_CLOSE)]


@pytest.mark.parametrize(
    ("side", "limit", "bar", "cross", "touch"),
    [
        (BUY, 95, (100, 101, 96, 99), [], []),
        (BUY, 95, (100, 101, 95, 99), [], [(10, 95, FillReason.BAR_TOUCH)]),
        (BUY, 95, (100, 101, 94, 99), [(10, 95, FillReason.BAR_THROUGH)], [(10, 95, FillReason.BAR_THROUGH)]),
        (BUY, 95, (90, 99, 90, 99), [(10, 90, FillReason.BAR_OPEN)], [(10, 90, FillReason.BAR_OPEN)]),
        (SELL, 105, (100, 104, 99, 99), [], []),
        (SELL, 105, (100, 105, 99, 99), [], [(10, 105, FillReason.BAR_TOUCH)]),
        (SELL, 105, (100, 106, 99, 99), [(10, 105, FillReason.BAR_THROUGH)], [(10, 105, FillReason.BAR_THROUGH)]),
        (SELL, 105, (110, 111, 99, 99), [(10, 110, FillReason.BAR_OPEN)], [(10, 110, FillReason.BAR_OPEN)]),
    ],
)
def test_limits_on_bars(side, limit, bar, cross, touch):
    for mode, expected in ((LimitFill.CROSS, cross), (LimitFill.TOUCH, touch)):
        market = Market(limit_fill=mode)
        market.bar(100, 101, 99, 100)
        market.order(side, limit=limit)
        assert fills(market.bar(*bar)) == expected


def test_a_resting_limit_gets_its_own_price_when_the_market_gaps_through_it():
    market = Market()
    market.bar(100, 101, 99, 100)
    market.order(BUY, limit=95)
    market.bar(100, 101, 97, 98)
    assert fills(market.bar(80, 85, 79, 84)) == [(10, 95, FillReason.BAR_THROUGH)]


@pytest.mark.parametrize(
    ("side", "stop", "bar", "expected"),
    [
        (BUY, 105, (100, 104, 99, 100), []),
        (BUY, 105, (100, 105, 99, 100), [(10, 105, FillReason.STOP_TRIGGERED)]),
        (BUY, 105, (108, 109, 99, 100), [(10, 108, FillReason.STOP_GAPPED)]),
        (SELL, 95, (100, 104, 96, 100), []),
        (SELL, 95, (100, 104, 95, 100), [(10, 95, FillReason.STOP_TRIGGERED)]),
        (SELL, 95, (90, 104, 88, 100), [(10, 90, FillReason.STOP_GAPPED)]),
    ],
)
def test_stops_on_bars(side, stop, bar, expected):
    market = Market()
    market.order(side, stop=stop)
    assert fills(market.bar(*bar)) == expected


def test_a_stop_limit_that_gapped_beyond_its_limit_rests_from_the_next_bar_on():
    market = Market()
    market.order(BUY, stop=105, limit=106)
    assert fills(market.bar(110, 112, 104, 111)) == []
    assert fills(market.bar(111, 112, 105, 111)) == [(10, 106, FillReason.BAR_THROUGH)]


def test_where_one_bar_reaches_both_the_stop_comes_before_the_limit():
    market = Market(volume_share=0.01)
    market.order(SELL, lots=10, limit=110)
    market.order(SELL, lots=10, stop=90)
    assert fills(market.bar(100, 120, 80, 100, volume=1_000)) == [(10, 90, FillReason.STOP_TRIGGERED)]


def test_a_share_of_the_volume_is_all_there_is_for_all_our_orders_together():
    market = Market(volume_share=0.1)
    market.order(BUY, lots=30)
    market.order(BUY, lots=30)
    assert fills(market.bar(100, 101, 99, 100, volume=400)) == [
        (30, 100, FillReason.NEXT_OPEN),
        (10, 100, FillReason.NEXT_OPEN),
    ]
    assert fills(market.bar(101, 102, 99, 100, volume=400)) == [(20, 101, FillReason.NEXT_OPEN)]


def test_ioc_takes_what_there_is_and_fok_all_or_nothing():
    market = Market(volume_share=0.1)
    market.order(BUY, lots=30, time_in_force=TimeInForce.IOC)
    reports = market.bar(100, 101, 99, 100, volume=200)
    assert fills(reports) == [(20, 100, FillReason.NEXT_OPEN)]
    assert reasons(reports) == [Rejection.NOT_FILLABLE_AT_ONCE]
    market.order(BUY, lots=30, time_in_force=TimeInForce.FOK)
    reports = market.bar(100, 101, 99, 100, volume=200)
    assert (fills(reports), reasons(reports)) == ([], [Rejection.NOT_FILLABLE_AT_ONCE])
    market.order(BUY, lots=30, limit=50, time_in_force=TimeInForce.IOC)
    assert reasons(market.bar(100, 101, 40, 100)) == [Rejection.NOT_FILLABLE_AT_ONCE]


def test_day_orders_end_with_their_day():
    market = Market()
    market.now = 86_399 * S
    market.order(BUY, limit=50, time_in_force=TimeInForce.DAY)
    assert market.bar(100, 101, 99, 100) == []
    (expired,) = market.bar(100, 101, 40, 100)
    assert isinstance(expired, OrderExpired)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        (SlippageModel.NONE, 1_000),
        (SlippageModel.FIXED, 1_020),
        (SlippageModel.LINEAR, 1_005),
        (SlippageModel.SQUARE_ROOT, 1_010),
    ],
)
def test_slippage_worsens_a_takers_price(model, price):
    market = Market(slippage=Slippage(model=model, coefficient=0.02))
    market.order(BUY, lots=250)
    assert fills(market.bar(1_000, 1_100, 900, 1_000, volume=1_000)) == [(250, price, FillReason.NEXT_OPEN)]
    market.order(BUY, lots=250, limit=1_002)
    assert fills(market.bar(1_000, 1_100, 900, 1_000, volume=1_000))[0][1] <= 1_002  # But never beyond the limit


# Quotes and trades


def test_a_taker_gets_what_is_displayed_once_and_the_rest_from_the_next_quote():
    market = Market(Kind.QUOTES)
    market.quote(99, 10, 101, 6)
    assert fills(market.order(BUY, lots=4)) == [(4, 101, FillReason.CROSSED_QUOTE)]
    assert fills(market.order(BUY, lots=4)) == [(2, 101, FillReason.CROSSED_QUOTE)]
    assert fills(market.quote(100, 10, 103, 6)) == [(2, 103, FillReason.CROSSED_QUOTE)]


def test_a_resting_limit_needs_the_quote_to_move_through_it():
    for mode, at_limit in ((LimitFill.CROSS, []), (LimitFill.TOUCH, [(5, 98, FillReason.QUOTE_THROUGH)])):
        market = Market(Kind.QUOTES, limit_fill=mode)
        market.quote(99, 10, 101, 6)
        market.order(BUY, limit=98)
        assert fills(market.quote(97, 1, 98, 5)) == at_limit
    assert fills(market.quote(95, 1, 97, 20)) == [(5, 98, FillReason.QUOTE_THROUGH)]


def test_the_queue_ahead_trades_first():
    market = Market(Kind.QUOTES)
    market.quote(99, 10, 101, 6)
    market.order(BUY, limit=99)  # Ten are there already
    assert fills(market.trade(99, 8, Aggressor.SELLER)) == []
    assert fills(market.trade(99, 8, Aggressor.BUYER)) == []  # A buyer took an ask: says nothing of our queue
    assert fills(market.trade(99, 5, Aggressor.SELLER)) == [(3, 99, FillReason.TRADE_AT_LIMIT)]
    assert fills(market.trade(98, 50, Aggressor.SELLER)) == [(7, 99, FillReason.TRADE_THROUGH)]


def test_two_own_orders_never_fill_on_the_same_lots():
    market = Market(Kind.QUOTES)
    market.quote(99, 10, 101, 6)
    market.order(BUY, limit=100)
    market.order(BUY, limit=100)
    assert sum(lots for lots, _, _ in fills(market.trade(98, 12, Aggressor.SELLER))) == 12
    market = Market(Kind.QUOTES)
    market.quote(99, 10, 101, 6)
    market.order(BUY, limit=100)
    market.order(BUY, limit=100)
    assert sum(lots for lots, _, _ in fills(market.quote(95, 1, 97, 12))) == 12


def test_where_only_trades_are_known_a_market_order_takes_the_next_ones():
    market = Market(Kind.TRADES)
    market.trade(100, 5)
    assert fills(market.order(BUY, lots=10)) == []
    assert fills(market.trade(101, 7)) == [(7, 101, FillReason.LAST_TRADE)]
    assert fills(market.trade(102, 7)) == [(3, 102, FillReason.LAST_TRADE)]
    market.order(SELL, lots=5, limit=110)
    assert fills(market.trade(110, 9)) == []
    assert fills(market.trade(111, 9)) == [(5, 110, FillReason.TRADE_THROUGH)]


def test_a_stop_on_quotes_becomes_a_taker_when_it_is_reached():
    market = Market(Kind.QUOTES)
    market.quote(99, 50, 101, 50)
    market.order(SELL, stop=95)
    assert fills(market.quote(96, 50, 98, 50)) == []
    assert fills(market.quote(94, 50, 96, 50)) == [(10, 94, FillReason.CROSSED_QUOTE)]


# The book


def test_a_taker_walks_the_book_and_what_it_took_stays_gone_until_displayed_anew():
    market = Market(Kind.BOOK)
    market.book(bids=[(99, 10)], asks=[(101, 5), (102, 5), (104, 50)], snapshot=True)
    first = fills(market.order(BUY, lots=8))
    second = fills(market.order(BUY, lots=8))
    assert first == [(5, 101, FillReason.CROSSED_BOOK), (3, 102, FillReason.CROSSED_BOOK)]
    assert second == [(2, 102, FillReason.CROSSED_BOOK), (6, 104, FillReason.CROSSED_BOOK)]
    market.book(asks=[(101, 4)])
    assert fills(market.order(BUY, lots=3)) == [(3, 101, FillReason.CROSSED_BOOK)]


def test_what_the_book_cannot_fill_is_cancelled():
    market = Market(Kind.BOOK)
    market.book(bids=[(99, 10)], asks=[(101, 5)], snapshot=True)
    reports = market.order(BUY, lots=8)
    assert (fills(reports), reasons(reports)) == ([(5, 101, FillReason.CROSSED_BOOK)], [Rejection.NO_LIQUIDITY])
    reports = market.order(SELL, lots=20, limit=99, time_in_force=TimeInForce.FOK)
    assert (fills(reports), reasons(reports)) == ([], [Rejection.NOT_FILLABLE_AT_ONCE])
    reports = market.order(SELL, lots=20, limit=99, time_in_force=TimeInForce.IOC)
    assert (fills(reports), reasons(reports)) == ([(10, 99, FillReason.CROSSED_BOOK)], [Rejection.NOT_FILLABLE_AT_ONCE])


def test_a_maker_waits_behind_what_is_displayed():
    market = Market(Kind.BOOK)
    market.book(bids=[(99, 10)], asks=[(101, 5)], snapshot=True)
    market.order(BUY, limit=99)
    assert fills(market.trade(99, 6, Aggressor.SELLER)) == []
    market.book(bids=[(99, 2)])  # Two left ahead of us: the others went
    assert fills(market.trade(99, 6, Aggressor.SELLER)) == [(4, 99, FillReason.TRADE_AT_LIMIT)]
    assert fills(market.book(bids=[(99, 0)], asks=[(98, 3), (101, 0)])) == [(3, 99, FillReason.QUOTE_THROUGH)]


def test_nothing_matches_while_the_book_is_crossed():
    market = Market(Kind.BOOK)
    market.book(bids=[(102, 10)], asks=[(101, 5)], snapshot=True)
    assert fills(market.order(BUY, lots=2, limit=103)) == []
    assert fills(market.book(bids=[(102, 0)])) != []


def test_a_stop_on_the_book_walks_it():
    market = Market(Kind.BOOK)
    market.book(bids=[(99, 10)], asks=[(101, 5)], snapshot=True)
    market.order(SELL, lots=4, stop=97)
    assert fills(market.trade(98, 1)) == []
    assert fills(market.trade(97, 1)) == [(4, 99, FillReason.CROSSED_BOOK)]


# What every venue checks


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"lots": 1}, Rejection.BELOW_QUANTITY_MIN),
        ({"lots": 2, "limit": 74}, Rejection.BELOW_NOTIONAL_MIN),
        ({"limit": 0}, Rejection.PRICE_INVALID),
        ({"limit": 105, "post_only": True}, Rejection.POST_ONLY_WOULD_CROSS),
        ({"reduce_only": True}, Rejection.REDUCE_ONLY_WOULD_INCREASE),
    ],
)
def test_rejections(order, reason):
    market = Market()
    market.bar(100, 110, 90, 105)
    assert reasons(market.order(BUY, **order)) == [reason]


def test_post_only_never_takes():
    market = Market(Kind.QUOTES)
    market.quote(99, 10, 101, 6)
    assert reasons(market.order(BUY, limit=101, post_only=True)) == [Rejection.POST_ONLY_WOULD_CROSS]
    assert reasons(market.order(BUY, limit=100, post_only=True)) == []


def test_the_same_id_a_thousand_times_is_one_order():
    market = Market()
    market.bar(100, 101, 99, 100)
    market.order(BUY, id="once")
    for _ in range(999):
        assert reasons(market.order(BUY, id="once")) == [Rejection.DUPLICATE_ORDER_ID]
    assert fills(market.bar(100, 101, 99, 100)) == [(10, 100, FillReason.NEXT_OPEN)]
    assert fills(market.bar(100, 101, 99, 100)) == []


def test_reduce_only_stops_at_flat():
    market = Market()
    market.order(BUY, lots=10)
    market.bar(100, 101, 99, 100)
    market.order(SELL, lots=25, reduce_only=True)
    reports = market.bar(100, 101, 99, 100)
    assert fills(reports) == [(10, 100, FillReason.NEXT_OPEN)]
    assert reasons(reports) == [Rejection.REDUCE_ONLY_WOULD_INCREASE]


@pytest.mark.parametrize(
    ("mode", "told", "left"),
    [
        (SelfTrade.CANCEL_NEWEST, [Rejection.SELF_TRADE], ["o1"]),
        (SelfTrade.CANCEL_OLDEST, [Rejection.SELF_TRADE], ["o2"]),
        (SelfTrade.CANCEL_BOTH, [Rejection.SELF_TRADE, Rejection.SELF_TRADE], []),
    ],
)
def test_our_own_bid_never_fills_our_own_ask(mode, told, left):
    market = Market(self_trade=mode)
    market.bar(100, 101, 99, 100)
    market.order(SELL, limit=105)
    assert reasons(market.order(BUY, limit=106)) == told
    orders = market.venue._blotters[NAME].orders
    assert [working.order.client_order_id for working in orders] == left


def test_cancels_and_what_comes_too_late():
    market = Market()
    market.order(BUY, limit=50)
    assert reasons(market.venue.cancel(CancelOrder("o1", "s", NAME), 5)) == [Rejection.REQUESTED]
    assert reasons(market.venue.cancel(CancelOrder("o1", "s", NAME), 6)) == [Rejection.ORDER_DONE]
    assert reasons(market.venue.cancel(CancelOrder("o9", "s", NAME), 6)) == [Rejection.ORDER_UNKNOWN]
    assert reasons(market.venue.replace(ReplaceOrder("o9", "s", NAME, 5, 50), 6)) == [Rejection.ORDER_UNKNOWN]


def test_a_replacement_keeps_its_place_only_when_it_gets_smaller():
    market = Market(Kind.BOOK)
    market.book(bids=[(99, 10)], asks=[(101, 5)], snapshot=True)
    market.order(BUY, limit=99)
    market.trade(99, 8, Aggressor.SELLER)
    (replaced,) = market.venue.replace(ReplaceOrder("o1", "s", NAME, 6, 99), market.now)
    assert isinstance(replaced, OrderReplaced)
    assert fills(market.trade(99, 4, Aggressor.SELLER)) == [(2, 99, FillReason.TRADE_AT_LIMIT)]
    market.venue.replace(ReplaceOrder("o1", "s", NAME, 50, 99), market.now)
    assert fills(market.trade(99, 4, Aggressor.SELLER)) == []  # Behind the ten that are displayed


def test_a_replacement_to_a_price_that_crosses_trades_or_is_refused_post_only():
    market = Market(Kind.QUOTES)
    market.quote(99, 10, 101, 20)
    market.order(BUY, limit=98)
    reports = market.venue.replace(ReplaceOrder("o1", "s", NAME, 10, 101), market.now)
    assert fills(reports) == [(10, 101, FillReason.CROSSED_QUOTE)]
    market.order(BUY, limit=98, post_only=True)
    assert reasons(market.venue.replace(ReplaceOrder("o2", "s", NAME, 10, 101), market.now)) == [
        Rejection.POST_ONLY_WOULD_CROSS
    ]


def test_a_halt_stops_matching_and_new_orders():
    market = Market()
    market.order(BUY, limit=95)
    market.venue.on_status(TradingStatus(NAME, 1, 1, True))
    assert reasons(market.order(BUY)) == [Rejection.INSTRUMENT_HALTED]
    assert market.bar(90, 91, 80, 85) == []
    market.venue.on_status(TradingStatus(NAME, 1, 1, False))
    assert fills(market.bar(90, 91, 80, 85)) == [(10, 90, FillReason.BAR_OPEN)]


def test_a_split_cancels_what_was_meant_for_old_shares():
    market = Market()
    market.order(BUY, limit=95)
    market.venue.on_status(Split(NAME, 1, 1, 7, 1))
    assert reasons(market.venue.reports_of(NAME)) == [Rejection.INSTRUMENT_HALTED]


def test_reports_travel_back_with_the_latency():
    market = Market(latency_ms=20)
    (accepted,) = market.order(BUY, at=5 * S)
    assert (accepted.venue_time_ns, accepted.local_time_ns) == (5 * S, 5 * S + 20_000_000)


@pytest.mark.parametrize(
    ("fees", "liquidity_fee"),
    [(Fees(taker=Decimal("0.001")), 10**18), (Fees(taker=Decimal("-0.0001")), -(10**17)),
     (Fees(taker=Decimal(0), per_quantity=Decimal("0.005")), 5 * 10**16)],
)  # fmt: skip
def test_fees_by_hand(fees, liquidity_fee):
    market = Market(fees=fees)
    market.order(BUY, lots=10)
    (fill,) = market.bar(100, 101, 99, 100)
    assert fill.fee_units == liquidity_fee


@pytest.mark.parametrize(
    "settings",
    [{"fill": FillAt.SAME_CLOSE, "latency_ms": 5}, {"latency_ms": -1}, {"volume_share": 0}, {"volume_share": 1.5},
     {"feed_latency_ms": 99_999}, {"open_orders_max": 0}],
)  # fmt: skip
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match="venue"):
        VenueSettings(**settings)


@pytest.mark.parametrize(("kind", "rate"), [("maker", "1"), ("taker", "nan"), ("per_quantity", "inf")])
def test_impossible_fees_are_refused(kind, rate):
    with pytest.raises(ValueError, match="fees"):
        Fees(**{kind: Decimal(rate)})


def test_a_market_order_meets_our_own_only_where_ours_is_the_best_there_is():
    market = Market(Kind.QUOTES)
    market.quote(99, 10, 101, 20)
    market.order(SELL, limit=105)
    assert fills(market.order(BUY)) == [(10, 101, FillReason.CROSSED_QUOTE)]
    market.order(SELL, limit=101)
    assert reasons(market.order(BUY)) == [Rejection.SELF_TRADE]
