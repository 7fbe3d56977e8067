"""What accounts are worth and at risk of, all of them at once: NAV, greeks, DV01, exposures, stress, VaR.

Worth is exact: cash and marks in integer units, the mark being the engine's own last price. Sensitivities, stress and
VaR are floats. Positions of all accounts are one matrix, and each figure of all of them is one product with it.
"""

import collections
import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_MINUTE
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Grid, InstrumentKind
from njord.engine.simulation.candles import Candles
from njord.engine.simulation.house import Account
from njord.market.synthetic.universe import underlier_of
from njord.market.synthetic.world import World
from njord.risk import value_at_risk
from njord.risk.sensitivities import Sensitivities, sensitivities

Floats = npt.NDArray[np.float64]

VAR_WINDOW = 500  # Minutes
VAR_WARM_UP = 30
CONFIDENCE = Decimal("0.99")
# What happens in a stress, by name: prices of shares, coins and commodities times, rates plus
STRESSES: Mapping[str, tuple[dict[str, float], float]] = {
    "Shares -10 %": ({"equity": 0.90}, 0.0),
    "Shares +10 %": ({"equity": 1.10}, 0.0),
    "Rates +100 bp": ({}, 0.01),
    "Rates -100 bp": ({}, -0.01),
    "Coins -30 %": ({"spot": 0.70}, 0.0),
    "Commodities -15 %": ({"commodity": 0.85}, 0.0),
    "Everything -20 %, rates -50 bp": ({"equity": 0.80, "spot": 0.80, "commodity": 0.80}, -0.005),
}


class PositionView(msgspec.Struct, frozen=True):
    """One position. Money is in units of the account's currency, sensitivities as in ``risk.sensitivities``."""

    instrument_id: InstrumentId
    lots: int
    cost_units: int
    mark_ticks: int
    value_units: int  # What it adds to NAV: its worth, or the gain where it is margined
    notional_units: int
    unrealised_units: int
    delta: float
    gamma: float
    vega: float
    theta: float
    dv01: tuple[float, ...]


class Greeks(msgspec.Struct):
    """Summed over everything on one underlier."""

    delta: float = 0.0  # In units of the underlier
    delta_value: float = 0.0  # In money
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0


class PortfolioView(msgspec.Struct, frozen=True):
    """An account at one moment."""

    account_id: str
    time_ns: int
    currency: str
    nav_units: int
    cash_units: dict[str, int]
    capital_units: int
    realised_units: int
    unrealised_units: int
    fees_units: int
    income_units: int  # Funding and coupons
    day_units: int | None  # NAV at the start of the UTC day
    peak_units: int | None
    gross_units: int
    leverage: float
    concentration: float  # The largest position's share of gross
    positions: list[PositionView]
    exposure_by_class: dict[str, float]
    greeks: dict[str, Greeks]
    dv01: tuple[float, ...]
    buckets: tuple[float, ...]
    stress: dict[str, float]
    value_at_risk: float | None  # Over a minute, at 99 %
    expected_shortfall: float | None


class Appraiser:
    """Looks at the market once for all accounts, then at each of them."""

    def __init__(self, world: World) -> None:
        listings = world.universe.listings
        self._world = world
        self._instruments = [each.instrument for each in listings]
        self._grids = {each.instrument_id: Grid.of(each) for each in self._instruments}
        self._row = {each.instrument_id: row for row, each in enumerate(self._instruments)}
        self._underliers = [underlier_of(each) or "" for each in self._instruments]
        self._lot = np.array([self._grids[each.instrument_id].quantity(1) for each in self._instruments])
        self._multiplier = np.array([float(each.multiplier) for each in self._instruments])
        self._group = _groups(world)
        self._returns: collections.deque[Floats] = collections.deque(maxlen=VAR_WINDOW)
        self._last: Floats | None = None
        self._next_ns = 0
        self._stressed: dict[str, Floats] = {}
        self.sensitivities: Sensitivities | None = None
        self.fairs: Floats = world.fairs()

    def remember(self, candles: Candles) -> None:
        """Take the returns of the past minutes from candles, so that there is a VaR from the start."""
        closes: dict[int, Floats] = {}
        for row, name in enumerate(self._row):
            for bar in candles.of(name, NS_PER_MINUTE)[-VAR_WINDOW - 2 : -1]:
                closes.setdefault(bar.venue_time_ns, np.full(len(self._instruments), np.nan))[row] = bar.close
        whole = [each for _, each in sorted(closes.items()) if not np.isnan(each).any()]
        self._returns.extend(after - before for before, after in itertools.pairwise(whole))

    def look(self, now_ns: int) -> None:
        """Take in the market as it is now."""
        world = self._world
        fairs = self.fairs = world.fairs()
        spots = np.array(
            [world.underlier_price(name) if name else fair for name, fair in zip(self._underliers, fairs, strict=True)]
        )
        options = world.options()
        years = np.array([world.years_to(each.expiry_ns) if each.expiry_ns else 0.0 for each in self._instruments])
        self.sensitivities = sensitivities(
            self._instruments, self._underliers, fairs, spots, world.curve, options, years
        )
        for name, (factors, rates) in STRESSES.items():
            moved = np.array([factors.get(group, 1.0) for group in self._group])
            self._stressed[name] = world.fairs_if(price_factors=moved, rates_shift=rates) - fairs
        if now_ns >= self._next_ns:
            self._next_ns = now_ns - now_ns % NS_PER_MINUTE + NS_PER_MINUTE
            if self._last is not None:
                self._returns.append(fairs - self._last)
            self._last = fairs

    def portfolios(self, accounts: Sequence[Account]) -> list[PortfolioView]:
        """Return all accounts as they are now. ``look`` comes first."""
        found = self.sensitivities
        assert found is not None, "look at the market first"
        positions = np.zeros((len(accounts), len(self._instruments)))
        for place, account in enumerate(accounts):
            assert account.session is not None, account.account_id
            for name, lots in account.session.state.portfolio.lots.items():
                if lots:
                    positions[place, self._row[name]] = lots
        quantities = positions * self._lot
        worth = quantities * self._multiplier
        stress = {name: worth @ change for name, change in self._stressed.items()}
        tails = self._tails(worth)
        return [
            self._portfolio(account, quantities[place], {k: float(v[place]) for k, v in stress.items()}, tails[place])
            for place, account in enumerate(accounts)
        ]

    def _tails(self, worth: Floats) -> list[value_at_risk.Tail | None]:
        if len(self._returns) < VAR_WARM_UP:
            return [None] * len(worth)
        pnl = worth @ np.array(self._returns).T
        return [value_at_risk.historical(each, CONFIDENCE) for each in pnl]

    def _portfolio(
        self, account: Account, quantities: Floats, stress: dict[str, float], tail: value_at_risk.Tail | None
    ) -> PortfolioView:
        session = account.session
        assert session is not None, account.account_id
        state, found = session.state, self.sensitivities
        assert found is not None, account.account_id
        portfolio, currency = state.portfolio, state.portfolio.currency
        views: list[PositionView] = []
        by_class: dict[str, float] = {}
        greeks: dict[str, Greeks] = {}
        for name, lots in portfolio.lots.items():
            if not lots:
                continue
            row, grid, instrument = self._row[name], self._grids[name], state.instruments[name]
            price = state.last_price.get(name)
            mark = grid.nearest_ticks(float(self.fairs[row]) if price is None else price)
            worth, cost = grid.value_units(mark, lots), portfolio.costs[name]
            quantity = quantities[row]
            views.append(
                PositionView(
                    name, lots, cost, mark, worth if instrument.paid_in_full else worth - cost, abs(worth),
                    worth - cost, float(quantity * found.delta[row]), float(quantity * found.gamma[row]),
                    float(quantity * found.vega[row]), float(quantity * found.theta[row]),
                    tuple((quantity * found.dv01[row]).tolist()),
                )
            )  # fmt: skip
            by_class[instrument.kind] = by_class.get(instrument.kind, 0.0) + worth / 10**18
            if found.underliers[row]:
                on = greeks.setdefault(found.underliers[row], Greeks())
                _add(on, found, row, float(quantity), self._world.underlier_price(found.underliers[row]))
        held = sum(view.value_units for view in views)
        gross = sum(view.notional_units for view in views)
        nav = portfolio.cash.get(currency, 0) + held
        marks = None if state.watch is None else state.watch.marks
        dv01 = (quantities @ found.dv01).tolist()
        return PortfolioView(
            account.account_id, state.time_ns, currency, nav, dict(portfolio.cash), _total(portfolio.capital),
            _total(portfolio.realised), sum(view.unrealised_units for view in views), _total(portfolio.fees),
            _total(portfolio.funding) + _total(portfolio.dividends), None if marks is None else marks.day_units,
            None if marks is None else marks.peak_units, gross, gross / nav if nav > 0 else 0.0,
            max((view.notional_units for view in views), default=0) / gross if gross else 0.0, views, by_class, greeks,
            tuple(dv01), found.buckets, stress, None if tail is None else tail.value_at_risk,
            None if tail is None else tail.shortfall,
        )  # fmt: skip


def _add(on: Greeks, found: Sensitivities, row: int, quantity: float, spot: float) -> None:
    on.delta += quantity * float(found.delta[row])
    on.delta_value += quantity * float(found.delta[row]) * spot
    on.gamma += quantity * float(found.gamma[row])
    on.vega += quantity * float(found.vega[row])
    on.theta += quantity * float(found.theta[row])


def _total(amounts: Mapping[str, int]) -> int:
    return sum(amounts.values())


def _groups(world: World) -> list[str]:
    # Of each underlier: what a stress calls it
    kinds = {
        underlier_of(each.instrument): each.instrument.kind
        for each in world.universe.listings
        if each.instrument.kind in (InstrumentKind.EQUITY, InstrumentKind.SPOT)
    }
    baskets = {each.name for each in world.universe.baskets}
    return [
        "equity" if name in baskets else str(kinds.get(name, "commodity")) for name in world.underliers
    ]  # fmt: skip
