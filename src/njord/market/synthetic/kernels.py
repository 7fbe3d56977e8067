"""The loop of an order-by-order market: arrays and numbers in, rows out. Imports numba."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Prices live in a ring of cells; orders farther than this from each other cannot rest at one time
CELLS = 1 << 15
DISTANCE_TICKS_MAX = CELLS // 4
NOBODY = -1

# Columns of a row
TIME, KIND, SIDE, PRICE, AFTER, CHANGE, ORDER, ENTERED, TAKER, TAKER_ORDER, BID, ASK = range(12)
COLUMNS = 12
# What is counted, and where the market stands
LIVE, FREE, LAST_ID, BEST_BID, BEST_ASK, BIDS, ASKS, ROWS, NOW, BROKEN = range(10)
LIMITS, CANCELS, UNINFORMED, INFORMED, STAYED_OUT = range(10, 15)
COUNTERS = 15
# What moves continuously
CLOCK_S, EFFICIENT, ANCHOR = range(3)


class Exchange(NamedTuple):
    """Orders by slot, levels by cell of the price ring, and counters; all changed in place."""

    lots: Ints
    price: Ints
    side: Ints
    order_id: Ints
    entered_ns: Ints
    before: Ints  # The slot in front in the queue
    behind: Ints
    place: Ints  # Where in ``live`` the slot is
    live: Ints  # Slots of the resting orders, in no order
    free: Ints  # Slots in no use
    first: Ints
    last: Ints
    level_price: Ints
    level_lots: Ints
    level_orders: Ints
    counts: Ints
    moving: Floats


class Rates(NamedTuple):
    """Rates a second, distances in ticks, sizes in lots. See ``order_by_order.Flow``."""

    limits_per_s: float
    takers_per_s: float
    cancels_per_s: float
    informed_share: float
    volatility_ticks: float
    lag_s: float
    distance_ticks: float
    limit_lots: float
    taker_lots: float
    cancel_tilt: float


@njit()
def _lots(rng: Any, mean: float) -> int:
    # Geometric on 1, 2, ...
    if mean <= 1.0:
        return 1
    return 1 + int(math.log(1.0 - rng.random()) / math.log(1.0 - 1.0 / mean))


@njit()
def _write(x: Exchange, rows: Ints, latent: Floats, row: Any) -> None:
    at = x.counts[ROWS]
    x.counts[NOW] += 1
    rows[TIME, at] = x.counts[NOW] - 1
    for column in range(len(row)):
        rows[1 + column, at] = row[column]
    rows[BID, at], rows[ASK, at] = x.counts[BEST_BID], x.counts[BEST_ASK]
    latent[at] = x.moving[EFFICIENT]
    x.counts[ROWS] = at + 1


@njit()
def _rest(x: Exchange, side: int, price: int, lots: int) -> Any:
    cell = price & (CELLS - 1)
    if x.level_orders[cell] and x.level_price[cell] != price:
        x.counts[BROKEN] = 1
    x.counts[FREE] -= 1
    slot = x.free[x.counts[FREE]]
    x.counts[LAST_ID] += 1
    x.lots[slot], x.price[slot], x.side[slot] = lots, price, side
    x.order_id[slot], x.entered_ns[slot] = x.counts[LAST_ID], x.counts[NOW]
    x.place[slot] = x.counts[LIVE]
    x.live[x.counts[LIVE]] = slot
    x.counts[LIVE] += 1
    x.before[slot], x.behind[slot] = NOBODY, NOBODY
    if x.level_orders[cell]:
        x.before[slot] = x.last[cell]
        x.behind[x.last[cell]] = slot
    else:
        x.first[cell], x.level_price[cell], x.level_lots[cell] = slot, price, 0
    x.last[cell] = slot
    x.level_lots[cell] += lots
    x.level_orders[cell] += 1
    if side > 0:
        x.counts[BIDS] += 1
        if x.counts[BIDS] == 1 or price > x.counts[BEST_BID]:
            x.counts[BEST_BID] = price
    else:
        x.counts[ASKS] += 1
        if x.counts[ASKS] == 1 or price < x.counts[BEST_ASK]:
            x.counts[BEST_ASK] = price
    return slot


@njit()
def _leave(x: Exchange, slot: int) -> None:
    # Takes an order out of its queue. Its level may be empty then, and the best price another
    cell, side = x.price[slot] & (CELLS - 1), x.side[slot]
    before, behind = x.before[slot], x.behind[slot]
    if before == NOBODY:
        x.first[cell] = behind
    else:
        x.behind[before] = behind
    if behind == NOBODY:
        x.last[cell] = before
    else:
        x.before[behind] = before
    x.level_lots[cell] -= x.lots[slot]
    x.level_orders[cell] -= 1
    x.counts[LIVE] -= 1
    moved = x.live[x.counts[LIVE]]
    x.live[x.place[slot]] = moved
    x.place[moved] = x.place[slot]
    x.free[x.counts[FREE]] = slot
    x.counts[FREE] += 1
    many, best, step = (BIDS, BEST_BID, -1) if side > 0 else (ASKS, BEST_ASK, 1)
    x.counts[many] -= 1
    if x.level_orders[cell] == 0 and x.price[slot] == x.counts[best]:
        price = x.counts[best]
        while x.counts[many] and x.level_orders[price & (CELLS - 1)] == 0:
            price += step
        x.counts[best] = price if x.counts[many] else NOBODY


@njit()
def _limit(x: Exchange, rng: Any, rates: Rates, rows: Ints, latent: Floats) -> None:
    side = 1 if rng.random() < 0.5 else -1
    away = min(rng.exponential(rates.distance_ticks), float(DISTANCE_TICKS_MAX))
    lots = _lots(rng, rates.limit_lots)
    if side > 0:
        price = math.floor(x.moving[ANCHOR] - away)
        if x.counts[ASKS]:
            price = min(price, x.counts[BEST_ASK] - 1)
    else:
        price = math.ceil(x.moving[ANCHOR] + away)
        if x.counts[BIDS]:
            price = max(price, x.counts[BEST_BID] + 1)
    slot = _rest(x, side, price, lots)
    after = x.level_lots[price & (CELLS - 1)]
    _write(x, rows, latent, (0, side, price, after, lots, x.order_id[slot], x.entered_ns[slot], 0, 0))
    x.counts[LIMITS] += 1


@njit()
def _tilted(x: Exchange, cell: int, tilt: float, chance: float) -> Any:
    # A place in the queue with density 1 + tilt (2u - 1), 0 the front
    flat = 1.0 - tilt
    orders = x.level_orders[cell]
    rank = min(int((math.sqrt(flat * flat + 4.0 * tilt * chance) - flat) / (2.0 * tilt) * orders), orders - 1)
    if rank < orders // 2:
        slot = x.first[cell]
        for _ in range(rank):
            slot = x.behind[slot]
        return slot
    slot = x.last[cell]
    for _ in range(orders - 1 - rank):
        slot = x.before[slot]
    return slot


@njit()
def _cancel(x: Exchange, rng: Any, rates: Rates, rows: Ints, latent: Floats) -> None:
    slot = x.live[int(rng.random() * x.counts[LIVE])]
    cell = x.price[slot] & (CELLS - 1)
    if rates.cancel_tilt != 0.0:
        slot = _tilted(x, cell, rates.cancel_tilt, rng.random())
    _leave(x, slot)
    entered_ns = x.entered_ns[slot]
    row = (0, x.side[slot], x.price[slot], x.level_lots[cell], -x.lots[slot], x.order_id[slot], entered_ns, 0, 0)
    _write(x, rows, latent, row)
    x.counts[CANCELS] += 1


@njit()
def _take(x: Exchange, rng: Any, rates: Rates, rows: Ints, latent: Floats) -> None:
    side = 1 if rng.random() < 0.5 else -1
    informed = rng.random() < rates.informed_share
    lots = _lots(rng, rates.taker_lots)
    efficient = x.moving[EFFICIENT]
    if informed:
        x.counts[INFORMED] += 1
        if x.counts[ASKS] and efficient > x.counts[BEST_ASK]:
            side = 1
        elif x.counts[BIDS] and efficient < x.counts[BEST_BID]:
            side = -1
        else:
            x.counts[STAYED_OUT] += 1
            return
    else:
        x.counts[UNINFORMED] += 1
    many, best = (ASKS, BEST_ASK) if side > 0 else (BIDS, BEST_BID)
    x.counts[LAST_ID] += 1
    taker_id, kind = x.counts[LAST_ID], 2 if informed else 1
    while lots and x.counts[many]:
        price = x.counts[best]
        if informed and (efficient - price) * side <= 0:
            return
        cell = price & (CELLS - 1)
        slot = x.first[cell]
        traded = min(lots, x.lots[slot])
        lots -= traded
        order_id, entered_ns, after = x.order_id[slot], x.entered_ns[slot], x.level_lots[cell] - traded
        # The print comes before the level's change, as venues have it: the book is still what it was
        _write(x, rows, latent, (1, side, price, after, traded, order_id, entered_ns, kind, taker_id))
        if traded == x.lots[slot]:
            _leave(x, slot)
        else:
            x.lots[slot] -= traded
            x.level_lots[cell] = after
        _write(x, rows, latent, (0, -side, price, after, -traded, order_id, entered_ns, 0, 0))


@njit()
def open_book(x: Exchange, rng: Any, rates: Rates, orders: int, rows: Ints, latent: Floats) -> None:
    """Fill an empty book with ``orders`` limit orders, one row each.

    Reference: venues.simulated.matching.MatchingBook, given the same orders.
    """
    for _ in range(orders):
        _limit(x, rng, rates, rows, latent)


@njit()
def advance(x: Exchange, rng: Any, rates: Rates, start_ns: int, until_s: float, rows: Ints, latent: Floats) -> bool:
    """Let the market run until ``until_s`` after ``start_ns``, or until ``rows`` (12, room) may not hold the next one.

    Reference: venues.simulated.matching.MatchingBook, given the same orders, cancellations and takers. Returns whether
    ``until_s`` was reached. ``latent`` takes the efficient price at each row, in ticks. Raises nothing: ``BROKEN`` is
    counted when two prices would share a cell.
    """
    room = rows.shape[1]
    while x.counts[BROKEN] == 0:
        if room - x.counts[ROWS] < 2 * x.counts[LIVE] + 2:
            return False
        cancels_per_s = rates.cancels_per_s * x.counts[LIVE]
        total = rates.limits_per_s + rates.takers_per_s + cancels_per_s
        wait_s = rng.exponential(1.0 / total) if total > 0.0 else math.inf
        reached = x.moving[CLOCK_S] + wait_s >= until_s
        if reached:
            wait_s = max(0.0, until_s - x.moving[CLOCK_S])
        x.moving[CLOCK_S] += wait_s
        x.moving[EFFICIENT] += rates.volatility_ticks * math.sqrt(wait_s) * rng.standard_normal()
        follow = 1.0 - math.exp(-wait_s / rates.lag_s) if rates.lag_s > 0.0 else 1.0
        x.moving[ANCHOR] += (x.moving[EFFICIENT] - x.moving[ANCHOR]) * follow
        if reached:
            x.moving[CLOCK_S] = until_s
            return True
        x.counts[NOW] = max(x.counts[NOW], start_ns + int(x.moving[CLOCK_S] * 1e9))
        which = rng.random() * total
        if which < rates.limits_per_s:
            _limit(x, rng, rates, rows, latent)
        elif which < rates.limits_per_s + rates.takers_per_s:
            _take(x, rng, rates, rows, latent)
        else:
            _cancel(x, rng, rates, rows, latent)
    return True
