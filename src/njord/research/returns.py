"""Figures of a return series: numpy only, conventions stated, equal to empyrical's known answers.

Returns are simple, per period, as fractions (0.01 is 1 %); NaN marks a period without one. Functions return NaN where
a figure is undefined, and an infinity where a ratio has no risk under it. ``periods_per_year`` annualises: 252 trading
days, 365 where the market never closes, 52, 12, 4. The risk-free rate is 0 unless given, per period.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

Result = TypeVar("Result")

NAN = float("nan")
# Deviations below this share of the largest return are rounding, not risk
RISK_MIN = 1e-15


class Drawdown(msgspec.Struct, frozen=True, gc=False):
    """The deepest fall from a peak. ``depth`` is a fraction <= 0; times are None where it did not happen (yet).

    ``duration_ns`` runs from the peak to the recovery, or to the last sample while there is none.
    """

    depth: float
    peak_ns: int | None
    trough_ns: int | None
    recovery_ns: int | None
    duration_ns: int


def cumulative_returns(returns: Floats, start: float = 0.0) -> Floats:
    """Return compounded returns so far; with ``start`` > 0 the value that amount has grown to. NaN counts as 0."""
    growth = np.cumprod(1.0 + np.nan_to_num(returns, nan=0.0), dtype=np.float64)
    return growth - 1.0 if start == 0.0 else growth * start


def total_return(returns: Floats, start: float = 0.0) -> float:
    """Return the compounded return of the whole series, or what ``start`` has grown to."""
    return float(cumulative_returns(returns, start)[-1]) if len(returns) else NAN


def annual_return(returns: Floats, periods_per_year: float = 252) -> float:
    """Return the compound annual growth rate: (1 + total) ^ (periods per year / periods) - 1. -1 when all is lost."""
    if len(returns) == 0:
        return NAN
    growth = 1.0 + total_return(returns)
    if growth <= 0:
        return -1.0
    exponent = np.log(growth) * periods_per_year / len(returns)
    return float(np.expm1(exponent)) if exponent < 700 else float("inf")


def annual_volatility(returns: Floats, periods_per_year: float = 252) -> float:
    """Return the standard deviation (ddof 1) x sqrt(periods per year)."""
    return _deviation(returns) * float(np.sqrt(periods_per_year))


def sharpe(returns: Floats, periods_per_year: float = 252, risk_free: Floats | float = 0.0) -> float:
    """Return mean / standard deviation (ddof 1) of returns over ``risk_free``, x sqrt(periods per year)."""
    excess = returns - risk_free
    if len(returns) < 2:
        return NAN
    return _ratio(_mean(excess), _deviation(excess)) * float(np.sqrt(periods_per_year))


def downside_risk(returns: Floats, periods_per_year: float = 252, required: Floats | float = 0.0) -> float:
    """Return the root mean square of what fell short of ``required``, over all periods, x sqrt(periods per year)."""
    shortfall = np.minimum(returns - required, 0.0)
    return float(np.sqrt(_mean(shortfall * shortfall)) * np.sqrt(periods_per_year))


def sortino(returns: Floats, periods_per_year: float = 252, required: Floats | float = 0.0) -> float:
    """Return mean return over ``required`` x periods per year / downside risk."""
    if len(returns) < 2:
        return NAN
    return _ratio(_mean(returns - required) * periods_per_year, downside_risk(returns, periods_per_year, required))


def max_drawdown(returns: Floats) -> float:
    """Return the deepest fall of the compounded series below its peak so far, the start included; a fraction <= 0."""
    if len(returns) == 0:
        return NAN
    wealth = np.concatenate([[1.0], cumulative_returns(returns, 1.0)])
    return float(np.min(wealth / np.maximum.accumulate(wealth) - 1.0))


def drawdown(time_ns: Integers, equity: Floats) -> Drawdown | None:
    """Return the deepest fall of an equity curve with its times, or None without a positive peak."""
    if len(equity) == 0 or equity[0] <= 0:
        return None
    peaks = np.maximum.accumulate(equity)
    depths = equity / peaks - 1.0
    trough = int(np.argmin(depths))
    depth = float(depths[trough])
    if depth >= 0.0:
        return Drawdown(0.0, None, None, None, 0)
    peak = int(np.flatnonzero(equity[: trough + 1] == peaks[trough])[-1])
    back = np.flatnonzero(equity[trough:] >= peaks[trough])
    recovery_ns = int(time_ns[trough + back[0]]) if len(back) else None
    end_ns = int(time_ns[-1]) if recovery_ns is None else recovery_ns
    return Drawdown(depth, int(time_ns[peak]), int(time_ns[trough]), recovery_ns, end_ns - int(time_ns[peak]))


def calmar(returns: Floats, periods_per_year: float = 252) -> float:
    """Return annual return / depth of the maximum drawdown; NaN without a drawdown."""
    depth = max_drawdown(returns)
    return annual_return(returns, periods_per_year) / -depth if depth < 0 else NAN


def omega(
    returns: Floats, periods_per_year: float = 252, risk_free: Floats | float = 0.0, required_annual: float = 0.0
) -> float:
    """Return gains / losses around a threshold: ``risk_free`` per period and ``required_annual`` a year together."""
    if len(returns) < 2 or required_annual <= -1:
        return NAN
    required = (1.0 + required_annual) ** (1.0 / periods_per_year) - 1.0
    excess = returns - risk_free - required
    losses = -float(excess[excess < 0].sum())
    return float(excess[excess > 0].sum()) / losses if losses > 0 else NAN


def tail_ratio(returns: Floats) -> float:
    """Return |95th percentile| / |5th percentile| of returns."""
    known = returns[~np.isnan(returns)]
    if len(known) == 0:
        return NAN
    return _ratio(abs(float(np.percentile(known, 95))), abs(float(np.percentile(known, 5))))


def stability(returns: Floats) -> float:
    """Return R squared of a straight line through the cumulative log returns, 0..1."""
    known = returns[~np.isnan(returns)]
    if len(known) < 2 or (known <= -1).any():
        return NAN
    growth = np.cumsum(np.log1p(known))
    if np.ptp(growth) == 0.0:
        return NAN
    return float(np.corrcoef(np.arange(len(growth)), growth)[0, 1] ** 2)


def value_at_risk(returns: Floats, cutoff: float = 0.05) -> float:
    """Return the historical value at risk: the ``cutoff`` quantile of returns, linearly interpolated; a loss is < 0."""
    known = returns[~np.isnan(returns)]
    return float(np.percentile(known, 100 * cutoff)) if len(known) else NAN


def conditional_value_at_risk(returns: Floats, cutoff: float = 0.05) -> float:
    """Return the mean of the worst floor((n - 1) x cutoff) + 1 returns: what a bad period costs on average."""
    known = np.sort(returns[~np.isnan(returns)])
    return float(known[: int((len(known) - 1) * cutoff) + 1].mean()) if len(known) else NAN


def skew(returns: Floats) -> float:
    """Return the skewness: third central moment / second ^ 1.5 (population moments)."""
    return _moment_ratio(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Return the excess kurtosis: fourth central moment / second ^ 2, less 3 (population moments)."""
    return _moment_ratio(returns, 4) - 3.0


def information_ratio(returns: Floats, benchmark: Floats | float) -> float:
    """Return mean / standard deviation (ddof 1) of returns over the benchmark, per period, not annualised."""
    if len(returns) < 2:
        return NAN
    active = returns - benchmark
    return _ratio(_mean(active), _deviation(active))


def beta(returns: Floats, benchmark: Floats, risk_free: float = 0.0) -> float:
    """Return covariance with the benchmark / its variance, over periods known in both."""
    both = _paired(returns, benchmark)
    if both is None:
        return NAN
    ours, theirs = both[0] - risk_free, both[1] - risk_free
    offset = theirs - theirs.mean()
    variance = float((offset * offset).mean())
    return float((offset * ours).mean()) / variance if variance > 1e-30 else NAN


def alpha_beta(
    returns: Floats, benchmark: Floats, periods_per_year: float = 252, risk_free: float = 0.0
) -> tuple[float, float]:
    """Return alpha a year, (1 + mean(excess - beta x benchmark excess)) ^ periods per year - 1, and beta."""
    slope = beta(returns, benchmark, risk_free)
    both = _paired(returns, benchmark)
    if both is None or np.isnan(slope):
        return NAN, slope
    left = _mean(both[0] - risk_free - slope * (both[1] - risk_free))
    return float((1.0 + left) ** periods_per_year - 1.0), slope


def up_alpha_beta(returns: Floats, benchmark: Floats, periods_per_year: float = 252) -> tuple[float, float]:
    """Return alpha and beta over the periods in which the benchmark rose."""
    return alpha_beta(*_part(returns, benchmark, benchmark > 0), periods_per_year)


def down_alpha_beta(returns: Floats, benchmark: Floats, periods_per_year: float = 252) -> tuple[float, float]:
    """Return alpha and beta over the periods in which the benchmark fell."""
    return alpha_beta(*_part(returns, benchmark, benchmark < 0), periods_per_year)


def capture(returns: Floats, benchmark: Floats, periods_per_year: float = 252) -> float:
    """Return annual return / annual return of the benchmark."""
    return _ratio(annual_return(returns, periods_per_year), annual_return(benchmark, periods_per_year))


def up_capture(returns: Floats, benchmark: Floats, periods_per_year: float = 252) -> float:
    """Return the capture over the periods in which the benchmark rose."""
    return capture(*_part(returns, benchmark, benchmark > 0), periods_per_year)


def down_capture(returns: Floats, benchmark: Floats, periods_per_year: float = 252) -> float:
    """Return the capture over the periods in which the benchmark fell."""
    return capture(*_part(returns, benchmark, benchmark < 0), periods_per_year)


def up_down_capture(returns: Floats, benchmark: Floats, periods_per_year: float = 252) -> float:
    """Return up capture / down capture."""
    return _ratio(up_capture(returns, benchmark, periods_per_year), down_capture(returns, benchmark, periods_per_year))


def rolling(function: Callable[..., Result], window: int, *series: Floats) -> list[Result]:
    """Return ``function`` of each run of ``window`` periods of the series, oldest first."""
    return [function(*(one[end - window : end] for one in series)) for end in range(window, len(series[0]) + 1)]


def aggregate_returns(time_ns: Integers, returns: Floats, period: str) -> dict[tuple[int, ...], float]:
    """Return compounded returns by UTC calendar ``period``: weekly (ISO), monthly, quarterly or yearly.

    Keys are (year, week), (year, month), (year, quarter) or (year,). Raises ValueError for another period.
    """
    growth: dict[tuple[int, ...], float] = {}
    for key, one in zip(_calendar_keys(time_ns, period), np.nan_to_num(returns, nan=0.0).tolist(), strict=True):
        growth[key] = growth.get(key, 1.0) * (1.0 + one)
    return {key: value - 1.0 for key, value in growth.items()}


def _calendar_keys(time_ns: Integers, period: str) -> list[tuple[int, ...]]:
    days = np.asarray(time_ns, dtype=np.int64).astype("datetime64[ns]").astype("datetime64[D]")
    if period == "weekly":
        iso = [day.isocalendar() for day in days.tolist()]
        return [(one.year, one.week) for one in iso]
    months = days.astype("datetime64[M]").astype(np.int64)
    years, month = (1970 + months // 12).tolist(), (months % 12).tolist()
    if period == "monthly":
        return [(year, at + 1) for year, at in zip(years, month, strict=True)]
    if period == "quarterly":
        return [(year, at // 3 + 1) for year, at in zip(years, month, strict=True)]
    if period == "yearly":
        return [(year,) for year in years]
    raise ValueError(f"period must be weekly, monthly, quarterly or yearly, was {period!r}")


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NAN


def _deviation(values: Floats) -> float:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return NAN
    # Equal returns have no risk; their computed deviation would be rounding, and a ratio over it noise
    return float(np.std(known, ddof=1)) if np.ptp(known) > RISK_MIN * np.abs(known).max() else 0.0


def _ratio(above: float, below: float) -> float:
    if below != 0.0:
        return above / below
    return NAN if above == 0.0 or np.isnan(above) else float(np.copysign(np.inf, above))


def _moment_ratio(values: Floats, order: int) -> float:
    known = values[~np.isnan(values)]
    if len(known) < 2 or np.ptp(known) <= RISK_MIN * np.abs(known).max():
        return NAN
    offset = known - known.mean()
    return float((offset**order).mean() / (offset * offset).mean() ** (order / 2))


def _paired(returns: Floats, benchmark: Floats) -> tuple[Floats, Floats] | None:
    if len(returns) != len(benchmark):
        return None
    known = ~(np.isnan(returns) | np.isnan(benchmark))
    return (returns[known], benchmark[known]) if int(known.sum()) >= 2 else None


def _part(returns: Floats, benchmark: Floats, chosen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    if len(returns) != len(benchmark):
        return np.empty(0), np.empty(0)
    return returns[chosen], benchmark[chosen]
