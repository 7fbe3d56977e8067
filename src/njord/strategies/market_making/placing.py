"""How an adaptive maker turns what it knows into two quotes, as numba functions: depths, floors, caps, queues."""

import math
from typing import Any

from njord.market.view import CANCELLING, GTC, LIVE, NO_PRICE
from njord.strategies.compilable import compilable
from njord.strategies.kernels import cancel, order
from njord.strategies.market_making.kernels import glft_half_spread_and_skew


@compilable
def learn_depths(state: Any, params: Any) -> None:
    """Set half-spread and skew of GLFT from the estimates; the widest allowed while they are unknown."""
    state.half, state.skew = params.half_spread_max_ticks, 0.0
    intensity = (state.intensity[0] + state.intensity[1]) / 2.0
    decay = (state.decay[0] + state.decay[1]) / 2.0
    if not (state.sigma > 0.0 and intensity > 0.0 and decay > 0.0):
        return
    half, skew = glft_half_spread_and_skew(params.gamma, state.sigma, intensity, decay, 1.0, params.gamma, 0.0)
    if math.isfinite(half) and math.isfinite(skew):
        state.half = min(params.half_spread_max_ticks, params.width * half)
        # At the cap the far quote is at most its whole width away from where it would be
        state.skew = min(params.lean * skew, params.half_spread_max_ticks * params.quantity / params.position_max)


@compilable
def depth_of(state: Any, params: Any, side: int, held: float, fee_ticks: float) -> float:
    """Return how far from the fair value a side quotes: GLFT's depth, or what a fill costs at least, whichever is more.

    The floor is fee - rebate + E[adverse] + edge. ``held`` is the position in quotes; side 0 offers, 1 bids.
    """
    sign = 1.0 if side == 1 else -1.0
    depth = state.half + sign * state.skew * held
    floor = fee_ticks + params.edge_ticks
    if not params.toxicity_guard:
        return float(max(depth, floor))
    return float(max(depth, floor + state.adverse[side]) + state.extra[side])


@compilable
def quote_lots(seen: Any, params: Any) -> int:
    """Return the lots of one quote, at least one."""
    return int(max(1, int(params.quantity / seen.quantity_lot + 0.5)))


@compilable
def position_max_lots(seen: Any, params: Any) -> int:
    """Return the cap in lots."""
    return int(params.position_max / seen.quantity_lot + 0.5)


@compilable
def wanted_lots(seen: Any, params: Any, side: int) -> int:
    """Return what to quote on a side: whole orders up to the cap, and at the cap only what reduces.

    Whatever is in the market on that side may still fill, also what is being cancelled, so it counts.
    """
    sign = 1 if side == 1 else -1
    held = sign * seen.position_lots
    room = position_max_lots(seen, params) - held
    for i in range(seen.orders):
        if seen.order_sign[i] == sign and seen.order_state[i] == CANCELLING:
            room -= seen.order_lots[i]
    return int(max(0, min(quote_lots(seen, params), room)))


@compilable
def place(seen: Any, out: Any, instrument: int, side: int, ticks: int, lots: int, patience_ticks: float) -> None:
    """Have one post-only order on a side, and leave one that is well placed where it is.

    A quote nearer to the market than wanted moves away at once. One that is further away than wanted stays as long as
    the gain is worth less than its place: ``patience_ticks`` at the front of a queue, nothing at its end.
    """
    sign = 1 if side == 1 else -1
    kept = False
    meets = False
    for i in range(seen.orders):
        if seen.order_sign[i] != sign:
            meets = meets or (seen.order_ticks[i] - ticks) * sign <= 0
            continue
        if seen.order_state[i] == CANCELLING:
            continue
        gain = sign * (ticks - seen.order_ticks[i])
        stays = lots > 0 and not kept and seen.order_lots[i] <= lots
        stays = stays and (gain == 0 or (gain > 0 and gain <= patience_ticks * place_value(seen, i, sign)))
        if stays:
            kept = True
        else:
            cancel(out, seen.order_number[i])
    if lots > 0 and not kept and not meets:
        order(out, instrument, sign, lots, ticks, NO_PRICE, GTC, 1, 0)


@compilable
def place_value(seen: Any, i: int, sign: int) -> float:
    """Return what an order's place is worth, 0..1: all at the front of the best level, nothing away from it."""
    best = seen.bid_ticks if sign > 0 else seen.ask_ticks
    shown = seen.bid_lots if sign > 0 else seen.ask_lots
    if seen.order_state[i] != LIVE or seen.order_ticks[i] != best or shown <= 0:
        return 0.0
    return 1.0 - float(min(1.0, seen.order_ahead[i] / shown))
