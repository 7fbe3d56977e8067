"""Attribution: effects that sum, textbook figures, a planted factor model and the one that empyrical is tested with."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.research.performance import (
    Brinson,
    Segment,
    brinson,
    factor_attribution,
    linked,
    martin_ratio,
    modigliani,
    tracking_error,
    treynor,
    ulcer_index,
)

NAN = math.nan
# By hand: benchmark 0.064, portfolio 0.083
BOOK = [
    Segment("UK", 0.4, 0.4, 0.20, 0.10),
    Segment("Japan", 0.3, 0.2, -0.05, -0.04),
    Segment("US", 0.3, 0.4, 0.06, 0.08),
]


def total(found):
    return math.fsum(each.total for each in found.effects)


def test_three_segments_by_hand():
    found = brinson(BOOK)

    assert found.portfolio_return == pytest.approx(0.083)
    assert found.benchmark_return == pytest.approx(0.064)
    uk, japan, us = found.effects
    assert (uk.allocation, uk.selection, uk.interaction) == pytest.approx((0, 0.04, 0))
    assert (japan.allocation, japan.selection, japan.interaction) == pytest.approx((-0.0104, -0.002, -0.001))
    assert (us.allocation, us.selection, us.interaction) == pytest.approx((-0.0016, -0.008, 0.002))
    assert total(found) == pytest.approx(found.active_return, abs=1e-12)
    assert us.name == "US"


RETURNS = st.floats(-0.5, 0.5)
ROWS = st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), RETURNS, RETURNS), min_size=1, max_size=8)


def segments(rows):
    ours, theirs = (math.fsum(row[side] for row in rows) for side in (0, 1))
    return [Segment(f"s{i}", a / ours, b / theirs, r, s) for i, (a, b, r, s) in enumerate(rows)]


@given(ROWS)
def test_effects_sum_to_the_active_return(rows):
    found = brinson(segments(rows))
    assert total(found) == pytest.approx(found.active_return, abs=1e-12)


@given(st.lists(ROWS, min_size=1, max_size=6))
def test_linked_effects_sum_to_the_compounded_active_return(periods):
    found = linked([brinson(segments(rows)) for rows in periods])
    ours = math.prod(1 + brinson(segments(rows)).portfolio_return for rows in periods) - 1
    assert found.portfolio_return == pytest.approx(ours, abs=1e-12)
    assert total(found) == pytest.approx(found.active_return, abs=1e-12)


def test_one_period_linked_is_itself():
    one, found = linked([brinson(BOOK)]), brinson(BOOK)
    for first, second in zip(one.effects, found.effects, strict=True):
        assert first.allocation == pytest.approx(second.allocation)
        assert first.interaction == pytest.approx(second.interaction)


def test_equal_returns_can_be_linked():
    even = Brinson(0.1, 0.1, ())
    assert linked([even, even]).active_return == 0


def test_what_is_not_held_is_allocation():
    found = brinson([Segment("in", 1.0, 0.5, 0.1, 0.1), Segment("out", 0.0, 0.5, NAN, 0.3)])
    assert found.effects[1].allocation == pytest.approx(-0.05)
    assert found.effects[1].selection == 0
    own = brinson([Segment("in", 0.5, 1.0, 0.1, 0.1), Segment("own", 0.5, 0.0, 0.3, NAN)])
    assert own.effects[1].allocation == pytest.approx(0.1)
    assert own.effects[1].interaction == 0
    assert total(own) == pytest.approx(own.active_return)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([Segment("a", 0.9, 1.0, 0.1, 0.1)], "portfolio weights must sum to 1, was 0.9"),
        ([Segment("a", 1.0, 1.1, 0.1, 0.1)], "benchmark weights must sum to 1, was 1.1"),
        ([Segment("a", 1.0, 1.0, NAN, 0.1)], "segment a: needs a return where it has weight"),
        ([Segment("a", 1.0, 1.0, 0.1, NAN)], "segment a: needs a return where it has weight"),
        ([Segment("a", 1.0, 1.0, math.inf, 0.1)], "segment a"),
        ([Segment("a", NAN, 1.0, 0.1, 0.1)], "portfolio weights must sum to 1, was nan"),
        ([], "portfolio weights"),
    ],
)
def test_what_cannot_be_attributed_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        brinson(rows)


def test_what_cannot_be_linked_is_refused():
    with pytest.raises(ValueError, match="no periods"):
        linked([])
    with pytest.raises(ValueError, match="lost all"):
        linked([Brinson(-1.0, 0.1, ())])
    with pytest.raises(ValueError, match="lost all"):
        linked([Brinson(0.1, -1.0, ())])


def test_planted_factors_are_found():
    rng = np.random.default_rng(1)
    factors = rng.normal(0.001, 0.01, (2_000, 3))
    returns = 0.0005 + factors @ [1.2, -0.4, 0.0] + rng.normal(0, 0.002, 2_000)

    found = factor_attribution(returns, factors, ["market", "size", "none"])

    assert found.betas == pytest.approx((1.2, -0.4, 0), abs=0.02)
    assert found.alpha == pytest.approx(0.0005, abs=1.5e-4)
    assert found.residual_deviation == pytest.approx(0.002, rel=0.05)
    assert found.r_squared > 0.97
    assert found.t_values[1] > 100
    assert found.t_values[2] < -50
    assert abs(found.t_values[3]) < 3
    assert found.alpha + sum(found.contributions) == pytest.approx(found.mean_return, abs=1e-12)
    assert np.mean(found.residuals) == pytest.approx(0, abs=1e-12)
    assert found.contributions[0] == pytest.approx(found.betas[0] * factors[:, 0].mean())


def test_one_factor_by_hand():
    # x 1, 2, 3 and y 1, 2, 2: slope 1/2, intercept 2/3, residuals -1/6, 1/3, -1/6
    found = factor_attribution(np.array([1.0, 2.0, 2.0]), np.array([[1.0], [2.0], [3.0]]), ["x"])
    assert found.betas == pytest.approx((0.5,))
    assert found.alpha == pytest.approx(2 / 3)
    assert found.residuals == pytest.approx((-1 / 6, 1 / 3, -1 / 6))
    assert found.r_squared == pytest.approx(0.75)
    assert found.residual_deviation == pytest.approx(math.sqrt(1 / 6))
    assert found.t_values == pytest.approx(((2 / 3) / math.sqrt(14 / 6 / 6), 0.5 / math.sqrt(1 / 12)))


def test_periods_with_a_gap_are_left_out():
    returns, factors = np.array([1.0, NAN, 2.0, 2.0, 9.0]), np.array([[1.0], [5.0], [2.0], [3.0], [NAN]])
    assert factor_attribution(returns, factors, ["x"]).betas == pytest.approx((0.5,))


def test_as_many_periods_as_unknowns_leave_no_residual():
    found = factor_attribution(np.array([1.0, 3.0]), np.array([[1.0], [2.0]]), ["x"])
    assert (found.alpha, *found.betas) == pytest.approx((-1, 2))
    assert math.isnan(found.residual_deviation)
    assert all(math.isnan(each) for each in found.t_values)


def test_a_return_that_never_moves_has_no_r_squared():
    found = factor_attribution(np.zeros(3), np.array([[1.0], [2.0], [4.0]]), ["x"])
    assert math.isnan(found.r_squared)
    assert found.alpha == pytest.approx(0)


@pytest.mark.parametrize(
    ("returns", "factors", "message"),
    [
        (np.ones(3), np.ones((3, 1)), "x is constant"),
        (np.ones(1), np.ones((1, 1)), "need 2 periods or more, were 1"),
        (np.ones(3), np.ones((2, 1)), "must be 3 periods of 1"),
        (np.ones(3), np.ones(3), "must be 3 periods of 1"),
    ],
)
def test_factors_that_explain_nothing_are_refused(returns, factors, message):
    with pytest.raises(ValueError, match=message):
        factor_attribution(returns, factors, ["x"])


@pytest.mark.shared_data
def test_empyricals_factors_explain_its_returns(shared_data):
    folder = shared_data / "oracles" / "empyrical"
    with (folder / "factor_returns.csv").open() as file:
        rows = list(csv.reader(file))
    names, factors = rows[0][1:], {row[0]: [float(each) for each in row[1:]] for row in rows[1:]}
    with (folder / "returns.csv").open() as file:
        returns = {day: float(value) for day, value in csv.reader(file)}
    days = [day for day in returns if day in factors]
    assert len(days) > 500

    found = factor_attribution(
        np.array([returns[day] for day in days]), np.array([factors[day] for day in days]), names
    )

    # Loadings of 1 on both, no intercept and no residual, say its other files
    assert found.betas == pytest.approx((1, 1), abs=1e-9)
    assert found.alpha == pytest.approx(0, abs=1e-9)
    assert max(map(abs, found.residuals)) < 1e-9
    assert found.r_squared == pytest.approx(1)


OURS, THEIRS = np.array([0.02, -0.01, 0.03, 0.0]), np.array([0.01, -0.01, 0.02, 0.01])


def test_risk_adjusted_measures_by_hand():
    assert tracking_error(OURS, THEIRS, 4) == pytest.approx(2 * np.std([0.01, 0, 0.01, -0.01], ddof=1))
    slope = np.cov(OURS, THEIRS)[0, 1] / np.var(THEIRS, ddof=1)
    assert treynor(OURS, THEIRS, 4) == pytest.approx(0.04 / slope)
    assert treynor(OURS, THEIRS, 4, 0.002) == pytest.approx((0.04 - 0.008) / slope)
    assert math.isnan(treynor(OURS, np.zeros(4)))
    assert math.isnan(treynor(np.array([]), np.array([])))
    ratio = 0.01 / np.std(OURS, ddof=1) * 2
    assert modigliani(OURS, THEIRS, 4) == pytest.approx(ratio * np.std(THEIRS, ddof=1) * 2)
    assert modigliani(THEIRS, THEIRS, 4, 0.001) == pytest.approx(THEIRS.mean() * 4)  # The benchmark's is its own return


def test_ulcer_index_by_hand():
    falls = np.array([-0.1, 0.0, 1 / 9])  # 0.9, 0.9, 1.0: the start counts as a peak
    assert ulcer_index(falls) == pytest.approx(math.sqrt(0.02 / 3))
    assert ulcer_index(np.array([0.1, 0.1])) == 0
    assert math.isnan(ulcer_index(np.array([])))
    assert math.isnan(martin_ratio(np.array([0.1, 0.1])))
    drop = np.array([0.21, -0.1])
    assert martin_ratio(drop, 2) == pytest.approx((1.21 * 0.9 - 1) / math.sqrt(0.01 / 2))
