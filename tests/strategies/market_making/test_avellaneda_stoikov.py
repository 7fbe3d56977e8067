"""Avellaneda and Stoikov's quotes against numbers worked out apart from this code."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.strategies.market_making.avellaneda_stoikov import (
    Parameters,
    quotes,
    reservation_ask,
    reservation_bid,
    reservation_price,
    total_spread,
)

PAPER = Parameters(gamma=0.1, sigma=2, decay=1.5)


def test_spread_of_the_paper_at_both_ends():
    assert total_spread(PAPER, 1) == pytest.approx(1.6907704227514233, rel=1e-14)
    assert total_spread(PAPER, 0) == pytest.approx(1.2907704227514234, rel=1e-14)


def test_time_average_of_the_spread():
    # Linear in time: its mean is that of the ends; on the paper's 200 steps the last instant is left out
    taus = 1 - 0.005 * np.arange(200)

    assert (total_spread(PAPER, 1) + total_spread(PAPER, 0)) / 2 == pytest.approx(1.490770, abs=5e-7)
    assert np.mean([total_spread(PAPER, tau) for tau in taus]) == pytest.approx(1.491770, abs=5e-7)


@pytest.mark.parametrize(("gamma", "mean_spread"), [(0.1, 1.49177), (0.01, 1.34901), (1, 3.03165), (0.5, 2.15573)])
def test_mean_spread_of_each_risk_aversion(gamma, mean_spread):
    model = Parameters(gamma=gamma, sigma=2, decay=1.5)

    assert np.mean([total_spread(model, 1 - 0.005 * step) for step in range(200)]) == pytest.approx(
        mean_spread, abs=6e-6
    )


def test_one_unit_held_moves_the_reservation_price_by_four_tenths():
    assert 100 - reservation_price(100.0, 1.0, PAPER, 1) == pytest.approx(0.4, abs=1e-13)
    assert reservation_price(100.0, 1.0, PAPER, 0) == 100


@given(st.integers(-50, 50), st.floats(0, 10), st.floats(0, 5))
def test_reservation_prices_of_either_side_lie_about_their_mean(inventory, gamma, tau):
    model = Parameters(gamma=gamma, sigma=2, decay=1.5)
    low, mean, high = (
        price(100.0, float(inventory), model, tau) for price in (reservation_bid, reservation_price, reservation_ask)
    )

    assert (low + high) / 2 == pytest.approx(mean, abs=1e-9)
    assert high - low == pytest.approx(gamma * 4 * tau, abs=1e-9)
    # Selling one and then buying it back ends where it began
    assert high == pytest.approx(reservation_bid(100.0, inventory - 1.0, model, tau), abs=1e-9)


def test_no_risk_aversion_is_the_limit_of_little():
    without = Parameters(gamma=0, sigma=2, decay=1.5)

    assert total_spread(without, 1) == 2 / 1.5
    assert total_spread(Parameters(gamma=1e-12, sigma=2, decay=1.5), 1) == pytest.approx(2 / 1.5, rel=1e-11)
    assert quotes(100.0, 7.0, without, 1) == pytest.approx((100 - 1 / 1.5, 100 + 1 / 1.5), abs=1e-13)


def test_quotes_of_many_inventories_at_once():
    held = np.arange(-3.0, 4)

    bid, ask = quotes(np.full(7, 100.0), held, PAPER, 0.5)

    assert (ask - bid).tolist() == pytest.approx([total_spread(PAPER, 0.5)] * 7)
    assert ((bid + ask) / 2).tolist() == pytest.approx((100 - held * 0.2).tolist())


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"gamma": -0.1}, "gamma: must be >= 0"),
        ({"gamma": math.inf}, "gamma"),
        ({"sigma": -1.0}, "sigma: must be >= 0"),
        ({"sigma": math.nan}, "sigma"),
        ({"decay": 0.0}, "decay: must be > 0"),
    ],
)
def test_parameters_out_of_range_are_refused(changed, named):
    with pytest.raises(ValueError, match=named):
        Parameters(**{"gamma": 0.1, "sigma": 2.0, "decay": 1.5} | changed)


def test_time_that_has_run_out_is_refused():
    with pytest.raises(ValueError, match="tau: must be >= 0"):
        total_spread(PAPER, -0.001)
