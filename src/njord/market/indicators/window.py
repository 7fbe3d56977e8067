"""The last n values: their highest and lowest, and the check every period goes through."""

from collections import deque

NAN = float("nan")
# Below this a divisor counts as zero, as in TA-Lib
ZERO = 1e-14


def checked_period(period: int, period_min: int = 1) -> int:
    """Return ``period``. Raises ValueError when it is no whole number of at least ``period_min``."""
    # Configs bring floats and text where the type says int
    if type(period) is not int or period < period_min:
        raise ValueError(f"period must be a whole number >= {period_min}, was {period!r}")
    return period


class Highest:
    """Highest of the last ``period`` values; ``age`` says how many updates ago it was, the latest of equals."""

    __slots__ = ("_at", "_candidates", "_places", "age", "period", "ready", "value")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.age = 0
        self.ready = False
        # Candidates fall from front to back: each is the highest of everything that came after it
        self._candidates: deque[float] = deque()
        self._places: deque[int] = deque()
        self._at = 0

    def update(self, value: float) -> float:
        """Take the next value; return the highest of the window."""
        candidates = self._candidates
        places = self._places
        at = self._at + 1
        self._at = at
        while candidates and candidates[-1] <= value:
            candidates.pop()
            places.pop()
        candidates.append(value)
        places.append(at)
        if places[0] <= at - self.period:
            candidates.popleft()
            places.popleft()
        if at >= self.period:
            self.ready = True
            self.age = at - places[0]
            self.value = candidates[0]
        return self.value


class Lowest:
    """Lowest of the last ``period`` values; ``age`` says how many updates ago it was, the latest of equals."""

    __slots__ = ("_at", "_candidates", "_places", "age", "period", "ready", "value")

    def __init__(self, period: int) -> None:
        self.period = checked_period(period)
        self.value = NAN
        self.age = 0
        self.ready = False
        self._candidates: deque[float] = deque()
        self._places: deque[int] = deque()
        self._at = 0

    def update(self, value: float) -> float:
        """Take the next value; return the lowest of the window."""
        candidates = self._candidates
        places = self._places
        at = self._at + 1
        self._at = at
        while candidates and candidates[-1] >= value:
            candidates.pop()
            places.pop()
        candidates.append(value)
        places.append(at)
        if places[0] <= at - self.period:
            candidates.popleft()
            places.popleft()
        if at >= self.period:
            self.ready = True
            self.age = at - places[0]
            self.value = candidates[0]
        return self.value
