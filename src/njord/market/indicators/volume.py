"""Indicators that weigh prices by volume."""

from njord.market.indicators.window import NAN, ZERO, checked_period

DAY_NS = 86_400_000_000_000


class Obv:
    """On-balance volume: the volume of rising closes less that of falling ones; the first bar counts as rising."""

    __slots__ = ("_close", "ready", "value")

    def __init__(self) -> None:
        self.value = NAN
        self.ready = False
        self._close = NAN

    def update(self, close: float, volume: float) -> float:
        """Take the next bar; return the sum."""
        if self.ready:
            if close > self._close:
                self.value += volume
            elif close < self._close:
                self.value -= volume
        else:
            self.ready = True
            self.value = volume
        self._close = close
        return self.value


class Mfi:
    """Money flow index 0..100: the share of typical price x volume that flowed on rises, over ``period`` changes."""

    __slots__ = (
        "_at",
        "_falls",
        "_falls_sum",
        "_rises",
        "_rises_sum",
        "_to_go",
        "_typical",
        "period",
        "ready",
        "value",
    )

    def __init__(self, period: int = 14) -> None:
        self.period = checked_period(period, 2)
        self.value = NAN
        self.ready = False
        self._rises = [0.0] * period
        self._falls = [0.0] * period
        self._rises_sum = 0.0
        self._falls_sum = 0.0
        self._at = 0
        self._typical = NAN
        self._to_go = period

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take the next bar; return the index."""
        typical = (high + low + close) / 3.0
        flow = typical * volume
        rise = flow if typical > self._typical else 0.0
        fall = flow if typical < self._typical else 0.0
        self._typical = typical
        at = self._at
        self._rises_sum += rise - self._rises[at]
        self._falls_sum += fall - self._falls[at]
        self._rises[at] = rise
        self._falls[at] = fall
        at += 1
        if at == self.period:
            at = 0
            self._rises_sum = sum(self._rises)
            self._falls_sum = sum(self._falls)
        self._at = at
        if self._to_go:
            self._to_go -= 1
            return NAN
        self.ready = True
        both = self._rises_sum + self._falls_sum
        self.value = value = 100.0 * self._rises_sum / both if both > ZERO else 0.0
        return value


class Vwap:
    """Volume-weighted typical price of the last ``period`` bars; NaN while none of them traded."""

    __slots__ = ("_at", "_traded", "_traded_sum", "_volumes", "_volumes_sum", "period", "ready", "value")

    def __init__(self, period: int = 20) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.ready = False
        self._traded = [0.0] * period
        self._volumes = [0.0] * period
        self._traded_sum = 0.0
        self._volumes_sum = 0.0
        self._at = 0

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take the next bar; return the price."""
        traded = (high + low + close) / 3.0 * volume
        at = self._at
        self._traded_sum += traded - self._traded[at]
        self._volumes_sum += volume - self._volumes[at]
        self._traded[at] = traded
        self._volumes[at] = volume
        at += 1
        if at == self.period:
            at = 0
            self._traded_sum = sum(self._traded)
            self._volumes_sum = sum(self._volumes)
            self.ready = True
        self._at = at
        if self.ready:
            volumes = self._volumes_sum
            self.value = self._traded_sum / volumes if volumes > ZERO else NAN
        return self.value


class SessionVwap:
    """Volume-weighted typical price since the session began: a UTC day unless ``session_ns`` says otherwise.

    ``offset_ns`` is how long after midnight UTC the session starts. NaN until something traded in it.
    """

    __slots__ = ("_session", "_traded", "_volume", "offset_ns", "ready", "session_ns", "value")

    def __init__(self, session_ns: int = DAY_NS, offset_ns: int = 0) -> None:
        self.session_ns = checked_period(session_ns)
        self.offset_ns = offset_ns
        self.value = NAN
        self.ready = False
        self._session = -1
        self._traded = 0.0
        self._volume = 0.0

    def update(self, start_ns: int, high: float, low: float, close: float, volume: float) -> float:
        """Take the next bar, which began at ``start_ns``; return the price."""
        session = (start_ns - self.offset_ns) // self.session_ns
        if session != self._session:
            self._session = session
            self._traded = 0.0
            self._volume = 0.0
        self._traded += (high + low + close) / 3.0 * volume
        self._volume += volume
        self.ready = self._volume > ZERO
        self.value = value = self._traded / self._volume if self.ready else NAN
        return value
