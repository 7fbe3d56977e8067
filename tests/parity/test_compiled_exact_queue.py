"""Where the feed tells of every order the queue is known: both venues fill when the truth does."""

import functools

import pytest

pytest.importorskip("numba")

import numpy as np

from njord.market.synthetic.order_by_order import BOOK, Flow, generate
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import QueueSettings, VenueSettings

from .compare import equal, same_lives
from .planned import Planned, new
from .tapes import book, both_directly, instruments, trade

pytestmark = pytest.mark.slow

LISTED = instruments(1)
FLOW = Flow(limits_per_s=200.0, takers_per_s=25.0, cancels_per_s=0.5, limit_lots_mean=3.0, taker_lots_mean=6.0)


@pytest.fixture(scope="module")
def tape():
    return generate(np.random.default_rng(5), FLOW, 4.0)


def rows_of(tape):
    """Return an order-by-order tape as rows: what left without trading says when it had come."""
    rows, sequence, levels = [], 1, ({}, {})
    for place in range(tape.opening_rows):
        levels[int(tape.side[place] < 0)][int(tape.price_ticks[place])] = int(tape.lots_after[place])
    opened_ns = int(tape.time_ns[tape.opening_rows - 1])
    rows.append(book(0, opened_ns, levels[0].items(), levels[1].items(), snapshot=True, sequence=sequence))
    for place in range(tape.opening_rows, len(tape)):
        t, sign, price = int(tape.time_ns[place]), int(tape.side[place]), int(tape.price_ticks[place])
        lots, change = int(tape.lots_after[place]), int(tape.change_lots[place])
        if tape.kind[place] != BOOK:
            rows.append(trade(0, t, price, change, sign))
            continue
        sequence += 1
        traded = tape.kind[place - 1] != BOOK and tape.order_id[place - 1] == tape.order_id[place]
        left = () if change > 0 or traded else ((sign, price, -change, int(tape.entered_ns[place])),)
        changed = ((price, lots),)
        rows.append(book(0, t, changed if sign > 0 else (), changed if sign < 0 else (), sequence=sequence, left=left))
    return rows


def truth(tape, start, sign, price):
    """Return when one lot that joins its level right after row ``start`` trades: when all that was there before has
    gone, the next that trades at its price is it. None if it never does.
    """
    resting = {}
    for place in range(start + 1):
        if tape.kind[place] == BOOK and tape.side[place] == sign and tape.price_ticks[place] == price:
            number = int(tape.order_id[place])
            resting[number] = resting.get(number, 0) + int(tape.change_lots[place])
    ahead = {number for number, lots in resting.items() if lots > 0}
    for place in range(start + 1, len(tape)):
        against = -sign if tape.kind[place] != BOOK else 0
        at = int(tape.price_ticks[place])
        ours = (at - price) * sign < 0 or (at == price and int(tape.order_id[place]) not in ahead)
        # Or somebody offers below our bid, and would have traded with it: the tape does not know of us
        offers = against == 0 and tape.side[place] == -sign and tape.change_lots[place] > 0 and (at - price) * sign < 0
        if (against and tape.side[place] == against and ours) or offers:
            return int(tape.time_ns[place])
    return None


def test_fills_come_when_the_true_queue_is_used_up(tape):
    rows = rows_of(tape)
    settings = {"X": VenueSettings(latency_ms=0, queue=QueueSettings(model=QueueModel.EXACT))}
    dice = np.random.default_rng(7)
    filled = 0
    for _ in range(25):
        start = int(dice.integers(tape.opening_rows, len(tape) // 2))
        while tape.kind[start] != BOOK or tape.kind[start - 1] != BOOK:
            start += 1
        sign = 1 if dice.random() < 0.5 else -1
        best = int(tape.bid_ticks[start] if sign > 0 else tape.ask_ticks[start])
        price = best - sign * int(dice.integers(0, 3))
        step = new(int(tape.time_ns[start]), sign, 1, price, post=1)

        plain, fast = both_directly(LISTED, rows, functools.partial(Planned.of, step), settings)

        assert not plain.backtest.stopped, plain.backtest.stopped
        equal(fast.fills(), plain.backtest.fills)
        same_lives(plain, fast)
        when = truth(tape, start, sign, price)
        assert [fill.venue_time_ns for fill in fast.fills()] == ([] if when is None else [when])
        filled += when is not None
    assert 8 < filled < 25
