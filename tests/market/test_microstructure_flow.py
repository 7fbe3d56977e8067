"""Order flow against unit fixtures, a book whose answer is exact, and lines fitted by other means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.market.microstructure import (
    flow_in_windows,
    multi_level_order_flow_imbalance,
    order_flow_imbalance,
    price_impact,
)

DEPTH = 40


def half_of_a_stylised_book(rng, count):
    """Price and size of the best bid of a book with DEPTH at every level behind it, as orders come and leave there.

    Counted upwards: a level that is full starts the next, one that is empty gives way to the one below.
    """
    price, size, rows = 1000, DEPTH, []
    for flow in rng.integers(-30, 31, count).tolist():
        while flow:
            step = max(-size, flow) if flow < 0 else min(DEPTH - size, flow)
            size, flow = size + step, flow - step
            if size == 0:
                price, size = price - 1, DEPTH
            elif flow > 0:
                rows.append((price, size))
                price, size = price + 1, min(flow, DEPTH)
                flow -= size
            rows.append((price, size))
        rows.append((price, size))
    return rows


def stylised_book(seed, count=4000):
    """Both halves of a book, far enough apart that they never meet; one of them moves at a time."""
    rng = np.random.default_rng(seed)
    bids, asks = half_of_a_stylised_book(rng, count), half_of_a_stylised_book(rng, count)
    rows = []
    for at in range(max(len(bids), len(asks))):
        bid, ask = bids[min(at, len(bids) - 1)], asks[min(at, len(asks) - 1)]
        if rows:
            rows.append((bid[0], rows[-1][1], bid[1], rows[-1][3]))
        rows.append((bid[0], 10_000 - ask[0], bid[1], ask[1]))
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("window", [1, 7, 50, 1000])
def test_in_a_uniform_book_the_price_moves_by_flow_over_twice_the_depth(window):
    bid, ask, bid_size, ask_size = stylised_book(2)
    flow = order_flow_imbalance(bid, ask, bid_size, ask_size)
    total = np.concatenate([[0.0], np.cumsum(flow)])
    mid = (bid + ask) / 2

    for start in range(0, len(mid) - window, window):
        expected = (total[start + window] - total[start]) / (2 * DEPTH)
        # Up to rounding: a queue is somewhere between empty and full on either side
        assert abs(mid[start + window] - mid[start] - expected) <= 1


def test_impact_in_a_uniform_book_is_one_over_twice_the_depth():
    columns = stylised_book(5)
    time_ns = np.arange(len(columns[0]))
    flow, change = flow_in_windows(time_ns, order_flow_imbalance(*columns), (columns[0] + columns[1]) / 2, 500)

    found = price_impact(flow, change)

    assert found.slopes[0] == pytest.approx(1 / (2 * DEPTH), rel=0.02)
    assert found.r_squared > 0.99


def books(rng, count, levels):
    """Random books, prices of each side a tick apart and now and then further."""
    bid = 1000 + np.cumsum(rng.integers(-1, 2, count))
    steps = np.cumsum(np.c_[np.zeros(count, dtype=int), rng.integers(1, 3, (count, levels - 1))], axis=1)
    sizes = rng.integers(1, 50, (2, count, levels))
    return bid[:, None] - steps, (bid + rng.integers(1, 4, count))[:, None] + steps, sizes[0], sizes[1]


def naive_flow(price, size, better):
    """Delta W of Xu, Gould and Howison for one level of one side, from one book to the next."""
    (before, now), (was, is_now) = price, size
    if now == before:
        return is_now - was
    return is_now if better(now, before) else -was


def test_flow_at_every_level_by_the_papers_cases():
    bid, ask, bid_size, ask_size = books(np.random.default_rng(3), 500, 4)

    found = multi_level_order_flow_imbalance(bid, ask, bid_size, ask_size)

    for step in range(499):
        pair = slice(step, step + 2)
        for level in range(4):
            came = naive_flow(bid[pair, level], bid_size[pair, level], lambda now, before: now > before)
            went = naive_flow(ask[pair, level], ask_size[pair, level], lambda now, before: now < before)
            assert found[step, level] == came - went


@given(st.integers(0, 1000), st.integers(1, 5))
def test_first_level_is_the_flow_of_the_best_quotes(seed, levels):
    bid, ask, bid_size, ask_size = books(np.random.default_rng(seed), 50, levels)

    found = multi_level_order_flow_imbalance(bid, ask, bid_size, ask_size)

    assert (found[:, 0] == order_flow_imbalance(bid[:, 0], ask[:, 0], bid_size[:, 0], ask_size[:, 0])).all()


def test_level_that_is_not_there():
    bid, ask = np.array([[10, 9], [10, 0], [10, 8]]), np.array([[11, 12], [11, 0], [11, 13]])
    found = multi_level_order_flow_imbalance(
        bid, ask, np.array([[5, 7], [5, 0], [5, 4]]), np.array([[5, 2], [5, 0], [5, 1]])
    )

    assert found.tolist() == [[0, -7 + 2], [0, 4 - 1]]


def test_windows_sum_flow_and_take_the_last_mid():
    time_ns = np.array([0, 3, 10, 11, 25, 40])
    flow = np.array([1.0, 2, 4, 8, 16])
    mid = np.array([100.0, 101, 102, 103, 104, 105])

    summed, change = flow_in_windows(time_ns, flow, mid, 10)

    # The quote at 10 belongs to the window that ends there; nothing happens from 11 to 20
    assert summed.tolist() == [3, 4, 8, 16]
    assert change.tolist() == [2, 1, 1, 1]
    both, _ = flow_in_windows(time_ns, np.c_[flow, 2 * flow], mid, 10)
    assert both.tolist() == [[3, 6], [4, 8], [8, 16], [16, 32]]


def test_impact_recovers_a_line():
    rng = np.random.default_rng(4)
    flow = rng.normal(0, 10, (4000, 2))
    change = 0.3 + flow @ [0.05, -0.02] + rng.normal(0, 0.4, 4000)

    found = price_impact(flow, change)

    assert (np.abs(found.slopes - [0.05, -0.02]) < 4 * found.slopes_se).all()
    assert found.slopes_se == pytest.approx(np.full(2, 0.4 / 10 / np.sqrt(4000)), rel=0.05)
    assert found.intercept == pytest.approx(0.3, abs=0.03)
    explained = 100 * (0.05**2 + 0.02**2)
    assert found.r_squared == pytest.approx(explained / (explained + 0.16), abs=0.02)
    assert found.r_squared == pytest.approx(
        1 - np.linalg.lstsq(np.c_[flow, np.ones(4000)], change)[1][0] / ((change - change.mean()) ** 2).sum()
    )


def test_impact_of_one_level_is_the_correlation_squared():
    rng = np.random.default_rng(5)
    flow, noise = rng.normal(size=300), rng.normal(size=300)

    found = price_impact(flow, flow + noise)

    assert found.r_squared == pytest.approx(np.corrcoef(flow, flow + noise)[0, 1] ** 2)
    assert found.count == 300


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: price_impact(np.ones(9), np.arange(9)), "does not vary enough"),
        (lambda: price_impact(np.arange(9), np.ones(9)), "does not vary enough"),
        (lambda: price_impact(np.arange(2), np.arange(2)), "2 windows are too few for 1 slopes"),
        (lambda: price_impact(np.arange(9), np.arange(8)), "change: 8 for 9 windows"),
        (lambda: flow_in_windows(np.arange(3), np.ones(2), np.ones(3), 0), "window_ns: must be > 0"),
        (lambda: flow_in_windows(np.arange(3), np.ones(3), np.ones(3), 1), "flow: 3 changes and 3 mids for 3 quotes"),
        (lambda: multi_level_order_flow_imbalance(*[np.ones(3)] * 4), "must be .quotes, levels. alike"),
    ],
)
def test_what_does_not_fit_together_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
