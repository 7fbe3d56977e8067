"""What both sides and the driver share: the maker's settings, the form of what is compared, one line of JSON a process.

Needs only numpy, so that it runs in the peer's environment too.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

MARK = "RESULT "
STEP_NS = 100_000_000
LATENCY_NS = 1_000_000
MAKER_FEE, TAKER_FEE = 0.0002, 0.0005
HALF_SPREAD_TICKS, LOTS, POSITION_MAX_LOTS = 3, 5, 100
BUSY_HALF_SPREAD_TICKS = 1  # Of the tasks named ``busy``: at the touch, where orders are filled all the time
RUNS = 3  # Of a task in one process, after the one that compiles; the median counts
# Orders on a schedule: every half second, up to ``lots_max``; the last are gone before the tape ends
LIFE, QUIET_NS = 5, 2_000_000_000
SCHEDULES = {"schedule_1": 1, "schedule_7": 7}

OPEN, FILLED, REJECTED, CANCELLED = 0, 1, 2, 3
# sign: 1 buys. done_ns: when it ended at the venue
ORDER = np.dtype([(name, "i8") for name in ("number", "sent_ns", "sign", "price", "lots", "fate", "done_ns")])
# why: of Njord's fills the reason, QUOTE_THROUGH ... CROSSED_BOOK in the order below; -1 where the engine says none
FILL = np.dtype([(name, "i8") for name in ("number", "time_ns", "price", "lots", "why")])
QUOTE_THROUGH, TRADE_THROUGH, TRADE_AT_LIMIT, CROSSED_BOOK = 0, 1, 2, 3


def peak_mb() -> float:
    """The most memory this process has had. Linux only, where it is kept by address space."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def half_spread_ticks(task: str) -> int:
    """How far from the mid the maker of a task quotes."""
    return BUSY_HALF_SPREAD_TICKS if task.startswith("busy") else HALF_SPREAD_TICKS


def position_max_lots(task: str) -> int:
    """How much a task's maker holds at most; with 0 it is asked, and wants nothing."""
    return 0 if task == "asked" else POSITION_MAX_LOTS


def tell(found: dict[str, Any]) -> None:
    """Print what a process found, with what it used in all."""
    whole = {"process_cpu_s": time.process_time(), "peak_mb": peak_mb(), "python": sys.version.split()[0]}
    print(MARK + json.dumps({**whole, **found}))
