"""What other systems' trackers say went wrong around reconnects, one test each; PITFALLS 2.2 numbers in the names."""

import pytest

from njord.domain.command import CancelOrder
from njord.domain.event import OrderAccepted, OrderCancelled
from njord.domain.fill import Fill
from njord.domain.order import OrderStatus, Side
from njord.engine.session import ARRIVAL_NS_MAX, STALE_TRUTHS_MAX
from njord.ledger.memory import MemoryLedger
from njord.strategies.port import Strategy

from .faulty import OUTAGE_STEP_NS, FaultyVenue
from .world import HOUR_NS, NAMES, World

# A crash that is only an exception leaves files open, as a real one would not
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BTC = NAMES[0]
TURNS_MAX = 400


class Plan(Strategy):
    """Does at each bar of one instrument what a table says."""

    def __init__(self, plan=()):
        self.plan, self.bars = dict(plan), 0

    def on_bar(self, bar, desk):
        if bar.instrument_id == BTC:
            self.bars += 1
            self.plan.get(self.bars, lambda _desk, _bar: None)(desk, bar)


@pytest.fixture
def begin(tmp_path):
    """Return what begins a session behind a faulty connection; all are let go of at the end."""
    worlds, sessions = [], []

    def made(plan=(), *, rows=60, world=None):
        if world is None:
            world = World(tmp_path, MemoryLedger(), rows=rows)
            worlds.append(world)
        venues = []

        def venue(exchange):
            venues.append(FaultyVenue(exchange))
            return venues[0]

        session = world.open(strategy=Plan(plan), venue=venue)
        sessions.append(session)
        return world, session, venues[0]

    yield made
    for session in sessions:  # As a process that died leaves it: no file of it stays open
        session._recorder._journal._chain._drop_file()
    for world in worlds:
        world.account.release()


def until(session, what):
    for _ in range(TURNS_MAX):
        if what():
            return
        session.turn()
    raise AssertionError(f"not within {TURNS_MAX} turns")


def outage(session, venue, until_ns):
    venue.refusing = True
    for _ in range(5):
        session.turn()
    skip_to(venue.exchange, until_ns)
    session.turn()
    venue.refusing = False


def skip_to(exchange, time_ns):
    """Let life at the exchange go on with nobody listening."""
    while exchange.now_ns < time_ns:
        exchange.until(time_ns)


def rests(desk, bar, count=6):
    for number in range(count):
        desk.buy(0.1, limit=round(bar.close * 0.7 - number, 2), instrument=BTC)


def near(desk, bar):
    desk.buy(0.1, limit=round(bar.close * 1.0, 2), instrument=BTC)


def statuses(session):
    return [tracked.status for tracked in session.state.orders.open.values()]


def test_9_accepted_orders_outlive_an_outage_of_the_names(begin):
    world, session, venue = begin({2: rests})
    until(session, lambda: statuses(session) == [OrderStatus.ACCEPTED] * 6)

    outage(session, venue, world.exchange.now_ns + 30 * OUTAGE_STEP_NS)
    assert len(session.state.orders.open) == 6

    until(session, lambda: session._connected)
    assert statuses(session) == [OrderStatus.ACCEPTED] * 6
    world.check(session.state)
    assert not session.state.kill.tripped


def test_9_an_order_wanted_during_the_outage_never_left_and_is_nowhere(begin):
    world, session, venue = begin({3: rests})
    until(session, lambda: session.state.sequence > 4)
    venue.refusing = True
    session._connected = True
    session.state.slots["busy"].strategy.plan[session.state.slots["busy"].strategy.bars + 1] = rests
    venue.receive = world.exchange.receive  # It still hears, and cannot speak
    until(session, lambda: len(session.state.orders.done) == 6)

    assert set(session.state.orders.done.values()) == {OrderStatus.REJECTED}
    assert venue.sent == []
    assert world.exchange.account.orders == {}


def test_10_a_connection_that_closes_is_made_again_and_trading_goes_on(begin):
    world, session, venue = begin({2: near, 20: near})
    until(session, lambda: session.orders_sent == 1)
    outage(session, venue, world.exchange.now_ns + 2 * HOUR_NS)
    until(session, lambda: session.orders_sent == 2)
    world.check(session.state)


def test_11_cancels_of_what_is_no_more_are_not_asked_for_ever(begin):
    world, session, venue = begin({2: rests, 4: lambda desk, _bar: desk.cancel_all(BTC)})
    until(session, lambda: statuses(session) == [OrderStatus.ACCEPTED] * 6)
    venue.loses = True  # The cancels are lost, and meanwhile the orders go by themselves
    until(session, lambda: any(isinstance(each, CancelOrder) for each in venue.sent))
    world.exchange.cancel_all()
    skip_to(world.exchange, world.exchange.now_ns + OUTAGE_STEP_NS)
    venue.loses = False

    until(session, lambda: not session.state.orders.open)
    asked = len(venue.sent)
    for _ in range(50):
        session.turn()
    assert len(venue.sent) == asked
    assert session._cancels == {}


def test_12_an_order_that_rests_though_sending_it_timed_out_is_found_and_is_one_order(begin):
    world, session, venue = begin({2: lambda desk, bar: rests(desk, bar, 1)})
    venue.times_out = True
    until(session, lambda: len(venue.sent) == 1)
    assert OrderStatus.REJECTED not in session.state.orders.done.values()
    venue.times_out = False

    until(session, lambda: statuses(session) == [OrderStatus.ACCEPTED])
    assert len(world.exchange.account.orders) == 1
    assert len(venue.sent) == 1


def test_12_an_order_that_was_lost_on_its_way_is_unknown_until_it_must_have_arrived(begin):
    world, session, venue = begin({2: lambda desk, bar: rests(desk, bar, 1)})
    venue.loses = True
    until(session, lambda: len(venue.sent) == 1)
    assert statuses(session) == [OrderStatus.UNKNOWN]
    left_ns = session._left_ns[venue.sent[0].client_order_id]
    assert world.exchange.now_ns - left_ns < ARRIVAL_NS_MAX
    venue.loses = False

    until(session, lambda: not session.state.orders.open)
    assert session.state.time_ns - left_ns >= ARRIVAL_NS_MAX
    assert len(venue.sent) == 1, "it was sent again"
    assert list(session.state.orders.done.values()) == [OrderStatus.REJECTED]


def test_13_orders_thought_dead_that_are_filled_are_booked(begin):
    world, session, venue = begin({2: near})
    venue.times_out = True
    until(session, lambda: len(venue.sent) == 1)
    venue.times_out = False
    venue.deaf_to = (Fill, OrderAccepted)
    skip_to(world.exchange, world.exchange.now_ns + 3 * HOUR_NS)
    venue.deaf_to = ()

    until(session, lambda: session.fills == len(world.exchange.account.fills) > 0)
    world.check(session.state)


def test_14_orders_whose_fate_is_unknown_are_known_to_the_next_session(begin):
    world, session, venue = begin({2: rests})
    venue.times_out = True
    until(session, lambda: len(venue.sent) == 6)
    open_orders = set(session.state.orders.open)
    world.account.release()  # It is gone, with all it had in memory

    world, again, venue = begin(world=world)

    assert set(again.state.orders.open) == open_orders
    until(again, lambda: statuses(again) == [OrderStatus.ACCEPTED] * 6)
    world.check(again.state)


def test_15_working_orders_stay_tracked_though_fills_do_not_make_the_position(begin):
    world, session, _venue = begin({2: lambda desk, bar: rests(desk, bar, 14)})
    until(session, lambda: statuses(session) == [OrderStatus.ACCEPTED] * 14)
    world.account.release()
    world.exchange.account.positions[BTC] = 77  # Somebody's trade by hand

    world, again, _venue = begin(world=world)

    assert len(again.state.orders.open) == 14
    assert "position BTC/USD.SIM: ours 0 lots, the venue's 77 lots" in map(str, again.discrepancies)
    until(again, lambda: not again.state.orders.open)  # Tripped: nothing works any more, in order
    assert again.state.kill.tripped
    assert {each.status for each in world.exchange.account.orders.values()} == {OrderStatus.CANCELLED}


def test_16_old_reports_told_again_change_nothing(begin):
    world, session, venue = begin({2: near, 3: rests, 5: lambda desk, _bar: desk.cancel_all(BTC)})
    until(session, lambda: any(isinstance(each, OrderCancelled) for each in venue.heard) and session.fills)
    before = (list(session.state.orders.done.items()), session.state.portfolio.money, session.fills)

    session.handle([*venue.heard, *venue.heard])

    assert (list(session.state.orders.done.items()), session.state.portfolio.money, session.fills) == before
    world.check(session.state)


def test_17_fills_that_nobody_heard_during_an_outage_are_fetched(begin):
    world, session, venue = begin({2: near})
    until(session, lambda: OrderStatus.ACCEPTED in statuses(session))
    outage(session, venue, world.exchange.now_ns + 5 * HOUR_NS)
    assert world.exchange.account.fills
    assert session.fills == 0

    session.turn()

    assert session.fills == len(world.exchange.account.fills)
    world.check(session.state)


def test_17b_fills_that_a_healthy_stream_loses_are_found_by_asking_now_and_then(begin):
    world, session, venue = begin({2: near})
    venue.deaf_to = (Fill,)
    until(session, lambda: world.exchange.account.fills)
    assert session._connected
    until(session, lambda: session.fills)
    assert session.fills == len(world.exchange.account.fills)
    world.check(session.state)


def protected(desk, bar):
    desk.sell(0.3, stop=round(bar.close * 1.5, 2), instrument=BTC)  # The market is below: it triggers at once


def test_18_a_stop_that_closed_the_position_unheard_is_over_and_is_not_placed_again(begin):
    world, session, venue = begin({2: lambda desk, _bar: desk.buy(0.3, instrument=BTC), 5: protected})
    until(session, lambda: len(world.exchange.account.fills) == 1 and session.orders_sent == 2)
    outage(session, venue, world.exchange.now_ns + 5 * HOUR_NS)
    assert len(world.exchange.account.fills) == 2

    session.turn()
    for _ in range(20):
        session.turn()

    assert session.state.orders.open == {}
    assert session.state.portfolio.lots.get(BTC, 0) == 0
    assert [each.side for each in world.exchange.account.orders.values()] == [Side.BUY, Side.SELL]
    world.check(session.state)


def test_18_a_stop_filled_in_part_keeps_what_is_left_of_it(begin):
    world, session, _venue = begin({2: lambda desk, _bar: desk.buy(0.3, instrument=BTC)})
    until(session, lambda: session.state.portfolio.lots.get(BTC))
    stop = {session.state.slots["busy"].strategy.bars + 1: protected}
    session.state.slots["busy"].strategy.plan.update(stop)
    until(session, lambda: OrderStatus.ACCEPTED in statuses(session))
    order_id, tracked = next(iter(session.state.orders.open.items()))
    known = world.exchange.account.orders[order_id]
    part = Fill(
        "BTC-part", order_id, BTC, Side.SELL, 100_000, 1_000, 0, "USD", "taker", "venue", "", session.state.time_ns,
        session.state.time_ns,
    )  # fmt: skip

    session.handle([part])

    assert tracked.status is OrderStatus.PARTIALLY_FILLED
    assert tracked.leaves_lots == known.quantity_lots - 1_000
    assert session.state.orders.sells.get(BTC, 0) == tracked.leaves_lots


def test_18b_whatever_happened_to_orders_around_a_reconnect_is_made_up_for(begin):
    world, session, venue = begin({2: lambda desk, bar: (rests(desk, bar), near(desk, bar))})
    until(session, lambda: len(session.state.orders.open) == 7 and OrderStatus.SUBMITTED not in statuses(session))
    ids = list(session.state.orders.open)
    venue.refusing = True
    session.turn()
    world.exchange.send(CancelOrder(ids[0], "busy", BTC))
    skip_to(world.exchange, world.exchange.now_ns + 2 * HOUR_NS)
    venue.refusing = False

    session.turn()

    assert session.state.orders.done[ids[0]] is OrderStatus.CANCELLED
    assert session.state.orders.done[ids[6]] is OrderStatus.FILLED
    assert statuses(session) == [OrderStatus.ACCEPTED] * 5
    world.check(session.state)


def test_a_truth_older_than_the_last_report_is_not_believed_and_stops_trading_if_it_stays(begin):
    world, session, venue = begin({2: near})
    old = world.exchange.truth()
    until(session, lambda: session.fills)
    venue.stale = old
    before = set(session.state.orders.done)

    for _ in range(STALE_TRUTHS_MAX - 1):
        session.reconcile()
    assert set(session.state.orders.done) == before
    assert not session.gate.taken()
    session.reconcile()
    session.handle(())

    assert session.state.kill.tripped
    venue.stale = None
    session.reconcile()
    assert session.discrepancies == ()
    world.check(session.state)


def test_an_order_that_is_over_here_and_open_there_stops_trading_and_goes(begin):
    world, session, venue = begin({2: lambda desk, bar: rests(desk, bar, 1)})
    venue.loses = True
    until(session, lambda: len(venue.sent) == 1)
    venue.loses = False
    until(session, lambda: not session.state.orders.open)  # It never arrived, we say
    world.exchange.send(venue.sent[0])  # And then it does
    skip_to(world.exchange, world.exchange.now_ns + OUTAGE_STEP_NS)

    session.reconcile()
    until(session, lambda: world.exchange.account.orders[venue.sent[0].client_order_id].status is OrderStatus.CANCELLED)

    assert [str(each.kind) for each in session.discrepancies] == ["risen_order"]
    assert session.state.kill.tripped
