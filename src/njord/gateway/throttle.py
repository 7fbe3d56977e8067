"""Rate limits: a bucket of tokens for each caller. Time comes in as an argument, in seconds that only rise."""

import threading

CALLERS_MAX = 100_000  # Beyond it the longest unseen are forgotten: they had full buckets


class Throttle:
    """``rate_per_s`` requests a second on average, ``burst`` at once, for each caller. Safe from many threads."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate_per_s, self._burst = rate_per_s, burst
        self._buckets: dict[str, tuple[float, float]] = {}  # Tokens, and when that was
        self._lock = threading.Lock()

    def wait_s(self, caller: str, now_s: float) -> float:
        """Take a token. Return 0, or where there is none how long until there is one."""
        with self._lock:
            tokens, since_s = self._buckets.pop(caller, (float(self._burst), now_s))
            tokens = min(self._burst, tokens + (now_s - since_s) * self._rate_per_s)
            granted = tokens >= 1
            self._buckets[caller] = (tokens - 1 if granted else tokens, now_s)
            if len(self._buckets) > CALLERS_MAX:
                del self._buckets[next(iter(self._buckets))]
            return 0.0 if granted else (1 - tokens) / self._rate_per_s

    def forgive(self, caller: str) -> None:
        """Fill a caller's bucket: it was who it said."""
        with self._lock:
            self._buckets.pop(caller, None)
