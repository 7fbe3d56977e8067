"""Round trips: a position from flat to flat, and what a list of them says about a strategy."""

from collections.abc import Sequence
from itertools import groupby
from math import sqrt

import msgspec
import numpy as np
import numpy.typing as npt

NANOSECONDS_PER_YEAR = int(365.25 * 86_400) * 1_000_000_000


class RoundTrip(msgspec.Struct, frozen=True, gc=False):
    """A position, or the part of it that one exit closed. ``pnl`` is after ``fees``, in the account's currency."""

    instrument_id: str
    entry_ns: int
    exit_ns: int
    side: str  # "long" | "short"
    quantity: float
    entry_price: float
    exit_price: float
    pnl: float
    fees: float
    bars_held: int | None = None


def trade_statistics(trades: Sequence[RoundTrip]) -> dict[str, float | int | None]:
    """Return what round trips say: counts, averages in currency, ratios; None where there is nothing to divide by.

    A win has pnl > 0, a loss pnl < 0; both count after fees. ``win_rate`` = wins / trades. ``profit_factor`` = sum of
    wins / sum of losses. ``payoff`` = average win / average loss. ``expectancy`` = mean pnl. ``sqn`` = sqrt(trades) x
    mean / standard deviation (ddof 1) of pnl (Van Tharp). ``best_trade_share`` = largest win / sum of all pnl.
    """
    pnl = np.array([trade.pnl for trade in trades], dtype=np.float64)
    wins, losses = pnl[pnl > 0], pnl[pnl < 0]
    count = len(pnl)
    average_win = _mean(wins)
    average_loss = _mean(losses)
    spread = float(np.std(pnl, ddof=1)) if count > 1 else 0.0
    held_s = [(trade.exit_ns - trade.entry_ns) / 1e9 for trade in trades]
    total = float(pnl.sum())
    return {
        "trades": count,
        "wins": len(wins),
        "losses": len(losses),
        "win_rate": len(wins) / count if count else None,
        "average_win": average_win,
        "average_loss": average_loss,
        "best_trade": float(pnl.max()) if count else None,
        "worst_trade": float(pnl.min()) if count else None,
        "best_trade_share": float(wins.max()) / total if len(wins) and total > 0 else None,
        "payoff": average_win / -average_loss if average_win is not None and average_loss is not None else None,
        "profit_factor": float(wins.sum() / -losses.sum()) if len(losses) else None,
        "expectancy": _mean(pnl),
        "sqn": sqrt(count) * float(pnl.mean()) / spread if spread > 0 else None,
        "longest_losing_streak": _longest_streak(pnl < 0),
        "longest_winning_streak": _longest_streak(pnl > 0),
        "average_held_s": sum(held_s) / count if count else None,
        "average_trade_fees": sum(trade.fees for trade in trades) / count if count else None,
    }


def exposure(trades: Sequence[RoundTrip], start_ns: int, end_ns: int) -> float | None:
    """Return the share of the time from ``start_ns`` to ``end_ns`` in which at least one position was open, 0..1."""
    if end_ns <= start_ns:
        return None
    open_ns = 0
    until_ns = start_ns
    for entry_ns, exit_ns in sorted((trade.entry_ns, trade.exit_ns) for trade in trades):
        last_ns = min(exit_ns, end_ns)
        if last_ns > until_ns:
            open_ns += last_ns - max(entry_ns, until_ns)
            until_ns = last_ns
    return open_ns / (end_ns - start_ns)


def turnover(traded_notional: float, mean_equity: float, years: float) -> float | None:
    """Return how often a year the account was traded over: notional bought and sold / mean equity / years."""
    if mean_equity <= 0 or years <= 0:
        return None
    return traded_notional / mean_equity / years


def notional_of(trades: Sequence[RoundTrip]) -> float:
    """Return what the round trips bought and sold, quantity x price: right for instruments with multiplier 1 only."""
    return sum(trade.quantity * (abs(trade.entry_price) + abs(trade.exit_price)) for trade in trades)


def capacity(
    mean_equity: float,
    fill_notional: npt.NDArray[np.float64],
    bar_notional: npt.NDArray[np.float64],
    participation: float = 0.01,
) -> float | None:
    """Estimate the account size at which the strategy would start to move its own market, in the account's currency.

    Formula: mean equity x participation x median notional traded per bar / 95th percentile of our notional per fill.
    Sizes are taken to grow with the account, and ``participation`` of a bar (1 %) to be what goes unnoticed.
    """
    fills = fill_notional[fill_notional > 0]
    bars = bar_notional[bar_notional > 0]
    if len(fills) == 0 or len(bars) == 0 or mean_equity <= 0:
        return None
    return float(mean_equity * participation * np.median(bars) / np.percentile(fills, 95))


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _longest_streak(marks: npt.NDArray[np.bool_]) -> int:
    return max((sum(1 for _ in run) for mark, run in groupby(marks.tolist()) if mark), default=0)
