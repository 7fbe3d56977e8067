"""Parameter sweeps: the same run for every combination of a grid, on all cores, each through the full engine.

A result of a sweep is that of a single run, digest included; a test holds it to that.
"""

import itertools
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from njord.domain.spelling import suggestion
from njord.research.notebook import backtest
from njord.strategies import registry
from njord.strategies.port import Strategy

COMBINATIONS_MAX = 1_000_000
FIGURES = ("total_return", "sharpe", "sortino", "max_drawdown", "trades", "net_pnl")

# One process's copy of the data, sent once and not with every combination
_work: dict[str, Any] = {}


def sweep(
    strategy: type[Strategy],
    data: Any,
    cash: float,
    *,
    grid: Mapping[str, Sequence[Any]],
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Return a row for each combination of ``grid``: its parameters, figures, final equity and digest, in grid order.

    ``data`` and ``settings`` are those of ``backtest``. A combination the strategy refuses has an ``error`` instead of
    figures. ``processes`` defaults to the number of cores; 1 runs here. Raises ValueError for an unknown parameter.
    """
    known = registry.parameters(strategy)
    for name in grid:
        if name not in known:
            raise ValueError(f"sweep: {strategy.__name__} has no parameter {name!r}{suggestion(name, known)}")
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    if not combinations or len(combinations) > COMBINATIONS_MAX:
        raise ValueError(f"sweep: 1 to {COMBINATIONS_MAX} combinations, was {len(combinations)}")
    work = {"strategy": strategy, "data": data, "cash": cash, "settings": settings}
    workers = min(processes or os.cpu_count() or 1, len(combinations))
    rows: list[dict[str, Any]] = []
    if workers == 1:
        _take(work)
        results = map(_one, combinations)
        rows += _counted(results, len(combinations), progress)
        _work.clear()
        return rows
    # A fresh interpreter each: threads and locks of this one are not copied
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_take, initargs=(work,)) as pool:
        chunk = max(1, len(combinations) // (8 * workers))
        rows += _counted(pool.map(_one, combinations, chunksize=chunk), len(combinations), progress)
    return rows


def _counted(results: Any, total: int, progress: Callable[[int, int], None] | None) -> list[dict[str, Any]]:
    rows = []
    for done, row in enumerate(results, start=1):
        rows.append(row)
        if progress is not None:
            progress(done, total)
    return rows


def _take(work: dict[str, Any]) -> None:
    _work.update(work)


def _one(parameters: dict[str, Any]) -> dict[str, Any]:
    kind: type[Strategy] = _work["strategy"]
    try:
        strategy = registry.build(kind, kind.__name__, parameters)
    except registry.BadParameter as error:
        return {**parameters, "error": str(error)}
    result = backtest(strategy, _work["data"], _work["cash"], **_work["settings"])
    figures = {name: result.stats.get(name) for name in FIGURES}
    row = {**parameters, **figures, "final_equity": float(result.final_equity), "digest": result.digest}
    stopped = result.assembly.backtest.stopped
    return {**row, "error": stopped[0].reason} if stopped else row
