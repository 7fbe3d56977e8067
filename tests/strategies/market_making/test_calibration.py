"""A and k found again in markets made with known ones, with honest standard errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.strategies.market_making.calibration import (
    VirtualFills,
    fit_log_linear,
    fit_orders,
    fit_waits,
    wait_for_fills,
)

A, K, T = 140.0, 1.5, 50.0


def market(seed, touch=0.0):
    """Depths from the mid of the orders that got to the touch in T, and their times."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, T, rng.poisson(A * math.exp(-K * touch) * T)))
    return times, touch + rng.exponential(1 / K, len(times))


def fits(fit, seeds=range(200)):
    found = [fit(seed) for seed in seeds]
    return {name: np.array([getattr(each, name) for each in found]) for name in found[0].__struct_fields__}


def agrees(values, truth, standard_errors):
    """Mean within 4 of its standard errors of the truth; spread as the errors say; 95 % intervals cover."""
    assert abs(values.mean() - truth) < 4 * values.std() / math.sqrt(len(values)) + 2e-3 * truth
    assert values.std() == pytest.approx(standard_errors.mean(), rel=0.2)
    assert (np.abs(values - truth) < 1.96 * standard_errors).mean() == pytest.approx(0.95, abs=0.05)


def test_by_hand():
    found = fit_orders(np.array([1.0, 2.0, 3.0]), 6)

    assert (found.decay, found.intensity) == (0.5, 0.5)
    assert found.decay_se == pytest.approx(0.5 / math.sqrt(3))
    assert found.intensity_se == pytest.approx(math.sqrt(0.5 / 6))  # sqrt(A / T)
    assert found.orders == 3
    assert found.at(2.0) == pytest.approx(0.5 * math.exp(-1))


def test_maximum_likelihood_from_the_mid():
    found = fits(lambda seed: fit_orders(market(seed)[1], T))

    agrees(found["decay"], K, found["decay_se"])
    agrees(found["intensity"], A, found["intensity_se"])
    # 7 000 orders: k to 0.018
    assert found["decay_se"].mean() == pytest.approx(0.018, abs=0.0005)


@pytest.mark.parametrize("touch", [0.3, 1.0])
def test_orders_are_seen_from_the_touch_on_and_the_rate_at_the_mid_is_extrapolated(touch):
    found = fits(lambda seed: fit_orders(market(seed, touch)[1], T, touch=touch))

    agrees(found["decay"], K, found["decay_se"])
    agrees(found["intensity"], A, found["intensity_se"])
    assert found["touch_rate"].mean() == pytest.approx(A * math.exp(-K * touch), rel=0.01)
    # Who forgets the truncation finds a market half as steep, and calmer
    naive = fit_orders(market(0, touch)[1], T)
    assert naive.decay < K / (1 + K * touch) * 1.1
    assert naive.intensity < A * math.exp(-K * touch) * 1.1


@pytest.mark.parametrize("stood", [None, (np.array([0.2, 0.8]), np.array([T, T]))])
def test_a_touch_that_moves(stood):
    def moving(seed):
        # Half of the time the touch is at 0.2, half at 0.8
        near, far = market(seed, 0.2)[1], market(seed + 10_000, 0.8)[1]
        touch = np.r_[np.full(len(near), 0.2), np.full(len(far), 0.8)]
        return fit_orders(np.r_[near, far], 2 * T, touch=touch, stood=stood)

    found = fits(moving)

    agrees(found["decay"], K, found["decay_se"])
    agrees(found["intensity"], A, found["intensity_se"])


def test_rare_wide_touches_do_not_spoil_the_rate_where_their_time_is_known():
    # A touch of 4 for half of the time: one order there stands for 400 at the mid
    def wide(seed, stood):
        near, far = market(seed, 0.2)[1], market(seed + 10_000, 4.0)[1]
        touch = np.r_[np.full(len(near), 0.2), np.full(len(far), 4.0)]
        return fit_orders(np.r_[near, far], 2 * T, touch=touch, stood=stood)

    known = fits(lambda seed: wide(seed, (np.array([0.2, 4.0]), np.array([T, T]))))
    unknown = fits(lambda seed: wide(seed, None))

    agrees(known["intensity"], A, known["intensity_se"])
    assert known["intensity"].std() < 0.5 * unknown["intensity"].std()


def test_only_the_stated_range_counts():
    def bent(seed):
        # Beyond a depth of 1 the market is another one
        _, depths = market(seed)
        return fit_orders(np.where(depths > 1, 1 + (depths - 1) * 5, depths), T, depth_min=0.2, depth_max=1.0)

    found = fits(bent)

    agrees(found["decay"], K, found["decay_se"])
    agrees(found["intensity"], A, found["intensity_se"])
    whole = fit_orders(np.where(market(0)[1] > 1, 5.0, market(0)[1]), T)
    assert whole.decay < 0.8 * K


def test_depths_on_a_grid():
    # A tick of 0.5 and a touch at half a tick: the last level an order reaches is a whole number of ticks further
    def on_grid(seed, tick):
        depths = 0.25 + 0.5 * np.floor((market(seed, 0.25)[1] - 0.25) / 0.5)
        return fit_orders(depths, T, touch=0.25, tick=tick)

    found = fits(lambda seed: on_grid(seed, 0.5))

    agrees(found["decay"], K, found["decay_se"])
    agrees(found["intensity"], A, found["intensity_se"])
    assert on_grid(0, 0.0).decay > 1.3 * K


@given(st.floats(0.01, 100))
def test_units_are_the_callers(unit):
    _, depths = market(1)
    in_ticks, in_half_ticks = fit_orders(depths, T), fit_orders(depths * 2, T)

    assert in_half_ticks.decay == pytest.approx(in_ticks.decay / 2)
    assert fit_orders(depths * unit, T).decay == pytest.approx(in_ticks.decay / unit)
    assert fit_orders(depths, T * unit).intensity == pytest.approx(in_ticks.intensity / unit)


def test_regression_is_worse_than_maximum_likelihood():
    # Cumulative counts of the same orders, all weighing the same: the last few points rest on a handful of orders
    grid = np.arange(0, 8, 0.1)
    likely = fits(lambda seed: fit_orders(market(seed)[1], T), range(400))["decay"]
    regressed = fits(lambda seed: fit_log_linear(market(seed)[1], T, grid), range(400))["decay"]
    short = fits(lambda seed: fit_log_linear(market(seed)[1], T, grid[grid <= 2]), range(400))["decay"]

    error, bias = likely.std(), regressed.mean() - K
    assert bias < -3 * regressed.std() / math.sqrt(400)
    assert regressed.std() > 5 * error
    assert short.std() > 1.2 * error
    # A miss of 0.043, as one published comparison shows, is nothing unusual for it, and would be for the likelihood
    assert (np.abs(regressed - K) >= 0.043).mean() > 0.3
    assert (np.abs(likely - K) >= 0.043).mean() < 0.05


def test_waits_by_hand():
    # Orders at 1, 2, 5 that reach 1, 3, 1
    seen = wait_for_fills(
        np.array([1.0, 2, 5]), np.array([1.0, 3, 1]), np.array([1.0, 2, 9]), np.array([0.0, 1, 3]), 10
    )

    assert seen.fills.tolist() == [3, 2, 0]
    assert seen.waited.tolist() == [1 + 1 + 2, 2 + 1 + 10, 30]
    assert seen.rates.tolist() == [3 / 4, 2 / 13, 0]
    assert np.isnan(VirtualFills(np.array([1.0]), np.zeros(1), np.zeros(1)).rates).all()


def test_rate_is_one_over_the_mean_time_to_a_fill():
    depths = np.array([0.2, 0.6, 1.0, 1.5])

    def rates(seed):
        times, reached = market(seed)
        return wait_for_fills(times, reached, depths, np.arange(0, T - 2, 2.0), 2.0).rates

    found = np.array([rates(seed) for seed in range(200)])

    errors = found.std(axis=0) / math.sqrt(200)
    # A mean of ratios: 1/24 orders too many per order
    assert (np.abs(found.mean(axis=0) / (1 + 1 / 24) - A * np.exp(-K * depths)) < 5 * errors).all()


def test_a_and_k_from_waits():
    # Each depth looks at a stretch of the market of its own, so that errors are independent
    depths = np.linspace(0.2, 2.0, 8)

    def waits(seed):
        rows = [
            wait_for_fills(*market(seed * 8 + row), np.array([depth]), np.arange(0, 45, 0.5), 0.5)
            for row, depth in enumerate(depths)
        ]
        return fit_waits(
            VirtualFills(depths, np.concatenate([r.fills for r in rows]), np.concatenate([r.waited for r in rows]))
        )

    found = fits(waits)

    agrees(found["decay"], K, found["decay_se"])
    agrees(found["intensity"], A, found["intensity_se"])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: fit_orders(np.array([1.0, 2]), 0), "duration: must be > 0"),
        (lambda: fit_orders(np.array([1.0, math.nan]), 1), "depths: must be finite"),
        (lambda: fit_orders(np.array([1.0]), 1), "depths: 1 orders in the range"),
        (lambda: fit_orders(np.array([1.0, 1]), 1, touch=1.0), "0.0 past its start"),
        (lambda: fit_orders(np.array([1.0, 2]), 1, depth_min=3, depth_max=2), "depth_max: must be > depth_min"),
        (lambda: fit_orders(np.array([5.0, 6]), 1, depth_max=2), "0 ended in it"),
        (lambda: fit_orders(np.array([5000, 5001.0]), 1, touch=5000.0), "touch: up to 5000.0, too far out"),
        (lambda: fit_orders(np.array([1.0, 2]), 1, stood=(np.ones(2), np.ones(1))), "stood: must be touches"),
        (lambda: fit_orders(np.array([1.0, 2]), 1, depth_max=3, stood=(np.full(2, 4), np.ones(2))), "stood: no time"),
        (lambda: fit_orders(np.array([1.0, 2]), 1, tick=-1), "tick: must be >= 0"),
        (lambda: fit_log_linear(np.array([1.0, 2]), 1, np.array([0.5, 9])), "at_depths: orders must reach two"),
        (lambda: fit_waits(VirtualFills(np.ones(2), np.ones(2), np.ones(2))), "fills: must be seen at two depths"),
        (lambda: wait_for_fills(np.array([2.0, 1]), np.ones(2), np.ones(1), np.zeros(1), 1), "order_times: must rise"),
        (lambda: wait_for_fills(np.array([2.0]), np.ones(2), np.ones(1), np.zeros(1), 1), "depths: 2 for 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
