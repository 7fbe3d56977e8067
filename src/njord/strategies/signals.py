"""Signals: a strategy written as one function over a pandas frame, played honestly, bar by bar.

The frame has one instrument's bars: an index ``ts`` (start of each bar, UTC), and open, high, low, close, volume.
A signal is the position to hold once its bar is complete, in units of the instrument; NaN leaves things as they are.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from njord.domain.ids import InstrumentId
from njord.domain.market import Bar
from njord.strategies.port import Desk, Strategy

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("open", "high", "low", "close", "volume")
WINDOW_BARS = 500
WINDOW_BARS_MAX = 1_000_000

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Signals = Callable[["pd.DataFrame"], "pd.Series"]


class SignalStrategy(Strategy):
    """Override ``signals``: it is given bars, and returns the position to hold after each of them.

    It cannot look ahead: on each bar it is given that bar and those before it, at most ``window`` of them, and only
    the last row of its answer is used. Give ``window`` at least as many bars as the slowest indicator needs: what
    depends on more than that (an EMA in its first bars, a running total) is computed from the window alone.

    The cost is one evaluation of ``signals`` per bar: about a millisecond for a handful of pandas operations, growing
    with ``window``. For many runs over the same bars, ``research.look_ahead.precompute`` evaluates it once over the
    whole frame, after proving that this gives the same.
    """

    window: int = WINDOW_BARS

    def __init__(self, window: int = 0) -> None:
        if window:
            self.window = window

    def signals(self, bars: "pd.DataFrame") -> "pd.Series":
        """Return the position to hold after each bar, with the index of ``bars``."""
        raise TypeError(f"{type(self).__name__} has no signals(bars) of its own")

    def on_start(self, desk: Desk) -> None:
        pandas()
        if not 0 < self.window <= WINDOW_BARS_MAX:
            raise ValueError(f"window must be 1 to {WINDOW_BARS_MAX} bars, was {self.window}")
        self._seen = {name: _Recent(self.window) for name in desk.instruments}
        self._asked: dict[InstrumentId, float] = dict.fromkeys(desk.instruments, 0.0)

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        name = bar.instrument_id
        seen = self._seen[name]
        seen.add(bar)
        wanted = last_of(self.signals(seen.frame()), seen.count)
        if wanted == wanted and wanted != self._asked[name]:  # NaN is not itself
            self._asked[name] = wanted
            desk.target(wanted, instrument=name)


class PrecomputedSignals(Strategy):
    """Play signals that were computed beforehand: for each instrument, a position by the start of each bar.

    Nothing here can tell whether they were computed honestly: get one from ``research.look_ahead.precompute``.
    """

    def __init__(self, targets: Mapping[str, Mapping[int, float]]) -> None:
        self.targets = {InstrumentId(name): dict(rows) for name, rows in targets.items()}

    def on_start(self, desk: Desk) -> None:
        for name in desk.instruments:
            if name not in self.targets:
                raise ValueError(f"no signals of {name}")
        self._asked: dict[InstrumentId, float] = dict.fromkeys(desk.instruments, 0.0)

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        name = bar.instrument_id
        start_ns = bar.venue_time_ns - bar.interval_ns
        wanted = self.targets[name].get(start_ns)
        if wanted is None:
            raise ValueError(f"no signal of {name} for its bar of {start_ns}: they were computed on other bars")
        if wanted == wanted and wanted != self._asked[name]:
            self._asked[name] = wanted
            desk.target(wanted, instrument=name)


def pandas() -> Any:
    """Import pandas, which is optional. Raises ValueError saying how to get it."""
    try:
        import pandas as pd
    except ImportError:
        raise ValueError('signals need pandas, which is not installed: pip install "njord[frames]"') from None
    return pd


def frame_of(start_ns: Integers, values: Floats) -> "pd.DataFrame":
    """Return bars as ``signals`` sees them. ``values`` has a row per column: open, high, low, close, volume."""
    library = pandas()
    index = library.DatetimeIndex(start_ns.view("M8[ns]"), name="ts").tz_localize("UTC")
    frame: pd.DataFrame = library.DataFrame(values.T, index=index, columns=list(COLUMNS))
    return frame


def last_of(answer: Any, rows: int) -> float:
    """Return the last signal as a float. Raises ValueError unless there is one per bar."""
    try:
        count = len(answer)
    except TypeError:
        raise ValueError(f"signals must return a Series, one value per bar, was {type(answer).__name__}") from None
    if count != rows:
        raise ValueError(f"signals must return one value per bar: {rows} bars, {count} values")
    values = getattr(answer, "array", answer)
    last = values[count - 1]
    return float("nan") if last is None or last is getattr(pandas(), "NA", None) else float(last)


class _Recent:
    """The last bars of one instrument. A buffer of twice the window, moved to its front when full."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._room = min(2 * window, 4 * WINDOW_BARS)
        self._values = np.empty((len(COLUMNS), self._room))
        self._start_ns = np.empty(self._room, dtype=np.int64)
        self._end = 0

    @property
    def count(self) -> int:
        return min(self._end, self._window)

    def add(self, bar: Bar) -> None:
        if self._end == self._room:
            self._make_room()
        self._values[:, self._end] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        self._start_ns[self._end] = bar.venue_time_ns - bar.interval_ns
        self._end += 1

    def frame(self) -> "pd.DataFrame":
        """Return a copy: what a strategy does to its frame is its own affair."""
        first = self._end - self.count
        return frame_of(self._start_ns[first : self._end].copy(), self._values[:, first : self._end].copy())

    def _make_room(self) -> None:
        kept = self.count
        if self._room < 2 * self._window:
            self._room = min(2 * self._room, 2 * self._window)
        values, start_ns = np.empty((len(COLUMNS), self._room)), np.empty(self._room, dtype=np.int64)
        values[:, :kept] = self._values[:, self._end - kept : self._end]
        start_ns[:kept] = self._start_ns[self._end - kept : self._end]
        self._values, self._start_ns, self._end = values, start_ns, kept
