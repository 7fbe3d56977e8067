"""What kernel strategies ask through: compiled as in plain Python, on any view; and what an answer says."""

import math

import numpy as np
import pytest

pytest.importorskip("numba")

from hypothesis import given, settings
from hypothesis import strategies as st

from njord.market.view import ANSWER, CANCELLING, COMMANDS_MAX, LIVE, NO_PRICE, SENT, VIEW
from njord.strategies import kernels

pytestmark = pytest.mark.slow
COMPILES = settings(deadline=None, max_examples=40)
TICKS, LOTS = st.integers(95, 105), st.integers(0, 4)
ORDERS = st.lists(
    st.tuples(st.sampled_from([SENT, LIVE, CANCELLING]), st.sampled_from([1, -1]), TICKS, st.integers(1, 4)), max_size=6
)


def viewed(orders):
    view = np.zeros(1, dtype=VIEW).view(np.recarray)
    view[0].orders = len(orders)
    for i, (state, sign, ticks, lots) in enumerate(orders):
        view[0].order_number[i], view[0].order_state[i], view[0].order_sign[i] = i + 1, state, sign
        view[0].order_ticks[i], view[0].order_lots[i] = ticks, lots
    return view


def answered(function, *arguments, view=None):
    """Return what a function writes into an answer, and returns."""
    answer = np.zeros(1, dtype=ANSWER).view(np.recarray)
    given = (answer[0], *arguments) if view is None else (view, answer[0], *arguments)
    returned = function(*given)
    return answer.tobytes(), returned


@COMPILES
@given(ORDERS, TICKS, LOTS, TICKS, LOTS)
def test_quotes_and_cancels(orders, bid, bid_lots, ask, ask_lots):
    view = viewed(orders)
    for function, arguments in (
        (kernels.quote, (0, bid, bid_lots, ask, ask_lots)),
        (kernels.quote_side, (0, 1, bid, bid_lots)),
        (kernels.cancel_all, (0,)),
    ):
        assert answered(function, *arguments, view=view) == answered(function.py_func, *arguments, view=view)
    for sign in (1, -1):
        assert kernels.open_lots(view, 0, sign) == kernels.open_lots.py_func(view, 0, sign)
        assert kernels.open_lots(view, 0, sign) == sum(lots for _, own, _, lots in orders if own == sign)
    assert kernels.in_flight(view, 0) == kernels.in_flight.py_func(view, 0) == sum(o[0] != LIVE for o in orders)


@COMPILES
@given(TICKS, LOTS, st.sampled_from([1, -1]), st.integers(0, 3))
def test_orders_and_notes(ticks, lots, sign, tif):
    for function, arguments in (
        (kernels.order, (0, sign, lots, ticks, NO_PRICE, tif, 1, 0)),
        (kernels.buy, (0, lots, ticks)),
        (kernels.sell, (0, lots, ticks)),
        (kernels.take, (0, sign, lots)),
        (kernels.cancel, (lots,)),
        (kernels.replace, (lots, ticks, NO_PRICE)),
        (kernels.note, (0, tif, ticks / 7)),
    ):
        assert answered(function, *arguments) == answered(function.py_func, *arguments)


def test_a_quote_keeps_what_rests_as_asked():
    view = viewed([(LIVE, 1, 100, 2), (LIVE, -1, 102, 2), (LIVE, 1, 99, 1)])
    answer = np.zeros(1, dtype=ANSWER).view(np.recarray)[0]

    kernels.quote(view, answer, 0, 100, 2, 103, 2)

    # The second bid goes, and the old ask; the new ask is sent, for no own bid is in its way
    assert answer.commands == 3
    assert answer.order[:3].tolist() == [3, 2, 0]
    assert (answer.sign[2], answer.limit_ticks[2], answer.post_only[2]) == (-1, 103, 1)


@pytest.mark.parametrize("function", [kernels.whole, kernels.whole.py_func, kernels.number, kernels.number.py_func])
def test_what_is_no_number_is_no_price(function):
    assert function(7) == 7
    assert kernels.whole(-7.9) == kernels.whole.py_func(-7.9) == -7
    for value in (math.nan, math.inf, -math.inf, 1e19):
        with pytest.raises(ValueError, match="what is no number, or infinite"):
            function(value)


def test_more_commands_than_there_is_room_for_are_counted_and_nothing_else():
    answer = np.zeros(1, dtype=ANSWER).view(np.recarray)
    for _ in range(COMMANDS_MAX + 3):
        kernels.buy(answer[0], 0, 1, 100)

    assert answer[0].commands == COMMANDS_MAX + 3
    assert answer[0].notes == 0
