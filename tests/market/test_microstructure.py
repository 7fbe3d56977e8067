"""Micro-price, imbalance and order flow against closed forms and unit fixtures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.market.microstructure import (
    NotConverged,
    Transitions,
    bucket_of,
    fit,
    order_flow_imbalance,
    queue_imbalance,
    solve,
    weighted_mid,
)


def walk(up, buckets=9):
    """Imbalance walks one bucket at a time; leaving at an end moves the mid half a tick. No state follows a move."""
    stay = np.zeros((buckets, buckets))
    moves = np.zeros((buckets, 2))
    for state in range(buckets):
        for target, share in ((state + 1, up), (state - 1, 1 - up)):
            if 0 <= target < buckets:
                stay[state, target] = share
            else:
                moves[state, int(target >= buckets)] = share
    return Transitions(stay, moves, np.array([-0.5, 0.5]), np.zeros((buckets, buckets)))


def test_symmetric_walk_gives_the_weighted_mid():
    found = solve(walk(0.5), spreads=1)

    assert found.adjustment_ticks[0] == pytest.approx(np.arange(1, 10) / 10 - 0.5, abs=1e-14)


@pytest.mark.parametrize("up", [0.4, 0.55, 0.7])
def test_biased_walk_is_the_gamblers_ruin(up):
    ratio = (1 - up) / up
    win = (1 - ratio ** np.arange(1, 10)) / (1 - ratio**10)

    assert solve(walk(up), spreads=1).adjustment_ticks[0] == pytest.approx(win - 0.5, abs=1e-13)


def quotes(seed, count=20_000):
    """A one-tick market whose price moves towards the thinner side, two ticks wide now and then."""
    rng = np.random.default_rng(seed)
    bid, rows = 1000, []
    for _ in range(count):
        sizes = rng.integers(1, 50, 2)
        rows.append((bid, bid + 1 + int(rng.random() < 0.1), *sizes))
        if rng.random() < 0.3:
            bid += 1 if rng.random() < sizes[0] / sizes.sum() else -1
    return [np.array(column) for column in zip(*rows, strict=True)]


def test_fit_is_antisymmetric_bounded_and_settles_fast():
    found = fit(*quotes(3), buckets=10, spreads=2)

    table = found.adjustment_ticks
    assert table == pytest.approx(-table[:, ::-1], abs=1e-12)
    assert np.abs(table).max() <= 0.5
    # Between the best bid and the best ask, also where the spread is two ticks
    assert (np.abs(table) <= np.array([[0.5], [1.0]])).all()
    assert (np.diff(table[0]) > 0).all()
    assert found.terms <= 6
    shares = np.array([0.03, 0.2, 0.37, 0.5])
    assert found.adjustment(shares, 1) == pytest.approx(-found.adjustment(1 - shares, 1), abs=1e-12)


def test_micro_price_is_a_martingale_on_its_own_model():
    bid, ask, bid_size, ask_size = quotes(5, 60_000)
    found = fit(bid, ask, bid_size, ask_size, buckets=5, spreads=2)

    micro = (bid + ask) / 2 + found.adjustment(queue_imbalance(bid_size, ask_size), ask - bid)

    steps = np.diff(micro)
    assert abs(steps.mean()) < 4 * steps.std() / np.sqrt(len(steps))


def test_a_market_that_never_moves_cannot_be_fitted():
    still = np.full(10, 100)

    with pytest.raises(NotConverged, match="never moves"):
        fit(still, still + 1, np.ones(10), np.ones(10))


@given(st.floats(0, 1), st.integers(1, 20))
def test_buckets_cover_everything_and_mirror(share, buckets):
    bucket = int(bucket_of(np.array(share), buckets))

    assert 0 <= bucket < buckets
    if share < 0.5:
        assert bucket <= (buckets - 1) / 2


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((100, 101, 5, 7), (100, 101, 8, 7), 3),  # bid size + 3
        ((100, 101, 5, 7), (100, 101, 5, 9), -2),  # ask size + 2
        ((100, 102, 5, 7), (101, 102, 4, 7), 4),  # best bid lifted: its size
        ((100, 101, 5, 7), (99, 101, 6, 7), -5),  # bid consumed
        ((100, 101, 5, 7), (100, 102, 5, 3), 7),  # ask consumed
        ((100, 102, 5, 7), (100, 101, 5, 2), -2),  # new best ask
        ((100, 101, 5, 7), (100, 101, 5, 7), 0),
    ],
)
def test_order_flow_of_one_event(before, after, expected):
    columns = [np.array(pair) for pair in zip(before, after, strict=True)]

    assert order_flow_imbalance(*columns).tolist() == [expected]


def test_order_flow_explains_price_in_a_uniform_book():
    # Depth D at every level: the price has moved by the flow over 2 D, to within a tick
    depth, rng = 40, np.random.default_rng(2)
    bid, bid_size, ask_size, rows = 1000, depth, depth, []
    for flow in rng.integers(-15, 16, 3000).tolist():
        bid_size, ask_size = bid_size + max(flow, 0), ask_size - min(flow, 0)
        rows.append((bid, bid + 1, bid_size, ask_size))
        bid_size, ask_size = bid_size + min(flow, 0), ask_size - max(flow, 0)
        while bid_size <= 0 or ask_size <= 0:
            up = ask_size <= 0
            bid += 1 if up else -1
            bid_size, ask_size = (depth, depth + ask_size) if up else (depth + bid_size, depth)
        rows.append((bid, bid + 1, bid_size, ask_size))
    columns = [np.array(column) for column in zip(*rows, strict=True)]

    flow = order_flow_imbalance(*columns)

    moves = np.diff(columns[0])
    assert (
        np.corrcoef(np.add.reduceat(flow, range(0, len(flow), 50)), np.add.reduceat(moves, range(0, len(flow), 50)))[
            0, 1
        ]
        > 0.9
    )


def test_imbalance_and_weighted_mid():
    assert queue_imbalance(np.array([3, 0]), np.array([1, 0])).tolist()[0] == 0.75
    assert np.isnan(queue_imbalance(np.array([0]), np.array([0]))[0])
    assert weighted_mid(np.array([100]), np.array([102]), np.array([3]), np.array([1])).tolist() == [101.5]
