"""A strategy of your own, to copy: hold while the close is above its mean."""

import njord as nj
from njord.market.indicators import Sma


class MyStrategy(nj.Strategy):
    """Hold ``quantity`` while the close is above its mean of ``period`` bars, else nothing."""

    def __init__(self, period: int = 24, quantity: float = 1.0):
        self.mean, self.quantity = Sma(period), quantity

    def on_bar(self, bar, desk):
        mean = self.mean.update(bar.close)
        if self.mean.ready:
            desk.target(self.quantity if bar.close > mean else 0)
