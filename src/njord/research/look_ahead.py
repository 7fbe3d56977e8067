"""Does a strategy look ahead? Change what comes later, and see whether what was known before changes with it.

A signal that is honest at a row is the same whether the rows after it are there, are missing, or are others. Where it
is not, the first variable or column that changed is named, with its line, and with what on that line looks ahead.
"""

import copy
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import iso
from njord.research.blame import blame
from njord.research.frames import Frames
from njord.research.watching import RETURNED, Rows, rows_of, watch
from njord.strategies.signals import COLUMNS, PrecomputedSignals, SignalStrategy, frame_of, last_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CUTS = 8
CUTS_MAX = 10_000
ROWS_MIN = 20
# Float noise: a sum over other rows may be rounded otherwise in its last digits
RELATIVE = 1e-9
CHECKED_ROWS = 12
_ASSET = "ASSET/USD.SIM"


class LookAhead(ValueError):
    """Signals were to be computed at once, and look ahead. The message names the column and the line."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a strategy looks ahead: rows up to ``cut_time_ns`` changed with those after it, first ``first_time_ns``."""

    column: str
    file: str
    line: int
    source: str
    cause: str
    first_time_ns: int
    cut_time_ns: int
    message: str


class Bars(NamedTuple):
    """Bars as columns; ``values`` has a row each for open, high, low, close and volume."""

    start_ns: Integers
    values: Floats


class Leak(NamedTuple):
    """A run on other later rows that gave another answer up to row ``cut``, first in row ``row``."""

    cut: int
    row: int
    other: Bars
    truncated: bool


def look_ahead(
    subject: SignalStrategy | Callable[[Any], Any], bars: Any, *, seed: int = 1, cuts: int = CUTS
) -> Finding | None:
    """Return where ``signals`` of a strategy, or a function like it, looks ahead on these bars; None if it does not.

    ``bars`` is what ``njord.backtest`` takes as data. ``cuts`` moments are tried, and as many again where the signal
    changes: at each, later rows are removed, and replaced. Raises ValueError for too few bars, or an answer that is
    not one value per bar.
    """
    if not 0 < cuts <= CUTS_MAX:
        raise ValueError(f"cuts must be 1 to {CUTS_MAX}, was {cuts}")
    whole = bars_of(bars)
    call, name, file = _subject(subject)
    signal = dense_of(_answer(call, whole), whole, len(whole.start_ns))
    again = first_difference(signal, dense_of(_answer(call, whole), whole, len(whole.start_ns)))
    if again is not None:
        return _unstable(name, file, subject, whole, again)
    leak = _leak(call, whole, signal, seed, cuts)
    return None if leak is None else _finding(call, name, file, whole, leak, seed)


def precompute(
    strategy: SignalStrategy, data: Any, *, instrument: str = _ASSET, seed: int = 1, cuts: int = CUTS
) -> PrecomputedSignals:
    """Evaluate a strategy's signals once over whole frames, for runs that only play them: the fast path.

    ``data`` is as for ``njord.backtest``: a frame, or a mapping of instrument ids to frames. Raises LookAhead where the
    strategy looks ahead, or where its ``window`` is too short to give bar by bar what the whole frame gives.
    """
    several = hasattr(data, "keys") and bool(list(data.keys())) and all("." in str(key) for key in data)
    targets: dict[str, dict[int, float]] = {}
    for name, frame in data.items() if several else [(instrument, data)]:
        finding = look_ahead(strategy, frame, seed=seed, cuts=cuts)
        if finding is not None:
            raise LookAhead(finding.message)
        bars = bars_of(frame)
        signal = dense_of(_answer(_subject(strategy)[0], bars), bars, len(bars.start_ns))
        _check_window(strategy, bars, signal, seed)
        targets[str(name)] = dict(zip(bars.start_ns.tolist(), signal.tolist(), strict=True))
    return PrecomputedSignals(targets)


def bars_of(data: Any) -> Bars:
    """Return any frame as bars."""
    if isinstance(data, Bars):
        return data
    frames = Frames()
    dataset_id = frames.add(_ASSET, data)
    (columns,) = frames.read(dataset_id, None, None, 2**62)
    rows = len(columns["start_ns"])
    if rows < ROWS_MIN:
        raise ValueError(f"look-ahead: needs at least {ROWS_MIN} bars, there are {rows}")
    return Bars(columns["start_ns"], np.array([columns[name] for name in COLUMNS]))


def _subject(subject: SignalStrategy | Callable[[Any], Any]) -> tuple[Callable[[Any], Any], str, str]:
    if isinstance(subject, SignalStrategy):
        file = inspect.getsourcefile(type(subject).signals) or ""
        # Each run has a strategy of its own: what one remembers must not reach the next
        return (lambda frame: copy.deepcopy(subject).signals(frame)), type(subject).__name__, file
    function = inspect.unwrap(subject)
    return subject, getattr(function, "__name__", type(function).__name__), inspect.getsourcefile(function) or ""


def _answer(call: Callable[[Any], Any], bars: Bars) -> Rows:
    answer = call(frame_of(bars.start_ns.copy(), bars.values.copy()))
    last_of(answer, len(bars.start_ns))
    rows = rows_of(answer)
    if rows is None or rows.values.ndim != 1:
        raise ValueError(f"signals must return a Series of numbers, was {type(answer).__name__}")
    return rows


def dense_of(rows: Rows, bars: Bars, count: int) -> Floats:
    """Return values by row number of the bars, up to ``count``; NaN where there is none."""
    dense = np.full((count, *rows.values.shape[1:]), np.nan)
    if rows.labels is None:
        return dense
    at = np.searchsorted(bars.start_ns, rows.labels) if rows.timed else rows.labels
    known = (at >= 0) & (at < count)
    if rows.timed:
        known &= bars.start_ns[np.minimum(at, len(bars.start_ns) - 1)] == rows.labels
    dense[at[known]] = rows.values[known]
    return dense


def first_difference(one: Floats, other: Floats) -> int | None:
    """Return the first row in which two arrays differ by more than float noise."""
    if one.shape != other.shape:
        return None
    same = np.isclose(one, other, rtol=RELATIVE, atol=1e-12, equal_nan=True)
    rows = same.all(axis=tuple(range(1, same.ndim)))
    return None if rows.all() else int(np.argmin(rows))


def _leak(call: Callable[[Any], Any], whole: Bars, signal: Floats, seed: int, cuts: int) -> Leak | None:
    tried = failed = 0
    error: Exception | None = None
    for cut, other, truncated in _variations(whole, signal, seed, cuts):
        tried += 1
        try:
            rows = _answer(call, other)
        except Exception as reason:  # noqa: BLE001 - too few rows for this strategy, perhaps; a user's code may raise anything
            failed, error = failed + 1, reason
            continue
        row = first_difference(signal[: cut + 1], dense_of(rows, other, cut + 1))
        if row is not None:
            return Leak(cut, row, other, truncated)
    if error is not None and failed == tried:
        raise ValueError(f"look-ahead: signals fail on part of the bars: {type(error).__name__}: {error}") from error
    return None


def _variations(whole: Bars, signal: Floats, seed: int, cuts: int) -> Iterator[tuple[int, Bars, bool]]:
    rng = np.random.default_rng([seed, 11])
    rows = len(whole.start_ns)
    low, high = max(1, rows // 5), rows - 2
    moments = rng.integers(low, high + 1, cuts).tolist()
    # A signal of few values hides much: look closest where it changes
    changes = np.flatnonzero(np.diff(np.nan_to_num(signal, nan=-1e300)) != 0) + 1
    changes = changes[(changes > low) & (changes <= high)]
    if len(changes):
        near = rng.choice(changes, min(cuts, len(changes)), replace=False)
        moments += (near - rng.integers(0, 2, len(near))).tolist()
    for number, cut in enumerate(moments):
        yield cut, Bars(whole.start_ns[: cut + 1], whole.values[:, : cut + 1]), True
        yield cut, other_future(whole, cut, rng, number), False


def other_future(whole: Bars, cut: int, rng: np.random.Generator, number: int) -> Bars:
    """Return the same bars up to ``cut``, and others after it: shuffled, and, two times in three, far up or down."""
    values = whole.values.copy()
    later = cut + 1 + rng.permutation(len(whole.start_ns) - cut - 1)
    values[:, cut + 1 :] = whole.values[:, later]
    factor = (3.0, 0.3, 1.0)[number % 3]
    values[:, cut + 1 :] *= np.array([factor, factor, factor, factor, 1 / factor])[:, None]
    return Bars(whole.start_ns, values)


def _finding(call: Callable[[Any], Any], name: str, file: str, whole: Bars, leak: Leak, seed: int) -> Finding:
    def watched(bars: Bars) -> Any:
        return watch(lambda: call(frame_of(bars.start_ns.copy(), bars.values.copy())), file)

    other = leak.other
    future = other_future(whole, leak.cut, np.random.default_rng([seed, 12]), 0) if leak.truncated else other
    _, base, returned_line = watched(whole)
    _, changed, _ = watched(other)
    try:
        scalars = watched(future)[1]
    except Exception:  # noqa: BLE001 - a user's code, on rows it may not like; then numbers are compared less well
        scalars = changed

    blamed = blame(
        file, base, changed, scalars, first_row_of(whole, other, leak.cut), lambda rows: per_bar(rows, whole),
        returned_line,
    )  # fmt: skip
    row = leak.row if blamed.row is None else blamed.row
    return describe(name, file, blamed.column, blamed.line, blamed.source, blamed.cause, whole, row, leak.cut)


def first_row_of(whole: Bars, other: Bars, cut: int) -> Callable[[Rows, Rows], int | None]:
    """Return what says where values of ``whole`` and of ``other`` bars first differ, up to row ``cut``."""

    def first_row(one: Rows, two: Rows) -> int | None:
        if not (per_bar(one, whole) and per_bar(two, other)):
            return None
        return first_difference(dense_of(one, whole, cut + 1), dense_of(two, other, cut + 1))

    return first_row


def per_bar(rows: Rows, bars: Bars) -> bool:
    """Return whether values belong to bars one by one."""
    # Not every other index is that of the bars: a day's first hour has the label of the day
    count = len(bars.start_ns)
    if rows.labels is None or 2 * len(rows.labels) < count or len(rows.labels) > count:
        return False
    if rows.timed:
        return bool(2 * np.isin(rows.labels, bars.start_ns).sum() >= count)
    counted = np.array_equal(rows.labels, np.arange(len(rows.labels)))
    return len(rows.labels) == count or bool(not counted and rows.labels.max(initial=0) >= count // 2)


def describe(
    name: str, file: str, column: str, line: int, source: str, cause: str, bars: Bars, row: int, cut: int
) -> Finding:
    """Return a finding with its sentence."""
    first_ns, cut_ns = int(bars.start_ns[row]), int(bars.start_ns[cut])
    what = f"what {name} returns" if column == RETURNED else column
    message = (
        f"{name} looks ahead: {what}, {Path(file).name} line {line}, knows at {iso(first_ns)} what happens after"
        f" {iso(cut_ns)}: {cause}"
    )
    return Finding(
        column=column, file=file, line=line, source=source, cause=cause, first_time_ns=first_ns, cut_time_ns=cut_ns,
        message=message,
    )  # fmt: skip


def _unstable(name: str, file: str, subject: Any, whole: Bars, row: int) -> Finding:
    signals = type(subject).signals if isinstance(subject, SignalStrategy) else inspect.unwrap(subject)
    line = signals.__code__.co_firstlineno
    cause = "two evaluations on the same bars differ, so nothing can be said of it: is it seeded?"
    finding = describe(name, file, RETURNED, line, "", cause, whole, row, len(whole.start_ns) - 1)
    message = f"{name} is not repeatable: {Path(file).name} line {line}: {cause}"
    return msgspec.structs.replace(finding, message=message)


def _check_window(strategy: SignalStrategy, bars: Bars, signal: Floats, seed: int) -> None:
    rows = len(bars.start_ns)
    call = _subject(strategy)[0]
    picked = np.random.default_rng([seed, 13]).integers(0, rows, CHECKED_ROWS).tolist()
    for row in sorted({*picked, rows - 1, min(rows - 1, strategy.window)}):
        first = max(0, row + 1 - strategy.window)
        part = Bars(bars.start_ns[first : row + 1].copy(), bars.values[:, first : row + 1].copy())
        honest = last_of(call(frame_of(part.start_ns, part.values)), row + 1 - first)
        if not np.isclose(honest, signal[row], rtol=RELATIVE, atol=1e-12, equal_nan=True):
            raise LookAhead(
                f"{type(strategy).__name__}: window {strategy.window} is too short: at {iso(int(bars.start_ns[row]))}"
                f" the signal is {honest:g} from the window and {signal[row]:g} from all bars; make window larger"
            )
