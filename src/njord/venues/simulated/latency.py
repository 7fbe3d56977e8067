"""How long messages travel: a constant, or a curve that was measured.

Between two knots of a curve the latency is interpolated, before the first and after the last it is theirs. What is sent
later on one connection never arrives earlier, however steeply a curve falls.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

KNOTS_MAX = 10_000_000
LATENCY_NS_MAX = 60_000_000_000
TIME_NS_MAX = 2**61


class LatencyKnot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured at one moment, in nanoseconds: orders on their way in, reports and market data on theirs."""

    time_ns: int
    order_ns: int
    response_ns: int
    feed_ns: int = 0


def check_curve(knots: Sequence[LatencyKnot], curve: str = "latency curve", first_row: int = 1) -> None:
    """Raise ValueError naming the first knot that is out of order, negative, or longer than a minute."""
    if len(knots) > KNOTS_MAX:
        raise ValueError(f"{curve}: at most {KNOTS_MAX} knots, was {len(knots)}")
    before_ns: int | None = None
    for row, knot in enumerate(knots, first_row):
        for name in ("order_ns", "response_ns", "feed_ns"):
            latency_ns = getattr(knot, name)
            if not 0 <= latency_ns <= LATENCY_NS_MAX:
                raise ValueError(f"{curve}, row {row}: {name} must be from 0 to a minute, was {latency_ns}")
        if not -TIME_NS_MAX <= knot.time_ns <= TIME_NS_MAX:
            raise ValueError(f"{curve}, row {row}: time_ns must be nanoseconds of a moment, was {knot.time_ns}")
        if before_ns is not None and knot.time_ns <= before_ns:
            raise ValueError(f"{curve}, row {row}: time_ns must rise, was {knot.time_ns}")
        before_ns = knot.time_ns


class Line:
    """One direction of one connection. ``times_ns`` and ``latencies_ns`` are a curve's knots; a constant has none."""

    __slots__ = ("constant_ns", "last_ns", "latencies_ns", "times_ns")

    def __init__(self, constant_ns: int, times_ns: Ints | None = None, latencies_ns: Ints | None = None) -> None:
        self.constant_ns = constant_ns
        self.times_ns = np.zeros(0, dtype=np.int64) if times_ns is None else times_ns
        self.latencies_ns = np.zeros(0, dtype=np.int64) if latencies_ns is None else latencies_ns
        self.last_ns = -(2**62)

    @classmethod
    def of(cls, constant_ns: int, knots: Sequence[LatencyKnot], name: str) -> "Line":
        """Return the line of a curve's column ``name`` (order_ns, response_ns, feed_ns), or of a constant."""
        if not knots:
            return cls(constant_ns)
        times_ns = np.array([knot.time_ns for knot in knots], dtype=np.int64)
        return cls(0, times_ns, np.array([getattr(knot, name) for knot in knots], dtype=np.int64))

    @property
    def instant(self) -> bool:
        """Whether everything arrives at the moment it is sent."""
        return self.constant_ns == 0 and not self.latencies_ns.any()

    @property
    def steepest(self) -> float:
        """How fast latency falls where it falls fastest, in ns a ns; 0 where it never does."""
        if len(self.times_ns) < 2:
            return 0.0
        return min(0.0, float((np.diff(self.latencies_ns) / np.diff(self.times_ns)).min()))

    def arrives_ns(self, sent_ns: int) -> int:
        """Return when what is sent at ``sent_ns`` arrives. Calls on a curve are in the order of sending."""
        if not len(self.times_ns):
            return sent_ns + self.constant_ns
        self.last_ns = max(self.last_ns, sent_ns + latency_at(self.times_ns, self.latencies_ns, sent_ns))
        return self.last_ns

    def all_arrive_ns(self, sent_ns: Ints) -> Ints:
        """Return when each of many arrives, in the order of sending: the same as one call after the other."""
        if not len(self.times_ns):
            return sent_ns + self.constant_ns
        if not len(sent_ns):
            return sent_ns
        right = np.clip(np.searchsorted(self.times_ns, sent_ns, side="right"), 1, max(1, len(self.times_ns) - 1))
        left = right - 1 if len(self.times_ns) > 1 else np.zeros_like(right)
        right = np.minimum(right, len(self.times_ns) - 1)
        width = np.maximum(self.times_ns[right] - self.times_ns[left], 1)
        share = np.clip((sent_ns - self.times_ns[left]) / width, 0.0, 1.0)
        steps = np.floor((self.latencies_ns[right] - self.latencies_ns[left]) * share).astype(np.int64)
        arrives: Ints = np.maximum.accumulate(sent_ns + self.latencies_ns[left] + steps)
        np.maximum(arrives, self.last_ns, out=arrives)
        self.last_ns = int(arrives[-1])
        return arrives


def latency_at(times_ns: Ints, latencies_ns: Ints, sent_ns: int) -> int:
    """Return the latency of a curve at a moment, rounded down to the nanosecond."""
    last = len(times_ns) - 1
    right = int(np.searchsorted(times_ns, sent_ns, side="right"))
    if right == 0 or last == 0:
        return int(latencies_ns[0])
    if right > last:
        return int(latencies_ns[last])
    begins_ns, first_ns = int(times_ns[right - 1]), int(latencies_ns[right - 1])
    # As floats, which is what arrays and compiled code divide
    share = float(sent_ns - begins_ns) / float(int(times_ns[right]) - begins_ns)
    return first_ns + int(np.floor((int(latencies_ns[right]) - first_ns) * share))
