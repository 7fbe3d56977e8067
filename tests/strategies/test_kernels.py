"""What a kernel strategy may ask for: each function fills in the same answer compiled and as plain Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.market.view import ANSWER, CANCELLING, COMMANDS_MAX, GTC, LIVE, NEW, NO_PRICE, NOTES_MAX, SENT, VIEW
from njord.strategies import kernels


def views(orders: list[tuple[int, int, int, int]]) -> Any:
    view = np.zeros(1, dtype=VIEW).view(np.recarray)
    view.orders = len(orders)
    for i, (sign, ticks, lots, state) in enumerate(orders):
        for name, value in (("sign", sign), ("ticks", ticks), ("lots", lots), ("state", state), ("number", 10 + i)):
            view[f"order_{name}"][0][i] = value
    return view


def both(function: Any, view: Any, *arguments: Any) -> list[bytes]:
    """Return the answers of the compiled function and of the plain one."""
    answers = []
    for called in (function, function.py_func):
        answer = np.zeros(1, dtype=ANSWER).view(np.recarray)
        answer.commands = answer.notes = 1
        called(*([view] if view is not None else []), answer[0], *arguments)
        answer["line"] = 0  # Where it was asked from is another thing
        answers.append(answer.tobytes())
    return answers


ORDERS = st.lists(
    st.tuples(
        st.sampled_from([1, -1]), st.integers(95, 105), st.integers(1, 9), st.sampled_from([SENT, LIVE, CANCELLING])
    ),
    max_size=6,
)
LOTS = st.integers(0, 9)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(ORDERS, st.integers(95, 105), LOTS, st.integers(95, 105), LOTS)
def test_quotes_are_the_same_compiled(
    orders: list[tuple[int, int, int, int]], bid: int, bid_lots: int, ask: int, ask_lots: int
) -> None:
    view = views(orders)
    compiled, plain = both(kernels.quote, view, 0, bid, bid_lots, ask, ask_lots)
    assert compiled == plain
    compiled, plain = both(kernels.quote_side, view, 0, 1, bid, bid_lots)
    assert compiled == plain
    compiled, plain = both(kernels.cancel_all, view, 0)
    assert compiled == plain
    for counted in (kernels.open_lots, kernels.in_flight):
        arguments = (0, 1) if counted is kernels.open_lots else (0,)
        assert counted(view, *arguments) == counted.py_func(view, *arguments)


CALLS: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
    (kernels.order, (0, -1, 3, 101, 99, GTC, 0, 1)),
    (kernels.buy, (0, 2, 99)),
    (kernels.sell, (0, 2, 101)),
    (kernels.take, (0, 1, 5)),
    (kernels.cancel, (7,)),
    (kernels.replace, (7, 4, 98)),
    (kernels.note, (0, 3, 1.5)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=lambda value: getattr(value, "__name__", ""))
def test_commands_are_the_same_compiled(function: Any, arguments: tuple[Any, ...]) -> None:
    compiled, plain = both(function, None, *arguments)
    assert compiled == plain


def test_a_kept_order_and_one_in_the_way() -> None:
    answer = np.zeros(1, dtype=ANSWER).view(np.recarray)
    view = views([(1, 99, 2, LIVE), (-1, 101, 5, LIVE)])
    kernels.quote.py_func(view, answer[0], 0, 99, 5, 98, 5)  # type: ignore[attr-defined]
    said = answer[0]
    # The bid is smaller than asked and stays; the offer moves, but its new place would meet our own bid
    assert [int(said.order[i]) for i in range(said.commands) if said.kind[i] != NEW] == [11]
    assert NEW not in said.kind[: said.commands]


def test_what_is_too_much_is_counted_and_not_written() -> None:
    answer = np.zeros(1, dtype=ANSWER).view(np.recarray)
    for _ in range(COMMANDS_MAX + 5):
        kernels.take.py_func(answer[0], 0, 1, 1)  # type: ignore[attr-defined]
    for _ in range(NOTES_MAX + 2):
        kernels.note.py_func(answer[0], 0, 1, 2.0)  # type: ignore[attr-defined]
    assert answer[0].commands == COMMANDS_MAX + 5
    assert answer[0].notes == NOTES_MAX + 2
    assert set(answer[0].limit_ticks) == {NO_PRICE}


@pytest.mark.slow
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_numbers_are_the_same_compiled(value: float) -> None:
    assert kernels.number(value) == kernels.number.py_func(value)  # type: ignore[attr-defined]
    assert kernels.whole(value) == kernels.whole.py_func(value)  # type: ignore[attr-defined]
