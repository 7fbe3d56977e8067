"""backtrader: Cerebro over a pandas frame, observers off, cash checked at submission as it is by default.

A market order is filled at the open of the next bar; with ``set_coc`` at the close of the bar it was sent on. It reads
its frame when it is run; that is taken out of ``run_cpu_s``, as loading is for everyone.
"""

import time
from collections.abc import Generator
from typing import Any

import backtrader as bt
from protocol import CASH, FAST, FEE, SLOW, Ema, Tape, frame, serve


class EmaCross(bt.Strategy):
    """The cross of two averages; ``trades`` False computes them and does nothing."""

    params = (("trades", True),)

    def __init__(self) -> None:
        self.fast, self.slow = Ema(FAST), Ema(SLOW)
        self.was_above = False
        self.orders = self.fills = 0

    def next(self) -> None:
        close = self.data.close[0]
        above = self.fast.update(close) > self.slow.update(close)
        if above is not self.was_above and self.p.trades:
            self.was_above = above
            self.orders += 1
            if above:
                self.buy(size=1)
            else:
                self.sell(size=1)

    def notify_order(self, order: Any) -> None:
        self.fills += order.status == order.Completed


class Feed(bt.feeds.PandasData):
    """A frame that knows how long it took to read."""

    read_cpu_s = 0.0

    def preload(self) -> None:
        began_s = time.process_time()
        super().preload()
        self.read_cpu_s = time.process_time() - began_s


def bars(tape: Tape, trades: bool, same_close: bool) -> Generator[None, None, dict[str, Any]]:
    cerebro = bt.Cerebro(stdstats=False)
    columns = {name: name.title() for name in ("open", "high", "low", "close", "volume")}
    feed = Feed(dataname=frame(tape), openinterest=None, **columns)
    cerebro.adddata(feed)
    cerebro.addstrategy(EmaCross, trades=trades)
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(commission=FEE)
    cerebro.broker.set_coc(same_close)
    yield
    began_s = time.process_time()
    strategy = cerebro.run()[0]
    run_cpu_s = time.process_time() - began_s - feed.read_cpu_s
    equity = repr(cerebro.broker.getvalue())
    return {"run_cpu_s": run_cpu_s, "orders": strategy.orders, "fills": strategy.fills, "equity": equity}


if __name__ == "__main__":
    serve(
        {
            "none": lambda tape: bars(tape, False, False),
            "next_open": lambda tape: bars(tape, True, False),
            "same_close": lambda tape: bars(tape, True, True),
        },
        "backtrader",
    )
