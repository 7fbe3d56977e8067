"""Crashes between every pair of durable steps: nothing acknowledged is lost, nothing is applied twice."""

import gc
import itertools
import random

import pytest

from njord.domain.order import OrderStatus
from njord.engine.session import ARRIVAL_NS_MAX
from njord.ledger.memory import MemoryLedger

from .world import World

# A crash that is only an exception leaves files open, as a real one would not
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Crash(BaseException):
    """The process is gone: no handler runs, nothing is written any more."""


def crashing_after(count):
    left = itertools.count(count, -1)

    def reached(point):
        if next(left) <= 0:
            raise Crash(point)

    return reached


def live(world, reached):
    """Open a session and run it to the end. Return it, or None where it crashed."""
    try:
        session = world.open(reached=reached)
        session.run()
        world.exchange.until(world.exchange.now_ns + 2 * ARRIVAL_NS_MAX)  # Whatever left has arrived by then
        session.reconcile()
        session.finish()
    except Crash:
        return None
    return session


def live_until_the_end(world, seed):
    """Run sessions that crash at random points until the market is over. Return how often it crashed."""
    rng = random.Random(seed)
    for crashes in itertools.count():  # noqa: B007 - it is what is returned
        session = live(world, crashing_after(rng.randint(1, 60)))
        gc.collect()  # A process that is gone has no files open
        if session is not None:
            break
        world.account.release()
        if world.exchange is not None:
            world.exchange.receive()  # Life goes on meanwhile
    world.account.release()
    return crashes, session.state


@pytest.mark.parametrize("seed", range(6))
def test_sessions_that_crash_everywhere_end_where_the_exchange_says(seed, tmp_path):
    world = World(tmp_path, MemoryLedger(), seed=seed)

    crashes, state = live_until_the_end(world, seed)

    assert crashes > 5
    world.check(state)
    assert not [t for t in state.orders.open.values() if t.status in (OrderStatus.UNKNOWN, OrderStatus.SUBMITTED)]
    assert not state.kill.tripped
