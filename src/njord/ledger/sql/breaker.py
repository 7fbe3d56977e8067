"""A circuit breaker: who fails again and again is left alone for a while. Pure: time is an argument."""


class Breaker:
    """Opens after ``failures_max`` failures in a row, for ``open_s`` seconds; then one attempt is let through.

    That attempt closes it, or opens it for as long again.
    """

    def __init__(self, failures_max: int = 3, open_s: float = 5.0) -> None:
        if failures_max <= 0 or open_s <= 0:
            raise ValueError(f"breaker: failures_max and open_s must be > 0, were {failures_max} and {open_s}")
        self._failures_max = failures_max
        self._open_s = open_s
        self._failures = 0
        self._opened_s: float | None = None

    def open_for_s(self, now_s: float) -> float:
        """Return how long it stays open, in seconds; 0 where an attempt may be made."""
        if self._opened_s is None:
            return 0.0
        return min(self._open_s, max(0.0, self._opened_s + self._open_s - now_s))

    def failed(self, now_s: float) -> None:
        """Count a failure."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._opened_s = now_s

    def succeeded(self) -> None:
        """Forget all failures."""
        self._failures = 0
        self._opened_s = None
