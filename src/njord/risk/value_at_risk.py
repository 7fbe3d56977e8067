"""Value at risk and expected shortfall of one P&L distribution: historical, normal, simulated.

Conventions, the same everywhere: P&L is in units of the account's currency, a gain > 0; VaR and ES are losses, so > 0
where money is lost. The level ``confidence`` is a Decimal, so that the rank it means among n scenarios is exact.

Historical: with a = 1 - confidence, VaR is the (floor(n a) + 1)-th worst P&L, the upper quantile: at most floor(n a)
scenarios of n lost more. ES is the mean of the worst n a scenarios, the last of them in part, which makes it coherent
(Acerbi and Tasche 2002, "On the coherence of expected shortfall", definitions 2.2 and 2.6). 250 scenarios at 99 %: VaR
is the third worst; ES is (worst + second + half the third) / 2.5.
Parametric: zero mean, covariance with exponential weights (J.P. Morgan, RiskMetrics Technical Document 1996, 5.2).
"""

import bisect
import collections
import functools
import math
from collections.abc import Sequence
from decimal import Decimal
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SCENARIOS_MAX = 1_000_000


class Tail(NamedTuple):
    """VaR and expected shortfall, as losses in the unit of the P&L."""

    value_at_risk: float
    shortfall: float


class Rank(NamedTuple):
    """How many scenarios are beyond VaR: ``whole`` of them, and ``part`` of the one that is VaR itself."""

    whole: int
    part: float


@functools.lru_cache(maxsize=1_024)
def rank(count: int, confidence: Decimal) -> Rank:
    """Return where VaR is among ``count`` scenarios, worst first. Raises ValueError where there are none."""
    if not 1 <= count <= SCENARIOS_MAX:
        raise ValueError(f"value at risk: needs 1 to {SCENARIOS_MAX} scenarios, was {count}")
    if not 0 < confidence < 1:
        raise ValueError(f"value at risk: confidence must be between 0 and 1, was {confidence}")
    beyond = count * (1 - confidence)
    whole = int(beyond)
    return Rank(whole, float(beyond - whole))


def historical(pnl: Floats, confidence: Decimal) -> Tail:
    """Return the tail of scenario P&Ls, shape (n,). Raises ValueError where one is NaN, or there are none."""
    where = rank(len(pnl), confidence)
    worst = np.sort(np.partition(pnl, where.whole)[: where.whole + 1])
    # A NaN sorts last, so it is looked for in all
    if math.isnan(float(np.max(pnl))):
        raise ValueError("value at risk: a scenario is not a number")
    return _tail(worst.tolist(), where)


class HistoricalWindow:
    """The last ``window`` P&Ls of one portfolio, in order of size, so that a new one costs O(log n) comparisons.

    The list that keeps them sorted moves at most ``window`` pointers: 5,000 take less than a microsecond.
    """

    __slots__ = ("_in_order", "_in_time", "confidence")

    def __init__(self, window: int, confidence: Decimal) -> None:
        rank(window, confidence)  # Refuses what cannot be ranked now, not at the first estimate
        self.confidence = confidence
        self._in_time: collections.deque[float] = collections.deque(maxlen=window)
        self._in_order: list[float] = []

    def __len__(self) -> int:
        return len(self._in_time)

    @property
    def values(self) -> tuple[float, ...]:
        """The P&Ls, oldest first: all that is needed to restore the window."""
        return tuple(self._in_time)

    def add(self, pnl: float) -> None:
        """Take the next P&L; the oldest goes where the window is full. Raises ValueError where it is no number."""
        if not math.isfinite(pnl):
            raise ValueError(f"value at risk: a P&L must be a finite number, was {pnl}")
        if len(self._in_time) == self._in_time.maxlen:
            oldest = self._in_time[0]
            del self._in_order[bisect.bisect_left(self._in_order, oldest)]
        self._in_time.append(pnl)
        bisect.insort(self._in_order, pnl)
        assert len(self._in_order) == len(self._in_time)

    def tail(self) -> Tail:
        """Return VaR and ES of what is in the window. Raises ValueError where nothing is."""
        where = rank(len(self._in_order), self.confidence)
        return _tail(self._in_order[: where.whole + 1], where)


@functools.lru_cache(maxsize=64)
def normal_quantiles(confidence: Decimal) -> Tail:
    """Return VaR and ES of a standard normal loss: z, and density(z) / (1 - confidence).

    McNeil, Frey and Embrechts 2005, examples 2.14 and 2.18: 2.326348 and 2.665214 at 99 %.
    """
    z = NormalDist().inv_cdf(float(confidence))
    return Tail(z, NormalDist().pdf(z) / float(1 - confidence))


def parametric(sigma: float, confidence: Decimal) -> Tail:
    """Return the tail of a normal P&L with mean 0 and standard deviation ``sigma``."""
    assert sigma >= 0, sigma
    normal = normal_quantiles(confidence)
    return Tail(normal.value_at_risk * sigma, normal.shortfall * sigma)


def decay_of(half_life: float) -> float:
    """Return the weight of an interval relative to the one after it: RiskMetrics' lambda, 0.94 for 11.2 days."""
    assert half_life > 0, half_life
    return float(0.5 ** (1 / half_life))


def ewma_covariance(returns: Floats, half_life: float) -> Floats:
    """Return the covariance (m, m) of ``returns`` (m, n), oldest first, around a mean of 0, weights halving.

    RiskMetrics 1996, table 5.1, its weights made to sum to one. Every sum has one order on every machine, which a
    matrix product has not: an estimate is part of what a run's digest covers.
    """
    assert returns.ndim == 2, returns.shape
    count = returns.shape[1]
    if count == 0:
        raise ValueError("value at risk: no covariance without returns")
    weights = decay_of(half_life) ** np.arange(count - 1, -1, -1, dtype=np.float64)
    weighted = returns * (weights / weights.sum())
    covariance = np.empty((len(returns), len(returns)))
    for row, values in enumerate(returns):
        covariance[row] = (weighted * values).sum(axis=1)
    # The two halves may differ in their last bit
    return np.asarray((covariance + covariance.T) / 2)


def sigma_of(covariance: Floats, exposures: Floats) -> float:
    """Return the standard deviation of a portfolio: exposures (m,) in units, covariance (m, m) of returns."""
    variance = float((exposures * (covariance * exposures).sum(axis=1)).sum())
    return math.sqrt(max(0.0, variance))


def scenarios(covariance: Floats, paths: int, generator: np.random.Generator) -> Floats:
    """Return ``paths`` joint normal returns, shape (m, paths), of a covariance (m, m), singular or not."""
    factor = _factor(covariance)
    returns = np.zeros((len(covariance), paths))
    for column in factor.T:
        returns += np.outer(column, generator.standard_normal(paths))
    return returns


def monte_carlo(
    covariance: Floats, exposures: Floats, confidence: Decimal, paths: int, generator: np.random.Generator
) -> Tail:
    """Return the tail of simulated P&Ls of a portfolio: exposures (m,) in units, covariance (m, m) of returns.

    The error at 99 % is about 3.7 sigma / sqrt(paths): 1 % of VaR takes some 30,000 paths.
    """
    returns = scenarios(covariance, paths, generator)
    return historical((returns * exposures[:, None]).sum(axis=0), confidence)


def _tail(worst: Sequence[float], where: Rank) -> Tail:
    # ``worst`` is sorted, and ends with VaR itself
    assert len(worst) == where.whole + 1, (len(worst), where)
    last = worst[-1]
    if where.whole == 0:
        return Tail(-last, -last)
    return Tail(-last, -(math.fsum(worst[:-1]) + where.part * last) / (where.whole + where.part))


def _factor(covariance: Floats) -> Floats:
    # Cholesky, with a column of zeros where nothing is left to explain: two instruments that move as one, or none
    size = len(covariance)
    factor = np.zeros((size, size))
    for column in range(size):
        known = factor[column, :column]
        left = covariance[column, column] - float((known * known).sum())
        if left <= covariance[column, column] * 1e-12:
            continue
        below = covariance[column:, column] - (factor[column:, :column] * known).sum(axis=1)
        factor[column:, column] = below / math.sqrt(left)
    return factor
