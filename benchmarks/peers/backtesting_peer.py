"""backtesting.py: both averages computed in ``init`` before the run, as its users do, and compared in ``next``.

Until both are ready they are given as 0, not NaN, because it would start one bar late. A market order is filled at the
open of the next bar, with ``trade_on_close`` at the close of the bar it was sent on. Statistics are part of its run.
"""

import warnings
from collections.abc import Generator
from typing import Any

import numpy as np
from backtesting import Backtest, Strategy
from protocol import CASH, FEE, Tape, averages, frame, serve

ORDERS = {"sent": 0}


def prepared(closes: Any) -> Any:
    """Both averages of all closes, 0 until the slow one is ready."""
    fast, slow = averages(np.asarray(closes))
    ready = ~np.isnan(slow)
    return np.where(ready, fast, 0.0), np.where(ready, slow, 0.0)


class Watch(Strategy):
    """Compute both averages, look at them on every bar and do nothing."""

    def init(self) -> None:
        self.fast, self.slow = self.I(prepared, self.data.Close, plot=False)
        self.was_above = False

    def next(self) -> None:
        self.was_above = bool(self.fast[-1] > self.slow[-1])


class EmaCross(Watch):
    """The cross of two averages."""

    def next(self) -> None:
        above = bool(self.fast[-1] > self.slow[-1])
        if above is not self.was_above:
            self.was_above = above
            ORDERS["sent"] += 1
            if above:
                self.buy(size=1)
            else:
                self.position.close()


def bars(tape: Tape, trades: bool, same_close: bool) -> Generator[None, None, dict[str, Any]]:
    warnings.simplefilter("ignore")
    test = Backtest(
        frame(tape), EmaCross if trades else Watch, cash=CASH, commission=FEE, trade_on_close=same_close
    )  # fmt: skip
    yield
    stats = test.run()
    open_trades = len(stats["_strategy"].trades)
    return {
        "orders": ORDERS["sent"],
        "fills": 2 * len(stats["_trades"]) + open_trades,
        "equity": repr(float(stats["Equity Final [$]"])),
    }


if __name__ == "__main__":
    serve(
        {
            "none": lambda tape: bars(tape, False, False),
            "next_open": lambda tape: bars(tape, True, False),
            "same_close": lambda tape: bars(tape, True, True),
        },
        "backtesting",
    )
