"""The exchange of many participants: what must hold after anything, and its rules one by one."""

import collections
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.event import CancelRejected, OrderAccepted, OrderCancelled, OrderExpired, OrderRejected, OrderReplaced
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import BookUpdate, Quote, Trade, TradingStatus
from njord.domain.order import NewOrder, OrderType, Rejection, Side, TimeInForce
from njord.venues.simulated.auction import Waiting, uncross
from njord.venues.simulated.crossing import Crossing
from njord.venues.simulated.settings import Fees, SelfTrade

NAME = "AAA/USD.SIM"
DAY_NS = 86_400_000_000_000
OWNERS = ("ann", "bob", "cat")
SIDES = st.sampled_from(list(Side))


def instrument(**more):
    return Instrument(
        instrument_id=NAME, kind=InstrumentKind.EQUITY, base="AAA", quote="USD", price_tick=Decimal("0.01"),
        quantity_lot=Decimal(1), **more,
    )  # fmt: skip


def order(order_id, side, lots, limit=None, stop=None, tif=TimeInForce.GTC, **more):
    kinds = {(False, False): "market", (True, False): "limit", (False, True): "stop", (True, True): "stop_limit"}
    kind = OrderType(kinds[limit is not None, stop is not None])
    return NewOrder(order_id, "s", NAME, Side(side), kind, lots, limit, stop, TimeInForce(tif), **more)


class Market(RuleBasedStateMachine):
    """Anybody does anything, and an auditor who only reads reports and public events agrees with the exchange."""

    self_trade = SelfTrade.CANCEL_NEWEST

    def __init__(self):
        super().__init__()
        fees = Fees(maker=Decimal("-0.0001"), taker=Decimal("0.0003"))
        self.exchange = Crossing([instrument()], fees={NAME: fees}, self_trade=self.self_trade)
        self.now = 0
        self.orders = {}  # (owner, id) -> [whole, filled, over]
        self.held = collections.Counter()
        self.paid = collections.Counter()
        self.book = {Side.BUY: {}, Side.SELL: {}}
        self.top = (0, 0, 0, 0)

    @rule(owner=st.sampled_from(OWNERS), side=SIDES, lots=st.integers(1, 9), limit=st.integers(95, 105),
          tif=st.sampled_from(list(TimeInForce)), post_only=st.booleans())  # fmt: skip
    def limit(self, owner, side, lots, limit, tif, post_only):
        post_only = post_only and tif not in (TimeInForce.IOC, TimeInForce.FOK)
        self.send(owner, side, lots, limit=limit, tif=tif, post_only=post_only)

    @rule(owner=st.sampled_from(OWNERS), side=SIDES, lots=st.integers(1, 20))
    def market(self, owner, side, lots):
        self.send(owner, side, lots)

    @rule(owner=st.sampled_from(OWNERS), side=SIDES, lots=st.integers(1, 9), stop=st.integers(95, 105),
          limit=st.one_of(st.none(), st.integers(95, 105)))  # fmt: skip
    def stop(self, owner, side, lots, stop, limit):
        self.send(owner, side, lots, limit=limit, stop=stop)

    def send(self, owner, side, lots, **more):
        self.now += 1
        name = f"o{self.now}"
        self.orders[owner, name] = [lots, 0, False]
        self.exchange.submit(owner, order(name, side, lots, **more), self.now)
        self.read()

    @rule(pick=st.integers(0, 10**6), foreign=st.booleans())
    def cancel(self, pick, foreign):
        if self.orders:
            owner, name = list(self.orders)[pick % len(self.orders)]
            self.now += 1
            self.exchange.cancel("eve" if foreign else owner, CancelOrder(name, "s", NAME), self.now)
            self.read()

    @rule(pick=st.integers(0, 10**6), lots=st.integers(1, 12), limit=st.one_of(st.none(), st.integers(95, 105)))
    def replace(self, pick, lots, limit):
        if self.orders:
            owner, name = list(self.orders)[pick % len(self.orders)]
            self.now += 1
            self.exchange.replace(owner, ReplaceOrder(name, "s", NAME, lots, limit), self.now)
            self.read()

    @precondition(lambda self: not self.exchange.halted(NAME))
    @rule()
    def halt(self):
        self.exchange.halt(NAME, self.now)
        self.read()

    @precondition(lambda self: self.exchange.halted(NAME))
    @rule()
    def resume(self):
        self.exchange.resume(NAME, self.now)
        self.read()

    @rule()
    def midnight(self):
        self.now = (self.now // DAY_NS + 1) * DAY_NS
        self.exchange.expire(self.now)
        self.read()

    def read(self):
        trades = collections.defaultdict(list)
        for owner, report in self.exchange.drain_private():
            mine = self.orders.get((owner, report.client_order_id))
            if isinstance(report, Fill):
                assert not mine[2], "a fill of an order that is over"
                mine[1] += report.quantity_lots
                assert mine[1] <= mine[0]
                mine[2] = mine[1] == mine[0]
                sign = report.side.sign * report.quantity_lots
                self.held[owner] += sign
                self.paid[owner] += sign * report.price_ticks
                trades[report.causation_id].append((owner, sign, report.price_ticks))
            elif isinstance(report, OrderReplaced):
                mine[0] = report.quantity_lots
            elif isinstance(report, (OrderCancelled, OrderExpired, OrderRejected)):
                assert not mine[2]
                mine[2] = True
        for (one, a, price), (other, b, same) in trades.values():
            assert one != other
            assert a == -b
            assert price == same
        halted = self.exchange.halted(NAME)
        for event in self.exchange.drain_public():
            if isinstance(event, BookUpdate):
                for side, levels in ((Side.BUY, event.bids), (Side.SELL, event.asks)):
                    for price, lots in levels:
                        self.book[side][price] = lots
            elif isinstance(event, Quote):
                self.top = event.bid_ticks, event.bid_lots, event.ask_ticks, event.ask_lots
            elif isinstance(event, TradingStatus):
                halted = event.halted
            assert not (halted and isinstance(event, Trade))

    @invariant()
    def whole(self):
        assert sum(self.held.values()) == 0
        assert sum(self.paid.values()) == 0
        for owner in OWNERS:
            assert self.exchange.positions.get(owner, {}).get(NAME, 0) == self.held[owner]
            working = {w.order.client_order_id: (w.quantity_lots, w.leaves_lots) for w in self.exchange.working(owner)}
            open_ones = {name: o for (who, name), o in self.orders.items() if who == owner and not o[2]}
            assert working == {name: (o[0], o[0] - o[1]) for name, o in open_ones.items()}

    @invariant()
    def told(self):
        bids, asks = self.exchange.depth(NAME, 100)
        assert bids == sorted(((p, n) for p, n in self.book[Side.BUY].items() if n), reverse=True)
        assert asks == sorted((p, n) for p, n in self.book[Side.SELL].items() if n)
        assert self.top == self.exchange.top(NAME)
        assert not bids or not asks or bids[0][0] < asks[0][0]


class OldestGoes(Market):
    self_trade = SelfTrade.CANCEL_OLDEST


class BothGo(Market):
    self_trade = SelfTrade.CANCEL_BOTH


for machine in (Market, OldestGoes, BothGo):
    machine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestMarket = Market.TestCase
TestOldestGoes = OldestGoes.TestCase
TestBothGo = BothGo.TestCase


@pytest.fixture
def exchange():
    return Crossing([instrument()], fees={NAME: Fees(maker=Decimal("-0.0001"), taker=Decimal("0.0003"))})


def reports(exchange, owner=None):
    return [report for who, report in exchange.drain_private() if owner in (None, who)]


def test_two_users_cross_and_each_hears_of_it(exchange):
    exchange.submit("ann", order("a", "buy", 5, 100), 1)
    exchange.submit("bob", order("b", "sell", 3, 99), 2)
    accepted, fill = reports(exchange, "ann")
    assert isinstance(accepted, OrderAccepted)
    assert (fill.price_ticks, fill.quantity_lots, fill.liquidity, fill.reason) == (
        100, 3, Liquidity.MAKER, FillReason.PARTICIPANT,
    )  # fmt: skip
    assert fill.fee_units == -3 * 100 * 10**16 // 10_000  # A rebate of a basis point of 3.00
    assert exchange.top(NAME) == (100, 2, 0, 0)


def test_taking_leaves_less_for_the_next(exchange):
    for number, price in enumerate((100, 101, 103)):
        exchange.submit("ann", order(f"a{number}", "sell", 5, price), number)
    paid = []
    for number in range(2):
        exchange.submit("bob", order(f"b{number}", "buy", 6), 10 + number)
        fills = [r for r in reports(exchange, "bob") if isinstance(r, Fill)]
        paid.append(sum(f.price_ticks * f.quantity_lots for f in fills) / 6)
    assert paid[0] < paid[1]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (order("x", "buy", 1, 0), Rejection.PRICE_INVALID),
        (order("x", "buy", 1, 101, post_only=True), Rejection.POST_ONLY_WOULD_CROSS),
        (order("x", "sell", 1, reduce_only=True), Rejection.REDUCE_ONLY_WOULD_INCREASE),
        (order("a", "buy", 1, 90), None),
    ],
)
def test_why_an_order_is_rejected(exchange, made, reason):
    exchange.submit("ann", order("a", "sell", 5, 101), 1)
    reports(exchange)
    exchange.submit("bob", made, 2)
    (first, *_) = reports(exchange, "bob")
    assert getattr(first, "reason", None) == reason


def test_an_id_that_works_already_is_no_second_order(exchange):
    for _ in range(2):
        exchange.submit("ann", order("a", "sell", 5, 101), 1)
    assert reports(exchange)[-1].reason is Rejection.DUPLICATE_ORDER_ID
    assert exchange.top(NAME)[3] == 5


def test_nobody_touches_the_orders_of_another(exchange):
    exchange.submit("ann", order("a", "sell", 5, 101), 1)
    reports(exchange)
    exchange.cancel("bob", CancelOrder("a", "s", NAME), 2)
    exchange.replace("bob", ReplaceOrder("a", "s", NAME, 1, 101), 3)
    assert all(isinstance(r, CancelRejected) for r in reports(exchange, "bob"))
    assert exchange.top(NAME)[3] == 5


def test_a_halt_queues_limits_refuses_what_cannot_wait_and_ends_in_an_auction(exchange):
    exchange.submit("ann", order("a", "sell", 5, 101), 1)
    exchange.halt(NAME, 2)
    exchange.submit("bob", order("m", "buy", 5), 3)
    exchange.submit("bob", order("b", "buy", 4, 104), 4)
    exchange.submit("cat", order("c", "sell", 2, 99), 5)
    heard = reports(exchange)
    assert [r.reason for r in heard if isinstance(r, OrderRejected)] == [Rejection.INSTRUMENT_HALTED]
    assert not any(isinstance(r, Fill) for r in heard)
    exchange.resume(NAME, 6)
    fills = [r for r in reports(exchange) if isinstance(r, Fill)]
    assert {f.price_ticks for f in fills} == {101}  # Where the most trades
    assert sorted((f.client_order_id, f.quantity_lots) for f in fills) == [("a", 2), ("b", 2), ("b", 2), ("c", 2)]
    assert exchange.top(NAME) == (0, 0, 101, 3)


def test_the_price_of_an_auction():
    def at(*orders, last=None):
        return uncross([Waiting(n, str(n), Side(s), p, q) for n, (s, p, q) in enumerate(orders)], last)

    assert at(("buy", 100, 5), ("sell", 101, 5)).pairs == ()
    assert at(("buy", 102, 5), ("sell", 100, 5), last=101).price_ticks == 100  # As near, so the lower
    assert at(("buy", 102, 5), ("sell", 100, 5), last=109).price_ticks == 102
    assert at(("buy", 102, 9), ("buy", 101, 1), ("sell", 100, 9)).price_ticks == 102  # Nothing left unmatched there
    same = uncross([Waiting(1, "a", Side.BUY, 102, 5), Waiting(2, "a", Side.SELL, 100, 5)], None)
    assert (same.pairs, same.self_cancelled) == ((), (2,))


def test_a_stop_sets_off_a_stop(exchange):
    exchange.submit("ann", order("a1", "buy", 1, 100), 1)
    exchange.submit("ann", order("a2", "buy", 1, 98), 2)
    exchange.submit("ann", order("a3", "buy", 5, 95), 3)
    exchange.submit("bob", order("s1", "sell", 1, stop=100), 4)
    exchange.submit("cat", order("s2", "sell", 1, stop=98), 5)
    exchange.submit("dan", order("d", "sell", 1), 6)
    fills = {r.client_order_id: r.price_ticks for r in reports(exchange) if isinstance(r, Fill) and r.side is Side.SELL}
    assert fills == {"d": 100, "s1": 98, "s2": 95}


def test_what_worked_before_a_restart_works_after_it(exchange):
    exchange.submit("ann", order("a", "sell", 5, 101), 1)
    exchange.submit("bob", order("b", "buy", 2, 101), 2)
    exchange.submit("bob", order("c", "sell", 1, 101, tif="day"), 3)
    again = Crossing([instrument()])
    for owner in ("ann", "bob"):
        again.seed(owner, exchange.positions[owner], exchange.working(owner), 4)
    assert again.depth(NAME, 5) == exchange.depth(NAME, 5)
    assert again.positions == exchange.positions
    assert again.ahead_lots("bob", "c") == 3
    again.expire(DAY_NS)
    assert [type(r) for r in reports(again, "bob")] == [OrderExpired]
