"""Exposures that are kept equal those counted from nothing, whatever happened in between."""

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from njord.domain.event import OrderAccepted, OrderCancelled, OrderReplaced
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.governance import OrderUnknown
from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.market import Split
from njord.domain.order import NewOrder, OrderStatus, OrderType, Rejection, Side
from njord.engine.exposures import Exposures
from njord.execution.oms import Orders, Tracked
from njord.ledger.currency import NoRate
from njord.ledger.portfolio import Portfolio

COIN, SHARE, FUTURE, INVERSE, FINE = "BTC/USD.SIM", "ACME/USD.SIM", "PERP/USD.ALT", "XBT/USD.ALT", "SHIB/USD.ALT"
STRATEGIES = ("a", "b")
REPORTS = ("part", "whole", "cancel", "ask", "is", "unknown", "accept", "without")
CENT = Decimal("0.01")


def instrument(name, kind, base, tick=CENT, lot=CENT, **more):
    return Instrument(instrument_id=name, kind=kind, base=base, quote="USD", price_tick=tick, quantity_lot=lot, **more)


INSTRUMENTS = {
    each.instrument_id: each
    for each in (
        instrument(FUTURE, InstrumentKind.PERPETUAL, "PERP", underlier="BTC"),
        # Settles in BTC, which only has a worth once there is a price of it
        instrument(INVERSE, InstrumentKind.PERPETUAL, "BTC", lot=Decimal(1), inverse=True, underlier="BTC"),
        instrument(COIN, InstrumentKind.SPOT, "BTC"),
        instrument(SHARE, InstrumentKind.EQUITY, "ACME", lot=Decimal(1)),
        # A tick of a lot is less than a unit of money, so that what it is worth is rounded
        instrument(FINE, InstrumentKind.SPOT, "SHIB", tick=Decimal("1e-10"), lot=Decimal("1e-10")),
    )
}
NAMES = tuple(INSTRUMENTS)
GRIDS = {name: Grid.of(each) for name, each in INSTRUMENTS.items()}


class Told:
    """Stands for a risk estimate: keeps what it is told."""

    def __init__(self):
        self.worths = {}

    def set_exposure(self, name, worth):
        self.worths[name] = worth


class Account:
    """An account whose orders, holdings and prices change, its exposures, and the plain count of them."""

    def __init__(self, names=NAMES):
        self.instruments = {name: INSTRUMENTS[name] for name in names}
        self.orders, self.portfolio = Orders(), Portfolio("USD", list(self.instruments.values()))
        self.price = {}
        self.aside = None  # An order that something is judged in the place of
        self.watch()
        self.portfolio.deposit(10**24, "USD", 1)
        self.number = 0

    def watch(self):
        self.exposures = Exposures(self.instruments, GRIDS, self.portfolio, self.orders, self.price)
        self.told = Told()
        self.exposures.watch_risk(self.told)

    def order(self, strategy, name, side, lots):
        self.number += 1
        return NewOrder(f"o{self.number}", strategy, name, side, OrderType.LIMIT, lots, limit_ticks=10_000)

    def submit(self, *what):
        return self.orders.submit(self.order(*what), GRIDS[what[1]])

    def fill(self, order_id, lots, ticks=10_000):
        self.number += 1
        tracked = self.orders.open.get(order_id) or self.orders.ended[order_id]
        order, at = tracked.order, (1, 1)
        fill = Fill(
            f"f{self.number}", order_id, order.instrument_id, order.side, ticks, lots, 0, "USD", Liquidity.MAKER,
            FillReason.VENUE, "", *at,
        )  # fmt: skip
        self.orders.fill(fill)
        self.portfolio.fill(fill, order.strategy_id)
        self.price.setdefault(order.instrument_id, GRIDS[order.instrument_id].price(ticks))

    # From here on the plain count

    def ticks(self):
        return {name: GRIDS[name].nearest_ticks(price) for name, price in self.price.items()}

    def worst_lots(self, name, strategy=None, more=(0, 0)):
        held = sum(
            each.lots
            for (who, what), each in self.portfolio.holdings.items()
            if what == name and strategy in (None, who)
        )
        sides = dict(zip((Side.BUY, Side.SELL), more, strict=True))
        for each in self.orders.open.values():
            if each.instrument_id == name and strategy in (None, each.order.strategy_id) and each is not self.aside:
                sides[each.side] += each.reserved_lots
        return max(abs(held + sides[Side.BUY]), abs(held - sides[Side.SELL]))

    def worth(self, name, lots):
        if name not in self.price:
            return 0
        value = abs(GRIDS[name].value_units(self.ticks()[name], lots))
        return self.portfolio.converter.convert(value, INSTRUMENTS[name].settlement, self.ticks())

    def adds(self, strategy, name, side, lots):
        """Return whether an order can make larger what its strategy holds, if all it has on that side fills first."""
        held = sum(each.lots for key, each in self.portfolio.holdings.items() if key == (strategy, name))
        first = sum(
            each.reserved_lots
            for each in self.orders.open.values()
            if (each.order.strategy_id, each.instrument_id, each.side) == (strategy, name, side)
            and each is not self.aside
        )
        then = held + side.sign * first
        return abs(then + side.sign * lots) != abs(then) - lots

    def held(self, name):
        return sum(each.lots for (_, what), each in self.portfolio.holdings.items() if what == name)

    def equity(self):
        convert, ticks, total = self.portfolio.converter.convert, self.ticks(), 0
        for asset, amount in self.portfolio.cash.items():
            total += convert(amount, asset, ticks)
        for name in self.price:
            value = GRIDS[name].value_units(ticks[name], self.held(name))
            if not INSTRUMENTS[name].paid_in_full:
                value -= sum(
                    each.cost_units for (_, what), each in self.portfolio.holdings.items() if what == name
                )  # fmt: skip
            total += convert(value, INSTRUMENTS[name].settlement, ticks)
        return total

    def equity_kept(self):
        self.exposures.refresh()
        return self.exposures.equity_units

    def compare(self):
        """Hold what is kept against the plain count; where nothing can be valued, both say so."""
        known = self.exposures
        try:
            worst = {name: self.worth(name, self.worst_lots(name)) for name in self.price}
            equity = self.equity()
        except NoRate:
            with pytest.raises(NoRate):
                self.equity_kept()
            return
        known.refresh()
        assert {name: known.worst(name) for name in self.price} == worst
        assert known.gross_units == sum(worst.values())
        assert known.equity_units == equity
        assert abs(equity - self.portfolio.equity(self.ticks())) < 10**6  # Which rounds each holding for itself
        assert known.equity_now() in (None, equity)
        by_venue = {}
        for name, units in worst.items():
            by_venue[INSTRUMENTS[name].venue] = by_venue.get(INSTRUMENTS[name].venue, 0) + units
        assert known.by_venue() == by_venue
        signed = {name: self.worth(name, self.held(name)) for name in self.price}
        assert {name: abs(worth) for name, worth in self.told.worths.items()} == pytest.approx(signed, rel=1e-12)
        assert all(self.told.worths[name] * self.held(name) >= 0 for name in self.price)
        for strategy in STRATEGIES:
            own = {name: self.worth(name, self.worst_lots(name, strategy)) for name in self.price}
            for name in self.price:
                if INSTRUMENTS[name].settlement == "USD" or COIN in self.price:
                    self.compare_order(strategy, name, sum(own.values()) - own[name])

    def compare_order(self, strategy, name, others):
        for side, more in ((Side.BUY, (3, 0)), (Side.SELL, (0, 3))):
            own = others + self.worth(name, self.worst_lots(name, strategy, more))
            units, adds = self.exposures.of_strategy(self.order(strategy, name, side, 3))
            assert units == own
            assert adds == self.adds(strategy, name, side, 3)


@settings(max_examples=100, stateful_step_count=40, deadline=None)
class Machine(RuleBasedStateMachine):
    """Anything that can happen to orders, holdings and prices, in any order."""

    def __init__(self):
        super().__init__()
        self.account = Account()

    @initialize(names=st.sampled_from([NAMES, NAMES, NAMES[:2], ()]))
    def begin(self, names):
        self.account.price.update((name, GRIDS[name].price(10_000)) for name in names)

    @rule(name=st.sampled_from(NAMES), ticks=st.integers(5_000, 20_000))
    def price(self, name, ticks):
        self.account.price[name] = GRIDS[name].price(ticks)

    @rule(
        strategy=st.sampled_from(STRATEGIES), name=st.sampled_from(NAMES), side=st.sampled_from(Side),
        lots=st.integers(1, 400),
    )  # fmt: skip
    def submit(self, strategy, name, side, lots):
        self.account.submit(strategy, name, side, lots)

    @rule(
        data=st.data(), what=st.sampled_from(["part", "whole", "cancel", "ask", "is", "unknown", "accept", "without"])
    )
    def report(self, data, what):
        account, orders = self.account, self.account.orders
        if not orders.open:
            return
        tracked = orders.open[data.draw(st.sampled_from(list(orders.open)))]
        order_id, name, left = tracked.client_order_id, tracked.instrument_id, tracked.leaves_lots
        if what == "part":
            account.fill(order_id, data.draw(st.integers(1, left)), data.draw(st.integers(9_000, 11_000)))
        elif what == "whole":
            account.fill(order_id, left)
        elif what == "cancel":
            orders.apply(OrderCancelled(order_id, name, Rejection.REQUESTED, 1, 1))
        elif what == "ask":
            orders.replacing(order_id, data.draw(st.integers(1, 500)), 10_000)
        elif what == "is" and tracked.asked:
            lots, limit = data.draw(st.sampled_from(tracked.asked))
            orders.apply(OrderReplaced(order_id, name, lots, limit, 1, 1))
        elif what == "unknown":
            orders.unknown(OrderUnknown(order_id, name, 1, 1))
        elif what == "accept":
            orders.accept(OrderAccepted(order_id, name, 1, 1))
        elif what == "without":
            with orders.without(tracked):
                account.aside = tracked
                account.compare()
            account.aside = None

    @rule(data=st.data())
    def fill_late(self, data):
        ended = self.account.orders.ended
        if ended:
            tracked = ended[data.draw(st.sampled_from(list(ended)))]
            if tracked.leaves_lots:
                self.account.compare()
                self.account.fill(tracked.client_order_id, tracked.leaves_lots)
                self.account.compare()

    @rule(ratio=st.sampled_from([(3, 2), (1, 10), (7, 1)]))
    def split(self, ratio):
        account = self.account
        account.compare()
        account.portfolio.split(Split(SHARE, 1, 1, *ratio), account.ticks().get(SHARE))
        account.compare()

    @rule(name=st.sampled_from([COIN, SHARE]))
    def restate(self, name):
        self.account.compare()
        self.account.portfolio.restate(name, [])
        self.account.compare()

    @rule(restored=st.booleans())
    def restart(self, restored):
        """Begin with what a ledger keeps; or only with new exposures of what is there already."""
        account, before = self.account, self.account.orders
        if restored:
            account.orders, money = Orders(), account.portfolio.money
            account.portfolio = Portfolio("USD", list(INSTRUMENTS.values()))
            account.portfolio.restore(money)
            for tracked in before.open.values():
                again = Tracked(tracked.order, tracked.grid)
                again.status, again.quantity_lots = tracked.status, tracked.quantity_lots
                again.filled_lots, again.asked = tracked.filled_lots, list(tracked.asked)
                account.orders.restore(again)
        account.watch()

    @rule()
    def compare(self):
        self.account.compare()

    def teardown(self):
        self.account.compare()


TestMachine = Machine.TestCase


def test_a_split_and_what_a_ledger_says_it_left_are_counted_again():
    account = Account()
    tracked = account.submit("a", SHARE, Side.BUY, 100)
    account.fill(tracked.client_order_id, 100)
    account.compare()

    account.portfolio.split(Split(SHARE, 1, 1, 3, 2), 10_000)
    account.compare()
    assert account.exposures.worst(SHARE) == account.worth(SHARE, 150)

    account.portfolio.restate(SHARE, [])
    account.compare()
    assert account.exposures.worst(SHARE) == 0


def test_what_can_be_valued_is_counted_where_something_else_cannot():
    account = Account()
    account.price.update({COIN: 100.0, FUTURE: 100.0})
    account.compare()
    account.submit("a", INVERSE, Side.BUY, 5)
    account.price[INVERSE] = 100.0
    del account.price[COIN]  # As if it had never come
    account.watch()
    account.submit("a", FUTURE, Side.BUY, 7)

    with pytest.raises(NoRate):
        account.exposures.refresh()

    assert account.exposures.worst(FUTURE) == account.worth(FUTURE, 7)
    account.price[COIN] = 120.0
    account.compare()


def test_two_strategies_that_offset_each_other_keep_what_they_gained():
    account = Account([FUTURE])
    account.price[FUTURE] = 100.0
    for strategy, side, ticks in (("a", Side.BUY, 10_000), ("b", Side.SELL, 11_000)):
        tracked = account.submit(strategy, FUTURE, side, 100)
        account.fill(tracked.client_order_id, 100, ticks)
    assert tracked.status is OrderStatus.FILLED
    assert account.held(FUTURE) == 0

    account.compare()

    assert account.exposures.equity_units == account.exposures.equity_now() == 10**24 + 10 * 10**18
