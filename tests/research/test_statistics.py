"""The summary of a run: right by hand, and valid JSON for every curve there can be."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.research import trades as trips
from njord.research.statistics import RoundTrip, monthly_returns, returns_of, summary, trade_statistics

DAY_NS = 86_400_000_000_000
HOUR_NS = DAY_NS // 24
START_NS = 1_577_836_800_000_000_000  # 2020-01-01


def _trip(pnl: float, entry: int = 0, exit_: int = 1, fees: float = 1.0) -> RoundTrip:
    return RoundTrip("BTC/USD.KRAKEN", START_NS + entry, START_NS + exit_, "long", 2.0, 100.0, 100 + pnl, pnl, fees)


def _daily(values: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return START_NS + np.arange(len(values), dtype=np.int64) * DAY_NS, np.array(values)


def test_daily_returns_are_those_of_the_last_sample_of_each_day() -> None:
    hours = np.arange(96, dtype=np.int64) * HOUR_NS + START_NS
    equity = 1000.0 + np.arange(96)

    days, returns, per_year = returns_of(hours, equity)

    assert per_year == 365
    assert days.tolist() == [START_NS + i * DAY_NS for i in range(4)]
    # From the first sample, 1000, over the closes 1023, 1047, 1071, 1095
    assert returns == pytest.approx([23 / 1000, 24 / 1023, 24 / 1047, 24 / 1071])


def test_days_without_a_sample_count_where_the_market_never_closes() -> None:
    time_ns = START_NS + np.array([0, 1, 4, 5], dtype=np.int64) * DAY_NS
    equity = np.array([100.0, 110.0, 110.0, 121.0])

    _, always, _ = returns_of(time_ns, equity)
    _, trading, per_year = returns_of(time_ns, equity, 252)

    assert always == pytest.approx([0.1, 0, 0, 0, 0.1])
    assert trading == pytest.approx([0.1, 0, 0.1])
    assert per_year == 252


def test_a_short_run_is_taken_sample_by_sample() -> None:
    minutes = START_NS + np.arange(61, dtype=np.int64) * 60 * 10**9

    _, returns, per_year = returns_of(minutes, np.linspace(100, 101, 61))

    assert len(returns) == 60
    assert per_year == pytest.approx(60 * 24 * 365.25)


def test_a_summary_by_hand() -> None:
    time_ns, equity = _daily([1000.0, 1100.0, 880.0, 1100.0, 1210.0])
    trades = [_trip(100, 0, DAY_NS), _trip(-220, DAY_NS, 2 * DAY_NS), _trip(330, 3 * DAY_NS, 4 * DAY_NS)]

    stats = summary(time_ns, equity, trades, fees=7.5)

    assert stats["total_return"] == pytest.approx(0.21)
    assert stats["net_pnl"] == 210
    assert stats["fees"] == 7.5
    assert stats["max_drawdown"] == pytest.approx(-0.2)
    assert stats["max_drawdown_trough_ns"] == START_NS + 2 * DAY_NS
    assert stats["max_drawdown_recovery_ns"] == START_NS + 3 * DAY_NS
    assert stats["max_drawdown_days"] == 2
    # +10 %, -20 %, +25 %, +10 %: mean 6.25 %, ddof 1
    deviation = math.sqrt(sum((one - 0.0625) ** 2 for one in (0.1, -0.2, 0.25, 0.1)) / 3)
    assert stats["sharpe"] == pytest.approx(0.0625 / deviation * math.sqrt(365))
    assert stats["cagr"] == pytest.approx(1.21 ** (365.25 / 4) - 1)
    assert stats["exposure"] == pytest.approx(0.75)
    assert stats["turnover"] == pytest.approx(2 * (300 + 220 + 530) / 1058 / (4 / 365.25))


def test_trade_statistics_by_hand() -> None:
    stats = trade_statistics([_trip(100), _trip(-50), _trip(-30), _trip(0), _trip(-20), _trip(200)])

    assert (stats["trades"], stats["wins"], stats["losses"]) == (6, 2, 3)
    assert stats["win_rate"] == pytest.approx(1 / 3)
    assert stats["average_win"] == 150
    assert stats["average_loss"] == pytest.approx(-100 / 3)
    assert stats["payoff"] == pytest.approx(4.5)
    assert stats["profit_factor"] == 3
    assert stats["expectancy"] == pytest.approx(200 / 6)
    assert stats["longest_losing_streak"] == 2
    assert stats["longest_winning_streak"] == 1
    assert stats["best_trade_share"] == 1
    pnl = np.array([100, -50, -30, 0, -20, 200])
    assert stats["sqn"] == pytest.approx(math.sqrt(6) * pnl.mean() / pnl.std(ddof=1))


def test_no_trades_have_no_ratios() -> None:
    stats = trade_statistics([])

    assert stats["trades"] == 0
    assert stats["win_rate"] is stats["profit_factor"] is stats["sqn"] is stats["expectancy"] is None


def test_overlapping_trades_expose_once() -> None:
    trades = [_trip(1, 0, 50), _trip(1, 20, 40), _trip(1, 30, 60), _trip(1, 80, 200)]

    assert trips.exposure(trades, START_NS, START_NS + 100) == pytest.approx(0.8)
    assert trips.exposure(trades, START_NS, START_NS) is None


def test_capacity_follows_its_formula() -> None:
    fills = np.full(100, 500.0)
    bars = np.array([1e6, 2e6, 3e6])

    assert trips.capacity(10_000.0, fills, bars) == pytest.approx(10_000 * 0.01 * 2e6 / 500)
    assert trips.capacity(10_000.0, fills[:0], bars) is None


def test_a_benchmark_gives_alpha_and_beta() -> None:
    rng = np.random.default_rng(3)
    moves = rng.normal(0.001, 0.01, 200)
    time_ns, equity = _daily((100 * np.cumprod(1 + 2 * moves)).tolist())
    _, benchmark = _daily((50 * np.cumprod(1 + moves)).tolist())

    stats = summary(time_ns, equity, benchmark=benchmark)

    assert stats["beta"] == pytest.approx(2)
    assert stats["alpha"] == pytest.approx(0, abs=1e-9)
    assert stats["benchmark_return"] == pytest.approx(benchmark[-1] / benchmark[0] - 1)
    assert summary(time_ns, equity, benchmark=benchmark[:-1])["beta"] is None


def test_months_are_counted_in_utc() -> None:
    time_ns, equity = _daily([100.0] * 31 + [90.0] * 29 + [99.0] * 31)

    stats = summary(time_ns, equity)

    assert monthly_returns(time_ns, equity) == pytest.approx({(2020, 1): 0, (2020, 2): -0.1, (2020, 3): 0.1})
    assert (stats["months"], stats["losing_months"]) == (3, 1)


CURVES: dict[str, list[float]] = {
    "empty": [],
    "one point": [1000.0],
    "two": [1000.0, 1001.0],
    "flat": [1000.0] * 10,
    "zero": [0.0] * 10,
    "to zero": [1000.0, 500.0, 0.0, 0.0, 0.0],
    "through zero": [1000.0, -500.0, 200.0, 300.0, 400.0],
    "negative": [-1.0, -2.0, -3.0, -4.0, -5.0],
    "huge": [1e-300, 1e300, 1e300, 1e300, 1e300],
    "only up": [100.0, 101.0, 102.0, 103.0, 104.0],
}


@pytest.mark.parametrize("values", CURVES.values(), ids=CURVES)
@pytest.mark.parametrize("step_ns", [DAY_NS, HOUR_NS, 1])
def test_every_curve_gives_valid_json_without_a_warning(values: list[float], step_ns: int) -> None:
    time_ns = START_NS + np.arange(len(values), dtype=np.int64) * step_ns

    stats = summary(time_ns, np.array(values), benchmark=np.array(values))

    assert json.loads(json.dumps(stats, allow_nan=False)) == stats


@given(values=st.lists(st.floats(-1e9, 1e9), max_size=30), step_ns=st.sampled_from([DAY_NS, HOUR_NS, 7]))
def test_any_curve_gives_valid_json(values: list[float], step_ns: int) -> None:
    time_ns = START_NS + np.arange(len(values), dtype=np.int64) * step_ns

    json.dumps(summary(time_ns, np.array(values, dtype=float)), allow_nan=False)


def test_keys_are_the_same_for_every_curve() -> None:
    empty: dict[str, Any] = summary(np.empty(0, dtype=np.int64), np.empty(0))

    assert summary(*_daily([100.0, 101.0, 99.0, 104.0]), [_trip(3)]).keys() == empty.keys()
    assert {"total_return", "sharpe", "sortino", "max_drawdown", "final_equity", "net_pnl", "fees"} <= empty.keys()


def test_lost_accounts_have_no_growth_rate() -> None:
    stats = summary(*_daily([1000.0, 500.0, -10.0, 50.0, 60.0]))

    assert stats["cagr"] is stats["sharpe"] is stats["annual_return"] is None
    assert stats["lowest_equity"] == -10
    assert stats["max_drawdown"] == pytest.approx(-1.01)
