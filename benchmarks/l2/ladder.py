"""The bare book over the tape of the L2 benchmark, which is the limit to measure engines against: ``TAPE_FOLDER``.

``bare`` keeps two ladders of one cell a tick and the best of both sides, reads the best after each row, and does
nothing else. ``deltas`` is ``market.kernels.apply_deltas``, which writes the top of the book after each delta; trades
are left out.
"""

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import protocol
import tape as tapes
from numba import njit

from njord.market.kernels import apply_deltas
from njord.venues.simulated.kernels.layout import ASK, BID, WHAT

RUNS = 7


@njit
def bare(bids: Any, asks: Any, floor: int, what: Any, price_ticks: Any, lots: Any) -> int:
    cells, total = len(bids), 0
    bid, ask = -1, cells
    for i in range(len(what)):
        kind = what[i] & WHAT
        cell = price_ticks[i] - floor
        if kind == BID:
            bids[cell] = lots[i]
            if lots[i] > 0:
                bid = max(bid, cell)
            elif cell == bid:
                while bid >= 0 and bids[bid] == 0:
                    bid -= 1
        elif kind == ASK:
            asks[cell] = lots[i]
            if lots[i] > 0:
                ask = min(ask, cell)
            elif cell == ask:
                while ask < cells and asks[ask] == 0:
                    ask += 1
        total += ask - bid
    return total


def speed(rows: int, run: Any) -> float:
    """Return rows a CPU second, the median of several runs after the one that compiles."""
    run()
    took_s = []
    for _ in range(RUNS):
        began_s = time.process_time()
        run()
        took_s.append(time.process_time() - began_s)
    return rows / statistics.median(took_s)


def main(folder: Path) -> None:
    tape = tapes.load(folder)
    what = tape.what & WHAT
    of_book = what <= ASK
    floor = int(tape.price_ticks[of_book].min())
    cells = int(tape.price_ticks[of_book].max()) - floor + 1
    side = np.where(what[of_book] == BID, 1, -1).astype(np.int8)
    prices, lots = tape.price_ticks[of_book], tape.lots[of_book]
    top = np.zeros((4, len(prices)), dtype=np.int64)

    def ladders() -> tuple[Any, Any]:
        return np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)

    def deltas() -> None:
        outside = apply_deltas(*ladders(), floor, np.array([-1, cells]), side, prices, lots, top)
        assert outside == 0, outside

    found = {
        "bare_rate": speed(len(what), lambda: bare(*ladders(), floor, tape.what, tape.price_ticks, tape.lots)),
        "deltas_rate": speed(len(prices), deltas),
    }
    protocol.tell({"task": "ladder", "rows": len(what), **found})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
