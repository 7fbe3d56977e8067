"""Estimates that follow a market which changes: how far they are after three half-lives, and that quotes follow."""

import itertools
import math

import numpy as np
import pytest

from njord.strategies.market_making import glft
from njord.strategies.market_making.adaptation import Arrivals, Volatility, keep

A, K, SIGMA = 2.0, 1.5, 0.3
# Of estimates to 1 %; the past alone takes 7 of the 10 % there are
HALF_LIFE = 4_000
SEEDS = 30


def test_half_of_the_weight_is_lost_in_a_half_life():
    assert keep(10, 10) == 0.5
    assert keep(30, 10) == 0.125
    assert keep(0, 10) == 1


def test_first_estimates_have_no_starting_value_in_them():
    arrivals, volatility = Arrivals(100), Volatility(100)
    assert math.isnan(arrivals.estimate()[0])

    arrivals.update(2.0, 1.5, 0.5)
    volatility.update(-3.0, 4.0)

    intensity, decay = arrivals.estimate()
    assert decay == 1  # One over how far past the touch
    assert intensity == pytest.approx(
        0.5 * math.exp(0.5)
    )  # One in two seconds got to the touch, e^(k touch) to the mid
    assert volatility.sigma() == 1.5


def test_equal_weights_give_the_batch_estimate():
    from njord.strategies.market_making.calibration import fit_orders

    rng = np.random.default_rng(1)
    depths, waits = 0.5 + np.floor(rng.exponential(2, 300)), rng.exponential(1, 300)
    follows = Arrivals(1e15, tick=1.0)
    for wait_s, depth in zip(waits.tolist(), depths.tolist(), strict=True):
        follows.update(wait_s, depth, 0.5)

    batch = fit_orders(depths, float(waits.sum()), touch=0.5, tick=1.0)

    assert follows.estimate() == pytest.approx((batch.intensity, batch.decay), rel=1e-9)


def test_silence_lowers_the_rate():
    arrivals = Arrivals(50)
    for _ in range(200):
        arrivals.update(1.0, 1.0, 0.0)
    rates = [arrivals.estimate(open_s)[0] for open_s in (0, 0.5, 1, 10, 100, 10_000)]

    assert rates[0] == rates[1] == rates[2] == pytest.approx(1)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.01


def stepped(seed, half_lives):
    """Estimates after a long calm and then ``half_lives`` of a market with twice the volatility and half the orders."""
    rng = np.random.default_rng(seed)
    calm, after = 8 * HALF_LIFE, round(half_lives * HALF_LIFE)
    arrivals, volatility = Arrivals(HALF_LIFE), Volatility(float(HALF_LIFE))
    waits = np.r_[rng.exponential(1 / A, calm), rng.exponential(2 / A, after)]
    for wait_s, depth in zip(waits.tolist(), rng.exponential(1 / K, calm + after).tolist(), strict=True):
        arrivals.update(wait_s, depth, 0.0)
    for change in np.r_[rng.normal(0, SIGMA, calm), rng.normal(0, 2 * SIGMA, after)].tolist():
        volatility.update(change, 1.0)
    return (*arrivals.estimate(), volatility.sigma())


@pytest.mark.slow
def test_a_step_is_followed_to_a_tenth_within_three_half_lives():
    found = np.array([stepped(seed, 3) for seed in range(SEEDS)])

    error = found / (A / 2, K, 2 * SIGMA) - 1
    # What theory leaves of the past: an eighth of it, in the mean wait and in the variance
    left = np.array([8 / 15 * 2 - 1, 0, math.sqrt(3.625) / 2 - 1])
    noise = np.array([1, 1, math.sqrt(0.5)]) / math.sqrt(2 / math.log(2) * HALF_LIFE)
    assert left == pytest.approx([0.0667, 0, -0.048], abs=1e-4)
    assert np.abs(error.mean(axis=0) - left).max() < 4 * noise.max() / math.sqrt(SEEDS)
    assert error.std(axis=0) == pytest.approx(noise, rel=0.4)
    assert (np.abs(error) < 0.1).mean(axis=0).min() >= 0.95
    assert np.abs(error).mean(axis=0).max() < 0.08
    # One half-life is not enough
    assert np.abs(np.array([stepped(seed, 1) for seed in range(3)])[:, 0] / (A / 2) - 1).min() > 0.2


def test_quotes_widen_monotonically_after_the_step():
    # Without noise: every order waits the mean and reaches the mean, every move is one deviation
    arrivals, volatility = Arrivals(20), Volatility(20.0)
    spreads = []
    for step in range(400):
        late = step >= 200
        arrivals.update((2 if late else 1) / A, 1 / K, 0.0)
        volatility.update((2 if late else 1) * SIGMA, 1.0)
        intensity, decay = arrivals.estimate()
        model = glft.Parameters(gamma=0.1, sigma=volatility.sigma(), intensity=intensity, decay=decay)
        spreads.append(sum(glft.closed_form(model, 0)))

    calm, after = spreads[:200], spreads[199:]
    assert max(calm) - min(calm) < 1e-9
    assert all(now > before for before, now in itertools.pairwise(after[:100]))
    assert after == sorted(after)
    settled = sum(glft.closed_form(glft.Parameters(gamma=0.1, sigma=2 * SIGMA, intensity=A / 2, decay=K), 0))
    assert spreads[260] == pytest.approx(settled, rel=0.1)
    assert spreads[-1] == pytest.approx(settled, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Arrivals(0), "half_life_orders: must be > 0"),
        (lambda: Arrivals(10, tick=-1), "tick: must be >= 0"),
        (lambda: Arrivals(10).update(-1, 1, 0), "wait_s: must be >= 0"),
        (lambda: Arrivals(10).update(1, math.nan, 0), "depth: must be a finite number"),
        (lambda: Volatility(-1), "half_life_s: must be > 0"),
        (lambda: Volatility(1).update(1, 0), "elapsed_s: must be > 0"),
        (lambda: Volatility(1).update(math.inf, 1), "change: must be a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
