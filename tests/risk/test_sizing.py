"""Position sizes: hand-computed fixtures, and a target that is met on a known process."""

import math

import numpy as np
import pytest

from njord.risk.sizing import Sizer, Sizing, SizingModel, Volatility, kelly, kelly_binary, volatility_target


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"volatility": 0.0}, "sizing: volatility must be > 0, was 0.0"),
        ({"half_life_bars": 0.0}, "sizing: half_life_bars must be > 0, was 0.0"),
        ({"equity_share_max": -1.0}, "sizing: equity_share_max must be > 0, was -1.0"),
        ({"kelly_fraction": 0.0}, "sizing: kelly_fraction must be above 0 and at most 1, was 0.0"),
        ({"kelly_fraction": 1.1}, "sizing: kelly_fraction must be above 0 and at most 1, was 1.1"),
        ({"warm_up_bars": 1}, "sizing: warm_up_bars must be at least 2, was 1"),
    ],
)
def test_a_sizing_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError) as wrong:
        Sizing(**change)
    assert str(wrong.value) == message
    Sizing(volatility=0.1, half_life_bars=0.5, equity_share_max=0.1, kelly_fraction=1.0, warm_up_bars=2)


def sized(sizing, prices, bars_per_year=100):
    sizer = Sizer(sizing, bars_per_year)
    shares = []
    for price in prices:
        sizer.update(price)
        shares.append(sizer.equity_share())
    return shares


def test_a_sizer_waits_for_its_warm_up_and_then_aims_at_its_volatility():
    # Every move is 2 %, 20 % over 100 bars
    prices = [0.5 * math.exp(0.02 * (bar % 2)) for bar in range(40)]

    shares = sized(Sizing(volatility=0.05, warm_up_bars=10), prices)

    assert shares[:10] == [0.0] * 10
    assert shares[10:] == pytest.approx([0.25] * 30)
    assert sized(Sizing(volatility=0.5, warm_up_bars=10, equity_share_max=1.5), prices)[-1] == 1.5


def test_a_sizer_bets_a_fraction_of_kelly():
    prices = [math.exp(0.01 * bar + 0.02 * (bar % 2)) for bar in range(400)]
    sizing = Sizing(model=SizingModel.KELLY, kelly_fraction=0.25, equity_share_max=100.0, half_life_bars=1e9)
    moves = np.diff(np.log(prices))
    second = float(np.mean(moves**2))

    share = sized(sizing, prices)[-1]

    assert share == pytest.approx(0.25 * (moves.mean() + second / 2) / second, rel=1e-6)


def test_the_first_moves_are_averaged_plainly():
    volatility = Volatility(half_life_bars=1, warm_up_bars=2)
    assert volatility.per_bar == 0
    for move, price in ((None, 1.0), (0.01, math.exp(0.01)), (0.03, math.exp(0.04))):
        assert not volatility.ready, move
        volatility.update(price)
    assert volatility.ready
    assert volatility.per_bar == pytest.approx(math.sqrt((0.01**2 + 0.03**2) / 2))
    assert volatility.mean == pytest.approx(0.02)
    volatility.update(math.exp(0.04))
    assert volatility.mean == pytest.approx(0.01)


def test_a_bet_that_pays_more_than_the_stake():
    assert kelly_binary(0.5, 2, fraction=1, fraction_max=1) == pytest.approx(0.25)
    assert kelly_binary(0.9, 1, fraction=1, fraction_max=0.5) == 0.5
    assert kelly_binary(1.0, 1, fraction=1, fraction_max=1) == 1
    assert kelly_binary(0.0, 1, fraction=1, fraction_max=1) == 0
    for probability, payoff in ((1.1, 1), (-0.1, 1), (0.5, 0)):
        with pytest.raises(AssertionError):
            kelly_binary(probability, payoff, fraction=1, fraction_max=1)


@pytest.mark.parametrize(("volatility", "target"), [(-0.1, 0.1), (0.1, -0.1)])
def test_a_volatility_is_not_negative(volatility, target):
    with pytest.raises(AssertionError):
        volatility_target(volatility, target, 1)
    assert volatility_target(0.1, 0, 1) == 0


@pytest.mark.parametrize(("variance", "fraction"), [(-1, 0.5), (1, 0), (1, 1.5)])
def test_what_is_no_kelly_bet(variance, fraction):
    with pytest.raises(AssertionError):
        kelly(0.1, variance, fraction=fraction, fraction_max=1)
