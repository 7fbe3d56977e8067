"""Fail when the engine has become slower, told as a ratio to plain Python on the same machine at the same time.

Run: python benchmarks/gate.py [--update] [--rounds N]. Each round takes turns between a loop of plain Python and the
engine's tasks; the least CPU time of each counts, since noise only adds. A task more than 10 % above what is stored in
baseline.json for this version of Python ends the gate with 1; where nothing is stored it ends with 2.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from quotes import tape as quotes_tape
from quotes import watched

from njord.research.benchmark import Watch, minute_bars
from njord.research.notebook import backtest
from njord.strategies.ema_cross import EmaCross
from njord.strategies.port import Strategy

BASELINE = Path(__file__).resolve().parent / "baseline.json"
TOLERANCE = 0.10
BARS = QUOTES = 100_000
STEPS = 200_000
ROUNDS = 12


class _Level:
    """What the loop makes and looks at: an object with slots, as events are."""

    __slots__ = ("name", "price", "size")

    def __init__(self, name: str, price: float, size: int) -> None:
        self.name = name
        self.price = price
        self.size = size


def calibration() -> None:
    """Do what an engine does, without one: make objects, look names up, call, compare, count."""
    books: dict[str, list[float]] = {name: [0.0, 0.0] for name in ("a", "b", "c", "d")}
    names = tuple(books)
    kept: list[_Level] = []
    for step in range(STEPS):
        level = _Level(names[step & 3], 100.0 + (step % 97) * 0.01, step % 11)
        book = books[level.name]
        book[0] += 0.1 * (level.price - book[0])
        book[1] += 0.02 * (level.price - book[1])
        if book[0] > book[1] and level.size > 9:
            kept.append(level)
        if len(kept) > 1_000:
            kept.clear()


def least_cpu_s(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Run all tasks in turn, some rounds of it. Return the least CPU time of each."""
    least = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            gc.collect()
            began_s = time.process_time()
            task()
            least[name] = min(least[name], time.process_time() - began_s)
    return least


def ratios(rounds: int) -> dict[str, float]:
    """Return the cost of each task of the engine in calibration loops."""
    bars, quotes = minute_bars(BARS), quotes_tape(QUOTES)

    def engine(strategy: Strategy) -> object:
        return backtest(strategy, bars, 1_000_000, taker=0.001, risk="research", latency_ms=0)

    found = least_cpu_s(
        {
            "calibration": calibration,
            "bars": lambda: engine(Watch()),
            "orders": lambda: engine(EmaCross(10, 50, 1.0)),
            "quotes": lambda: watched(quotes),
        },
        rounds,
    )
    loop_s = found.pop("calibration")
    return {name: cpu_s / loop_s for name, cpu_s in found.items()}


def slower(found: dict[str, float], stored: dict[str, float]) -> list[str]:
    """Return a line for each task that costs too much more than it did, or that nothing is stored of."""
    lines = [f"{name}: nothing stored; run with --update" for name in found if name not in stored]
    for name, ratio in found.items():
        if name in stored and ratio > stored[name] * (1 + TOLERANCE):
            change = 100 * (ratio / stored[name] - 1)
            lines.append(f"{name}: {ratio:.3f} of a calibration loop, was {stored[name]:.3f} ({change:+.1f} %)")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Fail when the engine has become slower than its baseline.")
    parser.add_argument("--update", action="store_true", help="store what is measured now")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stored: dict[str, dict[str, float]] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    found = ratios(options.rounds)
    if options.update:
        stored[python] = {name: round(ratio, 3) for name, ratio in found.items()}
        BASELINE.write_text(json.dumps(stored, indent=2, sort_keys=True) + "\n")
    if python not in stored:
        print(f"no baseline of Python {python} in {BASELINE.name}; run with --update")
        return 2
    for name, ratio in found.items():
        print(f"{name}: {ratio:.3f}, stored {stored[python].get(name, float('nan')):.3f}")
    lines = slower(found, stored[python])
    if lines:  # Once more, for longer: a busy neighbour is no regression
        again = ratios(2 * options.rounds)
        lines = slower({name: min(ratio, again[name]) for name, ratio in found.items()}, stored[python])
    print("\n".join(lines) if lines else "no slower than the baseline")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
