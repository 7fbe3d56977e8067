"""Sessions that crash at random points behind a connection that does its worst: in the end both sides are equal."""

import gc
import random

import pytest

from njord.domain.event import OrderAccepted, OrderCancelled
from njord.domain.fill import Fill
from njord.domain.order import TERMINAL, OrderStatus
from njord.engine.recorder import Stopped
from njord.engine.session import ARRIVAL_NS_MAX
from njord.ledger.memory import MemoryLedger

from .faulty import FaultyVenue
from .test_crash import Crash, crashing_after
from .world import World

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SESSIONS_MAX = 200


def misbehave(venue, dice):
    """Switch some fault on, or all of them off."""
    venue.refusing = venue.times_out = venue.loses = venue.doubles = venue.holds = False
    venue.deaf_to = ()
    fault = dice.choice(["none", "none", "refusing", "times_out", "loses", "doubles", "holds", "deaf"])
    if fault == "deaf":
        venue.deaf_to = dice.choice([(Fill,), (OrderAccepted,), (OrderCancelled, Fill)])
    elif fault != "none":
        setattr(venue, fault, True)


def lives(world, dice, reached):
    """Run a session with faults until it crashes, stops, or the market is over. Return how it ended, and it."""
    venues = []

    def venue(exchange):
        venues.append(FaultyVenue(exchange, dice))
        return venues[0]

    session = None
    try:
        session = world.open(reached=reached, venue=venue)
        for _ in range(400):
            if session.ended:
                return "ended", session
            if dice.random() < 0.15:
                misbehave(venues[0], dice)
            session.turn()
    except Crash:
        return "crashed", None
    except Stopped as error:
        return f"stopped: {error}", None
    return "ended", session


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(18))
def test_whatever_the_connection_and_the_process_do_both_sides_come_to_the_same(seed, tmp_path):
    dice = random.Random(seed)
    world = World(tmp_path, MemoryLedger(), rows=50, seed=seed)
    ends = []
    for _ in range(SESSIONS_MAX):
        how, _session = lives(world, dice, crashing_after(dice.randint(5, 60)))
        ends.append(how)
        gc.collect()
        world.account.release()
        if world.exchange is not None and world.exchange.ended:
            break
    # Now without faults: the last session asks, and everything that is still on its way arrives
    last = world.open()
    world.exchange.until(world.exchange.now_ns + 2 * ARRIVAL_NS_MAX)
    last.reconcile()
    last.finish()

    assert len(ends) > 3
    assert not last.state.kill.tripped, [str(each) for each in last.discrepancies]
    world.check(last.state)
    assert not [t for t in last.state.orders.open.values() if t.status is OrderStatus.UNKNOWN]
    alive = {name for name, order in world.exchange.account.orders.items() if order.status not in TERMINAL}
    assert alive <= set(last.state.orders.open)
    assert all(last.state.orders.known(name) for name in world.exchange.account.orders)
    world.account.release()
