"""What the script and its peers say to each other: one process does one task once, and prints one line of JSON.

Needs only numpy, so that it runs in every peer's environment. A peer's file calls ``serve`` with its tasks; each task
is a function of the tape that yields once, where its data is loaded and its run begins, and returns its outcome.
"""

import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Generator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CASH = 2_000_000
FEE = 0.001
FAST, SLOW = 10, 50
MARK = "RESULT "

Tape = dict[str, Any]
Task = Callable[[Tape], Generator[None, None, dict[str, Any]]]


class Ema:
    """The strategy's average: seeded by the mean of its first ``period`` values, NaN until then."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.weight = 2.0 / (period + 1)
        self.value = float("nan")
        self.ready = False
        self.sum = 0.0
        self.to_go = period

    def update(self, value: float) -> float:
        if self.ready:
            last = self.value
            self.value = last = last + self.weight * (value - last)
            return last
        self.sum += value
        self.to_go -= 1
        if self.to_go == 0:
            self.value = self.sum / self.period
            self.ready = True
        return self.value


def averages(closes: Any) -> tuple[Any, Any]:
    """Both averages of all closes, for those who want them in advance."""
    fast, slow = Ema(FAST), Ema(SLOW)
    values = closes.tolist()
    return np.array([fast.update(x) for x in values]), np.array([slow.update(x) for x in values])


def frame(tape: Tape) -> Any:
    """The tape as a pandas frame indexed by time, columns as most peers want them."""
    import pandas as pd

    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({name.title(): tape[name] for name in names}, index=pd.to_datetime(tape["ts"], utc=False))


def peak_mb() -> float:
    """The most memory this process has had. Linux keeps it by address space; elsewhere a parent's may count."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def load(path: Path, rows: int) -> Tape:
    with np.load(path) as stored:
        return {key: stored[key][:rows].copy() for key in stored.files}


def serve(tasks: dict[str, Task], package: str, own_data: tuple[str, ...] = ()) -> None:
    """Do the one task named on the command line: ``TAPE TASK ROWS``. Tasks of ``own_data`` read elsewhere."""
    path, name, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    began_s = time.process_time()
    task = tasks[name]({"rows": rows} if name in own_data else load(path, rows))
    next(task)
    gc.collect()
    loaded_s, loaded_mb = time.process_time(), peak_mb()
    outcome: dict[str, Any] = {}
    try:
        next(task)
    except StopIteration as stop:
        outcome = stop.value
    ended_s = time.process_time()
    result = {
        "load_cpu_s": loaded_s - began_s,
        "run_cpu_s": ended_s - loaded_s,
        "whole_cpu_s": ended_s - began_s,
        "loaded_mb": loaded_mb,
        "peak_mb": peak_mb(),
        "version": version(package),
        "python": sys.version.split()[0],
        **outcome,
    }
    print(MARK + json.dumps(result))
