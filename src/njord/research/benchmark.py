"""The engine on a generated tape: the same work that peers are compared on, for whoever wants to know their machine."""

from typing import Any

import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_MINUTE
from njord.domain.market import Bar
from njord.research.notebook import backtest
from njord.strategies.ema_cross import EmaCross
from njord.strategies.port import Desk, Strategy

SEED = 7


class Watch(Strategy):
    """Compute both averages and never trade: what the engine costs without orders."""

    def __init__(self) -> None:
        self.cross = EmaCross()

    def on_start(self, desk: Desk) -> None:
        self.cross.on_start(desk)

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        fast, slow = self.cross.averages[bar.instrument_id]
        fast.update(bar.close)
        slow.update(bar.close)


def minute_bars(bars: int, seed: int = SEED) -> dict[str, npt.NDArray[Any]]:
    """Return a random walk of one-minute bars on a grid of cents, as columns."""
    rng = np.random.default_rng(seed)
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 0.0005, bars))), 2)
    opened = np.concatenate([[30_000.0], close[:-1]])
    above, below = 1 + np.abs(rng.normal(0, 0.0002, bars)), 1 - np.abs(rng.normal(0, 0.0002, bars))
    return {
        "ts": np.arange(bars, dtype=np.int64) * NS_PER_MINUTE + 1_577_836_800_000_000_000,
        "open": opened,
        "high": np.round(np.maximum(opened, close) * above, 2),
        "low": np.round(np.minimum(opened, close) * below, 2),
        "close": close,
        "volume": np.round(rng.exponential(10, bars), 3),
    }


def engine_speed(bars: int, fill: str) -> dict[str, Any]:
    """Run over generated bars with orders filled at ``fill``, or without orders; return the result's document."""
    strategy: Strategy = Watch() if fill == "none" else EmaCross(10, 50, 1.0)
    result = backtest(
        strategy, minute_bars(bars), 1_000_000, instrument="BTC/USD.BENCH", taker=0.001, risk="research",
        fill="next_open" if fill == "none" else fill, latency_ms=0,
    )  # fmt: skip
    return result.document()
