"""Slippage models: the formulas, and that a fit finds the coefficient it was made with."""

import numpy as np
import pytest

from njord.venues.simulated import slippage
from njord.venues.simulated.settings import Slippage, SlippageModel


@pytest.mark.parametrize("model", [SlippageModel.FIXED, SlippageModel.LINEAR, SlippageModel.SQUARE_ROOT])
@pytest.mark.parametrize("coefficient", [0.003, 0.05])
def test_a_fit_recovers_the_coefficient_within_two_percent(model, coefficient):
    rng = np.random.default_rng(3)
    participation = rng.uniform(0.001, 0.5, 5_000)
    exact = [slippage.fraction(Slippage(model=model, coefficient=coefficient), x) for x in participation]
    observed = np.array(exact) + rng.normal(0, coefficient / 5, 5_000)
    assert slippage.fit(model, participation.tolist(), observed.tolist()) == pytest.approx(coefficient, rel=0.02)


def test_slippage_is_rounded_against_us_and_an_unknown_volume_counts_as_ours():
    linear = Slippage(model=SlippageModel.LINEAR, coefficient=0.01)
    assert slippage.ticks_against(linear, 1_000, 1, 1_000) == 1
    assert slippage.ticks_against(linear, 1_000, 5, 0) == 10
    assert slippage.ticks_against(Slippage(), 1_000, 5, 0) == 0


def test_nothing_to_fit_is_said():
    with pytest.raises(ValueError, match="slippage fit"):
        slippage.fit(SlippageModel.LINEAR, [], [])
    with pytest.raises(ValueError, match="above 0"):
        slippage.fit(SlippageModel.LINEAR, [0.0], [0.1])
