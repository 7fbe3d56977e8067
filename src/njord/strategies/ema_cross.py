"""Follow the trend: long while the fast average is above the slow one."""

from njord.domain.market import Bar
from njord.market.indicators import Ema
from njord.strategies.port import Desk, Strategy


class EmaCross(Strategy):
    """Hold ``quantity`` while the fast EMA of closes is above the slow one, else nothing (or, ``short``, minus it).

    An average is seeded by the mean of its first values; nothing is traded before both are ready.
    """

    def __init__(self, fast: int = 10, slow: int = 50, quantity: float = 1.0, short: bool = False) -> None:
        if not 0 < fast < slow:
            raise ValueError(f"fast must be above 0 and below slow, was fast {fast}, slow {slow}")
        self.fast, self.slow = Ema(fast), Ema(slow)
        self.long, self.flat = quantity, -quantity if short else 0.0
        self.was_above = False

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        self.fast.update(bar.close)
        self.slow.update(bar.close)
        if not self.slow.ready:
            return
        above = self.fast.value > self.slow.value
        if above is not self.was_above:
            desk.target(self.long if above else self.flat)
            self.was_above = above
