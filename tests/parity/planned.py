"""A strategy that does what a table says: at which moment, which order. For markets made by hand."""

from typing import Any

from njord.market.view import GTC, NO_PRICE

from .scripted import CANCEL, NEW, QUOTE, REPLACE, Heard, Scripted


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


class Planned(Heard, Scripted):
    """Scripted, following a plan."""

    @classmethod
    def of(cls, *steps: tuple[int, ...]) -> "Planned":
        """Return a strategy with a plan."""
        made = cls(every_ms=0.0, busy=0)
        made.steps = steps
        return made

    def fresh(self) -> Any:
        """Return the state it begins with."""
        state = super().fresh()
        for place, step in enumerate(getattr(self, "steps", ())):
            state[0].plan[place] = step
        return state
