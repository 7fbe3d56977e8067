"""What an order is judged against, kept from one decision to the next: only what has changed is counted again.

Of each instrument two figures, in units of the account's currency: what its holdings add to the equity, and the worst
case, with all that works on the worse side filled. The totals are their sums. Of each strategy the lots of its own
worst case in each instrument. A price that changed is noticed by identity, in one pass that runs no Python for those
that did not; orders and holdings keep a list of what changed.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import compress
from operator import is_not, mul
from typing import Any

from njord.domain.ids import InstrumentId, StrategyId, VenueId
from njord.domain.instrument import Grid, Instrument
from njord.domain.order import NewOrder, Side
from njord.execution.oms import Orders
from njord.ledger.portfolio import Portfolio
from njord.risk.scenarios import PortfolioVar

_BUY = Side.BUY  # Looked up once: a member of an enum takes as long to find as a sum to make


class Known:
    """What is kept of one instrument."""

    __slots__ = (
        "cost", "denominator", "equity", "foreign", "held", "linear", "name", "numerator", "paid_in_full", "per_lot",
        "place", "row", "steps", "ticks", "venue", "worst", "worst_lots", "worth",
    )  # fmt: skip

    def __init__(self, row: int, instrument: Instrument, grid: Grid, *, foreign: bool) -> None:
        self.name = instrument.instrument_id
        self.row = row  # In the lists that have one of each instrument
        self.place = 0  # In the list of those that have a price
        self.ticks = 0
        self.held = 0
        self.cost = 0  # What its holdings are less worth to the equity, where they are margined
        self.worst_lots = 0
        self.equity = 0
        self.worst = 0
        self.worth = 0  # Of what is held, negative when short, as the risk estimate was told
        self.venue = instrument.venue
        self.foreign = foreign
        self.paid_in_full = instrument.paid_in_full
        self.numerator, self.denominator = grid.price_numerator, grid.price_denominator
        # Units a tick is worth for a lot, where worth is exactly ticks times lots times that; else 0
        exact = grid.value_denominator == 1 and not grid.inverse and not foreign
        self.linear = grid.value_numerator if exact else 0
        self.steps = 0  # The same in steps of all instruments together
        self.per_lot = 0  # What one lot is worth now, where it is linear


class Exposures:
    """The account's exposures, by instrument and in total, as of the last ``refresh``."""

    def __init__(
        self, instruments: Mapping[InstrumentId, Instrument], grids: Mapping[InstrumentId, Grid], portfolio: Portfolio,
        orders: Orders, last_price: Mapping[InstrumentId, float],
    ) -> None:  # fmt: skip
        self.var: PortfolioVar | None = None  # Told of what is held, where there is a limit on it
        self.gross_units = 0  # Worst case of all instruments
        self.held_units = 0  # What holdings add to the equity: their worth, or the gain where they are margined
        self.unpriced: list[InstrumentId] = []  # Held, and without a price: nothing can be judged
        self._instruments, self._grids = instruments, grids
        self._portfolio, self._orders = portfolio, orders
        self._last_price = last_price
        self._all = {
            name: Known(row, each, grids[name], foreign=each.settlement != portfolio.currency)
            for row, (name, each) in enumerate(instruments.items())
        }
        self._known: dict[InstrumentId, Known] = {}  # Those that have a price, in the order of the prices
        self._prices: list[Any] = []  # Which of them were counted
        # What a lot of each is worth where it is linear, in steps that all such prices are whole numbers of: to add
        # small numbers takes half as long as to add units
        self._step_units = math.gcd(*(each.linear for each in self._all.values())) or 1
        for each in self._all.values():
            each.steps = each.linear // self._step_units
        self._per_lot_steps = [0] * len(self._all)
        self._rounded = [each for each in self._all.values() if not each.linear]
        self._foreign = [each for each in self._all.values() if each.foreign]
        self._by_venue: dict[VenueId, int] = {}
        self._by_strategy: dict[StrategyId, list[int]] = {}  # Lots of each one's worst case, by row
        orders.changed.update(dict.fromkeys(orders.working))  # All that is there already is new here
        portfolio.changed.update(dict.fromkeys(portfolio.holdings))

    def watch_risk(self, var: PortfolioVar | None) -> None:
        """Tell a risk estimate of all that is held from now on."""
        self.var = var
        if var is not None:
            for name, each in self._known.items():
                each.worth = self.signed(name)
                var.set_exposure(name, each.worth)

    def refresh(self) -> None:
        """Take in what has changed. Raises NoRate where something held cannot be valued in the account's currency."""
        last_price, known = self._last_price, self._known
        if len(known) != len(last_price):
            self._meet()
        changed = dict.fromkeys(compress(known.values(), map(is_not, last_price.values(), self._prices)))
        if self._orders.changed or self._portfolio.changed:
            self._take_lots(changed)
        if changed:
            self._count(changed)
        for each in self._foreign:  # Last, for what others are worth needs no rate
            if each.name in known:
                self._count_rounded(each)
        if len(known) != len(self._portfolio.lots):
            self.unpriced = [name for name, held in self._portfolio.lots.items() if held and name not in last_price]
        else:
            self.unpriced = []

    @property
    def equity_units(self) -> int:
        """Net asset value: cash and what is held, at the last prices."""
        cash, convert = self._portfolio.cash, self._portfolio.converter.convert
        if len(cash) == 1:
            return cash[self._portfolio.currency] + self.held_units
        ticks = self._all_ticks()
        return self.held_units + sum(convert(amount, asset, ticks) for asset, amount in cash.items())

    def equity_now(self) -> int | None:
        """Return net asset value without taking in anything else; None where that takes prices of currencies.

        Equal to ``equity_units`` after ``refresh``, for the many looks at an account that find nothing.
        """
        portfolio = self._portfolio
        if self._foreign or len(portfolio.cash) != 1:
            return None
        equity = portfolio.cash[portfolio.currency]
        for name, held in portfolio.lots.items():
            if held or portfolio.costs[name]:  # Strategies that offset each other have gained all the same
                price = self._last_price.get(name)
                if price is None:
                    return None
                equity += portfolio.value(name, self._grids[name].nearest_ticks(price), held)
                if not self._instruments[name].paid_in_full:
                    equity -= portfolio.costs[name]
        return equity

    def of(self, name: InstrumentId) -> Known:
        """Return what is kept of an instrument that has a price, as of the last ``refresh``. Not to be changed."""
        return self._known[name]

    def worst(self, name: InstrumentId) -> int:
        """Return the worst case of one instrument."""
        each = self._known.get(name)
        return 0 if each is None else each.worst

    def by_venue(self) -> dict[VenueId, int]:
        """Return the worst case of each venue, as of the last ``refresh``. Not to be changed."""
        return self._by_venue

    def signed(self, name: InstrumentId) -> int:
        """Return what is held of an instrument is worth, negative when short."""
        return self.value(name, self._known[name].ticks, self._portfolio.lots[name])

    def now(self, each: Known, lots: int) -> int:
        """Return what lots of an instrument are worth at its last price, with their sign."""
        return each.per_lot * lots if each.linear else self.value(each.name, each.ticks, lots)

    def value(self, name: InstrumentId, ticks: int, lots: int) -> int:
        """Return what lots at a price are worth, with their sign, in units of the account's currency."""
        each = self._all[name]
        if each.linear:
            return (ticks if ticks > 0 else -ticks) * each.linear * lots
        worth = abs(self._portfolio.value(name, ticks, lots))
        if each.foreign:
            settlement = self._instruments[name].settlement
            worth = self._portfolio.converter.convert(worth, settlement, self._all_ticks())
        return worth if lots >= 0 else -worth

    def of_strategy(self, order: NewOrder) -> tuple[int, bool]:
        """Return the worst case of one strategy: what it holds, its own open orders, and one order more.

        And whether that order can make larger what the strategy itself holds, after all that works on its side.
        """
        key = order.strategy_id, order.instrument_id
        each = self._all[order.instrument_id]
        by_row = self._by_strategy.get(order.strategy_id) or [0] * len(self._all)
        working, holding = self._orders.working.get(key), self._portfolio.holdings.get(key)
        held = 0 if holding is None else holding.lots
        buys, sells = (0, 0) if working is None else (working.buy_lots, working.sell_lots)
        if order.side is _BUY:
            buys += order.quantity_lots
            adds = -held < buys
        else:
            sells += order.quantity_lots
            adds = held < sells
        worst = worst_lots(held, buys, sells)
        total: int = sum(map(mul, by_row, self._per_lot_steps)) * self._step_units
        for other in self._rounded:
            if other is not each:
                total += self._worth(other.name, by_row[other.row])
        if each.linear:
            return total + each.per_lot * (worst - by_row[each.row]), adds
        return total + self._worth(order.instrument_id, worst), adds

    def _worth(self, name: InstrumentId, lots: int) -> int:
        each = self._known.get(name)
        if each is None or not lots:
            return 0
        return each.per_lot * lots if each.linear else abs(self.value(name, each.ticks, lots))

    def _meet(self) -> None:
        # Prices that came for the first time
        for name in self._last_price:
            if name not in self._known:
                each = self._known[name] = self._all[name]
                each.place = len(self._prices)
                self._prices.append(None)
                self._by_venue.setdefault(each.venue, 0)
                if self.var is not None:
                    self.var.set_exposure(name, 0)  # In this order, which its sums are made in

    def _take_lots(self, changed: dict[Known, None]) -> None:
        # What orders and holdings say has changed; their instruments are to be counted again
        portfolio, orders = self._portfolio, self._orders
        pairs = {**orders.changed, **portfolio.changed} if portfolio.changed else orders.changed
        for key in pairs:
            strategy_id, name = key
            each = self._all[name]
            by_row = self._by_strategy.get(strategy_id)
            if by_row is None:
                by_row = self._by_strategy[strategy_id] = [0] * len(self._all)
            working, holding = orders.working.get(key), portfolio.holdings.get(key)
            held = 0 if holding is None else holding.lots
            by_row[each.row] = abs(held) if working is None else worst_lots(held, working.buy_lots, working.sell_lots)
            if name in self._known:
                changed[each] = None
            each.held = held = portfolio.lots[name]
            each.cost = 0 if each.paid_in_full else portfolio.costs[name]
            each.worst_lots = worst_lots(held, orders.buys.get(name, 0), orders.sells.get(name, 0))
        orders.changed.clear()
        portfolio.changed.clear()

    def _count(self, changed: Iterable[Known]) -> None:
        # One loop without a call for each: nearly all instruments are linear, and several prices change between orders
        last_price, prices, per_lot_steps = self._last_price, self._prices, self._per_lot_steps
        by_venue, var = self._by_venue, self.var
        gross_more = held_more = 0
        for each in changed:
            linear = each.linear
            if not linear:
                continue
            prices[each.place] = price = last_price[each.name]
            each.ticks = ticks = round(price * each.denominator / each.numerator)  # As Grid.nearest_ticks
            away = ticks if ticks > 0 else -ticks
            each.per_lot = per_lot = away * linear
            per_lot_steps[each.row] = away * each.steps
            worst, worth = per_lot * each.worst_lots, per_lot * each.held
            if worst != each.worst:
                more = worst - each.worst
                gross_more += more
                by_venue[each.venue] += more
                each.worst = worst
            if worth != each.worth:
                each.worth = worth
                if var is not None:
                    var.set_exposure(each.name, worth)
            equity = (worth if ticks > 0 else -worth) - each.cost
            if equity != each.equity:
                held_more += equity - each.equity
                each.equity = equity
        self.gross_units += gross_more
        self.held_units += held_more
        for each in self._rounded:
            if each in changed and not each.foreign:
                self._count_rounded(each)

    def _count_rounded(self, each: Known) -> None:
        # The same where it is not linear
        name, held = each.name, each.held
        self._prices[each.place] = price = self._last_price[name]
        each.ticks = round(price * each.denominator / each.numerator)
        worst = self._worth(name, each.worst_lots)
        equity = self._held_rounded(name, each) if held or each.cost else 0
        worth = self.value(name, each.ticks, held)
        more = worst - each.worst
        self.gross_units += more
        self._by_venue[each.venue] += more
        self.held_units += equity - each.equity
        each.worst, each.equity = worst, equity
        if worth != each.worth:
            each.worth = worth
            if self.var is not None:
                self.var.set_exposure(name, worth)

    def _held_rounded(self, name: InstrumentId, each: Known) -> int:
        portfolio = self._portfolio
        worth = portfolio.value(name, each.ticks, each.held) - each.cost
        if each.foreign:
            worth = portfolio.converter.convert(worth, self._instruments[name].settlement, self._all_ticks())
        return worth

    def _all_ticks(self) -> dict[InstrumentId, int]:
        return {name: self._grids[name].nearest_ticks(price) for name, price in self._last_price.items()}


def worst_lots(held: int, buys: int, sells: int) -> int:
    """Return how large a position becomes with all of the worse side filled."""
    long, short = held + buys, sells - held
    return long if long >= short else short
