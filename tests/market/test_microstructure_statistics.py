"""Spread, depth, signs and market orders, by hand and against processes with known answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.market.microstructure import (
    depth_over_time,
    market_orders,
    over_time,
    sign_autocorrelation,
    spread_over_time,
)


def test_spread_counts_with_the_time_it_stood():
    time_ns = np.array([0, 10, 30, 90])

    found = spread_over_time(time_ns, np.array([100, 100, 99, 100]), np.array([101, 102, 103, 101]), end_ns=100)

    assert found.mean == (1 * 10 + 2 * 20 + 4 * 60 + 1 * 10) / 100
    assert (found.lowest, found.highest, found.watched_ns) == (1, 4, 100)
    assert found.quantiles == {0.05: 1, 0.25: 2, 0.5: 4, 0.75: 4, 0.95: 4}


def test_time_with_an_empty_side_is_not_watched():
    found = spread_over_time(np.array([0, 10, 30]), np.array([100, np.nan, 99]), np.array([101.0, 102, 103]))

    assert (found.mean, found.watched_ns) == (1, 10)  # The last quote has no time without an end


def test_depth_of_each_level():
    sizes = np.array([[5, 0], [1, 8]])

    best, second = depth_over_time(np.array([0, 30]), sizes, end_ns=40)

    assert (best.mean, second.mean) == (4, 2)
    assert (best.quantiles[0.5], second.quantiles[0.75]) == (5, 0)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(-5, 5)), min_size=1, max_size=30), st.floats(0, 1))
def test_statistics_over_time_equal_those_of_each_instant(rows, share):
    stood, value = (list(column) for column in zip(*rows, strict=True))
    time_ns = np.concatenate([[0], np.cumsum(stood[:-1])]).astype(np.int64)
    instants = np.sort(np.repeat(value, stood))
    if len(instants) == 0:
        return

    found = over_time(time_ns, np.array(value), end_ns=sum(stood), quantiles=(share,))

    assert found.mean == pytest.approx(instants.mean(), abs=1e-12)
    assert found.watched_ns == len(instants)
    assert (instants <= found.quantiles[share]).mean() >= share - 1e-12
    assert (instants < found.quantiles[share]).mean() <= share + 1e-12


def test_signs_without_memory_have_no_autocorrelation():
    count = 40_000
    signs = np.random.default_rng(8).choice([-1, 1], count)

    assert np.abs(sign_autocorrelation(signs, 20)).max() < 3 / math.sqrt(count)


@pytest.mark.parametrize("rho", [0.8, -0.3])
def test_signs_that_persist_forget_geometrically(rho):
    rng = np.random.default_rng(9)
    # Each is the one before with probability (1 + rho) / 2
    kept = np.where(rng.random(200_000) < (1 + rho) / 2, 1, -1)
    signs = np.cumprod(kept)

    found = sign_autocorrelation(signs, 6)

    # Standard errors by Bartlett, at their largest for long lags
    within = 4 * math.sqrt((1 + rho**2) / (1 - rho**2) / 200_000)
    assert np.abs(found - rho ** np.arange(1, 7)).max() < within


def test_trades_of_a_moment_and_side_are_one_market_order():
    quote_time_ns, bid, ask = np.array([0, 10, 20]), np.array([100, 100, 98]), np.array([101, 102, 103])
    time_ns = np.array([5, 10, 10, 10, 10, 25])
    price = np.array([101, 101, 103, 104, 100, 97])
    quantity = np.array([1, 2, 3, 1, 4, 2])
    side = np.array([1, 1, 1, 1, -1, -1])

    found = market_orders(time_ns, price, quantity, side, quote_time_ns, bid, ask)

    assert found.time_ns.tolist() == [5, 10, 10, 25]
    assert found.side.tolist() == [1, 1, -1, -1]
    assert found.quantity.tolist() == [1, 6, 4, 2]
    assert found.price.tolist() == [101, 104, 100, 97]
    # The quote of moment 10 itself may show what the orders did: the mid before was 100.5
    assert found.depth.tolist() == [0.5, 3.5, 0.5, 3.5]
    assert found.touch.tolist() == [0.5, 0.5, 0.5, 2.5]
    assert len(found) == 4
    assert found.of(-1).quantity.tolist() == [4, 2]
    assert found.of(1).depth.tolist() == [0.5, 3.5]


def test_trades_before_the_first_quote_have_no_depth():
    found = market_orders(
        np.array([3, 5]), np.array([1.0, 2]), np.ones(2), np.array([1, -1]), np.array([5]), np.ones(1), np.ones(1)
    )

    assert len(found) == 0


def test_intensity_is_found_again_through_the_tape():
    # Orders walk a book of one lot per tick as deep as they reach; the tape shows every level; the mid moves in between
    from njord.strategies.market_making.calibration import fit_orders

    rng = np.random.default_rng(10)
    decay, rows, quotes, mid = 0.4, [], [], 1000.5
    for second in range(8000):
        moment = second * 1_000_000_000
        quotes.append((moment, mid - 0.5, mid + 0.5))
        side = 1 if rng.random() < 0.5 else -1
        reached = range(1 + int(rng.exponential(1 / decay)))
        rows.extend((moment + 1, mid + side * (0.5 + level), 1, side) for level in reached)
        mid += float(rng.integers(-1, 2))
    columns = [np.array(column) for column in zip(*rows, strict=True)]

    orders = market_orders(*columns, *(np.array(column) for column in zip(*quotes, strict=True)))

    for side in (1, -1):
        mine = orders.of(side)
        fitted = fit_orders(mine.depth, 8000, touch=mine.touch, tick=1.0)
        assert abs(fitted.decay - decay) < 4 * fitted.decay_se
        assert abs(fitted.intensity - 0.5 * math.exp(decay / 2)) < 4 * fitted.intensity_se
        assert fitted.touch_rate == len(mine) / 8000


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: over_time(np.arange(3), np.ones(2)), "value: 2 for 3 times"),
        (lambda: over_time(np.array([1, 0]), np.ones(2)), "time_ns: must rise"),
        (lambda: over_time(np.arange(2), np.ones(2), 0), "time_ns: must rise, up to end_ns"),
        (lambda: over_time(np.arange(2), np.full(2, np.nan), 5), "value: nothing was watched"),
        (lambda: over_time(np.arange(2), np.ones(2), 5, (1.5,)), "quantiles: must be 0..1"),
        (lambda: depth_over_time(np.arange(2), np.ones(2)), "size: must be"),
        (lambda: sign_autocorrelation(np.ones(5), 1), "sign: all are the same"),
        (lambda: sign_autocorrelation(np.array([1, 0, -1]), 1), "sign: must be"),
        (lambda: sign_autocorrelation(np.array([1, -1]), 2), "lags: must be 1 .. 1, was 2"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"price": np.ones(1)}, "price, quantity, side: 1, 2, 2 for 2 trades"),
        ({"bid": np.ones(3)}, "bid, ask: 3, 1 for 1 quotes"),
        ({"time_ns": np.array([2, 1])}, "time_ns: must rise"),
        ({"side": np.array([1, 0])}, "side: must be"),
    ],
)
def test_tapes_that_make_no_sense_are_refused(changed, named):
    tape = {
        "time_ns": np.arange(2),
        "price": np.ones(2),
        "quantity": np.ones(2),
        "side": np.ones(2),
        "quote_time_ns": np.zeros(1),
        "bid": np.ones(1),
        "ask": np.ones(1),
    }

    with pytest.raises(ValueError, match=named):
        market_orders(**tape | changed)


def test_one_side_or_the_other():
    empty = market_orders(*[np.empty(0)] * 4, *[np.empty(0)] * 3)

    with pytest.raises(ValueError, match="side: must be 1 or -1"):
        empty.of(0)
