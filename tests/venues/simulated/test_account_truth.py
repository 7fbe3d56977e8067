"""What an exchange tells an account of the past is bounded, and less than the account remembers."""

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.order import NewOrder, OrderType, Side
from njord.execution.oms import REMEMBERED_MAX
from njord.venues.simulated.account_truth import FILLS_KEPT_MAX, ORDERS_KEPT_MAX, AccountTruth

NAME = "X/USD.SIM"


def filled(truth, number):
    order_id = f"a-{number}"
    truth.received(NewOrder(order_id, "a", NAME, Side.BUY, OrderType.LIMIT, 1, limit_ticks=5))
    truth.reported(
        Fill(f"f-{number}", order_id, NAME, Side.BUY, 5, 1, 0, "USD", Liquidity.MAKER, FillReason.PARTICIPANT, "", 1, 1)
    )


def test_nobody_is_told_of_a_fill_or_an_order_that_a_session_may_have_forgotten():
    """It would take it for a new one, and book it twice."""
    truth, most = AccountTruth(), 0
    for number in range(1, 25_001):
        filled(truth, number)
        most = max(most, len(truth.fills))
    assert FILLS_KEPT_MAX <= len(truth.fills) <= most < REMEMBERED_MAX
    assert len(truth.orders) == ORDERS_KEPT_MAX < REMEMBERED_MAX


def test_fills_keep_their_numbers_when_the_oldest_are_forgotten():
    truth = AccountTruth()
    for number in range(1, 25_001):
        filled(truth, number)
    told = truth.truth(9, (), 24_990)
    assert told.fill_count == 25_000
    assert [fill.fill_id for fill in told.fills] == [f"f-{number}" for number in range(24_991, 25_001)]
    assert told.positions == {NAME: 25_000}
    assert truth.truth(9, ("a-25000", "a-1"), 25_000).asked_orders[1] is None
