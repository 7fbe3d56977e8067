"""A strategy for comparing venues: it does anything a strategy can by dice of its own that its state keeps, or what a
plan says. One class, so that it is compiled once.
"""

from typing import Any

import numpy as np
from numba import njit

from njord.market.view import DAY, FOK, GTC, IOC, NO_PRICE
from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import cancel, cancel_all, in_flight, note, open_lots, order, quote, replace, take

NOT_KNOWN_TICKS = 100
STEPS_MAX = 16
NEW, CANCEL, REPLACE, QUOTE = 1, 2, 3, 4


@njit()
def follow(view: Any, state: Any, out: Any) -> None:
    """Do each step of the plan whose moment has come."""
    while state.done < STEPS_MAX and 0 < state.plan[state.done, 0] <= view[0].time_ns:
        step = state.plan[state.done]
        state.done += 1
        if step[1] == NEW:
            order(out, step[2], step[3], step[4], step[5], step[6], step[7], step[8], step[9])
        elif step[1] == CANCEL:
            cancel(out, step[3])
        elif step[1] == REPLACE:
            replace(out, step[3], step[4], step[5])
        else:
            quote(view, out, 0, step[5], step[4], step[7], step[6])


@njit()
def roll(state: Any, sides: int) -> int:
    """Return the next number below ``sides``."""
    state.dice = (state.dice * 1103515245 + 12345) & 0x7FFFFFFF
    return (state.dice >> 8) % sides


@njit()
def one_order(view: Any, params: Any, state: Any, out: Any, k: int) -> None:
    """Ask for an order of any kind."""
    seen = view[k]
    sign = 1 if roll(state, 2) else -1
    lots = 1 + roll(state, params.lots_max)
    near = NOT_KNOWN_TICKS
    if seen.heard_ns:
        near = seen.bid_ticks if sign > 0 else seen.ask_ticks
    elif seen.last_trade_ticks:
        near = seen.last_trade_ticks
    limit = near + roll(state, 2 * params.reach + 1) - params.reach
    if roll(state, 40) == 0:
        limit = -roll(state, 3)
    stop = NO_PRICE
    kind, tif, post, reduce = roll(state, 10), GTC, 0, 0
    if kind < 2:
        limit = NO_PRICE
    elif kind == 2:
        tif = IOC
    elif kind == 3:
        tif = FOK
    elif kind < 6:
        post = 1
    elif kind == 6:
        limit, stop = NO_PRICE, near + roll(state, 2 * params.reach + 1) - params.reach
    elif kind == 7:
        stop = near + roll(state, 2 * params.reach + 1) - params.reach
    if tif == GTC and roll(state, 3) == 0:
        tif = DAY
    if roll(state, 5) == 0:
        reduce = 1
    order(out, k, sign, lots, limit, stop, tif, post, reduce)


@njit()
def one_change(view: Any, params: Any, state: Any, out: Any, k: int) -> None:
    """Cancel or replace an own order, or one that may be done, or never was."""
    seen = view[k]
    kind = roll(state, 8)
    if kind == 0 or seen.orders == 0:
        cancel(out, 1 + roll(state, 40))
        return
    i = roll(state, seen.orders)
    number, lots, limit = seen.order_number[i], seen.order_lots[i], seen.order_ticks[i]
    if kind < 3:
        cancel(out, number)
    elif kind == 3:
        replace(out, number, lots - 1, limit)
    elif kind == 4:
        replace(out, number, lots + 1 + roll(state, 4), limit)
    elif kind == 5:
        replace(out, number, lots, limit + roll(state, 2 * params.reach + 1) - params.reach)
    elif kind == 6:
        replace(out, number, lots + roll(state, 5) - 2, NO_PRICE)
    else:
        replace(out, number, roll(state, 6), NOT_KNOWN_TICKS + roll(state, 7) - 3)


@njit()
def say(out: Any, k: int, seen: Any) -> None:
    """Put what is seen of one instrument on record."""
    note(out, k, 100, seen.time_ns % 1_000_000)
    note(out, k, 101, seen.guard * 10 + seen.halted)
    note(out, k, 102, seen.bid_ticks * 1000 + seen.bid_lots)
    note(out, k, 103, seen.ask_ticks * 1000 + seen.ask_lots)
    note(out, k, 104, seen.updates * 1000 + seen.rejected)
    note(out, k, 105, seen.flow_lots)
    note(out, k, 106, seen.position_lots * 10_000 + seen.bought_lots * 100 + seen.sold_lots)
    note(out, k, 107, seen.buys * 1000 + seen.sells)
    note(out, k, 108, seen.buy_depth_half_ticks * 1000 + seen.sell_depth_half_ticks)
    note(out, k, 109, seen.heard_ns % 1_000_000)
    note(out, k, 110, seen.last_trade_ticks * 1000 + seen.buy_touch_half_ticks + 7 * seen.sell_touch_half_ticks)
    note(out, k, 111, seen.buy_lots * 1000 + seen.sell_lots)
    for i in range(3):
        note(out, k, 112 + i, seen.bids_ticks[i] * 100 + seen.bids_lots[i])
        note(out, k, 115 + i, seen.asks_ticks[i] * 100 + seen.asks_lots[i])
    for i in range(min(seen.orders, 10)):
        note(out, k, 120 + i, seen.order_number[i] * 1000 + seen.order_ahead[i] * 10 + seen.order_state[i])


class Scripted(KernelStrategy):
    """Ask for something, most of the time; with nothing to dice for, follow the plan."""

    seed: int = 1
    busy: int = 60  # Percent of the times it is asked
    lots_max: int = 6
    reach: int = 3
    quotes: bool = False
    aloud: bool = False  # Put what is seen on record, to find out where two runs part

    class State:
        """Its dice, and whether they are set; the plan, and how far it is done."""

        dice: int = 0
        asked: int = 0
        plan: Any = np.zeros((STEPS_MAX, 10), dtype=np.int64)
        done: int = 0

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        if params.busy == 0:
            follow(view, state, out)
            return
        state.asked += 1
        if state.asked == 1:
            state.dice = params.seed
        # All that is seen goes into what is done, so that the smallest difference shows
        for k in range(len(view)):
            seen = view[k]
            told = seen.guard + seen.halted * 3 + seen.updates * 5 + seen.flow_lots * 7 + seen.position_lots * 11
            told += seen.buys * 13 + seen.sells * 17 + seen.buy_lots * 19 + seen.sell_lots * 23 + seen.rejected * 29
            told += seen.buy_depth_half_ticks * 31 + seen.sell_depth_half_ticks * 37 + seen.last_trade_ticks * 41
            told += seen.buy_touch_half_ticks * 43 + seen.sell_touch_half_ticks * 47 + seen.bought_lots * 53
            told += seen.sold_lots * 59 + seen.heard_ns * 61 + seen.time_ns * 67 + in_flight(view, k) * 71
            for i in range(3):
                told += seen.bids_ticks[i] * 73 + seen.bids_lots[i] * 79 + seen.asks_ticks[i] * 83
                told += seen.asks_lots[i] * 89
            for i in range(seen.orders):
                told += seen.order_state[i] * 97 + int(seen.order_ahead[i] * 8) * 101 + seen.order_lots[i] * 103
                told += seen.order_number[i] * 107 + seen.order_ticks[i] % 1000 * 109
            if params.aloud:
                say(out, k, seen)
                note(out, k, 99, told % 1_000_000)
                note(out, k, 98, state.dice % 1_000_000)
            state.dice = (state.dice + told) & 0x7FFFFFFF
            if roll(state, 100) < params.busy:
                kind = roll(state, 12)
                if kind < 5:
                    one_order(view, params, state, out, k)
                elif kind < 9:
                    one_change(view, params, state, out, k)
                elif kind == 9:
                    take(out, k, 1 if roll(state, 2) else -1, 1 + roll(state, params.lots_max))
                elif kind == 10:
                    note(out, k, roll(state, 3), state.dice / 7)
                elif roll(state, 6) == 0:
                    cancel_all(view, out, k)
            if params.quotes and seen.guard == 0 and open_lots(view, k, 1) < 40:
                bid, ask = seen.bid_ticks - roll(state, params.reach), seen.ask_ticks + roll(state, params.reach)
                quote(view, out, k, bid, 1 + roll(state, params.lots_max), ask, 1 + roll(state, params.lots_max))


class Heard:
    """Writes down what its strategy is told of its orders."""

    def on_start(self, desk: Any) -> None:
        """Begin."""
        self.told: list[tuple[Any, ...]] = []
        super().on_start(desk)  # type: ignore[misc]

    def on_order(self, news: Any, desk: Any) -> None:
        """Write down what became of an order."""
        self.told.append((desk.time_ns, news))
        super().on_order(news, desk)  # type: ignore[misc]

    def on_fill(self, fill: Any, desk: Any) -> None:
        """Write down a fill."""
        self.told.append((desk.time_ns, fill))
        super().on_fill(fill, desk)  # type: ignore[misc]


class ScriptedHeard(Heard, Scripted):
    """Scripted, and it writes down what it is told."""

    depth = 3


class ScriptedWaking(ScriptedHeard):
    """The same, asked at once of every fill."""

    wake_on_fills = True
