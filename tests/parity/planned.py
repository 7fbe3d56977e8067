"""A strategy that does what a table says: at which moment, which order. For markets made by hand."""

from typing import Any

import numpy as np

from njord.market.view import GTC, NO_PRICE
from njord.strategies.kernel import KernelStrategy
from njord.strategies.kernels import cancel, order, quote, replace

from .scripted import Heard

STEPS_MAX = 16
NEW, CANCEL, REPLACE, QUOTE = 1, 2, 3, 4


def new(t, sign, lots, limit=NO_PRICE, stop=NO_PRICE, tif=GTC, post=0, reduce=0, k=0):
    """Send an order with the first news from ``t`` on."""
    return (t, NEW, k, sign, lots, limit, stop, tif, post, reduce)


def drop(t, number):
    """Cancel order ``number``."""
    return (t, CANCEL, 0, number, 0, 0, 0, 0, 0, 0)


def change(t, number, lots, limit=NO_PRICE):
    """Replace order ``number``."""
    return (t, REPLACE, 0, number, lots, limit, 0, 0, 0, 0)


def two_sided(t, bid, bid_lots, ask, ask_lots):
    """Quote both sides."""
    return (t, QUOTE, 0, 0, bid_lots, bid, ask_lots, ask, 0, 0)


class Planned(Heard, KernelStrategy):
    """Do each step of a plan when its moment has come."""

    every_ms: float = 0.0

    class State:
        """The plan, and how far it is done."""

        plan: Any = np.zeros((STEPS_MAX, 10), dtype=np.int64)
        done: int = 0

    @classmethod
    def of(cls, *steps: tuple[int, ...]) -> "Planned":
        """Return a strategy with a plan."""
        made = cls()
        made.steps = steps
        return made

    def fresh(self) -> Any:
        """Return the state it begins with."""
        state = super().fresh()
        for place, step in enumerate(getattr(self, "steps", ())):
            state[0].plan[place] = step
        return state

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
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
