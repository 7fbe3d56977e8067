"""Processes have the moments their formulas say, within three standard errors."""

import hashlib

import numpy as np
import pytest

from njord.market.synthetic import processes

STEPS = 1_000_000
DAY = 1 / 365


def gbm(seed):
    rng = np.random.default_rng(seed)
    correlation = np.array([[1.0, 0.6], [0.6, 1.0]])
    return processes.gbm_paths(
        rng, np.array([100.0, 50.0]), np.array([0.08, -0.05]), np.array([0.2, 0.45]), correlation, DAY, STEPS // 2
    )


def test_geometric_brownian_motion():
    moves = np.diff(np.log(gbm(1)), axis=0)
    count, volatility, drift = len(moves), np.array([0.2, 0.45]), np.array([0.08, -0.05])
    variance = volatility**2 * DAY

    mean_error = moves.mean(axis=0) - (drift - volatility**2 / 2) * DAY
    assert (np.abs(mean_error) < 3 * np.sqrt(variance / count)).all()
    assert (np.abs(moves.var(axis=0) - variance) < 3 * variance * np.sqrt(2 / count)).all()
    correlation = np.corrcoef(moves.T)[0, 1]
    assert abs(correlation - 0.6) < 3 * (1 - 0.6**2) / np.sqrt(count)


def test_the_same_seed_is_the_same_path():
    first, second = (hashlib.sha256(gbm(7).tobytes()).hexdigest() for _ in range(2))

    assert first == second
    assert hashlib.sha256(gbm(8).tobytes()).hexdigest() != first


def test_mean_reversion_is_stationary_as_it_says():
    rng = np.random.default_rng(3)
    reversion, volatility, years, steps, paths = 4.0, 0.02, 0.01, 200, 20_000
    state = np.full(paths, 0.09)
    for _ in range(steps):  # Eight times 1 / reversion: the start is forgotten
        state = processes.mean_reverting(state, 0.04, reversion, volatility, years, rng.standard_normal(paths))
    later = state
    for _ in range(10):
        later = processes.mean_reverting(later, 0.04, reversion, volatility, years, rng.standard_normal(paths))
    variance = volatility**2 / (2 * reversion)

    assert abs(state.mean() - 0.04 - 0.05 * np.exp(-8)) < 3 * np.sqrt(variance / paths)
    assert abs(state.var() - variance) < 3 * variance * np.sqrt(2 / paths)
    expected = np.exp(-reversion * 10 * years)
    found = np.corrcoef(state, later)[0, 1]
    assert abs(found - expected) < 3 * (1 - expected**2) / np.sqrt(paths)


def test_one_long_step_of_mean_reversion_is_many_short_ones():
    once = processes.mean_reverting(1.0, 0.2, 3.0, 0.5, 0.5, 0.0)
    state = 1.0
    for _ in range(50):
        state = processes.mean_reverting(state, 0.2, 3.0, 0.5, 0.01, 0.0)

    assert float(once) == pytest.approx(float(state), rel=1e-12)


def test_variance_keeps_its_mean_and_spread():
    rng = np.random.default_rng(5)
    reversion, paths = 10.0, 20_000
    volatility = 0.5 * np.sqrt(2 * reversion)  # Standard deviation half the mean
    state = np.ones(paths)
    for _ in range(800):
        state = processes.square_root(state, 1.0, reversion, volatility, 0.001, rng.standard_normal(paths))

    assert abs(state.mean() - 1) < 3 * 0.5 / np.sqrt(paths)
    # The step's bias is of the order of reversion x years: 1 %
    assert state.var() == pytest.approx(0.25, rel=0.05)


def test_jumps_of_merton():
    rng = np.random.default_rng(9)
    per_year, mean, deviation, years = np.array([300.0]), -0.002, 0.01, 1 / 365
    counts = processes.jump_counts(rng, np.repeat(per_year, STEPS), years)
    found = processes.jumps(counts, mean, deviation, rng.standard_normal(STEPS))
    rate = 300 * years
    variance = rate * (mean**2 + deviation**2)
    # The fourth cumulant of a compound Poisson sum, for the error of its variance
    fourth = rate * (mean**4 + 6 * mean**2 * deviation**2 + 3 * deviation**4)

    assert abs(found.mean() - rate * mean) < 3 * np.sqrt(variance / STEPS)
    assert abs(found.var() - variance) < 3 * np.sqrt((fourth + 2 * variance**2) / STEPS)
    grown = np.exp(found).mean() - 1
    assert grown == pytest.approx(float(processes.jump_compensator(300.0, mean, deviation)) * years, rel=0.02)


def test_the_factor_of_a_correlation_is_lapacks():
    rng = np.random.default_rng(2)
    loadings = rng.uniform(-0.7, 0.7, 12)
    correlation = np.outer(loadings, loadings)
    np.fill_diagonal(correlation, 1)

    factor = processes.cholesky_of(correlation)

    np.testing.assert_allclose(factor, np.linalg.cholesky(correlation), atol=1e-14)
    np.testing.assert_allclose(processes.weighted(factor, loadings), factor @ loadings, atol=1e-14)


def test_what_is_no_correlation_is_refused():
    with pytest.raises(ValueError, match="positive definite"):
        processes.cholesky_of(np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]))
    with pytest.raises(ValueError, match="diagonal"):
        processes.cholesky_of(np.array([[2.0, 0.0], [0.0, 1.0]]))


def test_half_of_a_deviation_is_gone_after_a_half_life():
    reversion = processes.reversion_of(0.25)

    assert float(processes.mean_reverting(1.0, 0.0, reversion, 0.1, 0.25, 0.0)) == pytest.approx(0.5)
