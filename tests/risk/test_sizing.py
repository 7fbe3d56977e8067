"""Position sizes: hand-computed fixtures, and a target that is met on a known process."""

import math

import numpy as np
import pytest

from njord.risk.sizing import Volatility, kelly, kelly_binary, volatility_target


def test_kelly_fixtures():
    assert kelly_binary(0.6, 1, fraction=1, fraction_max=1) == pytest.approx(0.2)
    assert kelly_binary(0.6, 1, fraction=0.5, fraction_max=1) == pytest.approx(0.1)
    assert kelly_binary(0.4, 1, fraction=1, fraction_max=1) == 0
    assert kelly(0.08, 0.04, fraction=1, fraction_max=9) == pytest.approx(2)
    assert kelly(0.08, 0.04, fraction=0.5, fraction_max=9) == pytest.approx(1)
    assert kelly(0.08, 0.04, fraction=1, fraction_max=1) == 1
    assert kelly(-0.08, 0.04, fraction=1, fraction_max=1) == -1
    assert kelly(0, 0, fraction=1, fraction_max=1) == 0
    assert kelly(0.01, 0, fraction=1, fraction_max=2) == 2


def test_volatility_target_is_capped():
    assert volatility_target(0.4, 0.2, 1) == pytest.approx(0.5)
    assert volatility_target(0.1, 0.2, 1) == 1
    assert volatility_target(0, 0.2, 3) == 3


def test_the_target_is_realised_on_a_random_walk_whose_volatility_changes():
    rng = np.random.default_rng(5)
    sigma = np.where(np.arange(40_000) // 4_000 % 2 == 0, 0.01, 0.03)
    returns = rng.normal(0, sigma)
    prices = 100 * np.exp(np.cumsum(returns))
    volatility, target, held, realised = Volatility(half_life_bars=60), 0.005, 0.0, []
    for price, change in zip(prices, returns, strict=True):
        realised.append(held * change)
        volatility.update(price)
        if volatility.ready:
            held = volatility_target(volatility.per_bar, target, 1)

    assert np.std(realised[500:]) == pytest.approx(target, rel=0.1)


def test_volatility_estimates_a_constant_and_ignores_what_has_no_logarithm():
    volatility = Volatility(half_life_bars=500)
    rng = np.random.default_rng(1)
    price = 100.0
    for change in rng.normal(0, 0.02, 20_000):
        price *= math.exp(change)
        volatility.update(price)
    volatility.update(-1.0)
    assert volatility.per_bar == pytest.approx(0.02, rel=0.1)
