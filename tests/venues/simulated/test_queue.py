"""Queue models: known values, and what must hold of every model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.venues.simulated.queue import QueueModel, ahead_after, behind_chance

GUESSING = [m for m in QueueModel if m not in ("cross", "risk_averse", "exact", "touch")]


@pytest.mark.parametrize(
    ("model", "exponent", "expected"),
    [
        ("power", 1, 27.0),
        ("power", 2, 28.448276),
        ("power", 3, 29.270270),
        ("log", 0, 25.538345),
        ("front_share", 3, 29.73),
        ("risk_averse", 0, 30.0),
    ],
)
def test_thirty_ahead_seventy_behind_ten_leave(model: str, exponent: float, expected: float) -> None:
    assert ahead_after(QueueModel(model), exponent, 30, 100, 90) == pytest.approx(expected, abs=5e-7)


def test_the_chance_that_three_in_ten_ahead_leave_behind_us() -> None:
    assert behind_chance(QueueModel.POWER, 1, 30, 70) == 0.7
    assert behind_chance(QueueModel.POWER, 2, 30, 70) == pytest.approx(0.844828, abs=5e-7)
    assert behind_chance(QueueModel.LOG, 0, 30, 70) == pytest.approx(0.553835, abs=5e-7)
    assert behind_chance(QueueModel.POWER_OF_TOTAL, 2, 30, 70) == pytest.approx(0.49)
    assert behind_chance(QueueModel.LOG_OF_TOTAL, 0, 30, 70) == pytest.approx(0.923633, abs=5e-7)
    with pytest.raises(ValueError, match="does not guess"):
        behind_chance(QueueModel.EXACT, 1, 30, 70)


LOTS = st.integers(0, 10_000)


@given(st.sampled_from(list(QueueModel)), st.floats(0.1, 5), LOTS, LOTS, LOTS)
def test_nobody_moves_back_nor_further_than_what_is_left(
    model: QueueModel, exponent: float, ahead: int, behind: int, after: int
) -> None:
    found = ahead_after(model, exponent, ahead, ahead + behind, after)
    assert 0 <= found <= min(ahead, after)
    # A level that grew says nothing of us, and one that shrank below us says all
    if after >= ahead + behind:
        assert found == ahead


@given(st.sampled_from(GUESSING), st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_guess_is_never_worse_than_the_pessimist(model: QueueModel, ahead: int, behind: int, after: int) -> None:
    before = ahead + behind
    pessimist = ahead_after(QueueModel.RISK_AVERSE, 1, ahead, before, after)
    assert ahead_after(model, 2.0, ahead, before, after) <= pessimist
