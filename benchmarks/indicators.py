"""Cost of indicators: nanoseconds per incremental update, and rows per second of the batch function.

Run ``python benchmarks/indicators.py [UPDATES]``. Each figure is the best of five passes over one random walk, the loop
and the call included: what a strategy pays.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from njord.market import indicators as ind
from njord.market import technical

H, L, C, V = "high", "low", "close", "volume"


TABLE: list[tuple[Callable[[], Any], str, Callable[..., Any] | None]] = [
    (lambda: ind.Sma(20), C, lambda c: technical.sma(c, 20)),
    (lambda: ind.Ema(20), C, lambda c: technical.ema(c, 20)),
    (lambda: ind.Wma(20), C, lambda c: technical.wma(c, 20)),
    (lambda: ind.Dema(20), C, lambda c: technical.dema(c, 20)),
    (lambda: ind.Tema(20), C, lambda c: technical.tema(c, 20)),
    (lambda: ind.Hma(20), C, lambda c: technical.hma(c, 20)),
    (lambda: ind.Kama(10), C, lambda c: technical.kama(c, 10)),
    (ind.Rsi, C, technical.rsi),
    (ind.Macd, C, technical.macd),
    (ind.Roc, C, technical.roc),
    (ind.Momentum, C, technical.momentum),
    (ind.LinearRegressionSlope, C, technical.linear_regression_slope),
    (ind.StdDev, C, technical.std_dev),
    (ind.BollingerBands, C, technical.bollinger_bands),
    (lambda: ind.Highest(20), C, lambda c: technical.highest(c, 20)),
    (ind.TrueRange, "hlc", technical.true_range),
    (ind.Atr, "hlc", technical.atr),
    (ind.Adx, "hlc", technical.adx),
    (ind.Stochastic, "hlc", technical.stochastic),
    (ind.WilliamsR, "hlc", technical.williams_r),
    (ind.Cci, "hlc", technical.cci),
    (ind.KeltnerChannels, "hlc", technical.keltner_channels),
    (ind.Supertrend, "hlc", technical.supertrend),
    (ind.Aroon, "hl", technical.aroon),
    (ind.Donchian, "hl", technical.donchian),
    (ind.Psar, "hl", technical.psar),
    (ind.Ichimoku, "hl", technical.ichimoku),
    (ind.Obv, "cv", technical.obv),
    (ind.Mfi, "hlcv", technical.mfi),
    (ind.Vwap, "hlcv", technical.vwap),
]


def _best_s(run: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def _feed(indicator: Any, columns: list[list[float]]) -> None:
    update = indicator.update
    if len(columns) == 1:
        for value in columns[0]:
            update(value)
    elif len(columns) == 2:
        for first, second in zip(*columns, strict=True):
            update(first, second)
    elif len(columns) == 3:
        for first, second, third in zip(*columns, strict=True):
            update(first, second, third)
    else:
        for first, second, third, fourth in zip(*columns, strict=True):
            update(first, second, third, fourth)


def main(updates: int) -> None:
    """Print one line per indicator."""
    rng = np.random.default_rng(1)
    close = 100 * np.exp(rng.normal(0, 0.001, updates).cumsum())
    high = close * (1 + np.abs(rng.normal(0, 0.001, updates)))
    low = close * (1 - np.abs(rng.normal(0, 0.001, updates)))
    arrays = {"h": high, "l": low, "c": close, "v": rng.uniform(1, 2, updates)}
    print(f"{'indicator':24s}{'ns/update':>10s}{'batch Mrows/s':>15s}")
    for make, inputs, batch in TABLE:
        columns = [arrays[name[0]] for name in ([inputs] if inputs == C else list(inputs))]
        lists = [column.tolist() for column in columns]
        taken_s = _best_s(lambda make=make, lists=lists: _feed(make(), lists))  # type: ignore[misc]
        nanoseconds = taken_s / updates * 1e9
        rows = updates / _best_s(lambda batch=batch, columns=columns: batch(*columns)) / 1e6  # type: ignore[misc]
        print(f"{type(make()).__name__:24s}{nanoseconds:10.0f}{rows:15.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
