"""How long value at risk takes before and after one order: ``python benchmarks/value_at_risk.py``.

50 instruments, 250 intervals. With and without a fill since the last question; and one P&L into a sorted window.
"""

import time
from decimal import Decimal

import numpy as np

from njord.domain.ids import InstrumentId
from njord.domain.profile import VarLimit, VarModel
from njord.risk.scenarios import PortfolioVar
from njord.risk.value_at_risk import HistoricalWindow

INSTRUMENTS = 50
INTERVALS = 250
ORDERS = {VarModel.HISTORICAL: 20_000, VarModel.PARAMETRIC: 20_000, VarModel.MONTE_CARLO: 500}
WINDOW = 5_000


def made(model: VarModel) -> tuple[PortfolioVar, list[InstrumentId]]:
    """Return a full window of a random market, with something held of each instrument."""
    rng = np.random.default_rng(1)
    names = [InstrumentId(f"I{number}/USD.SIM") for number in range(INSTRUMENTS)]
    var = PortfolioVar(VarLimit(share_max=Decimal("0.05"), model=model, window=INTERVALS))
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (INTERVALS + 1, INSTRUMENTS)), axis=0))
    for row in prices.tolist():
        var.close_interval(dict(zip(names, row, strict=True)))
    for name in names:
        var.set_exposure(name, float(rng.normal(0, 1e22)))
    var.before()
    return var, names


def order_times_us(model: VarModel, orders: int, *, filled: bool) -> list[float]:
    """Return how long each order's two estimates took; ``filled``: with a changed exposure before each."""
    var, names = made(model)
    times = []
    for number in range(orders):
        name = names[number % INSTRUMENTS]
        start = time.perf_counter_ns()
        if filled:
            var.set_exposure(name, 1e20 * number)
        var.before()
        var.after(name, 1e20 * (number % 7 - 3))
        times.append((time.perf_counter_ns() - start) / 1e3)
    return times


def window_times_us() -> list[float]:
    """Return how long each P&L took to get into a window that is full for most of them."""
    window = HistoricalWindow(WINDOW, Decimal("0.99"))
    times = []
    for pnl in np.random.default_rng(2).normal(size=10 * WINDOW).tolist():
        start = time.perf_counter_ns()
        window.add(pnl)
        times.append((time.perf_counter_ns() - start) / 1e3)
    return times


def main() -> None:
    """Print the median and the 99th percentile of each."""
    for model, orders in ORDERS.items():
        for filled in (False, True):
            when = "a fill before each" if filled else "nothing filled"
            shown(f"{model}, {when}", order_times_us(model, orders, filled=filled))
    shown(f"sorted window of {WINDOW}", window_times_us())


def shown(what: str, times: list[float]) -> None:
    """Print one line."""
    print(f"{what:40} p50 {np.percentile(times, 50):8.2f} us   p99 {np.percentile(times, 99):8.2f} us")


if __name__ == "__main__":
    main()
