"""Kernels over market data: arrays and numbers in, arrays and numbers out. The only file here that imports numba."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]

# Rows of the top-of-book array: what a strategy reads after each delta. -1 ticks: the side is empty
BID_TICKS, BID_LOTS, ASK_TICKS, ASK_LOTS = 0, 1, 2, 3


@njit(cache=True)
def apply_deltas(
    bid_lots: Ints, ask_lots: Ints, floor_ticks: int, best: Ints, side: Bytes, price_ticks: Ints, lots: Ints, top: Any
) -> int:
    """Apply deltas to a ladder with one cell per tick; write best bid and ask after each into ``top`` (4, deltas).

    Reference: market.book.Book. ``bid_lots[i]`` rests at ``floor_ticks + i``. ``best`` holds the cells of the best
    bid and ask and is kept up to date: -1 for no bid, the length of the ladder for no ask. Returns how many deltas
    lay outside the ladder; they are not applied, and the caller moves the ladder when there are any.
    """
    cells = len(bid_lots)
    assert len(ask_lots) == cells
    assert top.shape[1] >= len(price_ticks)
    bid, ask = best[0], best[1]
    outside = 0
    for i in range(len(price_ticks)):
        cell = price_ticks[i] - floor_ticks
        if cell < 0 or cell >= cells:
            outside += 1
        elif side[i] > 0:
            bid_lots[cell] = lots[i]
            if lots[i] > 0:
                if cell > bid:
                    bid = cell
            elif cell == bid:
                while bid >= 0 and bid_lots[bid] == 0:
                    bid -= 1
        else:
            ask_lots[cell] = lots[i]
            if lots[i] > 0:
                if cell < ask:
                    ask = cell
            elif cell == ask:
                while ask < cells and ask_lots[ask] == 0:
                    ask += 1
        if bid >= 0:
            top[BID_TICKS, i] = floor_ticks + bid
            top[BID_LOTS, i] = bid_lots[bid]
        else:
            top[BID_TICKS, i] = -1
            top[BID_LOTS, i] = 0
        if ask < cells:
            top[ASK_TICKS, i] = floor_ticks + ask
            top[ASK_LOTS, i] = ask_lots[ask]
        else:
            top[ASK_TICKS, i] = -1
            top[ASK_LOTS, i] = 0
    best[0], best[1] = bid, ask
    return outside
