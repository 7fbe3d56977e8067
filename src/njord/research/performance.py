"""Why a portfolio did better or worse than its benchmark: by segment, by factor, and for the risk it took.

Returns are simple, per period, as fractions. Conventions of annualisation are those of ``research.returns``.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from njord.research.returns import NAN, Floats, annual_return, annual_volatility, beta, cumulative_returns, sharpe

WEIGHT_ERROR_MAX = 1e-9
# Below this share of the largest, a singular value is rounding: a factor that others already are
RANK_SHARE_MIN = 1e-10


class Segment(msgspec.Struct, frozen=True):
    """One segment in one period: its weights at the beginning, its returns; NaN is a return nobody knows."""

    name: str
    portfolio_weight: float
    benchmark_weight: float
    portfolio_return: float
    benchmark_return: float


class Effect(msgspec.Struct, frozen=True):
    """What one segment added to the active return."""

    name: str
    allocation: float  # More or less of it than the benchmark
    selection: float  # Better or worse things in it
    interaction: float  # More of what was better

    @property
    def total(self) -> float:
        return self.allocation + self.selection + self.interaction


class Brinson(msgspec.Struct, frozen=True):
    """An active return and the effects that add up to it."""

    portfolio_return: float
    benchmark_return: float
    effects: tuple[Effect, ...]

    @property
    def active_return(self) -> float:
        return self.portfolio_return - self.benchmark_return


class FactorAttribution(msgspec.Struct, frozen=True):
    """A mean return, split: ``alpha`` + the contributions = ``mean_return``, per period. The residual has mean 0.

    ``t_values`` are of alpha, then of each factor; NaN where there is no residual or no degree of freedom left.
    """

    factors: tuple[str, ...]
    alpha: float
    betas: tuple[float, ...]
    contributions: tuple[float, ...]  # beta x mean return of the factor
    t_values: tuple[float, ...]
    mean_return: float
    r_squared: float
    residual_deviation: float  # Per period, with the degrees of freedom the fit has left
    residuals: tuple[float, ...]


def brinson(segments: Sequence[Segment]) -> Brinson:
    """Return the effects of one period by Brinson and Fachler 1985, "Measuring non-US equity portfolio performance".

    Allocation (wp - wb)(rb - R), selection wb (rp - rb), interaction (wp - wb)(rp - rb), R the benchmark's return. They
    sum to the active return. An unknown return of a segment without weight is taken from the other side, so that its
    effect is allocation alone. Raises ValueError where weights do not sum to 1, or a return that counts is unknown.
    """
    for side in ("portfolio", "benchmark"):
        total = math.fsum(getattr(each, f"{side}_weight") for each in segments)
        if not abs(total - 1) <= WEIGHT_ERROR_MAX:
            raise ValueError(f"attribution: {side} weights must sum to 1, was {total:.12g}")
    known = [_known(each) for each in segments]
    portfolio = math.fsum(each.portfolio_weight * each.portfolio_return for each in known)
    benchmark = math.fsum(each.benchmark_weight * each.benchmark_return for each in known)
    effects = []
    for each in known:
        over, better = each.portfolio_weight - each.benchmark_weight, each.portfolio_return - each.benchmark_return
        effects.append(
            Effect(each.name, over * (each.benchmark_return - benchmark), each.benchmark_weight * better, over * better)
        )
    return Brinson(portfolio, benchmark, tuple(effects))


def linked(periods: Sequence[Brinson]) -> Brinson:
    """Return the effects of several periods, which sum to the compounded active return; segments in order of meeting.

    Carino 1999, "Combining attribution effects over time": a period's effects count k(t) / k, where k is
    (ln(1 + R) - ln(1 + B)) / (R - B) of the whole and k(t) that of the period. Raises ValueError without periods, or
    where all was lost.
    """
    if not periods:
        raise ValueError("attribution: no periods")
    portfolio = math.prod(1 + each.portfolio_return for each in periods) - 1
    benchmark = math.prod(1 + each.benchmark_return for each in periods) - 1
    whole = _log_weight(portfolio, benchmark)
    sums: dict[str, list[float]] = {}
    for period in periods:
        weight = _log_weight(period.portfolio_return, period.benchmark_return) / whole
        for effect in period.effects:
            found = sums.setdefault(effect.name, [0.0, 0.0, 0.0])
            for position, part in enumerate((effect.allocation, effect.selection, effect.interaction)):
                found[position] += weight * part
    return Brinson(portfolio, benchmark, tuple(Effect(name, *parts) for name, parts in sums.items()))


def factor_attribution(returns: Floats, factors: Floats, names: Sequence[str]) -> FactorAttribution:
    """Return the least-squares split of ``returns`` (n,) by ``factors`` (n, k), both over the risk-free rate if any.

    Periods with a NaN are left out. Raises ValueError where fewer than k + 1 are left, or a factor is a sum of others.
    """
    if factors.ndim != 2 or factors.shape != (len(returns), len(names)):
        raise ValueError(f"factors: must be {len(returns)} periods of {len(names)} factors, was {factors.shape}")
    there = ~(np.isnan(returns) | np.isnan(factors).any(axis=1))
    ours, theirs = returns[there], factors[there]
    count, width = len(ours), len(names) + 1
    if count < width:
        raise ValueError(f"factors: {len(names)} factors need {width} periods or more, were {count}")
    design = np.column_stack([np.ones(count), theirs])
    solution, _, rank, _ = np.linalg.lstsq(design, ours, rcond=RANK_SHARE_MIN)
    if rank < width:
        raise ValueError(f"factors: one of {', '.join(names)} is constant, or a sum of others")
    residuals = ours - design @ solution
    left, spread = float(residuals @ residuals), float(((ours - ours.mean()) ** 2).sum())
    freedom = count - width
    variance = left / freedom if freedom else NAN
    errors = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
    t_values = [float(value / error) if error > 0 else NAN for value, error in zip(solution, errors, strict=True)]
    alpha, betas = float(solution[0]), solution[1:]
    return FactorAttribution(
        tuple(names), alpha, tuple(betas.tolist()), tuple((betas * theirs.mean(axis=0)).tolist()), tuple(t_values),
        float(ours.mean()), 1 - left / spread if spread > 0 else NAN, math.sqrt(variance), tuple(residuals.tolist()),
    )  # fmt: skip


def tracking_error(returns: Floats, benchmark: Floats, periods_per_year: float = 252) -> float:
    """Return the standard deviation (ddof 1) of active returns x sqrt(periods per year)."""
    return annual_volatility(returns - benchmark, periods_per_year)


def treynor(returns: Floats, benchmark: Floats, periods_per_year: float = 252, risk_free: float = 0.0) -> float:
    """Return mean return over ``risk_free`` x periods per year / beta (Treynor 1965); NaN without a beta."""
    slope = beta(returns, benchmark, risk_free)
    mean = float(np.nanmean(returns)) - risk_free if len(returns) else NAN
    return mean * periods_per_year / slope if slope else NAN


def modigliani(returns: Floats, benchmark: Floats, periods_per_year: float = 252, risk_free: float = 0.0) -> float:
    """Return the annual return at the benchmark's volatility, M2: risk-free + Sharpe x benchmark volatility.

    Modigliani and Modigliani 1997, "Risk-adjusted performance".
    """
    ratio = sharpe(returns, periods_per_year, risk_free)
    return risk_free * periods_per_year + ratio * annual_volatility(benchmark, periods_per_year)


def ulcer_index(returns: Floats) -> float:
    """Return the root mean square of the drawdown at the end of each period (Martin 1987); a fraction >= 0."""
    if len(returns) == 0:
        return NAN
    wealth = cumulative_returns(returns, 1.0)
    peaks = np.maximum(1.0, np.maximum.accumulate(wealth))
    return float(np.sqrt(np.mean((wealth / peaks - 1.0) ** 2)))


def martin_ratio(returns: Floats, periods_per_year: float = 252) -> float:
    """Return annual return / ulcer index; NaN without a drawdown."""
    ulcer = ulcer_index(returns)
    return annual_return(returns, periods_per_year) / ulcer if ulcer > 0 else NAN


def _known(segment: Segment) -> Segment:
    ours, theirs = segment.portfolio_return, segment.benchmark_return
    if math.isnan(ours) and segment.portfolio_weight == 0:
        ours = theirs
    if math.isnan(theirs) and segment.benchmark_weight == 0:
        theirs = ours
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        raise ValueError(f"attribution: segment {segment.name}: needs a return where it has weight")
    return msgspec.structs.replace(segment, portfolio_return=ours, benchmark_return=theirs)


def _log_weight(portfolio: float, benchmark: float) -> float:
    if portfolio <= -1 or benchmark <= -1:
        raise ValueError("attribution: what lost all of it has no logarithm, and cannot be linked")
    ratio = (portfolio - benchmark) / (1 + benchmark)
    # log1p(x) / x, which is 1 where they are equal
    return (math.log1p(ratio) / ratio if ratio else 1.0) / (1 + benchmark)
