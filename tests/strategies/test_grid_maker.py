"""The grid maker keeps its bounds whatever of its orders is filled, in whatever pieces."""

import itertools
import types

from hypothesis import given
from hypothesis import strategies as st

from njord.domain.order import Side
from njord.strategies.grid_maker import GridMaker

NAME = "X/USD.SIM"
Q, MOST = 3, 9


class Desk:
    """A venue that fills pieces of orders when told to, and lets cancels wait."""

    def __init__(self):
        self.held, self.orders, self.ids = 0, {}, itertools.count(1)
        self.cancelled = set()

    def position(self, _name):
        return self.held

    def order(self, order_id):
        return self.orders.get(order_id)

    def open_orders(self, _name):
        return list(self.orders.values())

    def cancel_all(self, _name):
        self.cancelled.update(self.orders)

    def definition(self, _name):
        return types.SimpleNamespace(price_tick=0.01)

    def buy(self, quantity, **_more):
        self._send(Side.BUY, quantity)

    def sell(self, quantity, **_more):
        self._send(Side.SELL, quantity)

    def _send(self, side, quantity):
        order_id = next(self.ids)
        self.orders[order_id] = types.SimpleNamespace(order_id=order_id, side=side, quantity=quantity, filled=0)

    def fill(self, place, lots):
        """Fill a piece of an order; return the fill."""
        order = list(self.orders.values())[place % len(self.orders)]
        lots = min(lots, order.quantity - order.filled)
        order.filled += lots
        self.held += order.side.sign * lots
        if order.filled == order.quantity:
            del self.orders[order.order_id]
        return types.SimpleNamespace(
            client_order_id=order.order_id, instrument_id=NAME, side=order.side, price_ticks=10_000
        )

    def let_cancels_through(self):
        for order_id in self.cancelled:
            self.orders.pop(order_id, None)
        self.cancelled.clear()

    def extremes(self):
        left = [(each.side, each.quantity - each.filled) for each in self.orders.values()]
        return (
            self.held - sum(lots for side, lots in left if side is Side.SELL),
            self.held + sum(lots for side, lots in left if side is Side.BUY),
        )


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(0, 20), st.integers(1, Q)),
        st.tuples(st.just("price"), st.floats(50, 200), st.none()),
        st.tuples(st.just("cancels"), st.none(), st.none()),
    ),
    max_size=60,
)  # fmt: skip


@given(st.booleans(), happenings)
def test_holdings_stay_within_bounds_whatever_is_filled(short, happened):
    desk, maker = Desk(), GridMaker(step=0.01, levels=3, quantity=Q, position_max=MOST, short=short)
    least = -MOST if short else 0
    maker.on_trade(types.SimpleNamespace(instrument_id=NAME, price=100.0), desk)
    for what, first, second in happened:
        if what == "price":
            maker.on_trade(types.SimpleNamespace(instrument_id=NAME, price=first), desk)
        elif what == "cancels":
            desk.let_cancels_through()
        elif desk.orders:
            maker.on_fill(desk.fill(first, second), desk)
        low, high = desk.extremes()
        assert least <= low
        assert high <= MOST


def test_an_order_that_is_filled_in_pieces_is_answered_once():
    desk, maker = Desk(), GridMaker(step=0.01, levels=1, quantity=Q, position_max=MOST, short=True)
    maker.on_trade(types.SimpleNamespace(instrument_id=NAME, price=100.0), desk)
    for _ in range(Q):
        maker.on_fill(desk.fill(0, 1), desk)
    assert [(each.side, each.quantity) for each in desk.orders.values()] == [(Side.SELL, Q)] * 2  # And what was there
