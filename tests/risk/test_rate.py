"""The order rate: no window, of any length, ever holds more than it may."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_S
from njord.risk.rate import OrderRate


def most_over(times, per_s, burst):
    """Return by how much the worst window is over its bound, exactly: over all pairs, in one pass."""
    rate = Fraction(per_s) / NS_PER_S
    # Window from i to j holds j - i + 1; it is worst against the smallest i - rate t_i so far
    lowest, worst = None, None
    for index, time_ns in enumerate(times):
        level = index - rate * time_ns
        lowest = level if lowest is None else min(lowest, level)
        over = level - lowest + 1 - burst
        worst = over if worst is None else max(worst, over)
    return worst


@pytest.mark.parametrize(("per_s", "burst"), [("10", 5), ("0.3", 1), ("123.456", 50), ("3000", 2)])
def test_no_window_exceeds_its_bound_over_random_calls(per_s, burst):
    rng = np.random.default_rng(9)
    mean_ns = int(NS_PER_S / float(per_s) / 3)  # Three times as often as it may
    gaps = np.where(rng.random(100_000) < 0.6, 0, rng.exponential(mean_ns * 2.5, 100_000)).astype(int)
    gaps[::5_000] = mean_ns * 100  # And now and then a rest in which it fills
    rate = OrderRate(Decimal(per_s), burst)

    times = [time_ns for time_ns in np.cumsum(gaps).tolist() if rate.spend(time_ns)]

    over = most_over(times, per_s, burst)
    assert over <= 0
    assert over > -1  # And it does not refuse what it may allow


@given(
    st.lists(st.integers(0, 3 * NS_PER_S), min_size=1, max_size=200),
    st.decimals("0.001", 1_000, places=3),
    st.integers(1, 20),
)
def test_no_window_exceeds_its_bound(gaps, per_s, burst):
    rate, now, times = OrderRate(per_s, burst), 0, []
    for gap in gaps:
        now += gap
        if rate.spend(now):
            times.append(now)

    assert most_over(times, per_s, burst) <= 0


def test_a_burst_then_one_token_to_the_nanosecond():
    rate = OrderRate(Decimal("0.3"), 2, time_ns=7)
    assert [rate.spend(7) for _ in range(3)] == [True, True, False]

    due = 7 + NS_PER_S * 10 // 3
    assert not rate.spend(due)  # 3.333333333 s are not yet a token
    assert not rate.allowed(due)
    assert rate.allowed(due + 1)
    assert rate.spend(due + 1)
    assert not rate.spend(due + 1)


def test_it_never_holds_more_than_its_burst():
    rate = OrderRate(Decimal(1), 3)
    assert [rate.spend(10**18) for _ in range(4)] == [True, True, True, False]


def test_asking_takes_nothing():
    rate = OrderRate(Decimal(1), 1)
    assert all(rate.allowed(0) for _ in range(5))
    assert rate.spend(0)
    assert not rate.allowed(0)


@pytest.mark.parametrize(("per_s", "burst"), [("0", 1), ("-1", 1), ("NaN", 1), ("Infinity", 1), ("1", 0)])
def test_what_is_no_rate_is_refused(per_s, burst):
    with pytest.raises(ValueError, match="order rate"):
        OrderRate(Decimal(per_s), burst)


def test_time_does_not_run_backwards():
    rate = OrderRate(Decimal(1), 1, time_ns=5)
    with pytest.raises(AssertionError):
        rate.spend(4)
