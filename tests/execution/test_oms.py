"""Orders: legal moves only, reservations that never go wrong, fills applied once."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from njord.domain.event import CancelRejected, OrderAccepted, OrderCancelled, OrderExpired, OrderRejected, OrderReplaced
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Grid
from njord.domain.order import TRANSITIONS, IllegalTransition, NewOrder, OrderStatus, OrderType, Rejection, Side
from njord.execution.oms import Orders, Tracked

NAME = "BTC/USD.SIM"


def order(order_id="a-1", side=Side.BUY, lots=10):
    return NewOrder(order_id, "a", NAME, side, OrderType.LIMIT, lots, limit_ticks=100)


def fill(order_id="a-1", lots=10, fill_id="f1", side=Side.BUY):
    return Fill(fill_id, order_id, NAME, side, 100, lots, 0, "USD", Liquidity.MAKER, FillReason.VENUE, "", 1, 1)


@pytest.fixture
def grid(spot):
    return Grid.of(spot)


@pytest.mark.parametrize("before", list(OrderStatus))
@pytest.mark.parametrize("after", list(OrderStatus))
def test_every_transition_is_legal_or_refused(before, after, grid):
    tracked = Tracked(order(), grid)
    tracked.status = before
    if after in TRANSITIONS[before]:
        tracked.become(after)
        assert tracked.status is after
    else:
        with pytest.raises(IllegalTransition, match="a-1"):
            tracked.become(after)
        assert tracked.status is before


def test_exposure_is_reserved_at_submission_and_released_at_the_end(grid):
    orders = Orders()
    orders.submit(order(), grid)
    assert orders.buys.get(NAME, 0) == 10

    orders.apply(OrderAccepted("a-1", NAME, 1, 1))
    orders.fill(fill(lots=4))
    assert orders.buys.get(NAME, 0) == 6

    orders.apply(OrderCancelled("a-1", NAME, Rejection.REQUESTED, 2, 2))
    assert orders.buys.get(NAME, 0) == 0
    assert orders.done["a-1"] is OrderStatus.CANCELLED
    assert orders.known("a-1")


def test_a_fill_that_arrives_twice_is_applied_once(grid):
    orders = Orders()
    orders.submit(order(), grid)
    assert orders.fill(fill(lots=4)) is not None
    assert orders.fill(fill(lots=4)) is None
    assert orders.open["a-1"].filled_lots == 4


def test_a_fill_can_overtake_its_acknowledgement(grid):
    orders = Orders()
    orders.submit(order(), grid)
    orders.fill(fill(lots=4))
    assert orders.apply(OrderAccepted("a-1", NAME, 1, 1)) is None
    assert orders.open["a-1"].status is OrderStatus.PARTIALLY_FILLED


def test_a_replacement_that_its_fills_overtook_ends_the_order_or_says_nothing_new(grid):
    orders = Orders()
    orders.submit(order(), grid)
    orders.fill(fill(lots=6))
    assert orders.apply(OrderReplaced("a-1", NAME, 4, 100, 2, 2)) is None
    assert (orders.open["a-1"].quantity_lots, orders.buys.get(NAME, 0)) == (10, 4)

    orders.apply(OrderReplaced("a-1", NAME, 6, 100, 3, 3))

    assert orders.done["a-1"] is OrderStatus.FILLED
    assert orders.buys.get(NAME, 0) == 0


def test_the_refusal_of_a_copy_is_not_the_refusal_of_the_order(grid):
    orders = Orders()
    orders.submit(order(), grid)
    orders.apply(OrderAccepted("a-1", NAME, 1, 1))
    assert orders.apply(OrderRejected("a-1", NAME, Rejection.DUPLICATE_ORDER_ID, 2, 2)) is None
    assert orders.open["a-1"].status is OrderStatus.ACCEPTED
    with pytest.raises(IllegalTransition):
        orders.apply(OrderRejected("a-1", NAME, Rejection.NO_LIQUIDITY, 2, 2))


def test_what_cannot_be_true_is_an_error(grid):
    orders = Orders()
    with pytest.raises(IllegalTransition, match="never sent"):
        orders.apply(OrderAccepted("a-1", NAME, 1, 1))
    orders.submit(order(), grid)
    with pytest.raises(IllegalTransition, match="had 10 left"):
        orders.fill(fill(lots=11))
    orders.fill(fill(lots=10))
    with pytest.raises(IllegalTransition, match="was filled already"):
        orders.fill(fill(lots=1, fill_id="f2"))
    assert orders.apply(OrderExpired("a-1", NAME, 2, 2)) is None  # Late news of what is over


class Machine(RuleBasedStateMachine):
    """Any legal history leaves the reservations equal to what the open orders could still fill."""

    def __init__(self):
        super().__init__()
        self.orders = Orders()
        self.grid = None
        self.count = 0

    @rule(side=st.sampled_from(list(Side)), lots=st.integers(1, 50))
    def submit(self, side, lots):
        self.count += 1
        self.orders.submit(order(f"a-{self.count}", side, lots), self.grid)

    @precondition(lambda self: self.orders.open)
    @rule(data=st.data(), what=st.sampled_from(["accept", "fill", "cancel", "reject", "expire", "replace", "late"]))
    def report(self, data, what):
        order_id = data.draw(st.sampled_from(list(self.orders.open)))
        tracked = self.orders.open[order_id]
        if what == "accept":
            self.orders.apply(OrderAccepted(order_id, NAME, 1, 1))
        elif what == "fill":
            self.count += 1
            lots = data.draw(st.integers(1, tracked.leaves_lots))
            self.orders.fill(fill(order_id, lots, f"f{self.count}", tracked.side))
        elif what == "replace":
            lots = data.draw(st.integers(tracked.filled_lots + 1, tracked.filled_lots + 60))
            self.orders.apply(OrderReplaced(order_id, NAME, lots, 101, 1, 1))
        elif what == "late":
            self.orders.apply(CancelRejected(order_id, NAME, Rejection.ORDER_DONE, 1, 1))
        elif what == "reject":
            if OrderStatus.REJECTED in TRANSITIONS[tracked.status]:
                self.orders.apply(OrderRejected(order_id, NAME, Rejection.PRICE_INVALID, 1, 1))
        else:
            kind = OrderExpired(order_id, NAME, 1, 1)
            gone = OrderCancelled(order_id, NAME, Rejection.REQUESTED, 1, 1)
            self.orders.apply(kind if what == "expire" else gone)

    @invariant()
    def reservations_add_up(self):
        for side in Side:
            working = sum(t.leaves_lots for t in self.orders.open.values() if t.side is side)
            assert (self.orders.buys if side is Side.BUY else self.orders.sells).get(NAME, 0) == working
        assert not set(self.orders.open) & set(self.orders.done)


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase


def test_a_session_forgets_the_oldest_but_no_id_that_a_person_chose(grid):
    orders = Orders()
    orders.remember_at_most(3)
    ids = ["by_hand:mine", *(f"a-{at}" for at in range(1, 7))]
    for order_id in ids:
        orders.submit(order(order_id), grid)
        orders.fill(fill(order_id, lots=10, fill_id=f"of {order_id}"))
    assert list(orders.done) == ["by_hand:mine", "a-4", "a-5", "a-6"]
    assert orders.fill_ids == ["of a-4", "of a-5", "of a-6"]
    assert orders.fill(fill("a-4", lots=10, fill_id="of a-4")) is None
    assert orders.known("by_hand:mine")
    assert not orders.known("a-3")
    again = Orders()
    again.remember_at_most(3)
    again.restore_done(dict(orders.done), [], orders.fill_ids)
    for book in (orders, again):
        book.submit(order("a-7"), grid)
        book.apply(OrderCancelled("a-7", NAME, Rejection.REQUESTED, 2, 2))
    assert (again.done, again.fill_ids) == (orders.done, orders.fill_ids)


def test_an_order_that_can_still_be_filled_late_is_known_however_much_came_after_it(grid):
    orders = Orders()
    orders.remember_at_most(1)
    orders.submit(order("a-1"), grid)
    orders.apply(OrderCancelled("a-1", NAME, Rejection.REQUESTED, 2, 2))
    for at in (2, 3):
        orders.submit(order(f"a-{at}"), grid)
        orders.fill(fill(f"a-{at}", lots=10, fill_id=f"f{at}"))
    assert list(orders.done) == ["a-3"]
    assert orders.known("a-1")
    assert orders.apply(OrderCancelled("a-1", NAME, Rejection.REQUESTED, 9, 9)) is None
    assert orders.fill(fill("a-1", lots=4, fill_id="late")).filled_lots == 4
