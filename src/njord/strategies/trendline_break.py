"""Trade the break of a trend line drawn through recent turning points."""

from collections import deque

from njord.domain.ids import InstrumentId
from njord.domain.market import Bar
from njord.strategies.port import Desk, Strategy


class _Line:
    """A line through the last two turning points on one side, extended to the bar that is asked for."""

    def __init__(self) -> None:
        self.points: deque[tuple[int, float]] = deque(maxlen=2)

    def at(self, bar: int) -> float | None:
        if len(self.points) < 2:
            return None
        (first, low), (second, high) = self.points
        return high + (high - low) * (bar - second) / (second - first)


class TrendlineBreak(Strategy):
    """Long when the close breaks above the line through the last two falling peaks, out when it breaks below the
    line through the last two rising troughs. A turning point is known ``reach`` bars after it happened, and used from
    then on.
    """

    def __init__(self, reach: int = 5, quantity: float = 1.0) -> None:
        if reach < 1:
            raise ValueError(f"reach must be at least 1, was {reach}")
        self.reach, self.quantity = reach, quantity

    def on_start(self, desk: Desk) -> None:
        span = 2 * self.reach + 1
        self.bars: dict[InstrumentId, deque[tuple[float, float]]] = {
            name: deque(maxlen=span) for name in desk.instruments
        }
        self.count = dict.fromkeys(desk.instruments, 0)
        self.peaks = {name: _Line() for name in desk.instruments}
        self.troughs = {name: _Line() for name in desk.instruments}

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        name = bar.instrument_id
        count = self.count[name] = self.count[name] + 1
        resistance, support = self.peaks[name].at(count), self.troughs[name].at(count)
        if resistance is not None and bar.close > resistance and self._falling(self.peaks[name]):
            desk.target(self.quantity, instrument=name)
        elif support is not None and bar.close < support and self._rising(self.troughs[name]):
            desk.target(0, instrument=name)
        self._turn(name, bar, count)

    def _turn(self, name: InstrumentId, bar: Bar, count: int) -> None:
        bars = self.bars[name]
        bars.append((bar.high, bar.low))
        if len(bars) == bars.maxlen:
            high, low = bars[self.reach]
            if high == max(each[0] for each in bars):
                self.peaks[name].points.append((count - self.reach, high))
            if low == min(each[1] for each in bars):
                self.troughs[name].points.append((count - self.reach, low))

    @staticmethod
    def _falling(line: _Line) -> bool:
        return line.points[1][1] < line.points[0][1]

    @staticmethod
    def _rising(line: _Line) -> bool:
        return line.points[1][1] > line.points[0][1]
