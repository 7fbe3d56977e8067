"""What an adaptive maker learns while it runs, as numba functions over its state: where the price goes, how much it
moves, who trades, and what its own fills turn out to be worth.

``state`` is the record of ``adaptive.AdaptiveMaker.State``, ``seen`` one view (``market.view.VIEW``). Prices are ticks,
times seconds, both floats; sides are 0 for what lifts offers (buyers, our asks) and 1 for what hits bids (sellers, our
bids).
"""

import math
from typing import Any

from njord.strategies.compilable import compilable
from njord.strategies.market_making.kernels import (
    ewma_intensity_and_decay,
    ewma_keep,
    ewma_move,
    ewma_volatility,
)

FEATURES = 4  # Of the fair value: imbalance of the touch, order flow, the leading market's move, who took
PENDING_MAX = 256  # Own fills whose markout is not known yet; beyond it, a fill is not learned from
NS_PER_S = 1e9
# The least that is known of a regression before it is used, in decisions
DECISIONS_MIN = 50.0
# And the least number of own fills from which their worth is believed
FILLS_MIN = 20.0


@compilable
def touch_mid(seen: Any) -> float:
    """Return the mid, in ticks."""
    return float(seen.bid_ticks + seen.ask_ticks) / 2.0


@compilable
def imbalance(seen: Any) -> float:
    """Return the share of the touch that is bid, less a half: -0.5 .. 0.5."""
    total = seen.bid_lots + seen.ask_lots
    return float(seen.bid_lots) / total - 0.5 if total > 0 else 0.0


@compilable
def learn_fair_value(state: Any, mid: float, keep: float) -> None:
    """Regress the last move of the mid on what was seen before it: least squares with forgetting.

    The weights are those of sum keep^age (y - w x)^2 + ridge |w|^2, kept as normal equations.
    """
    move = mid - state.mid
    for i in range(FEATURES):
        state.moment[i] = keep * state.moment[i] + state.feature[i] * move
        for j in range(FEATURES):
            at = FEATURES * i + j
            state.gram[at] = keep * state.gram[at] + state.feature[i] * state.feature[j]
    state.decisions = keep * state.decisions + 1.0


@compilable
def solve_fair_value(state: Any) -> None:
    """Solve the normal equations by Cholesky; a feature that was never seen to vary has no weight."""
    n = FEATURES
    lower = state.lower
    for i in range(n):
        for j in range(i + 1):
            total = state.gram[n * i + j]
            if i == j:
                total += 1e-9 + 0.01 * state.gram[n * i + i]  # A ridge: features that say the same share the weight
            for k in range(j):
                total -= lower[n * i + k] * lower[n * j + k]
            lower[n * i + j] = math.sqrt(max(total, 1e-12)) if i == j else total / lower[n * j + j]
    for i in range(n):
        total = state.moment[i]
        for k in range(i):
            total -= lower[n * i + k] * state.weight[k]
        state.weight[i] = total / lower[n * i + i]
    for i in range(n - 1, -1, -1):
        total = state.weight[i]
        for k in range(i + 1, n):
            total -= lower[n * k + i] * state.weight[k]
        state.weight[i] = total / lower[n * i + i]


@compilable
def fair_value(state: Any, seen: Any, lead_move: float) -> float:
    """Return where the mid is expected to be at the next decision, between the best bid and the best ask."""
    state.feature[0] = imbalance(seen) * (seen.ask_ticks - seen.bid_ticks)
    state.feature[1] = float(seen.flow_lots) / max(1.0, float(seen.bid_lots + seen.ask_lots))
    state.feature[2] = lead_move
    state.feature[3] = float(seen.buys - seen.sells)
    mid = touch_mid(seen)
    if state.decisions < DECISIONS_MIN:
        return mid
    expected = 0.0
    for i in range(FEATURES):
        expected += state.weight[i] * state.feature[i]
    half = (seen.ask_ticks - seen.bid_ticks) / 2.0
    return mid + float(min(half, max(-half, expected)))


@compilable
def learn_volatility(state: Any, mid: float, elapsed_s: float, half_life_s: float) -> None:
    """Take in the move of the mid since the last decision."""
    keep = ewma_keep(elapsed_s, half_life_s)
    state.squares, state.watched_s = ewma_move(state.squares, state.watched_s, keep, mid - state.mid, elapsed_s)
    state.sigma = ewma_volatility(state.squares, state.watched_s)


@compilable
def learn_arrivals(state: Any, seen: Any, elapsed_s: float, half_life_orders: float) -> None:
    """Take in the market orders since the last decision, each side by itself."""
    half_life = half_life_orders
    learn_side(state, 0, seen.buys, seen.buy_depth_half_ticks, seen.buy_touch_half_ticks, elapsed_s, half_life)
    learn_side(state, 1, seen.sells, seen.sell_depth_half_ticks, seen.sell_touch_half_ticks, elapsed_s, half_life)


@compilable
def learn_side(
    state: Any, side: int, orders: int, depth_half_ticks: int, touch_half_ticks: int, elapsed_s: float, half_life: float
) -> None:
    """Take in market orders of one side that came together; the time since the last ones is shared among them.

    The sums of ``kernels.ewma_order`` for several orders at once.
    """
    state.open_s[side] += elapsed_s
    if orders > 0:
        keep = ewma_keep(float(orders), half_life)
        state.orders[side] = keep * state.orders[side] + orders
        state.waited_s[side] = keep * state.waited_s[side] + state.open_s[side]
        state.excess[side] = keep * state.excess[side] + (depth_half_ticks - touch_half_ticks) / 2.0
        state.touch[side] = keep * state.touch[side] + touch_half_ticks / 2.0
        state.open_s[side] = 0.0
    # Half a tick more, or k would be infinite until somebody has reached beyond the touch
    excess = state.excess[side] + 0.5 if state.orders[side] > 0.0 else 0.0
    state.intensity[side], state.decay[side] = ewma_intensity_and_decay(
        state.orders[side], state.waited_s[side], excess, state.touch[side], 1.0, state.open_s[side]
    )


@compilable
def remember_fill(state: Any, side: int, time_ns: int, lots: int, price: float, fair: float) -> None:
    """Keep an own fill until its markout is known. ``fair`` is what was believed before it."""
    if lots > 0 and state.pending < PENDING_MAX:
        at = (state.first + state.pending) % PENDING_MAX
        state.fill_ns[at], state.fill_side[at], state.fill_lots[at] = time_ns, side, lots
        state.fill_ticks[at], state.fill_fair[at] = price, fair
        state.pending += 1


@compilable
def forget_toxicity(state: Any, elapsed_s: float, half_life_s: float) -> None:
    """Let own fills and what a side was widened by fade: a quote so far away that nothing fills it, or one fill in a
    while, would never learn otherwise.
    """
    keep = ewma_keep(elapsed_s, half_life_s)
    for side in range(2):
        state.extra[side] *= keep
        state.adverse[side] *= keep
        state.fills[side] *= keep
        state.markout_sum[side] *= keep
        state.adverse_sum[side] *= keep
        state.adverse_squares[side] *= keep


@compilable
def learn_markouts(state: Any, time_ns: int, mid: float, horizon_s: float, half_life_fills: float, gain: float,
                   target_ticks: float) -> None:  # fmt: skip
    """Take in own fills whose horizon has passed.

    Kept for each side, EWMA over fills: the mean markout d (m_{t+h} - p), and the move d (m_{t+h} - fair_t), of which
    what is surely against us is the ``adverse`` part: its mean plus two standard errors, if that is still below 0; a
    few fills in a market that moves say nothing. ``extra`` is what the side is widened by beyond everything else: an
    integral controller, which grows while the markout is below its target and shrinks, down to nothing, while it is
    above. One fill counts for at most what the market moves anyway over the horizon.
    """
    usual = state.sigma * math.sqrt(horizon_s) if state.sigma > 0.0 else 1.0
    keep = ewma_keep(1.0, half_life_fills)
    while state.pending > 0 and time_ns - state.fill_ns[state.first] >= horizon_s * NS_PER_S:
        at = state.first
        side = state.fill_side[at]
        sign = 1.0 if side == 1 else -1.0  # We bought from sellers
        markout = sign * (mid - state.fill_ticks[at])
        state.fills[side] = keep * state.fills[side] + 1.0
        state.markout_sum[side] = keep * state.markout_sum[side] + markout
        move = sign * (mid - state.fill_fair[at])
        state.adverse_sum[side] = keep * state.adverse_sum[side] + move
        state.adverse_squares[side] = keep * state.adverse_squares[side] + move * move
        count = state.fills[side]
        state.markout[side] = state.markout_sum[side] / count
        mean = state.adverse_sum[side] / count
        error = math.sqrt(max(0.0, state.adverse_squares[side] / count - mean * mean) / count)
        state.adverse[side] = max(0.0, -mean - 2.0 * error) if count >= FILLS_MIN else 0.0
        short = min(usual, max(-usual, target_ticks - markout))
        state.extra[side] = max(0.0, state.extra[side] + gain * short)
        state.first = (at + 1) % PENDING_MAX
        state.pending -= 1
