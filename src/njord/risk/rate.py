"""How many orders a second: a token bucket in whole numbers, so that what it allows is exact for ever."""

from decimal import Decimal

from njord.domain.clock import NS_PER_S


class OrderRate:
    """At most ``burst`` orders at once, and ``per_s`` a second in the long run; full at the start.

    In any window there are never more than burst + rate x length. A token is so many parts that a nanosecond brings a
    whole number of them. Raises ValueError where the rate is not finite and above 0, or there is no burst.
    """

    __slots__ = ("_burst_parts", "_level_parts", "_parts_per_ns", "_time_ns", "_token_parts")

    def __init__(self, per_s: Decimal, burst: int, time_ns: int = 0) -> None:
        if not (per_s.is_finite() and per_s > 0):
            raise ValueError(f"order rate: orders a second must be > 0, was {per_s}")
        if burst < 1:
            raise ValueError(f"order rate: burst must be at least 1, was {burst}")
        self._parts_per_ns, denominator = per_s.as_integer_ratio()
        self._token_parts = denominator * NS_PER_S
        self._burst_parts = burst * self._token_parts
        self._level_parts = self._burst_parts
        self._time_ns = time_ns

    def empty(self, time_ns: int) -> None:
        """Begin at a moment with no token at all."""
        self._level_parts, self._time_ns = 0, time_ns

    def go_on_from(self, before: "OrderRate", time_ns: int) -> None:
        """Take the place of another one: no more tokens than it had, and no more than this one holds."""
        before.allowed(time_ns)
        level = before._level_parts * self._token_parts // before._token_parts  # noqa: SLF001 - one of its own kind
        self._level_parts, self._time_ns = min(level, self._burst_parts), time_ns

    def allowed(self, time_ns: int) -> bool:
        """Return whether one more order may go now. Time never runs backwards."""
        assert time_ns >= self._time_ns, (time_ns, self._time_ns)
        if time_ns > self._time_ns:
            filled = self._level_parts + (time_ns - self._time_ns) * self._parts_per_ns
            self._level_parts = min(filled, self._burst_parts)
            self._time_ns = time_ns
        return self._level_parts >= self._token_parts

    def spend(self, time_ns: int) -> bool:
        """Take one order's token and return True, or False where there is none: nothing is taken then."""
        if not self.allowed(time_ns):
            return False
        self._level_parts -= self._token_parts
        assert self._level_parts >= 0, self._level_parts
        return True
