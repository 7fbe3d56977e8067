"""One adaptive market maker: fair value, width, skew, caps and guards, all learned and checked while it runs.

    fair value     mid + what imbalance, order flow and a leading market said of its next move (online regression)
    width, skew    GLFT closed form on estimates of volatility and of arrivals A, k of each side
    floor          fee - rebate + expected adverse selection + edge
    inventory      caps; at the cap only what reduces
    toxicity       a side whose fills turn out bad is widened until they do not
    guards         stale or unbelievable book, halt, clock jump, reject storm, burst, new tick size: quotes are pulled
    queue          a well placed order is not given up for less than its place is worth
    hedge          what is held is offset at market in a second instrument, beyond a band

Every change of mind is a note, and so in the journal. Times are nanoseconds, prices ticks of the quoted instrument.
"""

import math
from typing import Any, ClassVar

import numpy as np

from njord.strategies.compilable import compilable
from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import cancel_all, in_flight, note, take
from njord.strategies.market_making.learning import (
    FEATURES,
    NS_PER_S,
    PENDING_MAX,
    fair_value,
    forget_toxicity,
    learn_arrivals,
    learn_fair_value,
    learn_markouts,
    learn_volatility,
    remember_fill,
    solve_fair_value,
    touch_mid,
)
from njord.strategies.market_making.placing import (
    depth_of,
    learn_depths,
    place,
    position_max_lots,
    quote_lots,
    wanted_lots,
)

# Why quotes are pulled
QUOTING, BOOK, HALT, STALE, JUMP, STORM, BURST, LEARNING = range(8)
# Notes
SIGMA, INTENSITY, DECAY, HALF, SKEW, FAIR, EXTRA_ASK, EXTRA_BID, TICK, HEDGED, CAPPED = range(11)
PULLED = 20  # And the reason added


class AdaptiveMaker(KernelStrategy):
    """Quote both sides of the first instrument; a second one, if there is any, leads it and may hedge it."""

    notes: ClassVar[dict[int, str]] = {
        SIGMA: "volatility {value:.4g} ticks per sqrt s",
        INTENSITY: "arrivals A {value:.4g} a second and side",
        DECAY: "arrivals k {value:.4g} a tick",
        HALF: "half spread {value:.3g} ticks",
        SKEW: "skew {value:.4g} ticks for each quote held",
        FAIR: "fair value {value:+.3g} ticks from the mid",
        EXTRA_ASK: "ask widened by {value:.3g} ticks for toxicity",
        EXTRA_BID: "bid widened by {value:.3g} ticks for toxicity",
        PULLED + QUOTING: "quotes are on",
        PULLED + BOOK: "quotes are off: the book is empty, one-sided or crossed",
        PULLED + HALT: "quotes are off: trading is halted",
        PULLED + STALE: "quotes are off: no news of the book for {value:.3g} s",
        PULLED + JUMP: "quotes are off: the clock moved by {value:.3g} s at once",
        PULLED + STORM: "quotes are off: too many orders were rejected",
        PULLED + BURST: "quotes are off: the price moved further than it does by chance",
        PULLED + LEARNING: "quotes are off: still learning",
        TICK: "tick size is now {value:g}: what was learned in ticks is forgotten",
        HEDGED: "hedged {value:+g} at market",
        CAPPED: "position {value:g} is at its cap: reduce only",
    }

    gamma: float = 0.01  # Risk aversion, per tick and quote held
    quantity: float = 1.0  # Of one quote, in the instrument's own unit, as is the cap
    position_max: float = 10.0
    maker_fee: float = 0.0  # As fractions of the price; a rebate is negative
    edge_ticks: float = 0.0  # What a fill must earn at least, beyond its costs
    width: float = 1.0  # Factors on what GLFT says
    lean: float = 1.0
    half_spread_max_ticks: float = 1_000.0
    patience_ticks: float = 2.0  # What the front of the best level is worth
    volatility_half_life_s: float = 60.0
    arrivals_half_life_orders: float = 500.0
    fair_half_life_s: float = 120.0
    use_fair_value: bool = True
    toxicity_guard: bool = True
    markout_s: float = 1.0
    markout_half_life_fills: float = 30.0
    markout_target_ticks: float = 0.0
    toxicity_gain: float = 0.02
    toxicity_half_life_s: float = 120.0  # Without new fills, what a side was widened by is half by then
    stale_ms: float = 5_000.0
    jump_s: float = 30.0
    rejects_max: float = 5.0  # Rejected orders that make a storm, forgotten by half a second
    burst_sigmas: float = 12.0  # A move within one decision that is no diffusion
    cool_down_ms: float = 1_000.0
    learn_s: float = 20.0  # How long it only watches
    hedge_ratio: float = 0.0  # How much of the second instrument against one of the first; 0: no hedge
    hedge_band: float = 0.0  # How much may be missing before it is hedged, in the second's unit
    note_every_s: float = 5.0

    class State:
        """What it knows."""

        start_ns: int = 0
        time_ns: int = 0  # Of the last decision
        mid: float = 0.0
        lead_mid: float = 0.0
        tick: float = 0.0
        fair: float = 0.0
        sigma: float = math.nan
        squares: float = 0.0
        watched_s: float = 0.0
        orders: Any = np.zeros(2)
        waited_s: Any = np.zeros(2)
        excess: Any = np.zeros(2)
        touch: Any = np.zeros(2)
        open_s: Any = np.zeros(2)
        intensity: Any = np.full(2, np.nan)
        decay: Any = np.full(2, np.nan)
        feature: Any = np.zeros(FEATURES)
        moment: Any = np.zeros(FEATURES)
        gram: Any = np.zeros(FEATURES * FEATURES)
        lower: Any = np.zeros(FEATURES * FEATURES)
        weight: Any = np.zeros(FEATURES)
        decisions: float = 0.0
        half: float = 0.0
        skew: float = 0.0
        quote_ticks: Any = np.zeros(2)
        first: int = 0
        pending: int = 0
        fill_ns: Any = np.zeros(PENDING_MAX, dtype=np.int64)
        fill_side: Any = np.zeros(PENDING_MAX, dtype=np.int64)
        fill_lots: Any = np.zeros(PENDING_MAX, dtype=np.int64)
        fill_ticks: Any = np.zeros(PENDING_MAX)
        fill_fair: Any = np.zeros(PENDING_MAX)
        fills: Any = np.zeros(2)
        markout_sum: Any = np.zeros(2)
        adverse_sum: Any = np.zeros(2)
        adverse_squares: Any = np.zeros(2)
        markout: Any = np.zeros(2)
        adverse: Any = np.zeros(2)
        extra: Any = np.zeros(2)
        rejects: float = 0.0
        cool_until_ns: int = 0
        pulled: int = LEARNING
        capped: int = 0
        noted_ns: int = 0
        hedge_lots: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("gamma", "volatility_half_life_s", "arrivals_half_life_orders", "fair_half_life_s", "width",
                     "half_spread_max_ticks", "markout_s", "markout_half_life_fills", "stale_ms", "jump_s",
                     "rejects_max", "burst_sigmas", "toxicity_half_life_s", "note_every_s"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, was {getattr(self, name)}")
        if not 0 < self.quantity <= self.position_max:
            raise ValueError(f"quantity must be > 0 and at most position_max {self.position_max}, was {self.quantity}")
        if self.every_ms <= 0:
            raise ValueError("every_ms must be > 0: it learns from one decision to the next")

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        seen = view[0]
        if state.start_ns == 0:
            state.start_ns = state.time_ns = seen.time_ns
        elapsed_s = (seen.time_ns - state.time_ns) / NS_PER_S
        reason = _trouble(view, params, state, elapsed_s)
        if reason == QUOTING:
            reason = _learn(view, params, state, out, elapsed_s)
        if reason != state.pulled:
            silent_s = (seen.time_ns - seen.heard_ns) / NS_PER_S
            note(out, 0, PULLED + reason, silent_s if reason == STALE else elapsed_s)
            state.pulled = reason
        if reason == QUOTING:
            _quote(seen, params, state, out)
        else:
            cancel_all(view, out, 0)
        if params.hedge_ratio != 0.0 and len(view) > 1:
            _hedge(view, params, out)
        if reason == QUOTING and seen.time_ns - state.noted_ns >= params.note_every_s * NS_PER_S:
            state.noted_ns = seen.time_ns
            _tell(params, state, out)
        state.time_ns = seen.time_ns


@compilable
def _trouble(view: Any, params: Any, state: Any, elapsed_s: float) -> int:
    # Why there must be no quotes, whatever the estimates say
    seen = view[0]
    state.rejects = state.rejects * 2.0 ** (-2.0 * elapsed_s) + seen.rejected
    if state.rejects >= params.rejects_max:
        state.cool_until_ns = seen.time_ns + int(params.cool_down_ms * 1e6)
        state.rejects = 0.0
        return STORM
    if seen.halted:
        return HALT
    if seen.guard or seen.heard_ns == 0:
        return BOOK
    if seen.time_ns - seen.heard_ns > params.stale_ms * 1e6:
        return STALE
    if elapsed_s > params.jump_s or elapsed_s < 0.0:
        state.cool_until_ns = seen.time_ns + int(params.cool_down_ms * 1e6)
        state.mid = 0.0  # A move over a gap is no volatility
        return JUMP
    return QUOTING


@compilable
def _learn(view: Any, params: Any, state: Any, out: Any, elapsed_s: float) -> int:
    # Take in what happened since the last decision. Return why not to quote yet, or QUOTING
    seen = view[0]
    mid = touch_mid(seen)
    if state.tick != seen.price_tick:
        if state.tick != 0.0:
            note(out, 0, TICK, seen.price_tick)
            _forget(state)
        state.tick = seen.price_tick
    lead = view[1] if len(view) > 1 else view[0]
    lead_mid = touch_mid(lead) * lead.price_tick / seen.price_tick if len(view) > 1 and lead.guard == 0 else 0.0
    lead_move = lead_mid - state.lead_mid if lead_mid > 0.0 and state.lead_mid > 0.0 else 0.0
    state.lead_mid = lead_mid
    remember_fill(state, 0, seen.time_ns, seen.sold_lots, state.quote_ticks[0], state.fair)
    remember_fill(state, 1, seen.time_ns, seen.bought_lots, state.quote_ticks[1], state.fair)
    learn_markouts(state, seen.time_ns, mid, params.markout_s, params.markout_half_life_fills, params.toxicity_gain,
                   params.markout_target_ticks + params.maker_fee * mid)  # fmt: skip
    forget_toxicity(state, elapsed_s, params.toxicity_half_life_s)
    learn_arrivals(state, seen, elapsed_s, params.arrivals_half_life_orders)
    if state.mid > 0.0 and elapsed_s > 0.0:
        sigma = state.sigma
        learn_volatility(state, mid, elapsed_s, params.volatility_half_life_s)
        learn_fair_value(state, mid, 2.0 ** (-elapsed_s / params.fair_half_life_s))
        if abs(mid - state.mid) > params.burst_sigmas * sigma * math.sqrt(elapsed_s) + 2.0:
            state.cool_until_ns = seen.time_ns + int(params.cool_down_ms * 1e6)
    solve_fair_value(state)
    state.mid = mid
    state.fair = fair_value(state, seen, lead_move)
    if not params.use_fair_value:
        state.fair = mid
    learn_depths(state, params)
    if seen.time_ns < state.cool_until_ns:
        return BURST if state.pulled != STORM and state.pulled != JUMP else state.pulled
    return LEARNING if seen.time_ns - state.start_ns < params.learn_s * NS_PER_S else QUOTING


@compilable
def _forget(state: Any) -> None:
    # What was learned in ticks of another size
    state.squares = state.watched_s = state.mid = state.lead_mid = state.decisions = 0.0
    state.sigma = math.nan
    state.pending = 0
    for side in range(2):
        state.orders[side] = state.waited_s[side] = state.excess[side] = state.touch[side] = 0.0
        state.fills[side] = state.markout_sum[side] = state.adverse_sum[side] = 0.0
        state.adverse_squares[side] = state.adverse[side] = state.extra[side] = 0.0
    for i in range(FEATURES):
        state.moment[i] = 0.0
        for j in range(FEATURES):
            state.gram[FEATURES * i + j] = 0.0


@compilable
def _quote(seen: Any, params: Any, state: Any, out: Any) -> None:
    lots = quote_lots(seen, params)
    held = seen.position_lots / lots
    capped = abs(seen.position_lots) + lots > position_max_lots(seen, params)
    if capped != state.capped:
        state.capped = capped
        if capped:
            note(out, 0, CAPPED, seen.position_lots * seen.quantity_lot)
    fee_ticks = params.maker_fee * state.mid
    bid = math.floor(state.fair - depth_of(state, params, 1, held, fee_ticks))
    ask = math.ceil(state.fair + depth_of(state, params, 0, held, fee_ticks))
    bid, ask = min(bid, seen.ask_ticks - 1), max(ask, seen.bid_ticks + 1)  # Never through the market
    if ask <= bid:
        ask = bid + 1
    state.quote_ticks[0], state.quote_ticks[1] = ask, bid
    place(seen, out, 0, 1, bid, wanted_lots(seen, params, 1), params.patience_ticks)
    place(seen, out, 0, 0, ask, wanted_lots(seen, params, 0), params.patience_ticks)


@compilable
def _hedge(view: Any, params: Any, out: Any) -> None:
    # At market, one order at a time, and only against a book that can be believed
    lead = view[1]
    if lead.guard or lead.halted or in_flight(view, 1) > 0:
        return
    held = view[0].position_lots * view[0].quantity_lot
    wanted = int(-params.hedge_ratio * held / lead.quantity_lot)
    missing = wanted - lead.position_lots
    if missing != 0 and abs(missing) * lead.quantity_lot >= params.hedge_band:
        take(out, 1, 1 if missing > 0 else -1, abs(missing))
        note(out, 1, HEDGED, missing * lead.quantity_lot)


@compilable
def _tell(params: Any, state: Any, out: Any) -> None:
    # What it believes now, for the record
    note(out, 0, SIGMA, state.sigma)
    note(out, 0, INTENSITY, (state.intensity[0] + state.intensity[1]) / 2.0)
    note(out, 0, DECAY, (state.decay[0] + state.decay[1]) / 2.0)
    note(out, 0, HALF, state.half)
    note(out, 0, SKEW, state.skew)
    note(out, 0, FAIR, state.fair - state.mid)
    if params.toxicity_guard:
        note(out, 0, EXTRA_ASK, state.extra[0])
        note(out, 0, EXTRA_BID, state.extra[1])
