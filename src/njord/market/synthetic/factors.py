"""The state of everything that moves of itself, and one step of it.

Prices: correlated diffusions with stochastic variance, whose long mean wanders too, and jumps. Rates: three
mean-reverting Nelson-Siegel factors. Yields of commodities and the basis of perpetuals revert as well.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.market.pricing.curve import ZeroCurve, nelson_siegel
from njord.market.synthetic import processes
from njord.market.synthetic.universe import YEAR_NS, Asset, Basis, Rates, Universe

Floats = npt.NDArray[np.float64]

_S_PER_YEAR = YEAR_NS / NS_PER_S
_DAYS_PER_YEAR = 365.0


class FactorState(msgspec.Struct):
    """Plain data, one number for each asset (or rate factor, or perpetual), in the order of the universe.

    ``variance`` is relative to its long mean, ``level`` the logarithm of that mean's square root relative to what the
    asset's is. ``money`` is what 1 has become at the overnight rate.
    """

    log_price: list[float]
    variance: list[float]
    level: list[float]
    income: list[float]
    rates: list[float]
    basis: list[float]
    money: float
    rates_shift: float
    volatility_scale: list[float]
    drift_shift: list[float]


def correlation_of(assets: tuple[Asset, ...]) -> Floats:
    """Return the correlations that loadings on the market and on groups make."""
    market = np.array([each.market for each in assets])
    grouped = np.array([each.group_loading for each in assets])
    groups = [each.group for each in assets]
    same = np.array([[one == other for other in groups] for one in groups])
    found: Floats = np.outer(market, market) + np.outer(grouped, grouped) * same
    np.fill_diagonal(found, 1.0)
    return found


class Factors:
    """All factors of a universe, stepped together. Every step takes the same number of variates."""

    def __init__(self, universe: Universe) -> None:
        assets, rates = universe.assets, universe.rates
        self.names = [each.name for each in assets]
        self._years = universe.step_ns / YEAR_NS
        self._cholesky = processes.cholesky_of(correlation_of(assets))
        variance = np.square(np.array([each.volatility for each in assets]))
        self.jump_variance = variance * np.array([each.jump_share for each in assets])
        self._volatility = np.sqrt(variance - self.jump_variance)  # Of the diffusion
        self._drift = np.array([each.drift for each in assets])
        reversion = processes.reversion_of(np.array([each.variance_half_life_s for each in assets]) / _S_PER_YEAR)
        self.variance_reversion = reversion
        # The stationary variance of a square-root process with mean 1 is volatility^2 / (2 reversion)
        self._variance_volatility = np.array([each.variance_spread for each in assets]) * np.sqrt(2 * reversion)
        self._leverage = np.array([each.leverage for each in assets])
        self._free = np.sqrt(1 - self._leverage**2)
        days = np.array([each.level_half_life_days for each in assets])
        self._level_reversion = processes.reversion_of(days / _DAYS_PER_YEAR)
        self._level_volatility = np.array([each.level_volatility for each in assets])
        self._jumps_per_year = np.array([each.jumps_per_year for each in assets])
        self._jump_deviation = np.sqrt(self.jump_variance / self._jumps_per_year)
        self._income_mean = np.array([each.income for each in assets])
        self._income_volatility = np.array([each.income_volatility for each in assets])
        self._rates, self._curve_years = rates, np.array(rates.years)
        self._rate_means, self._rate_reversion, self._rate_volatility = _columns(rates)
        self._basis(tuple(each.basis for each in universe.listings if each.basis is not None))
        self._start(assets)

    def _basis(self, perpetuals: tuple[Basis, ...]) -> None:
        self._basis_mean = np.array([each.mean for each in perpetuals])
        half_lives = np.array([each.half_life_s for each in perpetuals]) / _S_PER_YEAR
        self._basis_reversion = processes.reversion_of(half_lives)
        deviation = np.array([each.deviation for each in perpetuals])
        self._basis_volatility = deviation * np.sqrt(2 * self._basis_reversion)

    def _start(self, assets: tuple[Asset, ...]) -> None:
        count = len(assets)
        self.log_price = np.log(np.array([each.start for each in assets]))
        self.variance, self.level = np.ones(count), np.zeros(count)
        self.income, self.rates = self._income_mean.copy(), self._rate_means.copy()
        self.basis = self._basis_mean.copy()
        self.money, self.rates_shift = 1.0, 0.0
        self.volatility_scale, self.drift_shift = np.ones(count), np.zeros(count)

    def step(self, rng: np.random.Generator) -> None:
        """Let one step of the universe pass."""
        years, count = self._years, len(self.log_price)
        normals = rng.standard_normal(5 * count + len(self.rates) + len(self.basis))
        own, free, level, jump, income = normals[: 5 * count].reshape(5, count)
        rate, basis = np.split(normals[5 * count :], [len(self.rates)])
        counts = processes.jump_counts(rng, self._jumps_per_year, years)
        self.money *= float(np.exp(self.overnight_rate() * years))
        shocks = processes.weighted(self._cholesky, own)
        jump_deviation = self._jump_deviation * self.volatility_scale
        drift = self._drift + self.drift_shift - processes.jump_compensator(self._jumps_per_year, 0.0, jump_deviation)
        self.log_price = (
            self.log_price
            + processes.diffusion(drift, self.spot_variance(), years, shocks)
            + processes.jumps(counts, 0.0, jump_deviation, jump)
        )
        self.variance = processes.square_root(
            self.variance, 1.0, self.variance_reversion, self._variance_volatility, years,
            self._leverage * shocks + self._free * free,
        )  # fmt: skip
        self.level = processes.mean_reverting(
            self.level, 0.0, self._level_reversion, self._level_volatility, years, level
        )  # fmt: skip
        self.income = processes.mean_reverting(
            self.income, self._income_mean, _INCOME_REVERSION, self._income_volatility, years, income
        )
        self.rates = processes.mean_reverting(
            self.rates, self._rate_means, self._rate_reversion, self._rate_volatility, years, rate
        )
        self.basis = processes.mean_reverting(
            self.basis, self._basis_mean, self._basis_reversion, self._basis_volatility, years, basis
        )

    def long_variance(self) -> Floats:
        """Return the variance a year to which each asset's returns."""
        found: Floats = np.square(self._volatility * self.volatility_scale * np.exp(self.level))
        return found

    def spot_variance(self) -> Floats:
        """Return the variance a year of each asset now, jumps aside."""
        found: Floats = self.long_variance() * np.maximum(self.variance, 0.0)
        return found

    def overnight_rate(self) -> float:
        """Return the rate of an instant."""
        return float(self.rates[0] + self.rates[1]) + self.rates_shift

    def curve(self) -> ZeroCurve:
        """Return the zero curve now."""
        level, slope, curvature = (float(each) for each in self.rates)
        zeros = nelson_siegel(self._curve_years, level, slope, curvature, self._rates.decay)
        return ZeroCurve(self._curve_years, zeros + self.rates_shift)

    def state(self) -> FactorState:
        """Return everything that a step changes, as plain data."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return FactorState(money=self.money, rates_shift=self.rates_shift, **arrays)

    def set_state(self, state: FactorState) -> None:
        """Go on from a state. Raises ValueError where it is of another universe."""
        for name in _ARRAYS:
            values = np.array(getattr(state, name), dtype=np.float64)
            if values.shape != getattr(self, name).shape:
                raise ValueError(f"state: {len(values)} values of {name}, the universe has {len(getattr(self, name))}")
            setattr(self, name, values)
        self.money, self.rates_shift = state.money, state.rates_shift


_ARRAYS = ("log_price", "variance", "level", "income", "rates", "basis", "volatility_scale", "drift_shift")
# Convenience yields lose half of a deviation in about two months
_INCOME_REVERSION = 4.0


def _columns(rates: Rates) -> tuple[Floats, Floats, Floats]:
    means, reversions, volatilities = np.array([rates.level, rates.slope, rates.curvature]).T
    return means, reversions, volatilities
