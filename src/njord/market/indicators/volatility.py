"""How much a price moves: deviation, true range, and the channels made of them."""

from math import sqrt

from njord.market.indicators.averages import Ema
from njord.market.indicators.window import NAN, Highest, Lowest, checked_period


class StdDev:
    """Population standard deviation (divisor n) of the last ``period`` values; ``mean`` is their average."""

    __slots__ = ("_at", "_shift", "_squares", "_sum", "_window", "mean", "period", "ready", "value")

    def __init__(self, period: int = 20) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.mean = NAN
        self.ready = False
        self._window = [0.0] * period
        self._at = 0
        self._shift = 0.0
        self._sum = 0.0
        self._squares = 0.0

    def update(self, value: float) -> float:
        """Take the next value; return the deviation."""
        at = self._at
        window = self._window
        # Squares of the distance to a nearby price: squares of the prices themselves would drown a small deviation
        shift = self._shift
        oldest = window[at] - shift
        newest = value - shift
        window[at] = value
        self._sum += newest - oldest
        self._squares += newest * newest - oldest * oldest
        at += 1
        if at == self.period:
            at = 0
            self._shift = shift = sum(window) / self.period
            distances = [price - shift for price in window]
            self._sum = sum(distances)
            self._squares = sum([distance * distance for distance in distances])
            self.ready = True
        self._at = at
        if self.ready:
            offset = self._sum / self.period
            variance = self._squares / self.period - offset * offset
            self.mean = shift + offset
            self.value = sqrt(variance) if variance > 0.0 else 0.0
        return self.value


class BollingerBands:
    """SMA in ``value``, and ``width`` population deviations around it in ``upper`` and ``lower``."""

    __slots__ = ("_deviation", "lower", "ready", "upper", "value", "width")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self.width = width
        self.value = NAN
        self.upper = NAN
        self.lower = NAN
        self.ready = False
        self._deviation = StdDev(period)

    def update(self, value: float) -> float:
        """Take the next price; return the middle band."""
        deviation = self._deviation.update(value)
        if self._deviation.ready:
            self.ready = True
            self.value = middle = self._deviation.mean
            reach = self.width * deviation
            self.upper = middle + reach
            self.lower = middle - reach
        return self.value


class TrueRange:
    """Greatest of high - low and the distances of both to the close before: from the second bar on."""

    __slots__ = ("_close", "ready", "value")

    def __init__(self) -> None:
        self.value = NAN
        self.ready = False
        self._close = NAN

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return its true range."""
        last = self._close
        self._close = close
        top = high if high > last else last
        bottom = low if low < last else last
        self.value = value = top - bottom
        self.ready = value == value
        return value


class Atr:
    """Average true range with Wilder's smoothing, seeded by the average of the first ``period`` true ranges."""

    __slots__ = ("_close", "_older", "_sum", "_to_go", "period", "ready", "value")

    def __init__(self, period: int = 14) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._older = period - 1
        self._close = NAN
        self._sum = 0.0
        self._to_go = period + 1

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return the average range."""
        last = self._close
        self._close = close
        true_range = (high if high > last else last) - (low if low < last else last)
        if self.ready:
            self.value = value = (self.value * self._older + true_range) / self.period
            return value
        if self._to_go <= self.period:  # the first bar has no close before it
            self._sum += true_range
        self._to_go -= 1
        if self._to_go == 0:
            self.value = self._sum / self.period
            self.ready = True
        return self.value


class Donchian:
    """Highest high (``upper``) and lowest low (``lower``) of ``period`` bars, this one included; ``value`` between."""

    __slots__ = ("_highest", "_lowest", "lower", "ready", "upper", "value")

    def __init__(self, period: int = 20) -> None:
        self.value = NAN
        self.upper = NAN
        self.lower = NAN
        self.ready = False
        self._highest = Highest(period)
        self._lowest = Lowest(period)

    def update(self, high: float, low: float) -> float:
        """Take the next bar; return the middle."""
        upper = self._highest.update(high)
        lower = self._lowest.update(low)
        if self._highest.ready:
            self.ready = True
            self.upper = upper
            self.lower = lower
            self.value = (upper + lower) / 2.0
        return self.value


class KeltnerChannels:
    """EMA of the typical price in ``value``, and ``width`` average true ranges around it in ``upper`` and ``lower``.

    Both averages give their first value on the same bar, each seeded by the last bars before it, as in TA-Lib.
    """

    __slots__ = ("_atr", "_atr_skip", "_ema", "_ema_skip", "lower", "ready", "upper", "value", "width")

    def __init__(self, period: int = 20, width: float = 2.0, atr_period: int = 10) -> None:
        self.width = width
        self.value = NAN
        self.upper = NAN
        self.lower = NAN
        self.ready = False
        self._ema = Ema(period)
        self._atr = Atr(atr_period)
        self._ema_skip = max(0, atr_period - (period - 1))
        self._atr_skip = max(0, period - 1 - atr_period)

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return the middle band."""
        if self._ema_skip or self._atr_skip:
            return self._warm_up(high, low, close)
        middle = self._ema.update((high + low + close) / 3.0)
        reach = self.width * self._atr.update(high, low, close)
        if self._ema.ready and self._atr.ready:
            self.ready = True
            self.value = middle
            self.upper = middle + reach
            self.lower = middle - reach
        return self.value

    def _warm_up(self, high: float, low: float, close: float) -> float:
        if self._ema_skip:
            self._ema_skip -= 1
        else:
            self._ema.update((high + low + close) / 3.0)
        if self._atr_skip:
            self._atr_skip -= 1
        else:
            self._atr.update(high, low, close)
        return NAN
