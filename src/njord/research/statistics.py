"""Statistics of a run: an equity curve and its round trips as one flat dictionary of numbers, ready for JSON."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from njord.research import returns as series
from njord.research.returns import Floats, Integers
from njord.research.trades import NANOSECONDS_PER_YEAR, RoundTrip, exposure, notional_of, trade_statistics, turnover

__all__ = ["RoundTrip", "monthly_returns", "returns_of", "summary", "trade_statistics"]

DAY_NS = 86_400_000_000_000
# Shorter curves say nothing about days
DAYS_MIN = 3


def summary(
    equity_time_ns: Integers,
    equity: Floats,
    trades: Sequence[RoundTrip] = (),
    *,
    benchmark: Floats | None = None,
    periods_per_year: float | None = None,
    fees: float | None = None,
    traded_notional: float | None = None,
) -> dict[str, float | int | None]:
    """Return every figure of a run. What is undefined is None, never NaN or infinity: the result is valid JSON.

    ``equity_time_ns`` rises. Returns are daily (UTC) when the curve spans three days or more, annualised by 365 (days
    without a sample count, with no return) or, for venues that close, by ``periods_per_year`` (252; only days with a
    sample count). A shorter curve is taken sample by sample and annualised by its own time. Drawdown is that of every
    sample, ``max_drawdown`` a fraction <= 0. CAGR is by calendar time. ``benchmark`` has a value for each sample.
    ``traded_notional`` is needed for ``turnover`` where multipliers are not 1. Equity that touched 0 has no CAGR and no
    ratios.
    """
    time_ns = np.asarray(equity_time_ns, dtype=np.int64)
    curve = np.asarray(equity, dtype=np.float64)
    assert len(time_ns) == len(curve), (len(time_ns), len(curve))
    # What overflows or is divided by nothing ends as None
    with np.errstate(all="ignore"):
        return _summary(time_ns, curve, trades, benchmark, periods_per_year, fees, traded_notional)


def returns_of(
    time_ns: Integers, equity: Floats, periods_per_year: float | None = None
) -> tuple[Integers, Floats, float]:
    """Return times, simple returns and periods per year of an equity curve, by ``summary``'s convention.

    The first return is that of the first day, from the curve's first sample, unless that day has no other sample.
    """
    if len(equity) < 2 or time_ns[-1] <= time_ns[0] or not (equity > 0).all():
        return np.empty(0, dtype=np.int64), np.empty(0), periods_per_year or 365.0
    if time_ns[-1] - time_ns[0] < DAYS_MIN * DAY_NS:
        per_year = (len(equity) - 1) * NANOSECONDS_PER_YEAR / float(time_ns[-1] - time_ns[0])
        return time_ns[1:], equity[1:] / equity[:-1] - 1.0, per_year
    days = time_ns // DAY_NS
    lasts = np.flatnonzero(np.append(np.diff(days) > 0, True))
    if periods_per_year is None:
        # The market was open on days without a sample, and nothing happened to us
        every_day = np.arange(days[0], days[-1] + 1)
        lasts = lasts[np.searchsorted(days[lasts], every_day, side="right") - 1]
        day_ns = every_day * DAY_NS
    else:
        day_ns = days[lasts] * DAY_NS
    levels = np.concatenate([equity[:1], equity[lasts]])
    returns = levels[1:] / levels[:-1] - 1.0
    first = 1 if lasts[0] == 0 else 0
    return day_ns[first:], returns[first:], periods_per_year or 365.0


def monthly_returns(time_ns: Integers, equity: Floats) -> dict[tuple[int, ...], float]:
    """Return the return of each UTC month by (year, month), for a curve that stayed above 0; else nothing."""
    days_ns, returns, _ = returns_of(time_ns, equity)
    return series.aggregate_returns(days_ns, returns, "monthly")


def _summary(
    time_ns: Integers,
    curve: Floats,
    trades: Sequence[RoundTrip],
    benchmark: Floats | None,
    periods_per_year: float | None,
    fees: float | None,
    traded_notional: float | None,
) -> dict[str, float | int | None]:
    result = trade_statistics(trades)
    result |= _money(time_ns, curve, trades, fees, traded_notional)
    alive = len(curve) > 1 and bool((curve > 0).all())
    returns_time_ns, returns, per_year = returns_of(time_ns, curve, periods_per_year)
    if not alive or len(returns) == 0:
        returns = np.empty(0)
        returns_time_ns = np.empty(0, dtype=np.int64)
    result |= _ratios(returns, per_year)
    result |= _months(returns_time_ns, returns)
    result |= _against(time_ns, benchmark if alive else None, returns, periods_per_year)
    return {name: _valid(value) for name, value in result.items()}


def _money(
    time_ns: Integers, equity: Floats, trades: Sequence[RoundTrip], fees: float | None, traded_notional: float | None
) -> dict[str, float | int | None]:
    count = len(equity)
    years = float(time_ns[-1] - time_ns[0]) / NANOSECONDS_PER_YEAR if count else 0.0
    start, end = (float(equity[0]), float(equity[-1])) if count else (0.0, 0.0)
    mean = float(equity.mean()) if count else 0.0
    fall = series.drawdown(time_ns, equity)
    notional = notional_of(trades) if traded_notional is None else traded_notional
    return {
        "start_equity": start if count else None,
        "final_equity": end if count else None,
        "lowest_equity": float(equity.min()) if count else None,
        "net_pnl": end - start if count else None,
        "fees": sum(trade.fees for trade in trades) if fees is None else fees,
        "years": years,
        "samples": count,
        "total_return": end / start - 1.0 if start > 0 else None,
        "cagr": _cagr(equity, years),
        "max_drawdown": fall.depth if fall else None,
        "max_drawdown_peak_ns": fall.peak_ns if fall else None,
        "max_drawdown_trough_ns": fall.trough_ns if fall else None,
        "max_drawdown_recovery_ns": fall.recovery_ns if fall else None,
        "max_drawdown_days": fall.duration_ns / DAY_NS if fall else None,
        "exposure": exposure(trades, int(time_ns[0]), int(time_ns[-1])) if count else None,
        "turnover": turnover(notional, mean, years),
    }


def _cagr(equity: Floats, years: float) -> float | None:
    if len(equity) < 2 or years <= 0 or not (equity > 0).all():
        return None
    exponent = float(np.log(equity[-1]) - np.log(equity[0])) / years
    return float(np.expm1(exponent)) if exponent < 700 else None


def _ratios(returns: Floats, per_year: float) -> dict[str, float | int | None]:
    annual = series.annual_return(returns, per_year)
    return {
        "periods_per_year": per_year,
        "returns": len(returns),
        "annual_return": annual,
        "annual_volatility": series.annual_volatility(returns, per_year),
        "sharpe": series.sharpe(returns, per_year),
        "sortino": series.sortino(returns, per_year),
        "calmar": series.calmar(returns, per_year),
        "omega": series.omega(returns, per_year),
        "tail_ratio": series.tail_ratio(returns),
        "stability": series.stability(returns),
        "downside_risk": series.downside_risk(returns, per_year),
        "value_at_risk_95": series.value_at_risk(returns),
        "conditional_value_at_risk_95": series.conditional_value_at_risk(returns),
        "skew": series.skew(returns),
        "kurtosis": series.kurtosis(returns),
        "best_return": float(returns.max()) if len(returns) else None,
        "worst_return": float(returns.min()) if len(returns) else None,
    }


def _months(time_ns: Integers, returns: Floats) -> dict[str, float | int | None]:
    months = list(series.aggregate_returns(time_ns, returns, "monthly").values())
    return {
        "months": len(months),
        "losing_months": sum(1 for one in months if one < 0),
        "best_month": max(months, default=None),
        "worst_month": min(months, default=None),
    }


def _against(
    time_ns: Integers, benchmark: Floats | None, returns: Floats, periods_per_year: float | None
) -> dict[str, float | int | None]:
    names = ("benchmark_return", "alpha", "beta", "up_capture", "down_capture", "information_ratio")
    if benchmark is None or len(benchmark) != len(time_ns):
        return dict.fromkeys(names)
    _, theirs, per_year = returns_of(time_ns, benchmark, periods_per_year)
    if len(theirs) != len(returns) or len(theirs) == 0:
        return dict.fromkeys(names)
    alpha, beta = series.alpha_beta(returns, theirs, per_year)
    return {
        "benchmark_return": series.total_return(theirs),
        "alpha": alpha,
        "beta": beta,
        "up_capture": series.up_capture(returns, theirs, per_year),
        "down_capture": series.down_capture(returns, theirs, per_year),
        "information_ratio": series.information_ratio(returns, theirs),
    }


def _valid(value: float | None) -> float | int | None:
    if value is None or isinstance(value, int):
        return value
    return float(value) if isfinite(value) else None
