"""Order book: deltas per second of one core, top of book read after each.

Run: python benchmarks/book.py [--json]. Deltas are made here, from a fixed seed: nine of ten change levels within ten
ticks of a mid that walks, one in ten further away; a third removes the level. ``kernel`` is market.kernels.apply_deltas
with the top of book written after every delta; ``python`` is market.book.Book, best bid and ask read after each update.
"""

import json
import sys
import time

import numpy as np

from njord.domain.ids import InstrumentId
from njord.domain.market import BookUpdate
from njord.market.book import Book
from njord.market.kernels import apply_deltas

DELTAS = 4_000_000
PYTHON_DELTAS = 300_000
CELLS, FLOOR_TICKS = 8_192, 1_000_000
RUNS = 15


def tape(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mid = FLOOR_TICKS + CELLS // 2 + np.cumsum(rng.choice([-1, 0, 0, 0, 0, 0, 0, 0, 0, 1], count))
    mid = np.clip(mid, FLOOR_TICKS + 600, FLOOR_TICKS + CELLS - 600)
    side = rng.choice(np.array([-1, 1], dtype=np.int8), count)
    far = rng.random(count) < 0.1
    distance = np.where(far, rng.integers(10, 500, count), rng.integers(1, 10, count))
    lots = rng.integers(1, 10_000, count) * (rng.random(count) > 1 / 3)
    return side, mid - side * distance, lots


def kernel_speeds(rng: np.random.Generator) -> list[float]:
    side, prices, lots = tape(rng, DELTAS)
    top = np.zeros((4, DELTAS), dtype=np.int64)
    speeds = []
    for _ in range(RUNS + 1):
        bids, asks = np.zeros(CELLS, dtype=np.int64), np.zeros(CELLS, dtype=np.int64)
        best = np.array([-1, CELLS])
        began = time.process_time()
        assert apply_deltas(bids, asks, FLOOR_TICKS, best, side, prices, lots, top) == 0
        speeds.append(DELTAS / (time.process_time() - began))
    return speeds[1:]  # The first compiles


def python_speeds(rng: np.random.Generator) -> list[float]:
    name = InstrumentId("BTC/USDT.BINANCE")
    side, prices, lots = (array.tolist() for array in tape(rng, PYTHON_DELTAS))
    updates = [
        BookUpdate(name, at, at, at + 2, False, ((prices[at], lots[at]),) if side[at] > 0 else (),
                   ((prices[at], lots[at]),) if side[at] < 0 else ())
        for at in range(PYTHON_DELTAS)
    ]  # fmt: skip
    speeds = []
    for _ in range(5):
        book = Book(name)
        book.apply(BookUpdate(name, 0, 0, 1, True, (), ()))
        began = time.process_time()
        for update in updates:
            book.apply(update)
            book.best_bid()
            book.best_ask()
        speeds.append(PYTHON_DELTAS / (time.process_time() - began))
    return speeds


def main() -> None:
    rng = np.random.default_rng(7)
    found = {
        name: {"m_deltas_per_cpu_s_p50": float(np.median(speeds)) / 1e6, "worst": min(speeds) / 1e6}
        for name, speeds in (("kernel", kernel_speeds(rng)), ("python", python_speeds(rng)))
    }
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(name, {key: round(value, 2) for key, value in figures.items()})


if __name__ == "__main__":
    main()
