"""What a market maker's run looked like: its inventory, how much of what it offered was taken, and how soon."""

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_S
from njord.domain.fill import Fill
from njord.domain.ids import InstrumentId
from njord.domain.order import Side
from njord.research.making_tops import Tops
from njord.research.uptime import Life, Lives

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HORIZONS_S = (1.0, 5.0, 30.0, 300.0)
BUCKETS = 10
ORDERS_PER_BUCKET_MIN = 20


class Inventory(msgspec.Struct, frozen=True):
    """The position after each fill, in lots. ``time_mean_lots`` and ``time_abs_lots`` are means over all the time."""

    instrument_id: InstrumentId
    time_ns: Ints
    lots: Ints
    time_mean_lots: float
    time_abs_lots: float
    max_abs_lots: int


class FillRatio(msgspec.Struct, frozen=True):
    """Of the orders of one instrument that rested: how many were filled, in part or whole, and of their lots."""

    instrument_id: InstrumentId
    orders: int
    filled_orders: int
    lots: int
    filled_lots: int


class FillChance(msgspec.Struct, frozen=True):
    """Orders placed about equally far from the touch, and the chance of a first fill within a horizon.

    ``realised`` is the product-limit estimate of Kaplan and Meier (1958), for which an order cancelled unfilled says
    only that it was not filled until then; ``realised_se`` is Greenwood's error. ``predicted`` is 1 - exp(-rate x
    horizon), as models with a constant rate of fills have it, for the ``rate_per_s`` of these orders.
    """

    instrument_id: InstrumentId
    distance_min_ticks: int
    distance_max_ticks: int
    orders: int
    filled: int
    rate_per_s: float
    horizon_s: float
    predicted: float
    realised: float
    realised_se: float


def inventories(fills: list[Fill], tops: Mapping[InstrumentId, Tops]) -> list[Inventory]:
    """Return the path of the position of each instrument that has prices and fills."""
    found = []
    for name, top in tops.items():
        theirs = [fill for fill in fills if fill.instrument_id == name]
        if not theirs:
            continue
        times = np.array([fill.venue_time_ns for fill in theirs], dtype=np.int64)
        signed = [fill.quantity_lots if fill.side is Side.BUY else -fill.quantity_lots for fill in theirs]
        lots = np.cumsum(np.array(signed, dtype=np.int64))
        widths = np.diff(np.append(times, max(top.end_ns, int(times[-1]))))
        whole = max(1, top.end_ns - int(top.time_ns[0]))
        found.append(
            Inventory(
                name, times, lots, float((lots * widths).sum() / whole), float((np.abs(lots) * widths).sum() / whole),
                int(np.abs(lots).max()),
            )
        )  # fmt: skip
    return found


def fill_ratios(lives: Lives) -> list[FillRatio]:
    """Return how much of what was offered was taken, by instrument."""
    by: dict[InstrumentId, list[Life]] = {}
    for life in lives.lives:
        by.setdefault(life.instrument_id, []).append(life)
    return [
        FillRatio(
            name, len(theirs), sum(life.filled_lots > 0 for life in theirs), sum(life.lots for life in theirs),
            sum(life.filled_lots for life in theirs),
        )
        for name, theirs in by.items()
    ]  # fmt: skip


def fill_chances(lives: Lives, tops: Mapping[InstrumentId, Tops]) -> list[FillChance]:
    """Return chances of a fill by distance from the touch at arrival, tenths of the orders each, and horizon."""
    found: list[FillChance] = []
    for name, top in tops.items():
        theirs = [life for life in lives.lives if life.instrument_id == name]
        if len(theirs) < ORDERS_PER_BUCKET_MIN:
            continue
        starts = np.array([life.start_ns for life in theirs], dtype=np.int64)
        side = np.array([life.side for life in theirs], dtype=np.int64)
        price = np.array([life.price_ticks for life in theirs], dtype=np.int64)
        row = np.maximum(top.at(starts), 0)
        distance = np.where(side > 0, top.bid_ticks[row] - price, price - top.ask_ticks[row])
        ends = np.array([top.end_ns if life.end_ns is None else life.end_ns for life in theirs], dtype=np.int64)
        filled = np.array([life.first_fill_ns is not None for life in theirs], dtype=np.bool_)
        firsts = np.array([life.first_fill_ns or 0 for life in theirs], dtype=np.int64)
        waits_s = np.maximum(np.where(filled, firsts, ends) - starts, 0) / NS_PER_S
        for chosen in _buckets(distance):
            found += _chances(name, distance[chosen], waits_s[chosen], filled[chosen])
    return found


def _buckets(distance: Ints) -> list[Ints]:
    # About equally many orders each; equal distances stay together
    count = min(BUCKETS, len(distance) // ORDERS_PER_BUCKET_MIN)
    edges = np.unique(np.quantile(distance, np.linspace(0, 1, count + 1)[1:-1], method="nearest"))
    place = np.searchsorted(edges, distance, side="right")
    return [np.flatnonzero(place == value) for value in np.unique(place)]


def _chances(name: InstrumentId, distance: Ints, waits_s: Floats, filled: npt.NDArray[np.bool_]) -> list[FillChance]:
    exposed_s, count = float(waits_s.sum()), int(filled.sum())
    rate = count / exposed_s if exposed_s > 0 else 0.0
    times, chance, error = product_limit(waits_s, filled)
    rows = []
    for horizon_s in HORIZONS_S:
        at = int(np.searchsorted(times, horizon_s, side="right"))
        realised, its_error = (float(chance[at - 1]), float(error[at - 1])) if at else (0.0, 0.0)
        rows.append(
            FillChance(
                name, int(distance.min()), int(distance.max()), len(distance), count, rate, horizon_s,
                float(-np.expm1(-rate * horizon_s)), realised, its_error,
            )
        )  # fmt: skip
    return rows


def product_limit(waits_s: Floats, filled: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return times of fills, the chance of one until then, and its error: Kaplan-Meier with Greenwood's variance."""
    times = np.unique(waits_s[filled])
    events = np.diff(np.searchsorted(np.sort(waits_s[filled]), times, side="right"), prepend=0)
    at_risk = len(waits_s) - np.searchsorted(np.sort(waits_s), times, side="left")
    survives = np.cumprod(np.asarray(1 - events / at_risk, dtype=np.float64))
    left = at_risk - events
    terms = np.divide(events, at_risk * left, out=np.zeros(len(times)), where=left > 0)
    error = np.asarray(survives * np.sqrt(np.cumsum(terms)), dtype=np.float64)
    return times, np.asarray(1.0 - survives, dtype=np.float64), error
