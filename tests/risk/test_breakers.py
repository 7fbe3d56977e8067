"""Circuit breakers: each opens at its threshold, closes a while after its cause has gone, and is armed again."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_S
from njord.domain.command import Cause
from njord.domain.profile import Breakers
from njord.risk import breakers as module
from njord.risk.breakers import Change, CircuitBreakers

STALE = Breakers(stale_s=Decimal("2.5"), cool_down_s=10)
LOSS = Breakers(loss_share=Decimal("0.1"), loss_window_s=60, cool_down_s=10)
REJECT = Breakers(reject_share=Decimal("0.5"), reject_window=4, cool_down_s=10)
VOLATILE = Breakers(volatility_ratio=Decimal(3), cool_down_s=10)


def s(seconds):
    return int(seconds * NS_PER_S)


def brief(changes):
    return [(each.cause, each.instrument_id, each.opened) for each in changes]


OPENED = [(Cause.STALE_MARKET, "A", True)]
CLOSED = [(Cause.STALE_MARKET, "A", False)]


def test_silence_opens_to_the_nanosecond_and_only_that_instrument():
    found = CircuitBreakers(STALE)
    found.on_price("A", 1.0, 0)
    found.on_price("B", 1.0, s(1))

    assert found.tick(s(2.5) - 1) == []
    assert found.open_causes("A") == []
    assert found.tick(s(2.5)) == [Change(Cause.STALE_MARKET, "A", True, "no market data for 2.5 s")]
    assert found.open_causes("A") == [Cause.STALE_MARKET]
    assert found.open_causes("B") == []


def test_it_stays_open_while_silent_and_a_cool_down_after():
    found = CircuitBreakers(STALE)
    found.on_price("A", 1.0, 0)
    assert brief(found.tick(s(3))) == OPENED
    assert found.tick(s(500)) == []  # Silent far longer than the cool-down

    found.on_price("A", 1.0, s(501))
    for second in range(502, 511):
        assert found.tick(s(second)) == []
        found.on_price("A", 1.0, s(second))
    assert found.tick(s(511) - 1) == []
    assert found.open_causes("A") == [Cause.STALE_MARKET]
    assert found.tick(s(511)) == [Change(Cause.STALE_MARKET, "A", False, "right for 10 s")]
    assert found.open_causes("A") == []

    assert brief(found.tick(s(514))) == OPENED  # Armed again


def test_silence_again_during_the_cool_down_starts_it_anew():
    found = CircuitBreakers(STALE)
    found.on_price("A", 1.0, 0)
    found.tick(s(3))
    found.on_price("A", 1.0, s(4))
    assert found.tick(s(8)) == []  # Silent again since 6.5
    found.on_price("A", 1.0, s(9))
    assert found.tick(s(11)) == []
    found.on_price("A", 1.0, s(11))
    for second in (13, 15, 17, 18):
        assert found.tick(s(second)) == []
        found.on_price("A", 1.0, s(second))
    assert brief(found.tick(s(19))) == CLOSED


def test_a_silence_between_two_ticks_is_found():
    found = CircuitBreakers(STALE)
    found.on_price("A", 1.0, 0)
    found.on_price("A", 1.0, s(2.5))
    assert brief(found.tick(s(2.6))) == OPENED
    assert brief(found.tick(s(12.4))) == []
    found.on_price("A", 1.0, s(12.4))
    assert brief(found.tick(s(14))) == []


def test_a_market_that_was_never_heard_is_not_silent():
    assert CircuitBreakers(STALE).tick(s(1_000)) == []


@pytest.mark.parametrize(("rejected", "expected"), [([1, 1, 0, 0], True), ([1, 0, 0, 0], False), ([1, 1, 1], False),
                                                    ([1, 1, 0, 0, 0], True), ([1, 0, 0, 0, 1], False)])  # fmt: skip
def test_rejected_share_of_a_full_window(rejected, expected):
    found = CircuitBreakers(REJECT)
    for each in rejected:
        found.on_order_result(s(1), rejected=bool(each))
    assert brief(found.tick(s(1))) == ([(Cause.REJECT_RATE, None, True)] if expected else [])


def test_rejects_are_forgotten_when_it_opens_and_count_anew():
    found = CircuitBreakers(REJECT)
    for _ in range(4):
        found.on_order_result(s(1), rejected=True)
    assert [each.detail for each in found.tick(s(1))] == ["4 of 4 orders rejected"]
    assert found.open_causes("ANY") == [Cause.REJECT_RATE]

    found.on_order_result(s(5), rejected=True)  # One alone proves nothing
    assert found.tick(s(11) - 1) == []
    assert brief(found.tick(s(11))) == [(Cause.REJECT_RATE, None, False)]

    for _ in range(3):
        found.on_order_result(s(12), rejected=True)
    assert brief(found.tick(s(12))) == [(Cause.REJECT_RATE, None, True)]


def test_rejects_while_it_is_open_keep_it_open():
    found = CircuitBreakers(REJECT)
    for second in (1, 1, 1, 1, 6, 6, 6, 6):
        found.on_order_result(s(second), rejected=True)
        found.tick(s(second))
    assert found.tick(s(16) - 1) == []
    assert brief(found.tick(s(16))) == [(Cause.REJECT_RATE, None, False)]


@pytest.mark.parametrize(("equity", "expected"), [(901, False), (900, True), (0, True)])
def test_a_fast_loss_opens_at_its_share(equity, expected):
    found = CircuitBreakers(LOSS)
    found.on_equity(1_000, s(1))
    found.on_equity(equity, s(61))
    opened = found.tick(s(61))
    assert bool(opened) is expected
    if equity == 900:
        assert opened == [Change(Cause.LOSS_VELOCITY, None, True, "lost 1000 bp within 60 s")]


def test_an_equity_that_does_not_move_takes_no_room():
    found = CircuitBreakers(LOSS)
    for second in range(50):
        found.on_equity(1_000, s(second))
    assert list(found._equities) == [(s(49), 1_000)]


def test_money_that_was_paid_out_is_no_loss_once_it_is_forgotten():
    found = CircuitBreakers(LOSS)
    found.on_equity(1_000, s(1))
    found.forget_equity()
    found.on_equity(500, s(2))
    assert found.tick(s(2)) == []
    found.on_equity(450, s(3))
    assert brief(found.tick(s(3))) == [(Cause.LOSS_VELOCITY, None, True)]


def test_a_breaker_that_was_open_before_a_restart_cools_down():
    found = CircuitBreakers(STALE)
    found.reopen(Cause.STALE_MARKET, "A", "from before", s(5))
    assert found.open_causes("A") == [Cause.STALE_MARKET]
    assert found.open_causes("B") == []
    assert found.tick(s(15) - 1) == []
    assert brief(found.tick(s(15))) == CLOSED


def test_a_slow_loss_does_not():
    found = CircuitBreakers(LOSS)
    found.on_equity(1_000, s(1))
    found.on_equity(900, s(61) + 1)
    assert found.tick(s(62)) == []


def test_the_loss_is_from_the_highest_within_the_window():
    found = CircuitBreakers(LOSS)
    for second, equity in ((0, 500), (10, 1_000), (20, 950), (30, 960), (69, 901)):
        found.on_equity(equity, s(second))
        assert found.tick(s(second)) == []
    found.on_equity(865, s(71))  # 1000 is out, 960 is the highest: 864 would be a tenth
    assert found.tick(s(71)) == []
    found.on_equity(864, s(72))
    assert brief(found.tick(s(72))) == [(Cause.LOSS_VELOCITY, None, True)]
    found.on_equity(864, s(91))
    assert found.tick(s(91)) == []
    assert brief(found.tick(s(101))) == [(Cause.LOSS_VELOCITY, None, False)]


def test_a_loss_that_came_and_went_between_ticks_is_found():
    found = CircuitBreakers(LOSS)
    for equity in (1_000, 800, 1_000):
        found.on_equity(equity, s(1))
    assert brief(found.tick(s(2))) == [(Cause.LOSS_VELOCITY, None, True)]
    assert brief(found.tick(s(11))) == [(Cause.LOSS_VELOCITY, None, False)]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 1_000)), min_size=1, max_size=80))
def test_the_window_of_losses_equals_looking_at_all(steps):
    found, now, seen = CircuitBreakers(LOSS), 0, []
    for gap, equity in steps:
        now += s(gap)
        seen.append((now, equity))
        found.on_equity(equity, now)
        highest = max(each for time_ns, each in seen if time_ns >= now - s(60))
        holds = (highest - equity) * 10 >= highest
        watched = found._watched.get((Cause.LOSS_VELOCITY, None))
        assert (watched is not None and watched.holds) == holds


def test_the_window_is_bounded_and_then_remembers_too_long_rather_than_too_short(monkeypatch):
    monkeypatch.setattr(module, "EQUITIES_MAX", 3)
    found = CircuitBreakers(LOSS)
    for second, equity in enumerate(range(1_000, 950, -1)):
        found.on_equity(equity, s(second))
    # The highest of all, what came next, and the last two as one: as high as the one and as late as the other
    assert list(found._equities) == [(0, 1_000), (s(1), 999), (s(49), 998)]
    found.on_equity(899, s(55))
    assert brief(found.tick(s(55))) == [(Cause.LOSS_VELOCITY, None, True)]


def quiet_market(found, prices=200, sigma=0.001, seed=1):
    rng = np.random.default_rng(seed)
    price = 100.0
    for second in range(prices):
        price *= math.exp(rng.normal(0, sigma))
        found.on_price("A", price, s(second))
        assert found.tick(s(second)) == []
    return price


def test_volatility_opens_on_a_jump_and_closes_when_it_is_digested():
    found = CircuitBreakers(VOLATILE)
    price = quiet_market(found)

    found.on_price("A", price * 1.05, s(200))

    (opened,) = found.tick(s(200))
    assert (opened.cause, opened.instrument_id, opened.opened) == (Cause.VOLATILITY, "A", True)
    assert "limit 3 times" in opened.detail
    assert found.open_causes("B") == []
    closed = []
    for second in range(201, 400):
        found.on_price("A", price * 1.05, s(second))
        closed += [(second, each) for each in found.tick(s(second))]
    ((second, change),) = closed
    assert not change.opened
    # A half-life of 10 takes some 40 prices to forget it, and then the cool-down
    assert 210 < second < 280


@pytest.mark.parametrize(("jump", "expected"), [(0.0105, False), (0.0125, True)])
def test_volatility_on_both_sides_of_its_ratio(jump, expected):
    found = CircuitBreakers(VOLATILE)
    # Every move is 0.1 %, so both volatilities are; one weighs 6.7 % in the short term: 3 = sqrt(0.933 + 0.067 x^2)
    price = 0.1
    for second in range(100):
        price *= math.exp(0.001 if second % 2 else -0.001)
        found.on_price("A", price, s(second))
    assert found.tick(s(99)) == []

    found.on_price("A", price * math.exp(jump), s(100))

    assert bool(found.tick(s(100))) is expected


def test_volatility_is_not_judged_before_its_warm_up():
    found = CircuitBreakers(VOLATILE)
    price = quiet_market(found, prices=60)  # 59 moves
    found.on_price("A", price * 2, s(60))
    assert found.tick(s(60)) == []

    found = CircuitBreakers(VOLATILE)
    price = quiet_market(found, prices=61)
    found.on_price("A", price * 2, s(61))
    assert len(found.tick(s(61))) == 1


def test_a_market_that_never_moved_and_then_does():
    found = CircuitBreakers(VOLATILE)
    for second in range(100):
        found.on_price("A", 5.0, s(second))
        assert found.tick(s(second)) == []
    found.on_price("A", 5.01, s(100))
    assert brief(found.tick(s(100))) == [(Cause.VOLATILITY, "A", True)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -5.0])
def test_what_is_no_price_is_no_move(bad):
    found = CircuitBreakers(VOLATILE)
    price = quiet_market(found)
    found.on_price("A", bad, s(200))
    assert found.tick(s(200)) == []
    found.on_price("A", price, s(201))
    assert found.tick(s(201)) == []
    found.on_price("A", price * 1.05, s(202))
    assert len(found.tick(s(202))) == 1


def test_without_rules_nothing_opens():
    found = CircuitBreakers(Breakers())
    for second in range(200):
        found.on_price("A", 1.0 + (second % 2) * second, s(second))
        found.on_order_result(s(second), rejected=True)
        found.on_equity(10**9 // (second + 1), s(second))
        assert found.tick(s(second * 1)) == []
    assert found.tick(s(10**6)) == []


def test_several_at_once_come_in_the_order_they_arose():
    found = CircuitBreakers(Breakers(loss_share=Decimal("0.1"), stale_s=Decimal(5), cool_down_s=1))
    found.on_price("A", 1.0, 0)
    found.on_equity(100, 0)
    found.on_equity(50, s(1))
    changes = found.tick(s(6))
    assert brief(changes) == [(Cause.LOSS_VELOCITY, None, True), *OPENED]
    assert found.open_causes("A") == [Cause.LOSS_VELOCITY, Cause.STALE_MARKET]
    assert found.open_causes("B") == [Cause.LOSS_VELOCITY]


def test_a_cause_that_is_long_gone_opens_and_closes_in_one_tick():
    found = CircuitBreakers(LOSS)
    for second, equity in ((0, 100), (1, 50), (2, 100)):
        found.on_equity(equity, s(second))
    assert brief(found.tick(s(100))) == [(Cause.LOSS_VELOCITY, None, True), (Cause.LOSS_VELOCITY, None, False)]


def test_time_does_not_run_backwards():
    found = CircuitBreakers(LOSS)
    found.tick(5)
    found.tick(5)
    with pytest.raises(AssertionError):
        found.tick(4)
