"""Direction: is there a trend, which way, and where would it be broken?"""

from collections import deque

from njord.market.indicators.volatility import Atr
from njord.market.indicators.window import NAN, ZERO, Highest, Lowest, checked_period


class Adx:
    """Wilder's average directional index 0..100 in ``value``; ``plus`` and ``minus`` are the directional indicators.

    ``plus`` and ``minus`` count from bar ``period`` + 1, ``value`` and ``ready`` from bar 2 ``period``.
    """

    __slots__ = (
        "_close",
        "_high",
        "_low",
        "_minus_move",
        "_plus_move",
        "_range",
        "_seen",
        "_sum",
        "minus",
        "period",
        "plus",
        "ready",
        "value",
    )

    def __init__(self, period: int = 14) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.plus = NAN
        self.minus = NAN
        self.ready = False
        self._high = self._low = self._close = NAN
        self._plus_move = self._minus_move = self._range = 0.0
        self._seen = -1
        self._sum = 0.0

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return the index."""
        up = high - self._high
        down = self._low - low
        last = self._close
        self._high = high
        self._low = low
        self._close = close
        if self._seen < 2 * self.period:
            self._seen += 1
            if self._seen == 0:
                return NAN
        if self._seen >= self.period:
            keep = 1.0 - 1.0 / self.period
            self._plus_move *= keep
            self._minus_move *= keep
            self._range *= keep
        if down > 0.0 and down > up:
            self._minus_move += down
        elif up > 0.0 and up > down:
            self._plus_move += up
        self._range += (high if high > last else last) - (low if low < last else last)
        if self._seen >= self.period:
            self._index()
        return self.value

    def _index(self) -> None:
        true_range = self._range
        spread = None  # no range or no direction: the average keeps what it has
        if true_range > ZERO:
            self.plus = plus = 100.0 * self._plus_move / true_range
            self.minus = minus = 100.0 * self._minus_move / true_range
            both = plus + minus
            if both > ZERO:
                spread = 100.0 * abs(plus - minus) / both
        else:
            self.plus = self.minus = 0.0
        if self.ready:
            if spread is not None:
                self.value = (self.value * (self.period - 1) + spread) / self.period
            return
        self._sum += spread or 0.0
        if self._seen == 2 * self.period - 1:
            self.value = self._sum / self.period
            self.ready = True


class Psar:
    """Wilder's parabolic stop and reverse in ``value``; ``rising`` says which side of the price it trails on."""

    __slots__ = ("_acceleration", "_extreme", "_high", "_low", "_stop", "ready", "rising", "step", "step_max", "value")

    def __init__(self, step: float = 0.02, step_max: float = 0.2) -> None:
        if not 0.0 < step <= step_max:
            raise ValueError(f"step must be > 0 and <= step_max, was {step} and {step_max}")
        self.step = step
        self.step_max = step_max
        self.value = NAN
        self.rising = True
        self.ready = False
        self._acceleration = step
        self._extreme = NAN
        self._stop = NAN
        self._high = NAN
        self._low = NAN

    def update(self, high: float, low: float) -> float:
        """Take the next bar; return the stop that held during it, or the new one after a reversal."""
        if not self.ready:
            if self._high != self._high:
                self._high = high
                self._low = low
                return NAN
            self._start(high, low)
        high_last = self._high
        low_last = self._low
        stop = self._stop
        if self.rising:
            if low <= stop:
                self.rising = False
                stop = max(self._extreme, high_last, high)
                self.value = stop
                self._acceleration = self.step
                self._extreme = low
                stop = max(stop + self._acceleration * (low - stop), high_last, high)
            else:
                self.value = stop
                if high > self._extreme:
                    self._extreme = high
                    self._acceleration = min(self._acceleration + self.step, self.step_max)
                stop = min(stop + self._acceleration * (self._extreme - stop), low_last, low)
        elif high >= stop:
            self.rising = True
            stop = min(self._extreme, low_last, low)
            self.value = stop
            self._acceleration = self.step
            self._extreme = high
            stop = min(stop + self._acceleration * (high - stop), low_last, low)
        else:
            self.value = stop
            if low < self._extreme:
                self._extreme = low
                self._acceleration = min(self._acceleration + self.step, self.step_max)
            stop = max(stop + self._acceleration * (self._extreme - stop), high_last, high)
        self._stop = stop
        self._high = high
        self._low = low
        return self.value

    def _start(self, high: float, low: float) -> None:
        # The first two bars decide the side: falling when the low fell by more than the high rose
        down = self._low - low
        self.rising = not (down > 0.0 and down > high - self._high)
        self._extreme = high if self.rising else low
        self._stop = self._low if self.rising else self._high
        # TA-Lib looks at the second bar as its own predecessor
        self._high = high
        self._low = low
        self.ready = True


class Supertrend:
    """Trailing stop ``width`` average true ranges from the bar's middle; ``rising`` says it trails below the price.

    It starts rising, as TA-Lib has it; libraries that start on the side of the first close agree after the first turn.
    """

    __slots__ = ("_atr", "_close", "_lower", "_upper", "ready", "rising", "value", "width")

    def __init__(self, period: int = 10, width: float = 3.0) -> None:
        self.width = width
        self.value = NAN
        self.rising = True
        self.ready = False
        self._atr = Atr(period)
        self._close = NAN
        self._upper = NAN
        self._lower = NAN

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return the stop."""
        reach = self.width * self._atr.update(high, low, close)
        last = self._close
        self._close = close
        if not self._atr.ready:
            return NAN
        middle = (high + low) / 2.0
        upper = middle + reach
        lower = middle - reach
        if not self.ready:
            self.ready = True
            self._upper = upper
            self._lower = lower
        # A band only comes closer, until the close before had broken it
        if upper < self._upper or last > self._upper:
            self._upper = upper
        if lower > self._lower or last < self._lower:
            self._lower = lower
        self.rising = close > (self._lower if self.rising else self._upper)
        self.value = value = self._lower if self.rising else self._upper
        return value


class Ichimoku:
    """Ichimoku: ``conversion`` (also ``value``) and ``base`` line, and the present bar's cloud, ``span_a``, ``span_b``.

    The cloud was drawn ``displacement`` bars ago, so all of it is known. The lagging span looks ahead and is not given.
    """

    __slots__ = (
        "_base",
        "_conversion",
        "_drawn",
        "_span",
        "base",
        "conversion",
        "displacement",
        "ready",
        "span_a",
        "span_b",
        "value",
    )

    def __init__(self, conversion: int = 9, base: int = 26, span: int = 52, displacement: int = 26) -> None:
        self.displacement = checked_period(displacement)
        self.value = NAN
        self.conversion = NAN
        self.base = NAN
        self.span_a = NAN
        self.span_b = NAN
        self.ready = False
        self._conversion = (Highest(conversion), Lowest(conversion))
        self._base = (Highest(base), Lowest(base))
        self._span = (Highest(span), Lowest(span))
        self._drawn: deque[tuple[float, float]] = deque()

    def update(self, high: float, low: float) -> float:
        """Take the next bar; return the conversion line."""
        conversion = (self._conversion[0].update(high) + self._conversion[1].update(low)) / 2.0
        base = (self._base[0].update(high) + self._base[1].update(low)) / 2.0
        span = (self._span[0].update(high) + self._span[1].update(low)) / 2.0
        self._drawn.append(((conversion + base) / 2.0, span))
        if len(self._drawn) > self.displacement:
            self.span_a, self.span_b = self._drawn.popleft()
            self.ready = self.span_a == self.span_a and self.span_b == self.span_b
        self.base = base
        self.conversion = self.value = conversion
        return conversion
