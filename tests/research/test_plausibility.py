"""Results too good or too thin to be true are doubted in words; honest ones are not."""

from typing import Any

import numpy as np
import pytest

from njord.research.plausibility import Context, doubts
from njord.research.statistics import RoundTrip, summary

HONEST: dict[str, Any] = {
    "lowest_equity": 9_000.0,
    "cagr": 0.14,
    "years": 3.0,
    "sharpe": 1.1,
    "trades": 240,
    "wins": 120,
    "losses": 120,
    "win_rate": 0.5,
    "profit_factor": 1.4,
    "max_drawdown": -0.18,
    "months": 36,
    "losing_months": 14,
    "best_trade_share": 0.1,
    "expectancy": 20.0,
    "average_trade_fees": 3.0,
}


def test_an_honest_result_is_not_doubted() -> None:
    context = Context(fills=480, fees=700.0, latency_ns=5_000_000, hole_share=0.001, volume_share_max=0.02)

    assert doubts(HONEST, context) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sharpe": 5.1}, "Sharpe 5.1 is above 5"),
        ({"cagr": 10.5}, "A growth of 1,050 % a year over 3.0 years is no forecast: look for an error"),
        ({"cagr": 99.0, "years": 0.02}, "A growth of 9,900 % a year over 7 days is no forecast: a short run"),
        ({"win_rate": 0.99}, "99.0% of 240 trades won"),
        ({"max_drawdown": -0.0005}, "a maximum drawdown of 0.050%"),
        ({"losing_months": 0}, "No losing month in 36"),
        ({"trades": 29}, "Only 29 trades were closed"),
        ({"trades": 1}, "Only 1 trade was closed"),
        ({"trades": 0}, "No trades were closed"),
        ({"years": 0.5}, "Only 183 days of data"),
        ({"best_trade_share": 0.6}, "One trade made 60% of the profit"),
        ({"profit_factor": 12.0}, "Profit factor 12.0 is above 10"),
        ({"profit_factor": None, "losses": 0}, "Not one of 240 trades lost"),
        ({"expectancy": 2.0}, "The average trade makes 2 and costs 3 in fees and spread"),
        ({"lowest_equity": -3.0}, "Equity fell to -3.00"),
    ],
)
def test_each_doubt_is_said(change: dict[str, Any], said: str) -> None:
    found = doubts(HONEST | change)

    assert any(one.startswith(said) or said in one for one in found), found
    assert all(one.endswith(".") and "\n" not in one for one in found)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (Context(fills=3, fees=0.0), "3 fills paid no fees"),
        (Context(fill_reasons={"same_close": 4}), "4 fills at the close they were decided on"),
        (Context(fill_reasons={"bar_touch": 5}), "5 limit orders filled on a mere touch"),
        (Context(fills=1, latency_ns=0), "Latency is zero"),
        (Context(volume_share_max=0.4), "A fill took 40% of its bar's volume"),
        (Context(fills_over_volume=7, volume_share_max=2.5), "7 fills were a large share"),
        (Context(hole_share=0.05), "5.0% of the time has no data"),
        (Context(spread_cost_per_trade=30.0), "costs 33 in fees and spread"),
        (Context(positions_open=1), "1 position was still open"),
    ],
)
def test_each_assumption_is_named(context: Context, said: str) -> None:
    assert any(said in one for one in doubts(HONEST, context))


def test_nothing_known_is_nothing_doubted() -> None:
    assert doubts({}) == []


def test_a_growth_rate_of_5e28_percent_does_not_pass_in_silence() -> None:
    # freqtrade issue 8248: a few days of backtest, CAGR 5.1e28 %, Sharpe 183, every trade a win
    days = 12
    time_ns = np.arange(days, dtype=np.int64) * 86_400_000_000_000
    equity = 1000 * np.cumprod(np.full(days, 6.5) + np.tile([0.01, -0.01], days // 2))
    trips = [RoundTrip("BTC/USD.KRAKEN", i, i + 1, "long", 1.0, 1.0, 2.0, 50.0, 0.0) for i in range(60)]

    stats = summary(time_ns, equity, trips)
    found = " ".join(doubts(stats, Context(fills=120, fees=0.0)))

    assert stats["sharpe"] is not None
    assert stats["sharpe"] > 183
    assert stats["cagr"] is None or stats["cagr"] > 5e26
    for said in ("Sharpe", "100.0% of 60 trades won", "maximum drawdown of 0.000%", "11 days of data", "no fees"):
        assert said in found
    assert stats["cagr"] is None or "e+" in found


@pytest.mark.parametrize(("years", "words"), [(6 / 525_960, "6 minutes"), (0.001, "9 hours"), (0.1, "37 days")])
def test_a_short_run_is_said_to_be_as_short_as_it_is(years, words):
    assert any(f"Only {words} of data" in doubt for doubt in doubts({"years": years, "trades": 50}))
