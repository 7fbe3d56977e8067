"""Does a strategy that keeps data of its own look ahead? Run it with later rows and without, and compare its orders.

For strategies that are handed a frame when they are made: the frame and the market end at the same moment, or go on
otherwise, and what was ordered up to then must be the same.
"""

import ast
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from njord.domain.clock import NS_PER_HOUR, iso, time_ns
from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.order import NewOrder
from njord.engine.sample import HOURS_PER_YEAR, STEPS_PER_BAR
from njord.ledger.journal import Record
from njord.market.synthetic.prices import regime_path, volumes
from njord.research.blame import UNKNOWN, Blamed, blame
from njord.research.frames import Frames
from njord.research.look_ahead import CUTS, Bars, Finding, bars_of, describe, first_row_of, per_bar
from njord.research.look_ahead_causes import causes
from njord.research.notebook import backtest
from njord.research.watching import RETURNED, Source, loaded, watch
from njord.strategies.port import Strategy

Make = Callable[[Any], Strategy]
_decode = msgspec.json.Decoder(Record).decode


def check_strategy(
    make: Make, data: Any, *, seed: int = 1, cuts: int = CUTS, cash: float = 1_000_000,
    instrument: str = "ASSET/USD.SIM", **settings: Any,
) -> Finding | None:  # fmt: skip
    """Return where a strategy made by ``make(data)`` orders at a moment what only later rows can tell it, or None.

    ``data`` is a frame, or a dict of arrays; ``make`` is given it whole, cut off, and with its later rows shuffled, and
    must make a new strategy each time. ``settings`` are those of ``njord.backtest``.
    """
    whole = bars_of(data)
    frames = Frames()
    dataset_id = frames.add(instrument, data)
    chosen = {
        "cash": cash, "instrument": instrument, "risk": "research", "seed": seed,
        "definition": frames.instrument(dataset_id.instrument_id), **settings,
    }  # fmt: skip
    rng = np.random.default_rng([seed, 17])
    rows = len(whole.start_ns)
    interval_ns = int(np.diff(whole.start_ns).min())
    orders = _orders(make(_rows(data, np.arange(rows))), data, chosen)
    again = _first_difference(orders, _orders(make(_rows(data, np.arange(rows))), data, chosen), 2**63 - 1)
    if again is not None:
        raise ValueError(f"two runs on the same bars differ, first at {iso(again)}: is the strategy seeded?")
    for cut in _moments(orders, whole, interval_ns, rng, cuts):
        kept = np.arange(cut + 1)
        shuffled = np.concatenate([kept, cut + 1 + rng.permutation(rows - cut - 1)])
        until_ns = int(whole.start_ns[cut]) + interval_ns
        for picked in (kept, shuffled):
            part = _rows(data, picked)
            first_ns = _first_difference(orders, _orders(make(part), part, chosen), until_ns)
            if first_ns is not None:
                row = max(0, int(np.searchsorted(whole.start_ns, first_ns - interval_ns, side="right")) - 1)
                return _finding(make, data, part, whole, row, cut)
    return None


def generated_bars(rows: int, seed: int) -> dict[str, Any]:
    """Return hourly bars of a market that goes through regimes, as columns, for who has no data at hand."""
    rng = np.random.default_rng([seed, 1])
    walk = np.round(regime_path(rng, 30_000.0, rows, HOURS_PER_YEAR, STEPS_PER_BAR), 1)
    opens = np.concatenate([[30_000.0], walk[:-1, -1]])
    return {
        "ts": time_ns("2022-01-01") + NS_PER_HOUR * np.arange(rows, dtype=np.int64),
        "open": opens,
        "high": np.maximum(walk.max(axis=1), opens),
        "low": np.minimum(walk.min(axis=1), opens),
        "close": walk[:, -1],
        "volume": np.round(volumes(rng, walk, 80.0), 8),
    }


def _orders(strategy: Strategy, data: Any, settings: dict[str, Any]) -> list[Record]:
    result = backtest(strategy, data, **settings)
    records = [_decode(line) for line in result.assembly.backtest.journal.lines()]
    return [
        each for each in records
        if isinstance(each.command, NewOrder | CancelOrder | ReplaceOrder) and each.cause != "stop"
    ]  # fmt: skip


def _first_difference(one: list[Record], two: list[Record], until_ns: int) -> int | None:
    here, there = ([each for each in orders if each.time_ns <= until_ns] for orders in (one, two))
    for old, new in itertools.zip_longest(here, there):
        if old is None or new is None:
            return new.time_ns if old is None else old.time_ns
        if (old.time_ns, old.cause, old.command) != (new.time_ns, new.cause, new.command):
            return min(old.time_ns, new.time_ns)
    return None


def _moments(orders: list[Record], whole: Bars, interval_ns: int, rng: np.random.Generator, cuts: int) -> list[int]:
    rows = len(whole.start_ns)
    low, high = max(1, rows // 5), rows - 2
    at = np.searchsorted(whole.start_ns, np.array([each.time_ns for each in orders]) - interval_ns)
    at = np.unique(at[(at > low) & (at <= high)])
    near = (rng.choice(at, min(cuts, len(at)), replace=False) - rng.integers(0, 2)).tolist() if len(at) else []
    found: list[int] = [*rng.integers(low, high + 1, cuts).tolist(), *near]
    return found


def _rows(data: Any, picked: Any) -> Any:
    # The rows picked, at the times of as many rows from the first
    if not hasattr(data, "iloc"):
        part = {key: np.asarray(column)[picked] for key, column in data.items()}
        return {key: np.asarray(data[key])[: len(picked)] if key.lower() == "ts" else part[key] for key in part}
    frame = data.iloc[picked].copy()
    times = next((column for column in frame.columns if str(column).lower() == "ts"), None)
    if times is not None:
        frame[times] = data[times].to_numpy()[: len(picked)]
        frame.index = data.index[: len(picked)]
    else:
        frame.index = data.index[: len(picked)]
    return frame


def _finding(make: Make, data: Any, part: Any, whole: Bars, row: int, cut: int) -> Finding:
    every = np.arange(len(whole.start_ns))
    kind = type(make(_rows(data, every)))
    file = inspect.getsourcefile(kind) or ""
    _, base, line = watch(lambda: make(_rows(data, every)), file)
    _, changed, _ = watch(lambda: make(_rows(part, np.arange(len(bars_of(part).start_ns)))), file)
    source = Source(file)
    own = next(
        (each for each in ast.walk(source.tree) if isinstance(each, ast.ClassDef) and each.name == kind.__name__), None
    )
    used = set() if own is None else loaded(own)
    blamed = blame(
        file,
        base,
        changed,
        changed,
        first_row_of(whole, bars_of(part), cut),
        lambda rows: per_bar(rows, whole),
        line,
        used,
    )
    if blamed.column == RETURNED:
        blamed = _suspected(own)
    return describe(
        kind.__name__, file, blamed.column, blamed.line, blamed.source, blamed.cause, whole,
        row if blamed.row is None else blamed.row, cut,
    )  # fmt: skip


def _suspected(own: ast.ClassDef | None) -> Blamed:
    # Nothing it keeps changed, so it looks ahead when it is asked: what in its code is known to
    for each in ast.walk(own) if own is not None else ():
        if isinstance(each, ast.stmt) and not isinstance(each, ast.FunctionDef | ast.ClassDef):
            for cause in causes(each):
                return Blamed("orders", cause.line, ast.unparse(each).splitlines()[0], cause.text, None)
    return Blamed("orders", own.lineno if own is not None else 0, "", UNKNOWN, None)
