"""The exact quotes of Gueant, Lehalle and Fernandez-Tapia, and their closed form, against known numbers."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.strategies.market_making.glft import (
    Parameters,
    alpha,
    closed_form,
    eigenvalues,
    eta,
    exact,
    half_spread_and_skew,
    inventory_wanted,
)
from njord.strategies.market_making.parameters import markup

KNOWN = Parameters(gamma=0.01, sigma=0.3, intensity=0.9, decay=0.3)
AT_AS = Parameters(gamma=0.1, sigma=2, intensity=140, decay=1.5)


def with_(given, **changes):
    return msgspec.structs.replace(given, **changes)


def test_constants_of_the_oracle_set():
    half, skew = half_spread_and_skew(KNOWN)

    assert markup(KNOWN.gamma, KNOWN.decay) == pytest.approx(3.2789822822990873, rel=1e-14)
    assert skew == pytest.approx(0.0678658325308838, rel=1e-13)
    assert half == pytest.approx(3.2789822822990873 + 0.0678658325308838 / 2, rel=1e-14)
    assert eta(KNOWN) == pytest.approx(0.3256783558467315, rel=1e-13)
    assert alpha(KNOWN) == pytest.approx(0.000135, rel=1e-13)
    assert eigenvalues(KNOWN, 30)[0] == pytest.approx(-0.644734429910266, abs=1e-13)


@pytest.mark.parametrize(
    ("held", "bid", "bid_closed", "ask", "ask_closed"),
    [
        (0, 3.313045, 3.312915, 3.313045, 3.312915),
        (1, 3.381168, 3.380781, 3.244919, 3.245049),
        (5, 3.653479, 3.652244, 2.972522, 2.973586),
        (10, 3.992933, 3.991574, 2.632802, 2.634257),
        (20, 4.665542, 4.670232, 1.959200, 1.955599),
    ],
)
def test_depths_of_the_oracle_set(held, bid, bid_closed, ask, ask_closed):
    assert exact(KNOWN, 30, 600).at(held) == pytest.approx((bid, ask), abs=5.5e-7)
    assert closed_form(KNOWN, held) == pytest.approx((bid_closed, ask_closed), abs=5.5e-7)
    # Long held and long sold are mirror images
    assert exact(KNOWN, 30, 600).at(-held) == pytest.approx((ask, bid), abs=5.5e-7)


def test_spread_of_the_oracle_set():
    assert sum(exact(KNOWN, 30, 600).at(0)) == pytest.approx(6.626091, abs=5.5e-7)
    assert sum(closed_form(KNOWN, 0)) == pytest.approx(6.625830, abs=5.5e-7)


def test_depths_with_the_parameters_of_avellaneda_and_stoikov():
    found = exact(AT_AS, 30, 1)

    assert markup(AT_AS.gamma, AT_AS.decay) == pytest.approx(0.6453852113757116, rel=1e-14)
    assert half_spread_and_skew(AT_AS)[1] == pytest.approx(0.05171721612, abs=5.5e-12)
    assert found.at(0)[0] == pytest.approx(0.671628, abs=5.5e-7)
    assert found.at(5) == pytest.approx((0.931780, 0.410452), abs=5.5e-7)
    assert closed_form(AT_AS, 0)[0] == pytest.approx(0.671244, abs=5.5e-7)
    assert closed_form(AT_AS, 5) == pytest.approx((0.929830, 0.412658), abs=5.5e-7)


@pytest.mark.parametrize("tau", [0, 0.01, 1, 600, 1e6, 1e300, math.inf])
@pytest.mark.parametrize("model", [KNOWN, AT_AS, with_(KNOWN, adverse=1.0), with_(AT_AS, size=3.0)])
def test_long_and_short_are_mirror_images_at_any_horizon(model, tau):
    found = exact(model, 30, tau)

    assert found.bid == pytest.approx(found.ask[::-1], abs=1e-12)
    assert (found.bid[-1], found.ask[0]) == (math.inf, math.inf)
    assert np.isfinite(found.bid[:-1]).all()


@pytest.mark.parametrize("model", [KNOWN, AT_AS, with_(KNOWN, drift=0.05)])
def test_at_the_end_every_depth_is_the_markup(model):
    found = exact(model, 20, 0)

    assert found.bid[:-1] == pytest.approx(np.full(40, markup(model.gamma, model.decay)), abs=1e-12)
    assert found.ask[1:] == pytest.approx(np.full(40, markup(model.gamma, model.decay)), abs=1e-12)


def test_drift_of_one_risk_unit_moves_the_quotes_by_one_unit_held():
    risk = KNOWN.gamma * KNOWN.sigma**2
    drifting = with_(KNOWN, drift=risk)

    assert risk == pytest.approx(0.0009)
    assert exact(drifting, 30, 600).at(0)[0] == pytest.approx(3.244919, abs=5.5e-7)
    # Exactly so where nothing is bounded; here the limit lies one nearer on one side
    for held in range(-5, 6):
        there, here = exact(drifting, 60).at(held)[0], exact(KNOWN, 60).at(held - 1)[0]
        assert there == pytest.approx(here, abs=1e-9)
        assert closed_form(drifting, held) == pytest.approx(closed_form(KNOWN, held - 1), abs=1e-12)
    assert inventory_wanted(drifting) == pytest.approx(1)


def test_adverse_jumps_widen_the_quotes():
    jumping = with_(KNOWN, adverse=1.0)

    assert half_spread_and_skew(jumping)[1] == pytest.approx(0.073152, abs=5.5e-7)
    assert exact(jumping, 30, 600).at(0)[0] == pytest.approx(3.815709, abs=5.5e-7)
    assert closed_form(jumping, 0)[0] == pytest.approx(3.815558, abs=5.5e-7)
    assert eta(jumping) == pytest.approx(eta(KNOWN) * math.exp(-0.15), rel=1e-14)
    # With no time left a buy is followed by a jump down of what is then held
    at_end = exact(jumping, 5, 0)
    assert at_end.bid[:-1] == pytest.approx(markup(0.01, 0.3) + at_end.inventory[:-1] + 1, abs=1e-12)


def by_ordinary_steps(model, orders_max, tau, steps=20_000):
    """The linear system by fourth-order Runge-Kutta on plain loops, as the paper states it."""
    orders = range(-orders_max, orders_max + 1)
    v = [math.exp(-model.decay * model.adverse * n * n / 2) for n in orders]
    step = tau / steps
    holding = [alpha(model) * n * n - model.decay * model.drift * n for n in orders]

    def slope(at):
        last = len(at) - 1
        return [
            -holding[i] * at[i] + eta(model) * ((at[i - 1] if i else 0) + (at[i + 1] if i < last else 0))
            for i in range(len(at))
        ]

    for _ in range(steps):
        first = slope(v)
        second = slope([a + step / 2 * b for a, b in zip(v, first, strict=True)])
        third = slope([a + step / 2 * b for a, b in zip(v, second, strict=True)])
        fourth = slope([a + step * b for a, b in zip(v, third, strict=True)])
        v = [
            a + step / 6 * (b + 2 * c + 2 * d + e)
            for a, b, c, d, e in zip(v, first, second, third, fourth, strict=True)
        ]
    return [math.log(v[i] / v[i + 1]) / model.decay for i in range(len(v) - 1)]


@pytest.mark.parametrize("model", [KNOWN, with_(KNOWN, drift=0.01, adverse=0.5, size=2.0), with_(KNOWN, xi=0.0)])
def test_exact_depths_equal_the_system_solved_by_steps(model):
    margin = markup(model.fill_aversion, model.decay) + model.adverse / 2

    slow = by_ordinary_steps(model, 4, 3.0, steps=300)

    found = exact(model, 4, 3.0)
    assert found.bid[:-1] == pytest.approx(margin + np.array(slow), abs=1e-9)
    assert found.ask[1:] == pytest.approx(margin - np.array(slow), abs=1e-9)


@pytest.mark.parametrize(
    ("model", "orders_max"), [(KNOWN, 30), (KNOWN, 200), (AT_AS, 100), (with_(AT_AS, gamma=1), 80)]
)
def test_stationary_depths_obey_the_eigenvalue_equation_far_into_the_tail(model, orders_max):
    lowest, inner = eigenvalues(model, orders_max)[0], math.inf
    ratios = []
    # alpha n^2 v_n - eta (v_{n-1} + v_{n+1}) = lambda_0 v_n, from the limit inwards: r_n = v_{n-1} / v_n
    for n in range(orders_max, 0, -1):
        inner = (alpha(model) * n * n - lowest) / eta(model) - 1 / inner
        ratios.append(inner)

    found = exact(model, orders_max)

    expected = markup(model.gamma, model.decay) + np.log(ratios[::-1]) / model.decay
    assert found.bid[orders_max:-1] == pytest.approx(expected, abs=1e-9)


def test_closed_form_nears_the_exact_one_as_risk_grows_small():
    errors = []
    for gamma in (0.1, 0.01, 0.001, 0.0001):
        model = with_(KNOWN, gamma=gamma)
        errors.append(abs(exact(model, 150).at(3)[0] - closed_form(model, 3)[0]))

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4


@given(st.floats(0.001, 1), st.floats(0.1, 3), st.floats(0.5, 50), st.floats(0.2, 3), st.floats(0.25, 4))
def test_size_is_a_change_of_unit(gamma, sigma, intensity, decay, size):
    # One order of size D of risk aversion gamma is one order of size 1 of risk aversion gamma D, of the price itself
    model = Parameters(gamma=gamma, sigma=sigma, intensity=intensity, decay=decay, size=size)
    unit = Parameters(gamma=gamma * size, sigma=sigma, intensity=intensity, decay=decay)

    for orders in (-2, 0, 3):
        assert closed_form(model, orders * size) == pytest.approx(closed_form(unit, orders), rel=1e-9, abs=1e-12)


def test_general_form_of_gueant():
    # Eqs 4.6-4.7 written out: c1 + size/2 sigma c2 and sigma c2, xi apart from gamma
    gamma, xi, size, k, rate, sigma = 0.05, 0.2, 3.0, 0.4, 2.5, 0.7
    c1 = math.log(1 + xi * size / k) / (xi * size)
    c2 = math.sqrt(gamma / (2 * rate * size * k) * (1 + xi * size / k) ** (k / (xi * size) + 1))

    found = half_spread_and_skew(Parameters(gamma=gamma, sigma=sigma, intensity=rate, decay=k, size=size, xi=xi))

    assert found == pytest.approx((c1 + size / 2 * sigma * c2, sigma * c2), rel=1e-13)
    # Without aversion of fills: 1/k and e
    flat = Parameters(gamma=gamma, sigma=sigma, intensity=rate, decay=k, size=size, xi=0)
    skew = math.sqrt(gamma * sigma**2 * math.e / (2 * rate * size * k))
    assert half_spread_and_skew(flat) == pytest.approx((1 / k + size / 2 * skew, skew), rel=1e-13)


def test_no_risk_at_all_is_the_monopolists_markup():
    free = with_(KNOWN, gamma=0.0)

    assert closed_form(free, 7) == (1 / 0.3, 1 / 0.3)
    assert exact(free, 100, 1.0).at(3) == pytest.approx((1 / 0.3, 1 / 0.3), abs=1e-12)


def test_depths_between_and_beyond_whole_orders():
    found = exact(with_(KNOWN, size=2.0), 5)

    assert found.inventory.tolist() == [-10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10]
    assert found.at(1)[0] == pytest.approx((found.at(0)[0] + found.at(2)[0]) / 2)
    assert found.at(8)[0] < math.inf
    assert found.at(9)[0] == found.at(50)[0] == math.inf  # One more order would end beyond the limit
    assert found.at(50)[1] == found.ask[-1]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"gamma": -1.0}, "gamma"),
        ({"sigma": math.nan}, "sigma"),
        ({"intensity": 0.0}, "intensity: must be > 0"),
        ({"decay": -0.3}, "decay: must be > 0"),
        ({"size": 0.0}, "size: must be > 0"),
        ({"drift": math.inf}, "drift: must be a finite number"),
        ({"adverse": -0.1}, "adverse: must be >= 0"),
        ({"xi": -0.1}, "xi: must be >= 0"),
    ],
)
def test_parameters_out_of_range_are_refused(changed, named):
    with pytest.raises(ValueError, match=named):
        Parameters(**{"gamma": 0.01, "sigma": 0.3, "intensity": 0.9, "decay": 0.3} | changed)


def test_what_cannot_be_solved_is_refused():
    for orders_max in (0, 201):
        with pytest.raises(ValueError, match=r"inventory_orders_max: must be 1 \.\. 200"):
            exact(KNOWN, orders_max)
    with pytest.raises(ValueError, match="tau: must be >= 0"):
        exact(KNOWN, 5, -1)
    with pytest.raises(ValueError, match="too wide for this much risk"):
        exact(with_(AT_AS, gamma=10.0), 200)
    with pytest.raises(ValueError, match=r"drift: .* no closed form"):
        closed_form(with_(KNOWN, gamma=0.0, drift=0.1), 0)
