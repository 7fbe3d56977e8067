"""What became of each fill: how far from the mid it traded, and where the mid was some time later.

For a fill at price p with sign d (+1 bought, -1 sold) and mids m, in ticks:

    capture   c   = d (m_t - p)          half the spread, earned by a maker
    markout   M_h = d (m_t+h - p)        what is left of it after h
    adverse       = M_h - c = d (m_t+h - m_t)

Huang and Stoll (1996) call them effective half-spread, realised half-spread and, negated, price impact.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.domain.fill import Fill, Liquidity
from njord.domain.ids import FillId, InstrumentId
from njord.domain.order import Side
from njord.research.attribution import fill_rows
from njord.research.making_tops import Tops

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HORIZONS_S = (0.1, 1.0, 5.0, 30.0, 300.0)
NS_PER_HOUR = 3_600 * NS_PER_S
DECILES = 10
DIMENSIONS = ("instrument", "side", "imbalance", "hour", "queue")
BPS = 10_000


class Markouts(msgspec.Struct, frozen=True):
    """Fills of one instrument and what became of them. Ticks are floats: mids lie on half ticks.

    ``markout_ticks`` is (fills, horizons), NaN where the horizon lies beyond the data. ``imbalance`` is the share of
    our own side in the lots at the touch, 0..1, NaN where there are no sizes; ``queue`` the share of the level that
    stood ahead of us when we joined it, NaN where nobody knows.
    """

    instrument_id: InstrumentId
    horizons_s: tuple[float, ...]
    time_ns: Ints
    side: Ints  # +1 bought, -1 sold
    maker: npt.NDArray[np.bool_]
    lots: Ints
    capture_ticks: Floats
    markout_ticks: Floats
    imbalance: Floats
    queue: Floats
    bps_per_tick: Floats  # Of the fill's price

    @property
    def adverse_ticks(self) -> Floats:
        """Markout less capture, (fills, horizons): negative when the price went against us."""
        return self.markout_ticks - self.capture_ticks[:, None]


class At(msgspec.Struct, frozen=True):
    """A group of fills at one horizon: lots-weighted means and their standard errors, in ticks and basis points.

    ``excluded`` fills were so late that the horizon lies beyond the data. The mean of nothing is None, and so is the
    error of one.
    """

    horizon_s: float
    fills: int
    excluded: int
    markout_ticks: float | None
    markout_se_ticks: float | None
    adverse_ticks: float | None
    adverse_se_ticks: float | None
    markout_bps: float | None
    markout_se_bps: float | None
    adverse_bps: float | None
    adverse_se_bps: float | None


class Group(msgspec.Struct, frozen=True):
    """Fills of one instrument and liquidity that agree in one dimension: its ``value``, or all of them."""

    instrument_id: InstrumentId
    liquidity: str
    dimension: str
    value: str
    fills: int
    lots: int
    capture_ticks: float | None
    capture_se_ticks: float | None
    capture_bps: float | None
    capture_se_bps: float | None
    horizons: list[At]


def mark_out(
    name: InstrumentId, fills: list[Fill], tops: Tops, *, horizons_s: tuple[float, ...] = HORIZONS_S,
    queue: Mapping[FillId, float] | None = None,
) -> Markouts:  # fmt: skip
    """Return what became of the fills of one instrument. ``queue`` is the share of the level ahead when each joined."""
    times_ns = np.array([fill.venue_time_ns for fill in fills], dtype=np.int64)
    side = np.array([1 if fill.side is Side.BUY else -1 for fill in fills], dtype=np.int64)
    ticks = np.array([fill.price_ticks for fill in fills], dtype=np.int64)
    mids, rows = tops.half_ticks, fill_rows(fills, tops)
    later = np.full((len(fills), len(horizons_s)), np.nan)
    for column, horizon_s in enumerate(horizons_s):
        then_ns = times_ns + round(horizon_s * NS_PER_S)
        known = then_ns <= tops.end_ns
        at = np.maximum(tops.at(then_ns[known]), 0)
        later[known, column] = side[known] * (mids[at] - 2 * ticks[known]) / 2
    bids, asks = tops.bid_lots[rows], tops.ask_lots[rows]
    total = (bids + asks).astype(np.float64)
    own = np.divide(np.where(side > 0, bids, asks), total, out=np.full(len(fills), np.nan), where=total > 0)
    known_queue = queue or {}
    return Markouts(
        name, horizons_s, times_ns, side,
        np.array([fill.liquidity is Liquidity.MAKER for fill in fills], dtype=np.bool_),
        np.array([fill.quantity_lots for fill in fills], dtype=np.int64),
        side * (mids[rows] - 2 * ticks) / 2, later, own,
        np.array([known_queue.get(fill.fill_id, np.nan) for fill in fills], dtype=np.float64),
        np.divide(BPS, np.abs(ticks), out=np.full(len(fills), np.nan), where=ticks != 0),
    )  # fmt: skip


def grouped(marked: Markouts, dimension: str) -> list[Group]:
    """Return the fills by liquidity and one of DIMENSIONS. Raises ValueError for another.

    Imbalance and queue go in tenths of 0..1; fills of which it is not known are left out.
    """
    if dimension not in DIMENSIONS:
        raise ValueError(f"dimension must be one of {', '.join(DIMENSIONS)}, was {dimension!r}")
    values = _values(marked, dimension)
    found: list[Group] = []
    for liquidity, who in (("maker", marked.maker), ("taker", ~marked.maker)):
        for value in np.unique(values[who & (values >= 0)]).tolist():
            chosen = who & (values == value)
            found.append(_group(marked, chosen, liquidity, dimension, _label(dimension, value)))
    return found


def document(marked: list[Markouts]) -> dict[str, Any]:
    """Return for JSON all groups of all instruments, by dimension; those nothing is known of are left out."""
    by = {dimension: [group for one in marked for group in grouped(one, dimension)] for dimension in DIMENSIONS}
    return {
        "horizons_s": list(marked[0].horizons_s) if marked else list(HORIZONS_S),
        "by": {dimension: msgspec.to_builtins(groups) for dimension, groups in by.items() if groups},
    }


def _values(marked: Markouts, dimension: str) -> Ints:
    if dimension == "instrument":
        return np.zeros(len(marked.side), dtype=np.int64)
    if dimension == "side":
        return np.where(marked.side > 0, 1, 0)
    if dimension == "hour":
        return marked.time_ns // NS_PER_HOUR % 24
    share = marked.imbalance if dimension == "imbalance" else marked.queue
    tenth = np.clip(np.nan_to_num(share) * DECILES, 0, DECILES - 1).astype(np.int64)
    return np.where(np.isnan(share), -1, tenth)


def _label(dimension: str, value: int) -> str:
    if dimension == "instrument":
        return "all"
    if dimension == "side":
        return "buy" if value else "sell"
    if dimension == "hour":
        return f"{value:02d}:00"
    return f"{value / DECILES:.1f} to {(value + 1) / DECILES:.1f}"


def _group(marked: Markouts, chosen: npt.NDArray[np.bool_], liquidity: str, dimension: str, value: str) -> Group:
    lots, factor = marked.lots[chosen], marked.bps_per_tick[chosen]
    capture = marked.capture_ticks[chosen]
    horizons = []
    for column, horizon_s in enumerate(marked.horizons_s):
        later = marked.markout_ticks[chosen, column]
        known = ~np.isnan(later)
        size, scale, ticks = lots[known], factor[known], later[known]
        adverse = ticks - capture[known]
        horizons.append(
            At(
                horizon_s, int(known.sum()), int((~known).sum()), *weighted(ticks, size), *weighted(adverse, size),
                *weighted(ticks * scale, size), *weighted(adverse * scale, size),
            )
        )  # fmt: skip
    return Group(
        marked.instrument_id, liquidity, dimension, value, len(lots), int(lots.sum()), *weighted(capture, lots),
        *weighted(capture * factor, lots), horizons,
    )  # fmt: skip


def weighted(values: Floats, weights: Ints) -> tuple[float | None, float | None]:
    """Return the weighted mean and its standard error, of draws that are independent: None where there are too few."""
    count = len(values)
    if not count:
        return None, None
    total = float(weights.sum())
    mean = float((values * weights).sum() / total)
    if count < 2:
        return mean, None
    error = float(np.sqrt(count / (count - 1) * ((weights * (values - mean)) ** 2).sum()) / total)
    return mean, error
