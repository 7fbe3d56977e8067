"""Momentum, oscillators and slope: how fast and how far a price has moved."""

from operator import mul

from njord.market.indicators.averages import Ema, Sma
from njord.market.indicators.window import NAN, ZERO, Highest, Lowest, checked_period


class Rsi:
    """Relative strength index 0..100 with Wilder's smoothing; 0 when the price never moved, as TA-Lib says it."""

    __slots__ = ("_gain", "_last", "_loss", "_older", "_to_go", "period", "ready", "value")

    def __init__(self, period: int = 14) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.ready = False
        self._gain = 0.0
        self._loss = 0.0
        self._last = NAN
        self._older = period - 1
        self._to_go = period + 1

    def update(self, value: float) -> float:
        """Take the next price; return the index."""
        change = value - self._last
        self._last = value
        if self.ready:
            if change > 0.0:
                gain = (self._gain * self._older + change) / self.period
                loss = self._loss * self._older / self.period
            else:
                gain = self._gain * self._older / self.period
                loss = (self._loss * self._older - change) / self.period
            self._gain = gain
            self._loss = loss
            both = gain + loss
            self.value = value = 100.0 * gain / both if both > ZERO else 0.0
            return value
        if change > 0.0:
            self._gain += change
        elif change < 0.0:
            self._loss -= change
        self._to_go -= 1
        if self._to_go == 0:
            self._gain /= self.period
            self._loss /= self.period
            both = self._gain + self._loss
            self.value = 100.0 * self._gain / both if both > ZERO else 0.0
            self.ready = True
        return self.value


class Macd:
    """EMA(fast) - EMA(slow) in ``value``, its EMA in ``signal``, their difference in ``histogram``.

    Both averages give their first value on the same bar: the fast one is seeded by the last ``fast`` prices before it.
    """

    __slots__ = ("_fast", "_signal", "_skip", "_slow", "histogram", "ready", "signal", "value")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        if checked_period(fast) >= checked_period(slow):
            raise ValueError(f"fast must be < slow, was {fast} and {slow}")
        self.value = NAN
        self.signal = NAN
        self.histogram = NAN
        self.ready = False
        self._fast = Ema(fast)
        self._slow = Ema(slow)
        self._signal = Ema(signal)
        self._skip = slow - fast

    def update(self, value: float) -> float:
        """Take the next price; return the MACD line."""
        slow = self._slow.update(value)
        if self._skip > 0:
            self._skip -= 1
            return NAN
        fast = self._fast.update(value)
        if self._slow.ready:
            line = fast - slow
            signal = self._signal.update(line)
            if self._signal.ready:
                self.ready = True
                self.value = line
                self.signal = signal
                self.histogram = line - signal
        return self.value


class Stochastic:
    """Slow stochastic 0..100: ``value`` is %K, the place in the range averaged over ``smooth``; ``signal`` is %D."""

    __slots__ = ("_highest", "_k", "_lowest", "_signal", "ready", "signal", "value")

    def __init__(self, period: int = 14, smooth: int = 3, signal: int = 3) -> None:
        self.value = NAN
        self.signal = NAN
        self.ready = False
        self._highest = Highest(period)
        self._lowest = Lowest(period)
        self._k = Sma(smooth)
        self._signal = Sma(signal)

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return %K."""
        highest = self._highest.update(high)
        lowest = self._lowest.update(low)
        if self._highest.ready:
            width = highest - lowest
            k = self._k.update(100.0 * (close - lowest) / width if width != 0.0 else 0.0)
            if self._k.ready:
                signal = self._signal.update(k)
                if self._signal.ready:
                    self.ready = True
                    self.value = k
                    self.signal = signal
        return self.value


class WilliamsR:
    """Williams %R, -100..0: how far the close is below the highest high of ``period`` bars."""

    __slots__ = ("_highest", "_lowest", "ready", "value")

    def __init__(self, period: int = 14) -> None:
        self.value = NAN
        self.ready = False
        self._highest = Highest(checked_period(period, 2))
        self._lowest = Lowest(period)

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return %R."""
        highest = self._highest.update(high)
        lowest = self._lowest.update(low)
        if self._highest.ready:
            self.ready = True
            width = highest - lowest
            self.value = -100.0 * (highest - close) / width if width != 0.0 else 0.0
        return self.value


class Cci:
    """Commodity channel index: distance of the typical price from its average, in 0.015 mean absolute deviations.

    The deviation is summed over the window at each update: O(period), in C.
    """

    __slots__ = ("_at", "_sum", "_window", "period", "ready", "value")

    def __init__(self, period: int = 20) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.ready = False
        self._window = [0.0] * period
        self._at = 0
        self._sum = 0.0

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return the index."""
        typical = (high + low + close) / 3.0
        at = self._at
        window = self._window
        self._sum += typical - window[at]
        window[at] = typical
        at += 1
        if at == self.period:
            at = 0
            self._sum = sum(window)
            self.ready = True
        self._at = at
        if self.ready:
            mean = self._sum / self.period
            deviation = sum([abs(price - mean) for price in window])
            # A flat window leaves rounding of about 1e-16 of the price in both; it must not be divided
            if deviation > 1e-13 * abs(mean) * self.period:
                self.value = (typical - mean) / (0.015 * deviation / self.period)
            else:
                self.value = 0.0
        return self.value


class Roc:
    """Rate of change in percent over ``period`` values; 0 when the old value was 0."""

    __slots__ = ("_at", "_to_go", "_window", "period", "ready", "value")

    def __init__(self, period: int = 10) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._window = [0.0] * period
        self._at = 0
        self._to_go = period

    def update(self, value: float) -> float:
        """Take the next price; return the change in percent."""
        at = self._at
        old = self._window[at]
        self._window[at] = value
        at += 1
        self._at = at if at < self.period else 0
        if self._to_go:
            self._to_go -= 1
            return NAN
        self.ready = True
        self.value = value = (value / old - 1.0) * 100.0 if old != 0.0 else 0.0
        return value


class Momentum:
    """Price now less the price ``period`` values ago."""

    __slots__ = ("_at", "_to_go", "_window", "period", "ready", "value")

    def __init__(self, period: int = 10) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._window = [0.0] * period
        self._at = 0
        self._to_go = period

    def update(self, value: float) -> float:
        """Take the next price; return the difference."""
        at = self._at
        old = self._window[at]
        self._window[at] = value
        at += 1
        self._at = at if at < self.period else 0
        if self._to_go:
            self._to_go -= 1
            return NAN
        self.ready = True
        self.value = value = value - old
        return value


class Aroon:
    """Aroon 0..100: how recently the highest high (``up``) and lowest low (``down``) were; ``value`` is up - down."""

    __slots__ = ("_highest", "_lowest", "_scale", "down", "period", "ready", "up", "value")

    def __init__(self, period: int = 14) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.up = NAN
        self.down = NAN
        self.ready = False
        self._highest = Highest(period + 1)
        self._lowest = Lowest(period + 1)
        self._scale = 100.0 / period

    def update(self, high: float, low: float) -> float:
        """Take the next bar; return the oscillator."""
        self._highest.update(high)
        self._lowest.update(low)
        if self._highest.ready:
            self.ready = True
            self.up = self._scale * (self.period - self._highest.age)
            self.down = self._scale * (self.period - self._lowest.age)
            self.value = self._scale * (self._lowest.age - self._highest.age)
        return self.value


class LinearRegressionSlope:
    """Slope per update of the least-squares line through the last ``period`` values."""

    __slots__ = (
        "_at",
        "_divisor",
        "_places",
        "_places_sum",
        "_shift",
        "_sum",
        "_weighted",
        "_window",
        "period",
        "ready",
        "value",
    )

    def __init__(self, period: int = 14) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.ready = False
        self._window = [0.0] * period
        self._places = [float(i) for i in range(period)]
        self._places_sum = period * (period - 1) / 2
        self._divisor = period * period * (period * period - 1) / 12
        self._at = 0
        self._shift = 0.0
        self._sum = 0.0
        self._weighted = 0.0

    def update(self, value: float) -> float:
        """Take the next value; return the slope."""
        at = self._at
        window = self._window
        # A slope does not care where zero is; prices less a price near them leave more digits for the slope
        shift = self._shift
        oldest = window[at] - shift
        newest = value - shift
        window[at] = value
        self._weighted += (self.period - 1) * newest - (self._sum - oldest)
        self._sum += newest - oldest
        at += 1
        if at == self.period:
            at = 0
            self._shift = shift = value
            shifted = [price - shift for price in window]
            self._sum = sum(shifted)
            self._weighted = sum(map(mul, shifted, self._places))
            self.ready = True
        self._at = at
        if self.ready:
            self.value = (self.period * self._weighted - self._places_sum * self._sum) / self._divisor
        return self.value
