"""VaR and ES: known quantiles, a rolling window equal to recomputing, and models that agree where they must."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.risk.value_at_risk import (
    HistoricalWindow,
    Rank,
    decay_of,
    ewma_covariance,
    historical,
    monte_carlo,
    normal_quantiles,
    parametric,
    rank,
    scenarios,
    sigma_of,
)

P99, P975, P95 = Decimal("0.99"), Decimal("0.975"), Decimal("0.95")
PNL = st.floats(-1e9, 1e9)


@pytest.mark.parametrize(
    ("count", "confidence", "expected"),
    [(250, P99, (2, 0.5)), (100, P99, (1, 0)), (99, P99, (0, 0.99)), (1, P99, (0, 0.01)), (1000, P975, (25, 0)),
     (7, Decimal("0.7"), (2, 0.1)), (1_000_000, P99, (10_000, 0))],
)  # fmt: skip
def test_the_rank_is_exact(count, confidence, expected):
    assert rank(count, confidence) == Rank(expected[0], pytest.approx(expected[1], abs=1e-12))


@pytest.mark.parametrize(("count", "confidence"), [(0, P99), (1_000_001, P99), (5, Decimal(1)), (5, Decimal(0))])
def test_what_cannot_be_ranked_is_refused(count, confidence):
    with pytest.raises(ValueError, match="value at risk"):
        rank(count, confidence)


def test_historical_by_hand():
    pnl = np.array([float(x) for x in range(-5, 95)])  # 100 scenarios: -5 is the worst

    assert historical(pnl, P99) == (4.0, 5.0)
    assert historical(pnl, P95) == (0.0, 3.0)
    assert historical(pnl[::-1].copy(), P975) == (3.0, pytest.approx((5 + 4 + 0.5 * 3) / 2.5))
    assert historical(np.array([7.0]), P99) == (-7.0, -7.0)  # A certain gain is a negative loss


def test_250_scenarios_at_99_percent():
    pnl = np.zeros(250)
    pnl[[3, 77, 200]] = -10, -30, -20

    assert historical(pnl, P99) == (10, pytest.approx((30 + 20 + 5) / 2.5))


@pytest.mark.parametrize("place", [0, 1, 9])
def test_a_scenario_that_is_no_number_is_refused(place):
    pnl = np.arange(10.0)
    pnl[place] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        historical(pnl, P95)


@given(st.lists(PNL, min_size=1, max_size=200), st.integers(1, 40))
def test_the_window_equals_recomputing(stream, size):
    window = HistoricalWindow(size, P95)
    for count, pnl in enumerate(stream, 1):
        window.add(pnl)
        kept = stream[max(0, count - size) : count]
        assert len(window) == len(kept)
        assert window.values == tuple(kept)
        assert window.tail() == historical(np.array(kept), P95)


def test_the_window_equals_recomputing_over_a_long_stream_with_ties():
    rng = np.random.default_rng(2)
    stream = np.round(rng.standard_t(3, 3_000), 1).tolist()
    window = HistoricalWindow(250, P99)
    for count, pnl in enumerate(stream, 1):
        window.add(pnl)
        assert window.tail() == historical(np.array(stream[max(0, count - 250) : count]), P99)


@pytest.mark.parametrize("pnl", [math.nan, math.inf, -math.inf])
def test_the_window_takes_numbers_only(pnl):
    window = HistoricalWindow(3, P99)
    with pytest.raises(ValueError, match="finite"):
        window.add(pnl)
    assert len(window) == 0


def test_an_empty_window_has_no_tail():
    with pytest.raises(ValueError, match="scenarios"):
        HistoricalWindow(3, P99).tail()
    with pytest.raises(ValueError, match="scenarios"):
        HistoricalWindow(0, P99)


def test_normal_quantiles():
    assert normal_quantiles(P99) == pytest.approx((2.326348, 2.665214), abs=5e-7)
    assert normal_quantiles(P975).shortfall == pytest.approx(2.337803, abs=5e-7)
    assert parametric(2.0, P99) == pytest.approx((2 * 2.326348, 2 * 2.665214), abs=2e-6)
    assert parametric(0.0, P99) == (0, 0)


@given(st.lists(PNL, min_size=1, max_size=100))
def test_shortfall_is_never_less_than_value_at_risk(pnl):
    found = historical(np.array(pnl), P95)
    assert found.shortfall >= found.value_at_risk - 1e-6 * abs(found.value_at_risk)


@given(st.lists(st.tuples(PNL, PNL), min_size=1, max_size=60))
def test_shortfall_of_two_books_is_at_most_the_sum(pairs):
    first, second = np.array(pairs).T
    together = historical(first + second, Decimal("0.9")).shortfall
    apart = historical(first, Decimal("0.9")).shortfall + historical(second, Decimal("0.9")).shortfall
    assert together <= apart + 1e-3


def test_decay():
    assert decay_of(1) == 0.5
    assert decay_of(math.log(0.5) / math.log(0.94)) == pytest.approx(0.94)


def test_covariance_equals_the_recursion():
    rng = np.random.default_rng(4)
    returns = rng.normal(size=(3, 2_000))
    decay = decay_of(20.0)
    recursive = np.zeros((3, 3))
    for row in returns.T:
        recursive = decay * recursive + (1 - decay) * np.outer(row, row)

    assert ewma_covariance(returns, 20.0) == pytest.approx(recursive, abs=1e-12)


def test_covariance_by_hand():
    returns = np.array([[1.0, 2.0], [0.0, 3.0]])  # Weights 1/3 and 2/3
    assert ewma_covariance(returns, 1.0) == pytest.approx(np.array([[1 / 3 + 8 / 3, 4.0], [4.0, 6.0]]))
    with pytest.raises(ValueError, match="no covariance"):
        ewma_covariance(np.empty((2, 0)), 1.0)


def test_sigma_of_a_portfolio():
    covariance = np.array([[0.04, 0.006], [0.006, 0.09]])
    assert sigma_of(covariance, np.array([1.0, 0.0])) == pytest.approx(0.2)
    assert sigma_of(covariance, np.array([2.0, -1.0])) == pytest.approx(math.sqrt(0.16 + 0.09 - 0.024))
    one = np.array([[0.04, 0.04], [0.04, 0.04]])
    assert sigma_of(one, np.array([1.0, -1.0])) == 0


COVARIANCE = np.array([[4.0, 1.2, 0.0], [1.2, 9.0, -0.5], [0.0, -0.5, 1.0]]) * 1e-4
BOOK = np.array([1_000.0, -500.0, 2_000.0])


def test_simulated_converges_to_parametric():
    exact = parametric(sigma_of(COVARIANCE, BOOK), P99)
    found = monte_carlo(COVARIANCE, BOOK, P99, 1_000_000, np.random.default_rng(1))

    assert found.value_at_risk == pytest.approx(exact.value_at_risk, rel=0.01)
    assert found.shortfall == pytest.approx(exact.shortfall, rel=0.01)

    def error(paths):
        spread = [
            monte_carlo(COVARIANCE, BOOK, P99, paths, np.random.default_rng(seed)).value_at_risk - exact.value_at_risk
            for seed in range(20)
        ]
        return float(np.sqrt(np.mean(np.square(spread))))

    assert error(20_000) < error(500) / 3


def test_simulation_is_seeded():
    first = monte_carlo(COVARIANCE, BOOK, P99, 1_000, np.random.default_rng(5))
    assert first == monte_carlo(COVARIANCE, BOOK, P99, 1_000, np.random.default_rng(5))
    assert first != monte_carlo(COVARIANCE, BOOK, P99, 1_000, np.random.default_rng(6))


@pytest.mark.parametrize(
    "covariance",
    [np.array([[1.0, 1.0], [1.0, 1.0]]), np.zeros((2, 2)), np.array([[0.0, 0.0], [0.0, 4.0]]), COVARIANCE * 1e4],
)
def test_simulated_returns_have_the_covariance_singular_or_not(covariance):
    found = scenarios(covariance, 200_000, np.random.default_rng(7))
    assert found.shape == (len(covariance), 200_000)
    assert np.cov(found, ddof=0) == pytest.approx(covariance, abs=0.08)
    if covariance[0, 0] == 1:
        assert np.array_equal(found[0], found[1])
