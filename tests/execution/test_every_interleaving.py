"""The order machine, exhaustively: every interleaving of what can be reported of two orders, up to a depth.

A breadth-first walk over states; states that are equal in all that matters are visited once. At each step the machine
is held against a plain account of the same history.
"""

import copy
import time

import pytest

from njord.domain.event import CancelRejected, OrderAccepted, OrderCancelled, OrderExpired, OrderRejected, OrderReplaced
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.governance import OrderUnknown
from njord.domain.instrument import Grid
from njord.domain.order import (
    TERMINAL,
    TRANSITIONS,
    IllegalTransition,
    NewOrder,
    OrderStatus,
    OrderType,
    Rejection,
    Side,
)
from njord.execution.oms import Orders, Tracked

NAME = "BTC/USD.SIM"
LOTS = 2
ORDERS = {"a": Side.BUY, "b": Side.SELL}
# What can be said of each order. Fills are named, so that the same one can come again
ACTIONS = (
    "submit", "accept", "fill 1", "fill 2", "rest", "too much", "cancel", "reject", "expire", "ask 3", "is 3", "is 1",
    "not cancelled", "unknown",
)  # fmt: skip
STATUS = {"cancel": OrderStatus.CANCELLED, "reject": OrderStatus.REJECTED, "expire": OrderStatus.EXPIRED}


class Plain:
    """The same history by itself: no reservations, only what was said, and what follows from it."""

    def __init__(self):
        self.quantity, self.filled, self.status, self.asked, self.limit = {}, {}, {}, {}, {}
        self.fills = {}

    def could_fill(self, side):
        return sum(
            max(self.quantity[name], *self.asked[name], 0) - self.filled[name]
            for name, status in self.status.items()
            if ORDERS[name] is side and status not in TERMINAL
        )

    def cost(self):
        return sum(
            max(
                (self.quantity[name] - self.filled[name]) * self.limit[name],
                *((lots - self.filled[name]) * 101 for lots in self.asked[name]),
                0,
            )
            for name, status in self.status.items()
            if ORDERS[name] is Side.BUY and status not in TERMINAL
        )


def fill(name, lots, fill_id):
    return Fill(fill_id, name, NAME, ORDERS[name], 100, lots, 0, "USD", Liquidity.MAKER, FillReason.VENUE, "", 1, 1)


def report(orders, name, action, grid):
    """Do it to the machine."""
    if action == "submit":
        orders.submit(NewOrder(name, "s", NAME, ORDERS[name], OrderType.LIMIT, LOTS, limit_ticks=100), grid)
    elif action == "accept":
        orders.apply(OrderAccepted(name, NAME, 1, 1))
    elif action in ("fill 1", "fill 2"):
        orders.apply(fill(name, 1, f"{name}{action[-1]}"))
    elif action == "rest":
        tracked = orders.open.get(name) or orders.ended.get(name)
        orders.apply(fill(name, max(1, tracked.leaves_lots) if tracked else 1, f"{name}-rest"))
    elif action == "too much":
        orders.apply(fill(name, 9, f"{name}-much"))
    elif action == "ask 3":
        orders.replacing(name, 3, 101)
    elif action in ("is 3", "is 1"):
        orders.apply(OrderReplaced(name, NAME, int(action[-1]), 101 if action == "is 3" else 100, 1, 1))
    elif action == "not cancelled":
        orders.apply(CancelRejected(name, NAME, Rejection.ORDER_DONE, 1, 1))
    elif action == "unknown":
        orders.unknown(OrderUnknown(name, NAME, 1, 1))
    else:
        kind = {"cancel": OrderCancelled, "reject": OrderRejected}.get(action)
        orders.apply(OrderExpired(name, NAME, 1, 1) if kind is None else kind(name, NAME, Rejection.REQUESTED, 1, 1))


def possible(orders, name, action):
    """Return whether our own side would do this: it submits once, and asks to replace only what is open."""
    if action == "submit":
        return not orders.known(name)
    if action == "ask 3":
        return name in orders.open
    return True


def follow(plain, name, action):
    """Do it to the plain account. Return whether it is something that cannot be true."""
    if action == "submit":
        plain.quantity[name], plain.filled[name], plain.asked[name], plain.limit[name] = LOTS, 0, [], 100
        plain.status[name] = OrderStatus.SUBMITTED
        return False
    if name not in plain.status:
        return True  # Of an order that was never sent nothing can be said
    status = plain.status[name]
    over = status in TERMINAL
    left = plain.quantity[name] - plain.filled[name]
    if action in ("fill 1", "fill 2", "rest", "too much"):
        fill_id = {"rest": f"{name}-rest", "too much": f"{name}-much"}.get(action, f"{name}{action[-1]}")
        if fill_id in plain.fills:
            return False
        lots = {"rest": max(1, left), "too much": 9}.get(action, 1)
        if status is OrderStatus.FILLED or lots > left:
            return True
        plain.fills[fill_id] = lots
        plain.filled[name] += lots
        if not over:
            plain.status[name] = OrderStatus.FILLED if lots == left else OrderStatus.PARTIALLY_FILLED
        return False
    if over:
        return False  # Late news of what is over is no news
    if action == "accept":
        if status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
            plain.status[name] = OrderStatus.PARTIALLY_FILLED if plain.filled[name] else OrderStatus.ACCEPTED
    elif action == "ask 3":
        plain.asked[name].append(3)
    elif action in ("is 3", "is 1"):
        lots = int(action[-1])
        if lots < plain.filled[name]:
            return False  # Overtaken by the fills that are booked
        plain.quantity[name], plain.limit[name] = lots, 101 if lots == 3 else 100
        if lots in plain.asked[name]:
            del plain.asked[name][: plain.asked[name].index(lots) + 1]
        if lots == plain.filled[name]:
            plain.status[name] = OrderStatus.FILLED
    elif action == "unknown":
        plain.status[name] = OrderStatus.UNKNOWN
    elif action in STATUS:
        if STATUS[action] not in TRANSITIONS[status]:
            return True
        plain.status[name] = STATUS[action]
    return False


def restarted(orders, grid):
    """Return the machine as a restart makes it again, from what a boundary keeps of it."""

    def again(tracked):
        made = Tracked(tracked.order, grid)
        made.status, made.quantity_lots = tracked.status, tracked.quantity_lots
        made.filled_lots, made.limit_ticks, made.asked = tracked.filled_lots, tracked.limit_ticks, list(tracked.asked)
        return made

    made = Orders()
    for tracked in orders.open.values():
        made.restore(again(tracked))
    made.restore_done(dict(orders.done), [again(each) for each in orders.ended.values()], orders.fill_ids)
    return made


def shape(orders):
    """Return all that matters of a state: two that are equal here do the same from here on."""

    def of(tracked):
        return (tracked.status, tracked.quantity_lots, tracked.filled_lots, tracked.limit_ticks, tuple(tracked.asked))

    return (
        tuple(sorted((name, *of(each)) for name, each in orders.open.items())),
        tuple(sorted((name, *of(each)) for name, each in orders.ended.items())),
        tuple(sorted(orders.done.items())),
        tuple(sorted(orders.fill_ids)),
    )


def check(orders, plain):
    """Hold the machine against the plain account."""
    for side in Side:
        own = orders.working.get(("s", NAME))
        lots = 0 if own is None else own.buy_lots if side is Side.BUY else own.sell_lots
        everybodys = (orders.buys if side is Side.BUY else orders.sells).get(NAME, 0)
        assert everybodys == lots == plain.could_fill(side)
    assert orders.buying(NAME) == (plain.cost(), 0)
    for name, status in plain.status.items():
        tracked = orders.open.get(name)
        assert (tracked is None) == (status in TERMINAL)
        assert status is (orders.done[name] if tracked is None else tracked.status)
        known = tracked or orders.ended.get(name)
        if known is not None:
            assert (known.filled_lots, known.quantity_lots) == (plain.filled[name], plain.quantity[name])
    assert set(orders.fill_ids) == set(plain.fills)
    assert not set(orders.open) & set(orders.done)


def walk(depth, grid, names=("a", "b")):
    """Visit every state that so many reports can lead to. Return how many states and steps there were."""
    frontier = [(Orders(), Plain())]
    seen = {shape(Orders())}
    steps = 0
    for _ in range(depth):
        found = []
        for orders, plain in frontier:
            for name in names:
                for action in ACTIONS:
                    if not possible(orders, name, action):
                        continue
                    steps += 1
                    machine, account = copy.deepcopy(orders, {id(grid): grid}), copy.deepcopy(plain)
                    impossible = follow(account, name, action)
                    if impossible:
                        with pytest.raises(IllegalTransition):
                            report(machine, name, action, grid)
                        assert shape(machine) == shape(orders), (name, action)  # What is refused changes nothing
                        check(machine, plain)
                        continue
                    report(machine, name, action, grid)
                    check(machine, account)
                    key = shape(machine)
                    if key in seen:
                        continue
                    seen.add(key)
                    again = restarted(machine, grid)
                    check(again, account)
                    assert shape(again) == key
                    found.append((again if len(seen) % 2 else machine, account))
        frontier = found
    return len(seen), steps


@pytest.fixture
def grid(spot):
    return Grid.of(spot)


def test_every_interleaving_of_three_reports(grid):
    states, steps = walk(3, grid)
    assert states > 50
    assert steps > 500


def test_everything_that_can_become_of_one_order(grid):
    states, _ = walk(6, grid, names=("a",))
    assert states > 100


@pytest.mark.slow
def test_every_interleaving_of_eight_reports(grid):
    began_s = time.perf_counter()
    states, steps = walk(8, grid)
    print(f"{states} states, {steps} steps, {time.perf_counter() - began_s:.1f} s")
    assert states > 10_000
