"""Moving averages of prices."""

from collections.abc import Sequence
from math import isqrt
from operator import mul

from njord.market.indicators.window import NAN, ZERO, checked_period


class Sma:
    """Simple moving average of the last ``period`` values."""

    __slots__ = ("_at", "_sum", "_window", "period", "ready", "value")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._window = [0.0] * period
        self._at = 0
        self._sum = 0.0

    def update(self, value: float) -> float:
        """Take the next value; return the average."""
        at = self._at
        window = self._window
        self._sum += value - window[at]
        window[at] = value
        at += 1
        if at == self.period:
            # Once per window the sum is taken afresh, or rounding would pile up over a long session
            at = 0
            self._sum = sum(window)
            self.ready = True
        self._at = at
        if self.ready:
            self.value = self._sum / self.period
        return self.value


class Ema:
    """Exponential moving average, weight 2 / (period + 1), seeded by the average of the first ``period`` values."""

    __slots__ = ("_sum", "_to_go", "period", "ready", "value", "weight")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period)
        self.weight = 2.0 / (period + 1)
        self.value = NAN
        self.ready = False
        self._sum = 0.0
        self._to_go = period

    def state(self) -> list[float]:
        """Return all that changes, as numbers: what it needs to go on elsewhere."""
        return [self.value if self.ready else 0.0, self._sum, self._to_go]

    def set_state(self, state: Sequence[float]) -> None:
        """Go on from the state of an average of the same period."""
        value, self._sum, to_go = state
        self._to_go, self.ready = int(to_go), to_go <= 0
        self.value = value if self.ready else NAN

    def update(self, value: float) -> float:
        """Take the next value; return the average."""
        if self.ready:
            last = self.value
            self.value = last = last + self.weight * (value - last)
            return last
        self._sum += value
        self._to_go -= 1
        if self._to_go == 0:
            self.value = self._sum / self.period
            self.ready = True
        return self.value


class Wma:
    """Linearly weighted moving average: the newest value weighs ``period``, the oldest 1."""

    __slots__ = ("_at", "_sum", "_weighted", "_weights", "_weights_sum", "_window", "period", "ready", "value")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._window = [0.0] * period
        self._weights = [float(i) for i in range(1, period + 1)]
        self._weights_sum = period * (period + 1) / 2
        self._at = 0
        self._sum = 0.0
        self._weighted = 0.0

    def update(self, value: float) -> float:
        """Take the next value; return the average."""
        at = self._at
        window = self._window
        # Every older value loses one weight, which takes the whole old sum away
        self._weighted += self.period * value - self._sum
        self._sum += value - window[at]
        window[at] = value
        at += 1
        if at == self.period:
            at = 0
            self._sum = sum(window)
            self._weighted = sum(map(mul, window, self._weights))
            self.ready = True
        self._at = at
        if self.ready:
            self.value = self._weighted / self._weights_sum
        return self.value


class Dema:
    """Double exponential moving average: 2 EMA - EMA of EMA."""

    __slots__ = ("_first", "_second", "period", "ready", "value")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._first = Ema(period)
        self._second = Ema(period)

    def update(self, value: float) -> float:
        """Take the next value; return the average."""
        first = self._first.update(value)
        if self._first.ready:
            second = self._second.update(first)
            if self._second.ready:
                self.ready = True
                self.value = 2.0 * first - second
        return self.value


class Tema:
    """Triple exponential moving average: 3 EMA - 3 EMA of EMA + EMA of EMA of EMA."""

    __slots__ = ("_first", "_second", "_third", "period", "ready", "value")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._first = Ema(period)
        self._second = Ema(period)
        self._third = Ema(period)

    def update(self, value: float) -> float:
        """Take the next value; return the average."""
        first = self._first.update(value)
        if self._first.ready:
            second = self._second.update(first)
            if self._second.ready:
                third = self._third.update(second)
                if self._third.ready:
                    self.ready = True
                    self.value = 3.0 * (first - second) + third
        return self.value


class Hma:
    """Hull moving average: WMA over sqrt(period) of 2 WMA(period / 2) - WMA(period), periods rounded down."""

    __slots__ = ("_half", "_smooth", "_whole", "period", "ready", "value")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.ready = False
        self._half = Wma(period // 2)
        self._whole = Wma(period)
        self._smooth = Wma(isqrt(period))

    def update(self, value: float) -> float:
        """Take the next value; return the average."""
        half = self._half.update(value)
        whole = self._whole.update(value)
        if self._whole.ready:
            self.value = self._smooth.update(2.0 * half - whole)
            self.ready = self._smooth.ready
        return self.value


class Kama:
    """Kaufman's adaptive average: its weight runs from 2/(slow+1) to 2/(fast+1) with the efficiency of the move."""

    __slots__ = (
        "_at",
        "_last",
        "_moves",
        "_path",
        "_prices",
        "_to_go",
        "_weight_min",
        "_weight_range",
        "period",
        "ready",
        "value",
    )

    def __init__(self, period: int, fast: int = 2, slow: int = 30) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._weight_min = 2.0 / (checked_period(slow) + 1)
        self._weight_range = 2.0 / (checked_period(fast) + 1) - self._weight_min
        self._prices = [0.0] * period
        self._moves = [0.0] * period
        self._path = 0.0
        self._at = 0
        self._last = NAN
        self._to_go = period + 1

    def update(self, value: float) -> float:
        """Take the next price; return the average."""
        if self._to_go > self.period:
            self._last = value
        last = self._last
        self._last = value
        at = self._at
        move = abs(value - last)
        self._path += move - self._moves[at]
        self._moves[at] = move
        change = abs(value - self._prices[at])
        self._prices[at] = value
        at += 1
        if at == self.period:
            at = 0
            self._path = sum(self._moves)
        self._at = at
        if self._to_go:
            self._to_go -= 1
            if self._to_go:
                return NAN
            self.ready = True
            self.value = last  # the price before the first value is the seed
        path = self._path
        efficiency = 1.0 if path <= change or path < ZERO else change / path
        weight = efficiency * self._weight_range + self._weight_min
        self.value = average = self.value + weight * weight * (value - self.value)
        return average
