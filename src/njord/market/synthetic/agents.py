"""Who trades in a synthetic market: market makers, noise, value and momentum traders, and the informed.

An agent wakes, looks, and returns orders and cancellations. It holds no clock and no dice; what it remembers is plain
data. Prices are thought of in ticks. Each kind does what its literature says it does:

- market makers quote around the value, shaded by inventory (Ho and Stoll 1981) and by recent order flow (Kyle 1985),
  wider when the value moves;
- noise traders split parent orders whose lengths have a fat tail, which gives order signs their long memory (Lillo,
  Mike and Farmer 2005), and place limit orders at random distances;
- value traders trade against prices away from their own, slightly wrong idea of the value; momentum traders follow
  trends (Chiarella, Iori and Perello 2009);
- the informed know the value and take what is offered below it (Glosten and Milgrom 1985).
"""

import math
from typing import ClassVar

import msgspec
import numpy as np

from njord.domain.command import CancelOrder
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.instrument import TICKS_MAX
from njord.domain.order import NewOrder, OrderType, Side, TimeInForce

RESTING_MAX = 12
PARENT_CHILDREN_MAX = 600
_PARENT_TAIL = 1.5
_PARENT_LEAST = 15
_LEVELS = 3

Command = NewOrder | CancelOrder


class Open(msgspec.Struct):
    """An order of one's own that works."""

    side: Side
    limit_ticks: int
    lots: int


class Memory(msgspec.Struct):
    """What an agent remembers between wakes."""

    orders: int = 0
    position_lots: int = 0
    direction: int = 0  # Of the parent order
    children: int = 0  # Still to be sent
    bias: float = 0.0  # How wrong one's idea of the value is, in half spreads
    fast: float = 0.0
    slow: float = 0.0
    seen: bool = False
    open: dict[ClientOrderId, Open] = msgspec.field(default_factory=dict)


class Look(msgspec.Struct):
    """What an agent sees when it wakes. ``fair`` and ``pressure`` are in ticks; a side without orders has 0 lots.

    ``pressure`` is how far recent order flow has pushed what people believe the price to be. ``spread`` and ``depth``
    scale what market makers show.
    """

    now_ns: int
    fair: float
    pressure: float
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    last_ticks: int | None
    spread: float
    depth: float
    halted: bool

    def mid(self) -> float:
        """Return the middle of the book, or the value where there is none."""
        return (self.bid_ticks + self.ask_ticks) / 2 if self.bid_lots and self.ask_lots else self.fair


class Agent:
    """One participant in one instrument. Bounded: at most RESTING_MAX orders rest at a time."""

    role: ClassVar[str] = ""

    def __init__(
        self, number: int, instrument_id: InstrumentId, half_spread_ticks: float, lots: int, least_ticks: int | None
    ) -> None:
        self.agent_id = f"{self.role}-{number}@{instrument_id}"
        self.memory = Memory()
        self._instrument_id = instrument_id
        self._strategy_id = StrategyId(f"{self.role}-{number}")
        self._half = half_spread_ticks
        self._lots = lots
        self._least_ticks = least_ticks  # No bid below it: prices of most things are above zero

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return what to do about what is seen."""
        raise AssertionError("each kind of agent has its own")

    def withdraw(self) -> list[CancelOrder]:
        """Return the cancellation of all one's orders."""
        return [self._cancel(order_id) for order_id in self.memory.open]

    def _order(self, side: Side, lots: int, limit_ticks: int, force: TimeInForce) -> list[Command]:
        if lots <= 0 or (self._least_ticks is not None and limit_ticks < self._least_ticks):
            return []
        self.memory.orders += 1
        order_id = ClientOrderId(f"{self.agent_id}-{self.memory.orders}")
        return [
            NewOrder(
                order_id, self._strategy_id, self._instrument_id, side, OrderType.LIMIT, lots, limit_ticks, None, force
            )
        ]  # fmt: skip

    def _rest(self, side: Side, lots: int, limit_ticks: int) -> list[Command]:
        if len(self.memory.open) >= RESTING_MAX:
            return []
        return self._order(side, lots, limit_ticks, TimeInForce.GTC)

    def _take(self, look: Look, side: Side, lots: float, limit: float) -> list[Command]:
        """Take from the best level, and beyond it as far as ``limit``."""
        price, there = (look.ask_ticks, look.ask_lots) if side is Side.BUY else (look.bid_ticks, look.bid_lots)
        if look.halted or not there or (price - limit) * side.sign > 0:
            return []
        ticks = math.floor(limit) if side is Side.BUY else math.ceil(limit)
        return self._order(side, max(1, round(lots)), ticks, TimeInForce.IOC)

    def _cancel(self, order_id: ClientOrderId) -> CancelOrder:
        return CancelOrder(order_id, self._strategy_id, self._instrument_id)

    def _cancel_oldest(self) -> list[Command]:
        return [self._cancel(next(iter(self.memory.open)))] if self.memory.open else []

    def _away(self, fair: float) -> list[Command]:
        """Cancel the first order that lies far from the value: nobody leaves it there for days."""
        for order_id, order in self.memory.open.items():
            if abs(order.limit_ticks - fair) > 30 * self._half + 0.02 * abs(fair):
                return [self._cancel(order_id)]
        return []

    def _size(self, rng: np.random.Generator, spread: float = 0.8) -> float:
        return self._lots * math.exp(spread * rng.standard_normal() - spread * spread / 2)


class MarketMaker(Agent):
    """Quotes some levels on both sides, and moves them when the value has moved."""

    role = "maker"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return the changes that bring one's quotes to where they should be."""
        memory = self.memory
        memory.bias = 0.9 * memory.bias + 0.1 * rng.standard_normal()
        if memory.seen:
            memory.fast = 0.8 * memory.fast + 0.2 * abs(look.fair - memory.slow)
        memory.slow, memory.seen = look.fair, True
        inventory = memory.position_lots / (self._lots * 40.0)
        half = max(self._half, 1.2 * memory.fast) * look.spread
        centre = look.fair + look.pressure + half * (0.5 * memory.bias - max(-1.5, min(1.5, inventory)))
        gap = max(1.0, 0.8 * half)
        # Quotes are to earn the spread, not to pay it: they stay off what others bid and ask
        highest, lowest = self._others_best(look)
        targets: dict[tuple[Side, int], int] = {}
        for level in range(_LEVELS):
            lots = round(self._size(rng, 0.5) * (2.0 + level) * look.depth)
            targets[Side.BUY, min(math.floor(centre - half - level * gap), highest)] = lots
            targets[Side.SELL, max(math.ceil(centre + half + level * gap), lowest)] = lots
        return self._reconcile(targets, slack=0.35 * half)

    def _others_best(self, look: Look) -> tuple[int, int]:
        """Return the highest price to bid and the lowest to ask without meeting somebody else's best order."""
        bid_mine = ask_mine = False
        for order in self.memory.open.values():
            if order.side is Side.BUY:
                bid_mine = bid_mine or order.limit_ticks == look.bid_ticks
            else:
                ask_mine = ask_mine or order.limit_ticks == look.ask_ticks
        highest = look.ask_ticks - 1 if look.ask_lots and not ask_mine else TICKS_MAX
        lowest = look.bid_ticks + 1 if look.bid_lots and not bid_mine else -TICKS_MAX
        return highest, lowest

    def _reconcile(self, targets: dict[tuple[Side, int], int], slack: float) -> list[Command]:
        commands: list[Command] = []
        kept = 0
        for order_id, order in self.memory.open.items():
            side, ticks, lots = order.side, order.limit_ticks, order.lots
            for key, wanted in targets.items():
                # Near enough in price and size to keep its place in the queue
                if key[0] is side and abs(key[1] - ticks) <= slack and wanted < 4 * lots and lots < 4 * wanted:
                    del targets[key]
                    kept += 1
                    break
            else:
                commands.append(self._cancel(order_id))
        for (side, ticks), lots in targets.items():
            if kept < RESTING_MAX:
                commands += self._order(side, lots, ticks, TimeInForce.GTC)
                kept += 1
        return commands


class NoiseTrader(Agent):
    """Has reasons of its own: takes in the direction of a parent order, places and cancels limit orders."""

    role = "noise"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return the next child of the parent order, or a limit order, or a cancellation."""
        memory, what = self.memory, rng.random()
        if what < 0.6:
            if not memory.children:
                memory.children = min(
                    PARENT_CHILDREN_MAX, int(_PARENT_LEAST * (1 - rng.random()) ** (-1 / _PARENT_TAIL))
                )
                lean = 0.5 - memory.position_lots / (self._lots * 400.0)
                memory.direction = 1 if rng.random() < lean else -1
            memory.children -= 1
            side = Side.BUY if memory.direction > 0 else Side.SELL
            # Patience ends where it gets dear
            limit = look.fair + look.pressure + side.sign * self._half * (2.0 + 4.0 * rng.random())
            return self._take(look, side, self._size(rng, 1.2), limit)
        if what < 0.85 and len(memory.open) < 4:
            side = Side.BUY if rng.random() < 0.5 else Side.SELL
            best = look.bid_ticks if side is Side.BUY else look.ask_ticks
            start = best if (look.bid_lots and look.ask_lots) else round(look.fair - side.sign * self._half)
            price = start - side.sign * (int(rng.exponential(1.5 * max(1.0, self._half))) - 1)
            if look.bid_lots and look.ask_lots:
                price = min(price, look.ask_ticks - 1) if side is Side.BUY else max(price, look.bid_ticks + 1)
            return self._rest(side, max(1, round(self._size(rng))), price)
        return self._away(look.fair) or self._cancel_oldest()


class ValueTrader(Agent):
    """Buys below and sells above its own idea of the value, which is slightly wrong."""

    role = "value"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return a trade where the price is wrong enough, otherwise an order that waits for it to be."""
        memory = self.memory
        memory.bias = 0.95 * memory.bias + 0.3 * rng.standard_normal()
        value = look.fair + memory.bias * self._half
        error = value - look.mid()
        side = Side.BUY if error > 0 else Side.SELL
        if abs(error) > 1.5 * self._half and abs(memory.position_lots) < 200 * self._lots:
            return self._take(look, side, self._size(rng), value - side.sign * 0.5 * self._half)
        if stale := self._away(look.fair):
            return stale
        if len(memory.open) >= 6:
            return self._cancel_oldest()
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        distance = self._half * (3 + 6 * rng.random())
        return self._rest(side, max(1, round(2 * self._size(rng))), round(value - side.sign * distance))


class MomentumTrader(Agent):
    """Follows what prices did lately, and leaves when they stop doing it."""

    role = "momentum"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return an order with the trend, or one that gets out."""
        memory, mid = self.memory, look.mid()
        if not memory.seen:
            memory.fast, memory.slow, memory.seen = mid, mid, True
        memory.fast += 0.4 * (mid - memory.fast)
        memory.slow += 0.08 * (mid - memory.slow)
        trend = memory.fast - memory.slow
        side = Side.BUY if trend > 0 else Side.SELL
        held = memory.position_lots * side.sign
        reach = mid + side.sign * 3 * self._half
        if abs(trend) > 1.5 * self._half and held < 20 * self._lots:
            return self._take(look, side, self._size(rng), reach)
        if abs(trend) < 0.5 * self._half and memory.position_lots:
            out = Side.SELL if memory.position_lots > 0 else Side.BUY
            lots = min(abs(memory.position_lots), self._size(rng))
            return self._take(look, out, lots, mid + out.sign * 3 * self._half)
        return []


class InformedTrader(Agent):
    """Knows the value, and takes what is on offer at a better price."""

    role = "informed"

    def wake(self, look: Look, rng: np.random.Generator) -> list[Command]:
        """Return an order for what is mispriced, or nothing."""
        margin = 0.3 * self._half
        held = self.memory.position_lots / self._lots
        if look.ask_lots and look.fair > look.ask_ticks + margin and held < 400:
            lots = min(look.ask_lots, 1.5 * self._size(rng))
            return self._take(look, Side.BUY, lots, look.fair)
        if look.bid_lots and look.fair < look.bid_ticks - margin and held > -400:
            return self._take(look, Side.SELL, min(look.bid_lots, 1.5 * self._size(rng)), look.fair)
        return []


# Who is in a book and how often each kind wakes, of all wakes: (kind, how many, share)
CROWD_LIQUID: tuple[tuple[type[Agent], int, float], ...] = (
    (MarketMaker, 3, 0.42), (NoiseTrader, 2, 0.33), (ValueTrader, 2, 0.08), (MomentumTrader, 1, 0.07),
    (InformedTrader, 1, 0.10),
)  # fmt: skip
CROWD_MEDIUM: tuple[tuple[type[Agent], int, float], ...] = (
    (MarketMaker, 2, 0.60), (NoiseTrader, 2, 0.20), (ValueTrader, 1, 0.06), (MomentumTrader, 1, 0.04),
    (InformedTrader, 1, 0.10),
)  # fmt: skip
