"""Who trades against other people's algorithms: spoofers, quote stuffers and snipers. They sleep until a scenario says.

What each does is what it is prosecuted, or paid, for:

- a spoofer shows large orders it does not mean on one side, so that those who read the book move, trades against them
  on the other, and cancels (Cartea, Jaimungal and Wang 2020, Spoofing and price manipulation);
- a stuffer floods the book with orders and takes them back, so that others have more to read than time (Egginton, Van
  Ness and Van Ness 2016, Quote stuffing);
- a sniper knows the value an instant before the quotes do, and takes every one that is stale (Budish, Cramton and Shim
  2015, The high-frequency trading arms race).
"""

import enum
import itertools

import numpy as np

from njord.domain.order import Side, TimeInForce
from njord.market.synthetic.agents import RESTING_MAX, Agent, Command, Look

_LAYERS = 4
_SHOWN = 15.0  # So many usual orders in each layer
_HELD_MAX = 100.0  # A sniper's position, in usual orders


class AdversaryKind(enum.StrEnum):
    """Closed list."""

    SPOOFER = "spoofer"
    STUFFER = "stuffer"
    SNIPER = "sniper"


class Spoofer(Agent):
    """Layers one side, trades on the other, takes the layers away, and changes sides as its position asks for."""

    role = "spoofer"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return layers, or the trade they were for together with their cancellation."""
        memory = self.memory
        if look.halted or not (look.bid_lots and look.ask_lots):
            return [*self.withdraw()]
        if not memory.open:
            lean = 0.5 - memory.position_lots / (self._lots * 20.0)
            memory.direction = 1 if rng.random() < lean else -1  # What it means to do: buy or sell
            shown = Side.SELL if memory.direction > 0 else Side.BUY
            best = look.bid_ticks if shown is Side.BUY else look.ask_ticks
            lots = max(1, round(_SHOWN * self._size(rng, 0.3)))
            # Behind the best: to be seen, not to be traded with
            prices = [best - shown.sign * round((layer + 1) * max(1.0, self._half)) for layer in range(_LAYERS)]
            return list(itertools.chain(*(self._rest(shown, lots, price) for price in prices)))
        meant = Side.BUY if memory.direction > 0 else Side.SELL
        reach = (look.ask_ticks if meant is Side.BUY else look.bid_ticks) + meant.sign * self._half
        return [*self._take(look, meant, 2 * self._size(rng), reach), *self.withdraw()]


class Stuffer(Agent):
    """Fills the book far from the price with small orders, and empties it again."""

    role = "stuffer"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return as many orders as may rest, or the cancellation of all of them."""
        if self.memory.open or look.halted:
            return [*self.withdraw()]
        commands: list[Command] = []
        for number in range(RESTING_MAX):
            side = Side.BUY if number % 2 else Side.SELL
            price = look.fair - side.sign * self._half * (6.0 + 10.0 * rng.random())
            commands += self._order(side, 1, round(price), TimeInForce.GTC)
        return commands


class Sniper(Agent):
    """Takes all that is quoted on the wrong side of the value, however little there is in it."""

    role = "sniper"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return an order for what is stale, or nothing."""
        held = self.memory.position_lots / self._lots
        if look.ask_lots and look.fair > look.ask_ticks and held < _HELD_MAX:
            return self._take(look, Side.BUY, look.ask_lots, look.fair)
        if look.bid_lots and look.fair < look.bid_ticks and held > -_HELD_MAX:
            return self._take(look, Side.SELL, look.bid_lots, look.fair)
        return []


KINDS: dict[AdversaryKind, type[Agent]] = {
    AdversaryKind.SPOOFER: Spoofer, AdversaryKind.STUFFER: Stuffer, AdversaryKind.SNIPER: Sniper,
}  # fmt: skip
