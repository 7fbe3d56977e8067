"""Follow the trend: long while the fast average is above the slow one."""

from njord.domain.market import Bar
from njord.market.indicators import Ema
from njord.strategies.port import Desk, Memory, Strategy


class EmaCross(Strategy):
    """Hold ``quantity`` while the fast EMA of closes is above the slow one, else nothing (or, ``short``, minus it).

    An average is seeded by the mean of its first values; nothing is traded before both are ready. Each instrument is
    followed by itself.
    """

    def __init__(self, fast: int = 10, slow: int = 50, quantity: float = 1.0, short: bool = False) -> None:
        if not 0 < fast < slow:
            raise ValueError(f"fast must be above 0 and below slow, was fast {fast}, slow {slow}")
        if quantity <= 0:
            raise ValueError(f"quantity must be > 0, was {quantity}")
        self.periods = (fast, slow)
        self.above, self.below = quantity, -quantity if short else 0.0

    def on_start(self, desk: Desk) -> None:
        fast, slow = self.periods
        self.averages = {name: (Ema(fast), Ema(slow)) for name in desk.instruments}
        self.was_above = dict.fromkeys(desk.instruments, False)

    def remember(self) -> Memory:
        kept = {name: [each.state() for each in pair] for name, pair in self.averages.items()}
        return {"periods": list(self.periods), "averages": kept, "was_above": dict(self.was_above)}

    def recall(self, memory: Memory) -> None:
        # An average of another period begins anew; with it, so does which one is above
        same = [before == now for before, now in zip(memory["periods"], self.periods, strict=True)]
        for name, pair in self.averages.items():
            for kept, average, known in zip(memory["averages"].get(name, ()), pair, same, strict=False):
                if known:
                    average.set_state(kept)
            if all(same):
                self.was_above[name] = memory["was_above"].get(name, False)

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        name, close = bar.instrument_id, bar.close
        fast, slow = self.averages[name]
        above = fast.update(close) > slow.update(close)  # NaN, until ready, is above nothing
        if above is not self.was_above[name]:
            self.was_above[name] = above
            desk.target(self.above if above else self.below, instrument=name)
