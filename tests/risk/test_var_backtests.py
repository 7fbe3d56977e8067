"""Backtests of VaR: published tables, closed forms, and data whose answer is known."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.risk.var_backtests import (
    Light,
    conditional_coverage,
    exceptions,
    independence,
    kupiec,
    traffic_light,
)

REJECT_AT_95 = 3.841459


@pytest.mark.parametrize(
    ("failed", "ratio"),
    [(0, 5.0252), (1, 1.1765), (2, 0.1084), (3, 0.0949), (4, 0.7691), (5, 1.9568), (6, 3.5554), (7, 5.4970),
     (10, 12.9555)],
)  # fmt: skip
def test_kupiec_table(failed, ratio):
    found = kupiec(failed, 250, 0.01)

    assert round(found.ratio, 4) == ratio
    assert (found.p_value < 0.05) == (ratio > REJECT_AT_95)


def test_the_p_value_is_that_of_chi_square():
    # 95 % points of 1 and 2 degrees of freedom
    assert math.erfc(math.sqrt(REJECT_AT_95 / 2)) == pytest.approx(0.05, abs=1e-7)
    found = kupiec(7, 250, 0.01)
    assert found.p_value == pytest.approx(2 * NormalDist().cdf(-math.sqrt(found.ratio)), abs=1e-12)
    failed = [False] * 100 + [True] * 5
    both = conditional_coverage(failed, 0.01)
    assert both.p_value == pytest.approx(math.exp(-both.ratio / 2))


def test_exactly_what_was_expected_is_no_evidence():
    assert kupiec(5, 100, 0.05).ratio == pytest.approx(0, abs=1e-12)
    assert kupiec(5, 100, 0.05).p_value == pytest.approx(1, abs=1e-6)
    assert kupiec(100, 100, 0.5).ratio == pytest.approx(200 * math.log(2))


@pytest.mark.parametrize(("failed", "count", "p"), [(1, 0, 0.1), (0, 0, 0.1), (-1, 5, 0.1), (6, 5, 0.1), (1, 5, 0.0),
                                                    (1, 5, 1.0)])  # fmt: skip
def test_kupiec_refuses_what_makes_no_sense(failed, count, p):
    with pytest.raises(ValueError, match="backtest"):
        kupiec(failed, count, p)


def by_hand(n00, n01, n10, n11):
    p01, p11 = n01 / (n00 + n01), n11 / (n10 + n11)
    p = (n01 + n11) / (n00 + n01 + n10 + n11)
    apart = n00 * math.log(1 - p01) + n01 * math.log(p01) + n10 * math.log(1 - p11) + n11 * math.log(p11)
    return 2 * (apart - (n00 + n10) * math.log(1 - p) - (n01 + n11) * math.log(p))


def test_independence_by_hand():
    failed = [False, False, True, True, False, True, False, False, False, True, True, True, False]
    assert independence(failed).ratio == pytest.approx(by_hand(3, 3, 3, 3), abs=1e-12)
    failed = [False] * 6 + [True] * 4 + [False] * 5 + [True, False]
    assert independence(failed).ratio == pytest.approx(by_hand(9, 2, 2, 3))
    assert independence(failed).ratio > 1


def test_clusters_are_found_and_scattered_ones_are_not():
    clustered = ([False] * 90 + [True] * 10) * 3
    scattered = ([False] * 9 + [True]) * 30

    assert independence(clustered).p_value < 1e-6
    assert kupiec(sum(clustered), len(clustered), 0.1).p_value > 0.99
    assert conditional_coverage(clustered, 0.1).p_value < 1e-6
    # So regular that no exception ever follows another: this too is dependence
    assert independence(scattered).ratio > REJECT_AT_95


@pytest.mark.parametrize("failed", [[False] * 250, [True] * 10, [False, True], [True, False]])
def test_one_state_alone_says_nothing(failed):
    assert independence(failed).ratio == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("failed", [[], [True]])
def test_independence_needs_two(failed):
    with pytest.raises(ValueError, match="two intervals"):
        independence(failed)


def test_right_models_are_rejected_as_often_as_the_level_says():
    rng = np.random.default_rng(3)
    draws = rng.random((400, 1_000)) < 0.05
    uc = np.mean([kupiec(int(row.sum()), 1_000, 0.05).p_value < 0.05 for row in draws])
    cc = np.mean([conditional_coverage(row.tolist(), 0.05).p_value < 0.05 for row in draws])
    assert 0.02 < uc < 0.09
    assert 0.02 < cc < 0.10


@given(st.lists(st.booleans(), min_size=2, max_size=300))
def test_ratios_are_never_negative_and_p_values_are_probabilities(failed):
    for found in (independence(failed), conditional_coverage(failed, 0.05), kupiec(sum(failed), len(failed), 0.05)):
        assert found.ratio >= 0
        assert 0 <= found.p_value <= 1


@pytest.mark.parametrize(
    ("failed", "light", "plus"),
    [(0, Light.GREEN, 0), (4, Light.GREEN, 0), (5, Light.YELLOW, 0.4), (6, Light.YELLOW, 0.5), (7, Light.YELLOW, 0.65),
     (8, Light.YELLOW, 0.75), (9, Light.YELLOW, 0.85), (10, Light.RED, 1), (250, Light.RED, 1)],
)  # fmt: skip
def test_traffic_light(failed, light, plus):
    assert traffic_light(failed) == (light, plus)


@pytest.mark.parametrize("failed", [-1, 251])
def test_traffic_light_is_of_250_intervals(failed):
    with pytest.raises(ValueError, match="0 to 250"):
        traffic_light(failed)


def test_an_exception_loses_more_than_was_said():
    assert exceptions([-10.0, -10.1, 5.0], [10.0, 10.0, 10.0]) == [False, True, False]
    with pytest.raises(ValueError, match="1 and 2"):
        exceptions([1.0, 2.0], [1.0])
