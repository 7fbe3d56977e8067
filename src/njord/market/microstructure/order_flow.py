"""Order flow at the best quotes and behind them, and how much of the price it explains.

Sizes in any unit, prices in any unit that is the same for both sides; results are float64.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from njord.market.microstructure.imbalance import Array, Floats

Integers = npt.NDArray[np.int64]


def order_flow_imbalance(bid: Array, ask: Array, bid_size: Array, ask_size: Array) -> Floats:
    """Return e_n of Cont, Kukanov and Stoikov (2014) for each change of the quote: one fewer than there are quotes.

    J. Fin. Econometrics 12(1), arXiv 1011.6402: what came to the bid and left the ask, less what left the bid and came
    to the ask, a move of a best price counting with the whole queue that is new or gone.
    """
    now, before = slice(1, None), slice(None, -1)
    bids, asks = np.asarray(bid_size, dtype=np.float64), np.asarray(ask_size, dtype=np.float64)
    came = np.where(bid[now] >= bid[before], bids[now], 0.0) - np.where(bid[now] <= bid[before], bids[before], 0.0)
    went = np.where(ask[now] >= ask[before], asks[before], 0.0) - np.where(ask[now] <= ask[before], asks[now], 0.0)
    flow: Floats = came + went
    return flow


def multi_level_order_flow_imbalance(bid: Array, ask: Array, bid_size: Array, ask_size: Array) -> Floats:
    """Return the order flow at each level of the book: Xu, Gould and Howison (2019), arXiv 1907.06230.

    All four are [quotes, levels], level 0 the best; a level with size 0 is one that is not there, whatever its price.
    The result is [quotes - 1, levels]; its column 0 is ``order_flow_imbalance``. Levels are counted from the best
    quote, so that a move of the best price is flow at every level behind it. Raises ValueError where shapes differ.
    """
    bids, asks = np.asarray(bid, dtype=np.float64), np.asarray(ask, dtype=np.float64)
    bid_sizes, ask_sizes = np.asarray(bid_size, dtype=np.float64), np.asarray(ask_size, dtype=np.float64)
    shapes = {each.shape for each in (bids, asks, bid_sizes, ask_sizes)}
    if len(shapes) != 1 or bids.ndim != 2:
        raise ValueError(f"bid, ask, bid_size, ask_size: must be [quotes, levels] alike, were {sorted(shapes)}")
    # An empty level is further away than any
    return order_flow_imbalance(
        np.where(bid_sizes > 0, bids, -np.inf), np.where(ask_sizes > 0, asks, np.inf), bid_sizes, ask_sizes
    )


def flow_in_windows(time_ns: Integers, flow: Array, mid: Array, window_ns: int) -> tuple[Array, Floats]:
    """Return the flow summed over, and the change of the mid in, each full window that starts with the first quote.

    ``time_ns`` rises and ``mid`` has a value for each quote, ``flow`` for each change of it: [quotes - 1], or
    [quotes - 1, levels]. A window's mid is the last at or before its end. Raises ValueError for a window that is not
    > 0 and where lengths differ.
    """
    if window_ns <= 0:
        raise ValueError(f"window_ns: must be > 0, was {window_ns}")
    if not len(time_ns) == len(mid) == len(flow) + 1:
        raise ValueError(f"flow: {len(flow)} changes and {len(mid)} mids for {len(time_ns)} quotes")
    edges = np.arange(time_ns[0], time_ns[-1] + 1, window_ns)
    last = np.searchsorted(time_ns, edges, side="right") - 1
    total = np.concatenate([np.zeros((1, *flow.shape[1:])), np.cumsum(flow, axis=0)])
    return np.diff(total[last], axis=0), np.diff(np.asarray(mid, dtype=np.float64)[last])


class Impact(msgspec.Struct, frozen=True):
    """The line change = intercept + slopes . flow, as Cont, Kukanov and Stoikov (2014) fit it for one level.

    In a book with D at every level the slope is tick / (2 D).
    """

    slopes: Floats  # Price per unit of flow, one per level
    slopes_se: Floats  # For errors of one variance, independent of each other
    intercept: float
    r_squared: float
    count: int


def price_impact(flow: Array, change: Array) -> Impact:
    """Fit price changes to order flow by least squares: flow [windows] or [windows, levels], change [windows].

    Raises ValueError where lengths differ, with too few windows, and where flow or price never varies.
    """
    levels = np.asarray(flow, dtype=np.float64).reshape(len(flow), -1)
    moves = np.asarray(change, dtype=np.float64)
    count, width = levels.shape
    if count != len(moves):
        raise ValueError(f"change: {len(moves)} for {count} windows of flow")
    if count < width + 2:
        raise ValueError(f"flow: {count} windows are too few for {width} slopes")
    rows = levels - levels.mean(axis=0)
    centred = moves - moves.mean()
    total = float(centred @ centred)
    if total == 0 or np.linalg.matrix_rank(rows) < width:
        raise ValueError("flow: it, or the price, does not vary enough to be fitted")
    inverse = np.linalg.inv(rows.T @ rows)
    slopes = inverse @ (rows.T @ centred)
    left = centred - rows @ slopes
    variance = float(left @ left) / (count - width - 1)
    return Impact(
        slopes=slopes,
        slopes_se=np.sqrt(variance * inverse.diagonal()),
        intercept=float(moves.mean() - levels.mean(axis=0) @ slopes),
        r_squared=max(0.0, 1 - float(left @ left) / total),
        count=count,
    )
