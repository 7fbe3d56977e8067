"""The full engine equals a loop anybody can read, to the last digit: orders, fills and equity."""

from decimal import Decimal

import pytest

import njord as nj
from njord.research.benchmark import minute_bars
from njord.strategies.ema_cross import EmaCross


def reference(bars, fast, slow, fee, fill):
    """Ten lines of trading, in exact decimals. Averages start as the mean of their first values."""
    exact = [Decimal(str(price)) for price in bars["open"].tolist()]
    cash, position, wanted, orders, averages = Decimal(1_000_000), 0, None, [], [0.0, 0.0]
    for i, close in enumerate(bars["close"].tolist()):
        if wanted is not None and fill == "next_open":
            cash, position = cash - (wanted - position) * exact[i] - abs(wanted - position) * exact[i] * fee, wanted
        wanted = None if fill == "next_open" else wanted
        for k, n in enumerate((fast, slow)):
            averages[k] = averages[k] + close / n if i < n - 1 else averages[k]
            if i == n - 1:
                averages[k] = sum(bars["close"][:n].tolist()) / n
            elif i >= n:
                averages[k] += 2.0 / (n + 1) * (close - averages[k])
        target = int(i >= slow - 1 and averages[0] > averages[1])
        if target != position:
            wanted = target
            orders.append((i, target - position))
            if fill == "same_close":
                price = Decimal(str(close))
                cash, position = cash - (target - position) * price - abs(target - position) * price * fee, target
    return orders, cash + position * Decimal(str(bars["close"].tolist()[-1]))


def check(count, fill, seed):
    bars = minute_bars(count, seed)
    orders, equity = reference(bars, 10, 50, Decimal("0.001"), fill)
    result = nj.backtest(EmaCross(10, 50, 1.0), bars, 1_000_000, fill=fill, taker=0.001, risk="research", latency_ms=0)
    assert result.document()["orders"] == len(orders)
    assert Decimal(result.final_equity) == equity
    started = 0 if fill == "next_open" else 1
    close_ns = (bars["ts"] + 60 * 10**9).tolist()
    filled = [fill.venue_time_ns for fill in result.assembly.backtest.fills]
    assert filled == [close_ns[i] for i, _ in orders][: len(filled)]
    assert len(orders) - len(filled) in (0, 1 - started)  # An order of the very last bar has no next open


@pytest.mark.parametrize("fill", ["next_open", "same_close"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ema_cross_equals_the_reference_loop(fill, seed):
    check(5_000, fill, seed)


@pytest.mark.slow
@pytest.mark.parametrize("fill", ["next_open", "same_close"])
def test_ema_cross_equals_the_reference_loop_over_a_million_bars(fill):
    check(1_000_000, fill, 7)
