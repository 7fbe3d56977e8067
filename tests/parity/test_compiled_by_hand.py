"""Markets made by hand, where a venue is most easily wrong: what must happen, and that both venues do it."""

import pytest

pytest.importorskip("numba")

from njord.domain.clock import NS_PER_DAY
from njord.domain.fill import Fill
from njord.market.view import DAY, IOC
from njord.venues.simulated.queue import QueueModel
from njord.venues.simulated.settings import QueueSettings, SelfTrade, VenueSettings

from .compare import equal, lives, same_lives
from .planned import Planned, change, drop, new, two_sided
from .tapes import book, both_directly, instruments, status, trade

pytestmark = pytest.mark.slow

LISTED = instruments(1)
DAY_NS = 20_000 * NS_PER_DAY


def venue(order_ns=0, response_ns=0, feed_ns=0, model=QueueModel.POWER, **rest):
    return VenueSettings(
        order_latency_ms=order_ns / 1e6, response_latency_ms=response_ns / 1e6, feed_latency_ms=feed_ns / 1e6,
        queue=QueueSettings(model=model), **rest,
    )  # fmt: skip


def run(rows, steps, settings=None):
    """Run both. Return the lives of orders, (time, what, number, ...), and fills, (order, time, lots, price)."""
    plain, fast = both_directly(LISTED, rows, lambda: Planned.of(*steps), {"X": settings or venue()})
    assert not plain.backtest.stopped, plain.backtest.stopped
    equal(fast.fills(), plain.backtest.fills)
    same_lives(plain, fast)
    fills = [(int(f.client_order_id[-1]), f.venue_time_ns, f.quantity_lots, f.price_ticks) for f in fast.fills()]
    return [life for life in lives(fast) if life[1] != "filled"], fills, plain.backtest.fills


def tick(t):
    """Something that happens far from everything, so that there is news."""
    return trade(0, t, 500, 1, 1)


FIRST = book(0, 10, [(100, 10), (99, 5)], [(102, 5), (103, 5)], snapshot=True, sequence=1)


def test_what_traded_is_not_taken_off_again_by_the_depth_change_that_tells_of_it():
    rows = [
        FIRST,
        book(0, 20, [(100, 10)], sequence=2),
        book(0, 30, [(100, 14)], sequence=3),  # Four come behind the ten ahead of us
        trade(0, 40, 100, 6, -1),
        book(0, 50, [(100, 8)], sequence=4),  # That trade, and nothing else: four are still ahead
        trade(0, 60, 100, 3, -1),
        trade(0, 70, 100, 4, -1),  # One ahead, three for us
    ]
    _, fills, whole = run(rows, [new(20, 1, 5, 100)])
    assert fills == [(1, 70, 3, 100)]
    assert whole[0].reason == "trade_at_limit"


def test_a_cancel_crosses_a_fill_under_way():
    rows = [
        FIRST,
        trade(0, 20, 100, 1, 1),
        trade(0, 3_000, 100, 20, -1),  # Filled; we hear of it at 8000
        trade(0, 4_000, 102, 1, 1),  # The cancel is sent, and arrives at 5000
        trade(0, 20_000, 102, 1, 1),
    ]
    told, fills, _ = run(rows, [new(20, 1, 5, 100), drop(4_000, 1)], venue(1_000, 5_000))
    assert fills == [(1, 3_000, 5, 100)]
    assert told == [(6_020, "accepted", 1)]  # Nothing of the cancel: the order was done when that came back


def test_what_is_left_of_a_partly_filled_order_is_cancelled():
    rows = [FIRST, tick(20), trade(0, 50, 100, 12, -1), tick(200), trade(0, 900, 100, 9, -1)]
    told, fills, _ = run(rows, [new(20, 1, 5, 100), drop(50, 1)], venue(100, 100))
    assert fills == []  # It arrives at 120, after the trade
    rows[2] = trade(0, 130, 100, 12, -1)
    told, fills, _ = run(rows, [new(20, 1, 5, 100), drop(130, 1)], venue(100, 100))
    assert fills == [(1, 130, 2, 100)]
    assert told == [(220, "accepted", 1), (330, "cancelled", 1, "requested")]


def test_a_replacement_races_a_fill():
    rows = [
        FIRST,
        trade(0, 20, 102, 1, 1),
        trade(0, 150, 100, 13, -1),  # Three of five are filled
        trade(0, 160, 102, 1, 1),
        tick(900),
    ]
    # Sent in ignorance of it: to three in all, which is done already; or to eight, of which five are left
    told, fills, _ = run(rows, [new(20, 1, 5, 100), change(160, 1, 3, 100)], venue(100, 100))
    assert fills == [(1, 150, 3, 100)]
    assert told == [(220, "accepted", 1), (360, "cancel rejected", 1, "order_done")]
    rows += [trade(0, 950, 100, 14, -1), tick(2_000)]  # It lost its place, and stands behind ten again
    told, fills, _ = run(rows, [new(20, 1, 5, 100), change(160, 1, 8, 100)], venue(100, 100))
    assert fills == [(1, 150, 3, 100), (1, 950, 4, 100)]
    assert told == [(220, "accepted", 1), (360, "replaced", 1, 8, 100)]


def test_an_order_that_only_gets_smaller_keeps_its_place():
    rows = [FIRST, trade(0, 20, 102, 1, 1), book(0, 30, [(100, 30)], sequence=2), trade(0, 40, 100, 12, -1)]
    _, fills, _ = run(rows, [new(20, 1, 5, 100), change(30, 1, 2, 100)])
    assert fills == [(1, 40, 2, 100)]


def test_a_snapshot_in_mid_stream_moves_through_a_resting_order():
    rows = [
        FIRST,
        trade(0, 20, 102, 1, 1),
        book(0, 30, [(97, 4)], [(99, 3), (101, 2)], snapshot=True, sequence=9),
        book(0, 40, [], [(99, 3)], sequence=10),  # Shown anew: three more
    ]
    _, fills, whole = run(rows, [new(20, 1, 5, 100)])
    assert fills == [(1, 30, 3, 100), (1, 40, 2, 100)]
    assert {fill.reason for fill in whole} == {"quote_through"}


def test_after_a_gap_the_queue_is_no_longer_than_what_the_snapshot_shows():
    rows = [
        FIRST,
        trade(0, 20, 102, 1, 1),
        # Updates 2 to 60 are missing
        book(0, 50, [(100, 3)], [(102, 5)], snapshot=True, sequence=61),
        trade(0, 60, 100, 4, -1),
    ]
    _, fills, _ = run(rows, [new(20, 1, 5, 100)], venue(model=QueueModel.RISK_AVERSE))
    assert fills == [(1, 60, 1, 100)]


def test_post_only_at_the_touch_is_too_late():
    rows = [
        FIRST,
        trade(0, 20, 100, 1, -1),  # A bid at 101 is inside the spread
        book(0, 60, [], [(101, 2)], sequence=2),  # No more, when it arrives
        trade(0, 500, 102, 1, 1),
        trade(0, 700, 102, 1, 1),
    ]
    told, fills, _ = run(rows, [new(20, 1, 5, 101, post=1)], venue(100, 100))
    assert (told, fills) == ([(220, "rejected", 1, "post_only_would_cross")], [])


def test_two_own_orders_at_one_level_share_one_trade():
    rows = [FIRST, trade(0, 20, 102, 1, 1), trade(0, 40, 100, 14, -1), trade(0, 50, 99, 3, -1)]
    _, fills, _ = run(rows, [new(20, 1, 2, 100), new(20, 1, 5, 100)])
    # Ten ahead of both: of four more the first has two, and the second what is left. Then all beyond is theirs
    assert fills == [(1, 40, 2, 100), (2, 40, 2, 100), (2, 50, 3, 100)]


@pytest.mark.parametrize(
    ("mode", "ends"),
    [
        (SelfTrade.CANCEL_NEWEST, [(40, "rejected", 2, "self_trade")]),
        (SelfTrade.CANCEL_OLDEST, [(40, "cancelled", 1, "self_trade"), (40, "accepted", 2)]),
        (SelfTrade.CANCEL_BOTH, [(40, "cancelled", 1, "self_trade"), (40, "rejected", 2, "self_trade")]),
    ],
)
def test_own_orders_that_cross(mode, ends):
    rows = [FIRST, tick(20), tick(40), tick(90)]
    told, fills, _ = run(rows, [new(20, 1, 2, 101), new(40, -1, 2, 101)], venue(self_trade=mode))
    assert told == [(20, "accepted", 1), *ends]
    assert fills == ([(2, 90, 1, 101)] if mode is SelfTrade.CANCEL_OLDEST else [])


def test_quotes_that_would_meet_the_old_ones_wait_for_these_to_go():
    # Trades that are no news to our queue: they are bought where nobody of ours sells
    rows = [FIRST, *(trade(0, t, 90, 1, 1) for t in (20, 400, 600, 900))]
    steps = [two_sided(20, 100, 1, 101, 1), two_sided(400, 101, 1, 103, 1), two_sided(600, 101, 1, 103, 1)]
    told, _, _ = run(rows, steps, venue(50, 50))
    assert told == [
        (120, "accepted", 1), (120, "accepted", 2),
        # At 400 the bid would meet the old ask, which goes first; at 600 it is sent
        (500, "cancelled", 1, "requested"), (500, "cancelled", 2, "requested"), (500, "accepted", 3),
        (700, "accepted", 4),
    ]  # fmt: skip


def test_what_was_delivered_before_changes_nothing():
    rows = [
        FIRST,
        book(0, 20, [(100, 12)], sequence=5),
        book(0, 30, [(100, 0)], [(100, 9)], sequence=4),  # Stale
        book(0, 31, [(100, 0)], [(100, 9)], sequence=5),  # Delivered twice
        trade(0, 40, 100, 11, -1),
        trade(0, 50, 100, 3, -1),
    ]
    _, fills, _ = run(rows, [new(20, 1, 5, 100)])
    assert fills == [(1, 50, 2, 100)]


def test_a_day_order_ends_at_midnight_though_the_next_event_comes_later():
    rows = [
        FIRST._replace(t=DAY_NS - 900),
        trade(0, DAY_NS - 500, 102, 1, 1),
        trade(0, DAY_NS + 700, 100, 50, -1),
        trade(0, DAY_NS + 900, 102, 1, 1),
    ]
    told, fills, _ = run(rows, [new(DAY_NS - 500, 1, 5, 100, tif=DAY)], venue(10, 10))
    assert fills == []
    assert told == [(DAY_NS - 480, "accepted", 1), (DAY_NS + 710, "expired", 1)]


def test_orders_on_a_book_with_one_side_and_with_none():
    rows = [
        book(0, 10, [(100, 10)], [], snapshot=True, sequence=1),
        trade(0, 20, 102, 1, 1),
        book(0, 30, [(100, 0)], [], sequence=2),
        trade(0, 40, 102, 1, 1),
        trade(0, 50, 101, 3, -1),
        trade(0, 60, 101, 3, 1),
    ]
    steps = [new(20, 1, 2), new(20, -1, 2, tif=IOC, limit=99), new(40, 1, 2, 101), new(40, -1, 2)]
    told, fills, _ = run(rows, steps)
    assert told == [
        (20, "accepted", 1), (20, "cancelled", 1, "no_liquidity"), (20, "accepted", 2), (40, "accepted", 3),
        (40, "accepted", 4), (40, "cancelled", 4, "no_liquidity"),
    ]  # fmt: skip
    assert fills == [(2, 20, 2, 100), (3, 50, 2, 101)]


def test_while_trading_is_halted_orders_rest_and_no_new_ones_are_taken():
    rows = [
        FIRST,
        tick(200),
        tick(990),
        status(0, 1_000, True),
        trade(0, 1_300, 99, 50, -1),  # Would have filled it
        status(0, 1_700, False),
        trade(0, 1_800, 99, 50, -1),
        tick(3_000),
    ]
    # The second is sent before we hear of the halt; the third, after, is refused by our own risk engine
    steps = [new(200, 1, 2, 100), new(1_090, 1, 1, 98), new(1_400, 1, 1, 98)]
    told, fills, _ = run(rows, steps, venue(100, 100, feed_ns=100))
    assert fills == [(1, 1_800, 2, 100)]
    assert told == [(500, "accepted", 1), (1_290, "rejected", 2, "instrument_halted")]


def test_fills_are_the_whole_value():
    rows = [FIRST, tick(20), tick(30), tick(90)]
    _, _, whole = run(rows, [new(20, 1, 7)], venue(5, 7))
    assert [type(fill) for fill in whole] == [Fill, Fill]
    assert [(f.price_ticks, f.quantity_lots, f.venue_time_ns, f.local_time_ns) for f in whole] == [
        (102, 5, 25, 32), (103, 2, 25, 32),
    ]  # fmt: skip
    assert whole[0].causation_id == "book:A/USD:USD.X:10:1"
