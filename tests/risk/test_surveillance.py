"""Surveillance: a tape of each pattern is flagged with its orders; ordinary market making is not."""

import itertools

import msgspec
import numpy as np
import pytest

from njord.domain.clock import NS_PER_MS, NS_PER_S
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.order import NewOrder, OrderType, Side
from njord.risk import surveillance as module
from njord.risk.surveillance import Alert, Pattern, Rules, Surveillance

BUY, SELL = Side.BUY, Side.SELL
MAKER, TAKER = Liquidity.MAKER, Liquidity.TAKER


class Tape:
    """Say what happened in a line; keep all that was flagged."""

    def __init__(self, rules=None, instrument="BTC/USD.SIM"):
        self.watch = Surveillance(rules)
        self.alerts = []
        self.now = 10**6 * NS_PER_S
        self.instrument = instrument
        self.orders = {}
        self.fill_ids = itertools.count()

    def after(self, ms):
        self.now += int(ms * NS_PER_MS)
        return self

    def order(self, order_id, side, limit, lots=10):
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        new = self.orders[order_id] = NewOrder(order_id, "s", self.instrument, side, kind, lots, limit)
        self.alerts += self.watch.on_order(new, self.now)

    def cancel(self, order_id):
        self.alerts += self.watch.on_cancel(order_id, self.now)

    def fill(self, order_id, ticks=None, lots=None, liquidity=MAKER):
        order = self.orders[order_id]
        fill = Fill(
            f"f{next(self.fill_ids)}", order_id, self.instrument, order.side, ticks or order.limit_ticks,
            lots or order.quantity_lots, 0, "USD", liquidity, FillReason.VENUE, "", self.now, self.now,
        )  # fmt: skip
        self.alerts += self.watch.on_fill(fill, self.now)

    @property
    def found(self):
        return [(each.pattern, each.order_ids) for each in self.alerts]


def test_wash_trade():
    tape = Tape()
    tape.order("a", BUY, 100)
    tape.after(5_000).order("b", SELL, 100)
    tape.fill("a", 100)
    tape.after(10).fill("b", 100, liquidity=TAKER)

    assert tape.found == [(Pattern.WASH_TRADE, ("a", "b"))]
    assert tape.alerts == [Alert(Pattern.WASH_TRADE, "BTC/USD.SIM", tape.now, ("a", "b"), "both filled at 100 ticks")]
    assert tape.now == 10**6 * NS_PER_S + 5_010 * NS_PER_MS


@pytest.mark.parametrize(
    ("buy", "sell", "at", "gap_ms", "flagged"),
    [
        (100, 100, (100, 100), 0, True),
        (101, 99, (100, 100), 0, True),
        (None, 100, (100, 100), 0, True),
        (100, None, (100, 100), 0, True),
        (99, 100, (100, 100), 0, False),  # They do not cross: each met somebody else
        (100, 100, (100, 101), 0, False),
        (100, 100, (100, 100), 10, True),
        (100, 100, (100, 100), 10.1, False),
    ],
)
def test_a_wash_trade_on_both_sides_of_its_rules(buy, sell, at, gap_ms, flagged):
    for first, second in (("a", "b"), ("b", "a")):
        tape = Tape()
        tape.order("a", BUY, buy)
        tape.order("b", SELL, sell)
        tape.fill(first, at[0])
        tape.after(gap_ms).fill(second, at[1])
        assert [each.pattern for each in tape.alerts] == ([Pattern.WASH_TRADE] if flagged else [])


def test_two_fills_on_one_side_are_no_wash_trade():
    tape = Tape()
    tape.order("a", BUY, 100)
    tape.order("b", BUY, 100)
    tape.fill("a")
    tape.fill("b")
    assert tape.alerts == []


def spoof(tape, number, *, large=40, small=10, wait_ms=1_999, filled=0):
    tape.order(f"large{number}", SELL, 110, large)
    tape.order(f"small{number}", BUY, 100, small)
    tape.after(100).fill(f"small{number}")
    if filled:
        tape.fill(f"large{number}", 110, filled)
    tape.after(wait_ms).cancel(f"large{number}")
    tape.after(10_000)


def test_spoofing_needs_to_be_repeated():
    tape = Tape()
    for number in range(2):
        spoof(tape, number)
    assert tape.alerts == []

    spoof(tape, 2)

    (alert,) = tape.alerts
    assert alert.pattern is Pattern.SPOOFING
    assert alert.order_ids == ("small0", "large0", "small1", "large1", "small2", "large2")
    assert (alert.instrument_id, alert.time_ns) == ("BTC/USD.SIM", tape.now - 10 * NS_PER_S)
    assert alert.detail == "cancelled after a fill on the other side, 3 times"
    spoof(tape, 3)
    assert len(tape.alerts) == 1  # It takes three more


@pytest.mark.parametrize(
    ("change", "flagged"),
    [
        ({}, True),
        ({"large": 39}, False),
        ({"wait_ms": 2_000}, True),
        ({"wait_ms": 2_001}, False),
        ({"filled": 4}, True),
        ({"filled": 5}, False),
    ],
)
def test_spoofing_on_both_sides_of_its_rules(change, flagged):
    tape = Tape()
    for number in range(3):
        spoof(tape, number, **change)
    assert bool(tape.alerts) is flagged


def test_spoofing_must_be_repeated_within_its_time():
    # Two gaps, and two times the 12.099 s that one takes, are 600 s or not
    for gap_s, flagged in ((287.901, True), (287.902, False)):
        tape = Tape()
        for number in range(3):
            spoof(tape, number)
            tape.after(gap_s * 1_000)
        assert bool(tape.alerts) is flagged, gap_s


def test_one_large_order_and_many_small_fills_are_one_occasion():
    tape = Tape()
    tape.order("large", SELL, 110, 1_000)
    tape.order("small", BUY, 100, 10)
    for _ in range(10):
        tape.fill("small", lots=1)
    tape.order("other", BUY, 100, 1)
    tape.fill("other")
    tape.after(100).cancel("large")
    assert tape.alerts == []


def test_an_order_that_hid_behind_others_is_found():
    # Suspicions of others come first, and one is not complete: the search goes on
    tape = Tape()
    for number in range(3):
        tape.order(f"a{number}", SELL, 110, 40)
        tape.order(f"s{number}", BUY, 100, 5)
        tape.fill(f"s{number}", lots=1)
        tape.order(f"b{number}", SELL, 111, 45)
        tape.order(f"t{number}", BUY, 99, 1)
        tape.fill(f"t{number}")
        tape.cancel(f"b{number}")
        tape.watch.on_done(f"a{number}")
        tape.watch.on_done(f"s{number}")
    assert [each.pattern for each in tape.alerts] == [Pattern.SPOOFING]


def test_a_wash_trade_behind_other_fills_is_found():
    tape = Tape()
    tape.order("a", BUY, 100)
    tape.order("b", SELL, 100, 30)
    tape.fill("a")
    tape.order("c", BUY, 90)
    tape.fill("c")
    tape.fill("b", 100, 10)
    assert tape.found == [(Pattern.WASH_TRADE, ("a", "b"))]


def test_a_large_order_in_another_instrument_says_nothing():
    tape = Tape()
    for number in range(3):
        tape.order(f"small{number}", BUY, 100, 10)
        tape.instrument = "ETH/USD.SIM"
        tape.order(f"large{number}", SELL, 110, 40)
        tape.instrument = "BTC/USD.SIM"
        tape.fill(f"small{number}")
        tape.cancel(f"large{number}")
    assert tape.alerts == []


def layers(tape, number, *, count=4, lots=9, cancelled=4, small=10):
    for level in range(count):
        tape.order(f"layer{number}.{level}", SELL, 110 + level, lots)
    tape.order(f"small{number}", BUY, 100, small)
    tape.after(100).fill(f"small{number}")
    tape.after(500)
    for level in range(count):
        if level < cancelled:
            tape.cancel(f"layer{number}.{level}")
        else:
            tape.watch.on_done(f"layer{number}.{level}")
    tape.after(10_000)


def test_layering():
    tape = Tape()
    for number in range(3):
        assert tape.alerts == []
        layers(tape, number)

    ((pattern, ids),) = tape.found
    assert pattern is Pattern.LAYERING
    assert ids == tuple(
        name for number in range(3) for name in (f"small{number}", *(f"layer{number}.{level}" for level in range(4)))
    )


@pytest.mark.parametrize(
    ("change", "flagged"),
    [
        ({"count": 3, "lots": 15}, False),
        ({"count": 5, "lots": 6, "cancelled": 5}, True),  # 30 against 10
        ({"lots": 8}, True),
        ({"lots": 7}, False),
        ({"cancelled": 3}, False),
        ({"count": 8, "cancelled": 6}, True),
        ({"count": 8, "cancelled": 5}, False),
    ],
)
def test_layering_on_both_sides_of_its_rules(change, flagged):
    tape = Tape(Rules(large_ratio=100.0))
    for number in range(3):
        layers(tape, number, **change)
    assert bool(tape.alerts) is flagged


def test_layers_at_one_price_are_one_layer():
    tape = Tape(Rules(large_ratio=100.0))
    for number in range(3):
        for level in range(4):
            tape.order(f"layer{number}.{level}", SELL, 110, 9)
        tape.order(f"small{number}", BUY, 100)
        tape.fill(f"small{number}")
        for level in range(4):
            tape.cancel(f"layer{number}.{level}")
    assert tape.alerts == []


def stuff(tape, pairs, *, gap_ms=9.0, life_ms=0.5, fills=0):
    for number in range(pairs):
        tape.order(f"o{number}", BUY, 100)
        tape.after(life_ms)
        if number < fills:
            tape.fill(f"o{number}")
        else:
            tape.cancel(f"o{number}")
        tape.after(gap_ms)


def test_quote_stuffing():
    tape = Tape()
    stuff(tape, 99)
    assert tape.alerts == []
    stuff(tape, 1)

    ((pattern, ids),) = tape.found
    assert pattern is Pattern.QUOTE_STUFFING
    assert len(ids) == module.EVIDENCE_MAX
    assert (tape.alerts[0].instrument_id, tape.alerts[0].time_ns) == ("BTC/USD.SIM", tape.now - 9 * NS_PER_MS)
    assert tape.alerts[0].detail == "200 messages, 100 of them quick cancels, 0 fills"


@pytest.mark.parametrize(
    ("change", "flagged"),
    [
        ({}, True),
        ({"gap_ms": 9.59}, True),
        ({"gap_ms": 9.7}, False),  # 200 messages take more than a second
        ({"gap_ms": 0.0, "life_ms": 10.0}, True),
        ({"fills": 2}, True),
        ({"fills": 3}, False),
    ],
)
def test_quote_stuffing_on_both_sides_of_its_rules(change, flagged):
    tape = Tape()
    stuff(tape, 100, **change)
    assert bool(tape.alerts) is flagged


@pytest.mark.parametrize(("life_ms", "flagged"), [(100, True), (100.1, False)])
def test_a_cancel_is_quick_to_the_tenth_of_a_second(life_ms, flagged):
    tape = Tape(Rules(stuffing_messages=20))
    for number in range(10):
        tape.order(f"o{number}", BUY, 100)
    tape.after(life_ms)
    for number in range(10):
        tape.cancel(f"o{number}")
    assert bool(tape.alerts) is flagged


@pytest.mark.parametrize(("quick", "flagged"), [(8, True), (7, False)])
def test_stuffing_is_judged_by_the_share_of_quick_cancels(quick, flagged):
    tape = Tape(Rules(stuffing_messages=20))
    for number in range(20 - quick):
        tape.order(f"o{number}", BUY, 100)
    for number in range(quick):
        tape.cancel(f"o{number}")
    assert bool(tape.alerts) is flagged


def test_fills_are_no_quick_cancels():
    tape = Tape(Rules(stuffing_messages=20, stuffing_fill_share_max=1.0))
    for number in range(10):
        tape.order(f"o{number}", BUY, 100)
        tape.fill(f"o{number}")
    assert tape.alerts == []


def test_orders_that_stay_are_no_stuffing():
    tape = Tape(Rules(stuffing_messages=20))
    for number in range(10):
        tape.order(f"o{number}", BUY, 100)
    tape.after(100.1)
    for number in range(10):
        tape.cancel(f"o{number}")
    assert tape.alerts == []


def ignite(tape, *, orders=4, move=200, reversal_ms=9_999, back_lots=20, back_at=None, gap_ms=1_600, taker=TAKER):
    for number in range(orders):
        tape.order(f"push{number}", BUY, None, 10)
        tape.fill(f"push{number}", 100_000 + move * number // (orders - 1), liquidity=taker)
        tape.after(gap_ms)
    tape.after(reversal_ms - gap_ms)
    tape.order("back", SELL, 100_150, back_lots)
    tape.fill("back", back_at or 100_150)


def test_momentum_ignition():
    tape = Tape()
    ignite(tape)
    assert tape.found == [(Pattern.MOMENTUM_IGNITION, ("push0", "push1", "push2", "push3", "back"))]
    assert tape.alerts[0].detail == "4 taking orders moved the price 200 ticks, then the other way"
    assert (tape.alerts[0].instrument_id, tape.alerts[0].time_ns) == ("BTC/USD.SIM", tape.now)


@pytest.mark.parametrize(
    ("change", "flagged"),
    [
        ({"move": 199}, False),
        ({"orders": 3}, False),
        ({"reversal_ms": 10_000}, True),
        ({"reversal_ms": 10_001}, False),
        ({"back_lots": 19}, False),
        ({"back_at": 100_099}, False),  # No gain from the move
        ({"gap_ms": 1_250, "orders": 5, "back_lots": 25}, True),  # Four gaps are 5 s
        ({"gap_ms": 1_666}, True),
        ({"gap_ms": 1_667}, False),  # Slower than 5 s: a trend that is followed
        ({"gap_ms": 1, "reversal_ms": 1}, True),
        ({"taker": MAKER}, False),
    ],
)
def test_momentum_ignition_on_both_sides_of_its_rules(change, flagged):
    tape = Tape()
    ignite(tape, **change)
    assert bool(tape.alerts) is flagged


def test_one_order_that_walks_the_book_ignites_nothing():
    tape = Tape()
    tape.order("big", BUY, None, 40)
    for number in range(4):
        tape.fill("big", 100_000 + 100 * number, 10, TAKER)
    tape.after(20).order("back", SELL, 100_200, 40)
    tape.fill("back")
    assert tape.alerts == []


def test_selling_first_ignites_as_well():
    tape = Tape()
    for number in range(4):
        tape.order(f"push{number}", SELL, None, 10)
        tape.fill(f"push{number}", 100_000 - 100 * number, liquidity=TAKER)
    tape.after(20).order("back", BUY, 99_800, 20)
    tape.fill("back")
    assert [each.pattern for each in tape.alerts] == [Pattern.MOMENTUM_IGNITION]


def quoting(tape, levels, seconds=600, every_ms=250, seed=3):
    """Quote two sides around a mid that walks; replace all levels when it moves or one of them fills."""
    rng = np.random.default_rng(seed)
    mid, live, count = 10_000, {}, itertools.count()
    for _ in range(int(seconds * 1_000 / every_ms)):
        tape.after(every_ms)
        move = int(rng.integers(-2, 3))
        mid += move
        for order_id, (side, ticks) in list(live.items()):
            reached = ticks >= mid if side is BUY else ticks <= mid
            if reached:
                tape.fill(order_id, ticks, int(rng.integers(1, 11)))
                if rng.random() < 0.5:
                    tape.watch.on_done(order_id)
                    del live[order_id]
        if move or len(live) < 2 * levels:
            for order_id in list(live):
                tape.cancel(order_id)
            live = {}
            for level, side in itertools.product(range(levels), (BUY, SELL)):
                order_id = f"q{next(count)}"
                live[order_id] = (side, mid - side.sign * (2 + level))
                tape.order(order_id, side, live[order_id][1], int(rng.integers(8, 13)))
    return next(count)


@pytest.mark.parametrize("levels", [1, 5])
def test_ordinary_market_making_is_not_flagged(levels):
    tape = Tape()
    orders = quoting(tape, levels)
    fills = next(tape.fill_ids)
    assert orders > 3_000 * levels
    assert fills > 100
    assert tape.alerts == []


def test_following_a_trend_is_not_flagged():
    tape = Tape()
    for number in range(200):
        side = BUY if number // 20 % 2 == 0 else SELL
        tape.after(60_000).order(f"t{number}", side, None)
        tape.fill(f"t{number}", 10_000 + 10 * number, liquidity=TAKER)
    assert tape.alerts == []


def test_what_is_not_known_is_passed_over():
    tape = Tape()
    tape.cancel("nobody")
    tape.watch.on_done("nobody")
    tape.orders["nobody"] = NewOrder("nobody", "s", "X.SIM", BUY, OrderType.MARKET, 1)
    tape.fill("nobody", 5)
    assert tape.alerts == []


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "LIVE_MAX", 50)
    monkeypatch.setattr(module, "SUSPICIONS_MAX", 5)
    tape = Tape(Rules(stuffing_messages=20))
    for number in range(1_000):
        tape.after(1_000).order(f"o{number}", BUY if number % 2 else SELL, 100 + number % 7, 10)
        if number % 3 == 0:
            tape.fill(f"o{number}", lots=1)
    flow = tape.watch._flows[tape.instrument]
    assert len(tape.watch._live) == 50
    assert len(flow.trades) <= module.FILLS_MAX
    assert len(flow.suspicions) <= 5
    assert len(flow.messages) == 20
    assert "o999" in tape.watch._live
    assert "o949" not in tape.watch._live


def test_an_order_that_filled_is_gone():
    tape = Tape()
    tape.order("a", BUY, 100, 10)
    tape.fill("a", lots=9)
    assert "a" in tape.watch._live
    tape.fill("a", lots=1)
    assert tape.watch._live == {}


@pytest.mark.parametrize("name", Rules.__struct_fields__)
def test_rules_are_above_nothing(name):
    with pytest.raises(ValueError, match=f"surveillance: {name} must be > 0"):
        msgspec.structs.replace(Rules(), **{name: 0})
    assert Rules().cancel_within_ns == 2 * NS_PER_S
