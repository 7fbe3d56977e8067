"""The book equals a naive one on any updates, refuses what it cannot build on, and its kernel agrees with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.ids import InstrumentId
from njord.domain.market import BookUpdate
from njord.market.book import Book, Guard

BTC = InstrumentId("BTC/USD.KRAKEN")


def update(sequence, bids=(), asks=(), *, snapshot=False, time_ns=0):
    return BookUpdate(BTC, time_ns, time_ns, sequence, snapshot, tuple(bids), tuple(asks))


def opened(bids=((99, 5), (98, 7)), asks=((101, 4), (103, 6))):
    book = Book(BTC)
    assert book.apply(update(1, bids, asks, snapshot=True))
    return book


def test_best_and_depth_after_deltas():
    book = opened()

    book.apply(update(2, bids=[(100, 1), (98, 0)], asks=[(101, 0), (102, 9)]))

    assert book.best_bid() == (100, 1)
    assert book.best_ask() == (102, 9)
    assert book.depth(5) == ([(100, 1), (99, 5)], [(102, 9), (103, 6)])
    assert book.depth(1) == ([(100, 1)], [(102, 9)])
    assert book.lots_at(102) == (0, 9)


def test_snapshot_replaces_and_is_never_merged():
    book = opened()

    book.apply(update(9, bids=[(50, 1)], asks=[(60, 1), (61, 0)], snapshot=True))

    assert book.depth(9) == ([(50, 1)], [(60, 1)])


def test_the_last_word_on_a_level_counts_in_snapshots_too():
    book = Book(BTC)

    book.apply(update(1, bids=[(99, 5), (98, 1), (99, 0)], asks=[(101, 4), (101, 6)], snapshot=True))

    assert book.depth(5) == ([(98, 1)], [(101, 6)])


def test_deltas_before_a_snapshot_are_not_applied():
    book = Book(BTC)

    assert not book.apply(update(5, bids=[(1, 1)]))
    assert book.guard() is Guard.EMPTY
    assert book.ignored == 1


def test_late_update_is_ignored():
    book = opened()

    assert not book.apply(update(1, bids=[(100, 1)]))
    assert book.best_bid() == (99, 5)


def test_without_update_ids_every_delta_counts():
    book = opened()
    book.apply(update(0, snapshot=True, bids=[(9, 1)], asks=[(11, 1)]))

    assert book.apply(update(0, bids=[(10, 1)]))
    assert book.apply(update(0, bids=[(10, 0)]))
    assert book.best_bid() == (9, 1)


@pytest.mark.parametrize(
    ("bids", "asks", "now_ns", "expected"),
    [
        ([(99, 1)], [(100, 1)], 0, Guard.OK),
        ([], [], 0, Guard.EMPTY),
        ([(99, 1)], [], 0, Guard.ONE_SIDED),
        ([], [(99, 1)], 0, Guard.ONE_SIDED),
        ([(100, 1)], [(100, 1)], 0, Guard.CROSSED),
        ([(101, 1)], [(100, 1)], 0, Guard.CROSSED),
        ([(99, 1)], [(100, 1)], 10, Guard.OK),
        ([(99, 1)], [(100, 1)], 11, Guard.STALE),
    ],
)
def test_guard_says_why_not_to_trade(bids, asks, now_ns, expected):
    book = Book(BTC, stale_after_ns=10)
    book.apply(update(1, bids, asks, snapshot=True))

    assert book.guard(now_ns) is expected
    assert book.is_crossed == (expected is Guard.CROSSED)


def test_after_a_gap_only_a_snapshot_helps():
    book = opened()
    book.mark_gap()

    assert book.guard() is Guard.GAP
    assert not book.apply(update(7, bids=[(100, 1)]))
    assert book.apply(update(8, bids=[(1, 1)], asks=[(2, 1)], snapshot=True))
    assert book.guard() is Guard.OK


def test_repr_shows_the_top_only():
    book = opened(bids=[(price, 1) for price in range(1, 1000)], asks=[(price, 1) for price in range(1001, 2000)])

    assert "(999, 1)" in repr(book)
    assert "(1, 1)" not in repr(book)
    assert len(repr(book)) < 300


def test_state_hash_is_of_the_state_and_not_of_the_path():
    first, second = opened(), opened()
    first.apply(update(2, bids=[(100, 1)]))
    assert first.state_hash() != second.state_hash()

    first.apply(update(3, bids=[(100, 0)]))

    assert first.state_hash() == second.state_hash()


def naive_best(levels, best):
    return (best(levels), levels[best(levels)]) if levels else None


@pytest.mark.slow
def test_equals_a_naive_book_on_a_million_deltas():
    _compare_with_naive(np.random.default_rng(7), updates=100_000, deltas=10)


def test_equals_a_naive_book():
    _compare_with_naive(np.random.default_rng(8), updates=2_000, deltas=10)


def _compare_with_naive(rng, updates, deltas):
    book, bids, asks = opened(), {99: 5, 98: 7}, {101: 4, 103: 6}
    prices = rng.integers(1, 400, (updates, deltas)).tolist()
    lots = (rng.integers(0, 5, (updates, deltas)) * rng.integers(0, 2, (updates, deltas))).tolist()
    sides = rng.integers(0, 2, (updates, deltas)).tolist()
    for number in range(updates):
        rows = list(zip(sides[number], prices[number], lots[number], strict=True))
        new = [[(price, size) for side, price, size in rows if side == wanted] for wanted in (1, 0)]
        book.apply(update(number + 2, *new))
        for levels, changes in zip((bids, asks), new, strict=True):
            for price, size in changes:
                levels[price] = size
                if not size:
                    del levels[price]
        assert book.best_bid() == naive_best(bids, max)
        assert book.best_ask() == naive_best(asks, min)
        assert book.is_crossed == (bool(bids and asks) and max(bids) >= min(asks))
    assert book.depth(400) == (sorted(bids.items(), reverse=True), sorted(asks.items()))


DELTA = st.tuples(st.sampled_from([1, -1]), st.integers(0, 60), st.integers(0, 3))


@settings(deadline=None, max_examples=60)  # The first call compiles
@given(deltas=st.lists(DELTA, max_size=80))
def test_apply_deltas_kernel_equals_the_book(deltas):
    from njord.market import kernels

    floor_ticks, cells = 10, 40
    book = opened(bids=(), asks=())
    bid_lots, ask_lots = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    best = np.array([-1, cells])
    side = np.array([delta[0] for delta in deltas], dtype=np.int8)
    prices, lots = (np.array([delta[at] for delta in deltas], dtype=np.int64) for at in (1, 2))
    top = np.zeros((4, len(deltas)), dtype=np.int64)

    outside = kernels.apply_deltas(bid_lots, ask_lots, floor_ticks, best, side, prices, lots, top)

    inside = [floor_ticks <= delta[1] < floor_ticks + cells for delta in deltas]
    assert outside == len(deltas) - sum(inside)
    for number, (sign, price, size) in enumerate(deltas):
        if inside[number]:
            book.apply(update(number + 2, **{"bids" if sign > 0 else "asks": [(price, size)]}))
        expected = (*(book.best_bid() or (-1, 0)), *(book.best_ask() or (-1, 0)))
        assert tuple(top[:, number].tolist()) == expected


@pytest.mark.slow
def test_apply_deltas_kernel_equals_a_naive_book_on_a_million_deltas():
    from njord.market import kernels

    rng, count, cells = np.random.default_rng(9), 1_000_000, 60
    side = rng.choice(np.array([-1, 1], dtype=np.int8), count)
    prices = rng.integers(0, cells, count)
    lots = rng.integers(1, 5, count) * (rng.random(count) < 0.4)
    top = np.zeros((4, count), dtype=np.int64)

    ladders = (np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64))
    outside = kernels.apply_deltas(*ladders, 0, np.array([-1, cells]), side, prices, lots, top)

    assert outside == 0
    bids, asks = {}, {}
    for sign, price, size, *shown in zip(side.tolist(), prices.tolist(), lots.tolist(), *top.tolist(), strict=True):
        levels = bids if sign > 0 else asks
        if size:
            levels[price] = size
        else:
            levels.pop(price, None)
        best = max(bids, default=-1), min(asks, default=-1)
        assert shown == [best[0], bids.get(best[0], 0), best[1], asks.get(best[1], 0)]
