"""Compiled scalar functions equal the plain ones. Needs numba."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from njord.strategies.market_making import adaptation, avellaneda_stoikov, glft, kernels, parameters

WITHIN = 1e-12
# The first call compiles
COMPILES = settings(deadline=None)
GAMMA = st.just(0.0) | st.floats(1e-9, 20)
SIGMA, TAU = st.floats(0, 50), st.floats(0, 1e4)
SOME = st.floats(1e-4, 1e4)


@COMPILES
@given(GAMMA, SIGMA, SOME, TAU, st.floats(-100, 100))
def test_avellaneda_stoikov(gamma, sigma, decay, tau, held):
    model = avellaneda_stoikov.Parameters(gamma=gamma, sigma=sigma, decay=decay)

    expected = avellaneda_stoikov.reservation_price(100.0, held, model, tau)
    assert kernels.as_reservation_price(100.0, held, gamma, sigma, tau) == pytest.approx(expected, rel=WITHIN, abs=1e-9)
    half = avellaneda_stoikov.total_spread(model, tau) / 2
    assert kernels.as_half_spread(gamma, sigma, decay, tau) == pytest.approx(half, rel=WITHIN)
    assert kernels.markup(gamma, decay) == pytest.approx(parameters.markup(gamma, decay), rel=WITHIN)


@COMPILES
@given(GAMMA, SIGMA, SOME, st.floats(1e-3, 20), SOME, GAMMA, st.floats(0, 5), st.floats(-3, 3))
def test_glft(gamma, sigma, intensity, decay, size, xi, adverse, drift):
    model = glft.Parameters(
        gamma=gamma, sigma=sigma, intensity=intensity, decay=decay, size=size, xi=xi, adverse=adverse, drift=drift
    )

    found = kernels.glft_half_spread_and_skew(gamma, sigma, intensity, decay, size, xi, adverse)
    assert found == pytest.approx(glft.half_spread_and_skew(model), rel=WITHIN)
    wanted = kernels.glft_inventory_wanted(gamma, sigma, drift)
    if gamma * sigma * sigma > kernels.RISK_MIN:
        assert wanted == pytest.approx(glft.inventory_wanted(model), rel=WITHIN)
    else:
        assert wanted == 0


def test_quotes_of_a_kernel_are_those_of_the_closed_form():
    model = glft.Parameters(gamma=0.01, sigma=0.3, intensity=0.9, decay=0.3, size=2, adverse=0.4, drift=0.002)
    half, skew = kernels.glft_half_spread_and_skew(0.01, 0.3, 0.9, 0.3, 2.0, 0.01, 0.4)
    held = 6 - kernels.glft_inventory_wanted(0.01, 0.3, 0.002)

    assert (half + skew * held, half - skew * held) == pytest.approx(glft.closed_form(model, 6), rel=WITHIN)


ORDERS = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 20), st.floats(0, 3)), min_size=1, max_size=40)


@COMPILES
@given(ORDERS, st.floats(1, 50), st.sampled_from([0.0, 0.5]), st.floats(0, 100))
def test_arrivals(orders, half_life, tick, open_s):
    plain = adaptation.Arrivals(half_life, tick)
    state = (0.0, 0.0, 0.0, 0.0)
    keep = kernels.ewma_keep(1.0, half_life)
    assert keep == pytest.approx(adaptation.keep(1.0, half_life), rel=WITHIN)

    for wait_s, depth, best in orders:
        plain.update(wait_s, depth, best)
        state = kernels.ewma_order(*state, keep, wait_s, depth, best)

    expected = plain.estimate(open_s)
    found = kernels.ewma_intensity_and_decay(*state, tick, open_s)
    assert found == pytest.approx(expected, rel=WITHIN, nan_ok=True)


@COMPILES
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.001, 20)), max_size=40), st.floats(0.5, 100))
def test_volatility(moves, half_life_s):
    plain = adaptation.Volatility(half_life_s)
    state = (0.0, 0.0)

    for change, elapsed_s in moves:
        plain.update(change, elapsed_s)
        state = kernels.ewma_move(*state, kernels.ewma_keep(elapsed_s, half_life_s), change, elapsed_s)

    assert kernels.ewma_volatility(*state) == pytest.approx(plain.sigma(), rel=WITHIN, nan_ok=True)
    assert moves or math.isnan(plain.sigma())
