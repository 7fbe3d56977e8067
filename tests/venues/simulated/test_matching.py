"""Price-time priority: equal to a naive matcher on random flow, and the rules one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.order import Side
from njord.venues.simulated.matching import DuplicateOrder, MatchingBook
from njord.venues.simulated.settings import SelfTrade


class Naive:
    """The same market as a list that is sorted whenever somebody comes."""

    def __init__(self):
        self.resting = []  # [id, participant, side, price, lots], in order of arrival

    def submit(self, order_id, participant, side, lots, price):
        trades = []
        while lots:
            others = [
                r for r in self.resting if r[2] is not side and (price is None or (r[3] - price) * side.sign <= 0)
            ]
            if not others:
                break
            best = min(others, key=lambda r: (r[3] * side.sign, r[0]))
            if best[1] == participant:
                lots = 0  # The newest is cancelled
                break
            traded = min(lots, best[4])
            trades.append((best[0], order_id, best[3], traded))
            lots -= traded
            best[4] -= traded
            self.resting = [r for r in self.resting if r[4]]
        if lots and price is not None:
            self.resting.append([order_id, participant, side, price, lots])
        return trades

    def cancel(self, order_id):
        self.resting = [r for r in self.resting if r[0] != order_id]


SIDE = st.sampled_from(list(Side))
FLOW = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), st.sampled_from("abc"), SIDE, st.integers(1, 9), st.integers(95, 105)),
        st.tuples(st.just("market"), st.sampled_from("abc"), SIDE, st.integers(1, 9), st.none()),
        st.tuples(st.just("cancel"), st.integers(1, 60)),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(FLOW)
def test_equal_to_a_naive_matcher_and_conserving(flow):
    book, naive = MatchingBook(), Naive()
    submitted = traded = cancelled = 0
    for order_id, step in enumerate(flow, 1):
        if step[0] == "cancel":
            cancelled += book.cancel(step[1])
            naive.cancel(step[1])
            continue
        _, participant, side, lots, price = step
        matches = book.submit(order_id, participant, side, lots, price)
        assert [(m.maker_order_id, m.taker_order_id, m.price_ticks, m.lots) for m in matches] == naive.submit(
            order_id, participant, side, lots, price
        )
        assert all(match.maker != match.taker for match in matches)
        filled = sum(match.lots for match in matches)
        traded += 2 * filled
        submitted += lots
        cancelled += 0 if order_id in book else lots - filled
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        assert bid is None or ask is None or bid[0] < ask[0]
    resting = [[o.order_id, o.participant, o.side, o.price_ticks, o.lots] for o in book.orders()]
    assert sorted(resting) == sorted(naive.resting)
    assert submitted == traded + cancelled + sum(order.lots for order in book.orders())


def test_a_cancel_inside_a_level_moves_nobody_else():
    book = MatchingBook()
    for order_id in (1, 2, 3):
        book.submit(order_id, f"p{order_id}", Side.SELL, 5, 100)
    assert book.cancel(2) == 5
    matches = book.submit(4, "t", Side.BUY, 7, 100)
    assert [(m.maker_order_id, m.lots) for m in matches] == [(1, 5), (3, 2)]


def test_a_smaller_order_keeps_its_place_and_a_second_market_order_pays_more():
    book = MatchingBook()
    book.submit(1, "a", Side.SELL, 5, 100)
    book.submit(2, "b", Side.SELL, 5, 100)
    book.submit(3, "b", Side.SELL, 5, 101)
    assert book.reduce(1, 3)
    assert not book.reduce(1, 9)
    first = book.submit(4, "t", Side.BUY, 6, None)
    second = book.submit(5, "t", Side.BUY, 6, None)

    def vwap(matches):
        return sum(m.price_ticks * m.lots for m in matches) / sum(m.lots for m in matches)

    assert [m.maker_order_id for m in first] == [1, 2]
    assert vwap(second) > vwap(first)
    assert book.depth(Side.SELL, 5) == [(101, 1)]


@pytest.mark.parametrize(
    ("mode", "left"),
    [(SelfTrade.CANCEL_NEWEST, [1, 2]), (SelfTrade.CANCEL_OLDEST, [2, 3]), (SelfTrade.CANCEL_BOTH, [2])],
)
def test_nobody_trades_with_himself(mode, left):
    book = MatchingBook(mode)
    book.submit(1, "me", Side.BUY, 5, 100)
    book.submit(2, "other", Side.BUY, 5, 99)
    assert book.submit(3, "me", Side.SELL, 5, 100) == []
    assert sorted(order.order_id for order in book.orders()) == left


def test_ids_rise_and_sizes_are_positive():
    book = MatchingBook()
    book.submit(5, "a", Side.BUY, 1, 100)
    with pytest.raises(DuplicateOrder):
        book.submit(5, "a", Side.BUY, 1, 100)
    with pytest.raises(ValueError, match="lots"):
        book.submit(6, "a", Side.BUY, 0, 100)
    assert book.cancel(99) == 0
