"""Volatility found again in prices made with a known one, with and without noise."""

import numpy as np
import pytest

from njord.market.microstructure import (
    best_scale,
    noise_variance,
    realised_variance,
    sampled_prices,
    two_scale_variance,
    two_scale_volatility,
    volatility,
)

COUNT = 23_400  # Seconds of a trading day
VARIANCE = 0.2**2 / 252
NOISE = 1e-4
SECOND = 1_000_000_000


def noisy_day(seed, noise=NOISE, count=COUNT):
    """The logarithm of a geometric Brownian motion of 20 % a year for a day, seen with independent noise."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(-VARIANCE / 2 / count, np.sqrt(VARIANCE / count), count)
    return np.concatenate([[0.0], np.cumsum(steps)]) + rng.normal(0, noise, count + 1)


def test_two_scales_are_unbiased_where_the_naive_sum_is_not():
    days = [noisy_day(seed) for seed in range(400)]
    naive = np.array([realised_variance(day) for day in days])
    cleaned = np.array([two_scale_variance(day) for day in days])

    assert cleaned.std() / np.sqrt(400) < 0.006 * VARIANCE
    assert cleaned.mean() == pytest.approx(VARIANCE, rel=0.02)
    # Four times too much, and exactly by the noise
    bias = 2 * COUNT * NOISE**2
    assert naive.mean() - VARIANCE == pytest.approx(bias, rel=0.01)
    assert naive.mean() > 3.9 * VARIANCE


@pytest.mark.parametrize("scale", [2, 30, 300])
def test_two_scales_are_unbiased_at_any_scale_and_on_short_samples(scale):
    days = [noisy_day(seed, count=1000) for seed in range(3000)]

    cleaned = np.array([two_scale_variance(day, scale) for day in days])

    assert abs(cleaned.mean() - VARIANCE) < 4 * cleaned.std() / np.sqrt(3000)
    assert abs(cleaned.mean() / VARIANCE - 1) < 0.03


def test_best_scale_grows_with_the_noise():
    scales = [best_scale(noisy_day(3, noise)) for noise in (0, 1e-5, 1e-4, 5e-4, 2e-3)]

    assert scales[0] == 2
    assert scales == sorted(scales)
    # c n^(2/3) for the noise that was put in
    assert scales[3] == pytest.approx((12 * (5e-4**2 * COUNT / VARIANCE) ** 2) ** (1 / 3), rel=0.3)
    days = [noisy_day(seed, 5e-4) for seed in range(100)]
    error = {scale: np.std([two_scale_variance(day, scale) for day in days]) for scale in (2, scales[3], 800)}
    assert error[scales[3]] < min(error[2], error[800])


def test_two_scales_by_hand():
    # Changes over 2: 2, 2, -1, 0, squares 9 on two grids; over 1: 1, 1, 1, -2, 2, squares 11; 4 / 2 of 5 on a grid
    price = np.array([0.0, 1, 2, 3, 1, 3])

    assert two_scale_variance(price, 2) == pytest.approx((9 / 2 - 2 / 5 * 11) / (2 / 5))


def test_noise_is_told_from_fine_samples():
    day = noisy_day(1, noise=0.01)

    assert noise_variance(day) == pytest.approx(0.01**2, rel=0.05)


def test_volatility_is_per_square_root_of_a_second_at_any_interval():
    rng = np.random.default_rng(6)
    # Moves at irregular times: 0.05 per square root of a second
    gaps = rng.exponential(0.1, 400_000)
    price = np.concatenate([[50.0], 50 + np.cumsum(rng.normal(0, 0.05 * np.sqrt(gaps)))])
    time_ns = np.concatenate([[0], np.cumsum(gaps) * SECOND]).astype(np.int64)

    for interval_s, within in ((0.5, 0.01), (1, 0.02), (10, 0.05)):
        assert volatility(time_ns, price, int(interval_s * SECOND)) == pytest.approx(0.05, rel=within)
    # Jitter of a tenth of a price unit trebles it, and is gone with two scales
    seen = price + rng.normal(0, 0.1, len(price))
    assert volatility(time_ns, seen, SECOND) == pytest.approx(np.sqrt(0.05**2 + 2 * 0.1**2), rel=0.02)
    assert two_scale_volatility(time_ns, seen, SECOND) == pytest.approx(0.05, rel=0.05)


def test_samples_are_the_last_prices_known():
    found = sampled_prices(np.array([5, 7, 7, 20]), np.array([1.0, 2, 3, 4]), 5)

    assert found.tolist() == [1, 3, 3, 4]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: realised_variance(np.ones(1)), "price: at least 2"),
        (lambda: realised_variance(np.array([1.0, np.nan])), "price: must be finite"),
        (lambda: two_scale_variance(np.ones(4)), "price: at least 5"),
        (lambda: two_scale_variance(np.ones(11), 1), r"scale: must be 2 \.\. 5"),
        (lambda: two_scale_variance(np.ones(11), 6), r"scale: must be 2 \.\. 5"),
        (lambda: volatility(np.arange(3), np.ones(3), 0), "interval_ns: must be > 0"),
        (lambda: volatility(np.arange(3), np.ones(3), 10), "price: at least 2"),
        (lambda: volatility(np.array([1, 0]), np.ones(2), 1), "time_ns: must rise"),
        (lambda: volatility(np.arange(3), np.ones(2), 1), "price: 2 for 3 times"),
        (lambda: volatility(np.array([0, 10**12]), np.ones(2), 1), "more than"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
