"""Options: against Haug, Hull, a broker's recorded greeks, and what must hold for any of them."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.market.pricing import black_scholes as bs

SIGN = {"call": 1.0, "put": -1.0}
SPOTS, STRIKES, YEARS = st.floats(1, 1e4), st.floats(0.5, 2.0), st.floats(0.01, 10)
RATES, VOLATILITIES = st.floats(-0.05, 0.2), st.floats(0.05, 1.5)


def rows(folder, name):
    with (folder / "oracles" / "vectors_quantlib" / name).open() as file:
        yield from csv.DictReader(file)


def terms(row):
    rate, income = float(row["rate_r"]), float(row["div_yield_q"])
    return (
        SIGN[row["type"]], float(row["spot"]), float(row["strike"]), float(row["t_years"]), rate, rate - income,
        float(row["vol"]),
    )  # fmt: skip


def test_the_normal_distribution_is_right_to_the_last_digits():
    x = np.linspace(-38, 38, 4_001)

    exact = np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in x])

    assert np.abs(bs.normal_cdf(x) - exact).max() < 1e-15
    middle = np.abs(x) < 7
    np.testing.assert_allclose(bs.normal_cdf(x)[middle], exact[middle], rtol=1e-8)


@pytest.mark.shared_data
def test_prices_of_haug_1998(shared_data):
    found = [
        (float(bs.price(*terms(row))), float(row["expected_price"]), float(row["tolerance"]))
        for row in rows(shared_data, "european_values_haug1998.csv")
    ]

    assert len(found) == 43
    for price, expected, tolerance in found:
        assert price == pytest.approx(expected, abs=tolerance)


def greek(name, sign, spot, strike, years, rate, carry, volatility):
    own = (spot, strike, years, rate, carry, volatility)
    signed = (sign, *own)
    if name == "elasticity":
        return bs.delta(*signed) * spot / bs.price(*signed)
    if name in ("gamma", "vega"):
        return {"gamma": bs.gamma, "vega": bs.vega}[name](*own)
    if name == "theta per day":
        return bs.theta(*signed) / 365
    if name == "dividendRho":  # By the yield, the rate staying: -T S delta
        return -years * spot * bs.delta(*signed)
    return {"delta": bs.delta, "theta": bs.theta, "rho": bs.rho}[name](*signed)


@pytest.mark.shared_data
def test_greeks_of_haug_1998(shared_data):
    found = list(rows(shared_data, "european_greeks_haug1998.csv"))

    assert len(found) == 11
    for row in found:
        assert float(greek(row["greek"], *terms(row))) == pytest.approx(float(row["expected_value"]), abs=6e-5), row


def test_hulls_examples():
    assert float(bs.price(1, 42, 40, 0.5, 0.1, 0.1, 0.2)) == pytest.approx(4.759422, abs=1e-6)
    assert float(bs.price(-1, 42, 40, 0.5, 0.1, 0.1, 0.2)) == pytest.approx(0.808599, abs=1e-6)
    assert float(bs.delta(1, 42, 40, 0.5, 0.1, 0.1, 0.2)) == pytest.approx(0.779131, abs=1e-6)
    assert float(bs.gamma(42, 40, 0.5, 0.1, 0.1, 0.2)) == pytest.approx(0.049963, abs=1e-6)
    assert float(bs.vega(42, 40, 0.5, 0.1, 0.1, 0.2)) == pytest.approx(8.813415, abs=1e-6)
    second = (49, 50, 0.3846, 0.05, 0.05, 0.2)
    assert float(bs.price(1, *second)) == pytest.approx(2.400461, abs=1e-5)
    assert float(bs.delta(1, *second)) == pytest.approx(0.521602, abs=1e-6)
    assert float(bs.gamma(*second)) == pytest.approx(0.065545, abs=1e-5)
    assert float(bs.vega(*second)) == pytest.approx(12.105243, abs=1e-3)
    assert float(bs.theta(1, *second)) == pytest.approx(-4.305390, abs=1e-4)


@pytest.mark.shared_data
def test_greeks_that_a_broker_showed(shared_data):
    # Interactive Brokers' model has a rate, dividends and a clock of its own, so near the money and roughly
    path = shared_data / "oracles" / "lean_oracles" / "greeks" / "SPX230901C04500000.csv"
    with path.open() as file:
        recorded = [row for row in csv.DictReader(file) if row["model_vega"]]
    assert len(recorded) == 17
    for row in recorded:
        spot, volatility = float(row["model_undPrice"]), float(row["model_impliedVol"])
        years = (np.datetime64("2023-09-01T20:00") - _moment(row[""])) / np.timedelta64(365, "D")
        own = (spot, 4500.0, float(years), 0.053, 0.053 - 0.015, volatility)

        assert float(bs.delta(1, *own)) == pytest.approx(float(row["model_delta"]), abs=0.02)
        assert float(bs.gamma(*own)) == pytest.approx(float(row["model_gamma"]), rel=0.05)
        assert float(bs.vega(*own)) / 100 == pytest.approx(float(row["model_vega"]), rel=0.05)


def _moment(text):
    day, clock = text.split()[:2]
    # New York's summer time
    return np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:8]}T{clock[:8]}")


@given(SPOTS, STRIKES, YEARS, RATES, RATES, VOLATILITIES)
def test_put_call_parity(spot, moneyness, years, rate, carry, volatility):
    strike = spot * moneyness
    call, put = (float(bs.price(sign, spot, strike, years, rate, carry, volatility)) for sign in (1, -1))

    forward = spot * math.exp((carry - rate) * years) - strike * math.exp(-rate * years)

    assert call - put == pytest.approx(forward, abs=1e-10 * (spot + strike) * math.exp(0.25 * years))


@given(SPOTS, STRIKES, YEARS, RATES, VOLATILITIES, st.sampled_from([1.0, -1.0]))
def test_prices_are_monotone_and_convex(spot, moneyness, years, rate, volatility, sign):
    strike = spot * moneyness
    own = (years, rate, rate)
    near = bs.price(sign, spot * np.array([0.99, 1.0, 1.01]), strike, *own, volatility)
    dearer = float(bs.price(sign, spot, strike, *own, volatility * 1.01))

    assert sign * (near[2] - near[0]) >= -1e-9 * spot
    assert near[2] - 2 * near[1] + near[0] >= -1e-9 * spot
    assert dearer >= near[1] - 1e-9 * spot


@given(st.floats(0.7, 1.4), st.floats(0.05, 3), VOLATILITIES, st.sampled_from([1.0, -1.0]))
def test_implied_volatility_gives_the_price_back(moneyness, years, volatility, sign):
    own = (100.0, 100.0 * moneyness, years, 0.03, 0.01)
    price = bs.price(sign, *own, volatility)

    implied = bs.implied_volatility(sign, price, *own)

    again = float(bs.price(sign, *own, float(implied))) if np.isfinite(implied) else float(price)
    assert again == pytest.approx(float(price), abs=1e-9)
    if bs.vega(*own, volatility) > 1e-2:
        assert float(implied) == pytest.approx(volatility, abs=1e-7)


def test_no_volatility_explains_a_price_below_exercise():
    found = bs.implied_volatility(1.0, np.array([20.9, 100.1, 25.0]), 100.0, 80.0, 1.0, 0.05, 0.05)

    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2])


def greeks_by_difference(sign, spot, strike, years, rate, carry, volatility):
    def at(**changes):
        own = {"spot": spot, "strike": strike, "years": years, "rate": rate, "carry": carry, "volatility": volatility}
        own |= changes
        return float(bs.price(sign, *own.values()))

    h = 1e-4
    return {
        "delta": (at(spot=spot * (1 + h)) - at(spot=spot * (1 - h))) / (2 * h * spot),
        "gamma": (at(spot=spot * (1 + h)) - 2 * at() + at(spot=spot * (1 - h))) / (h * spot) ** 2,
        "vega": (at(volatility=volatility + h) - at(volatility=volatility - h)) / (2 * h),
        "theta": -(at(years=years + h) - at(years=years - h)) / (2 * h),
        "rho": (at(rate=rate + h, carry=carry + h) - at(rate=rate - h, carry=carry - h)) / (2 * h),
    }


@given(st.floats(0.8, 1.25), st.floats(0.1, 3), st.floats(0, 0.1), st.floats(-0.05, 0.1), st.floats(0.1, 0.8),
       st.sampled_from([1.0, -1.0]))  # fmt: skip
def test_greeks_are_the_slopes_of_the_price(moneyness, years, rate, carry, volatility, sign):
    own = (100.0, 100.0 * moneyness, years, rate, carry, volatility)

    for name, expected in greeks_by_difference(sign, *own).items():
        assert float(greek(name, sign, *own)) == pytest.approx(expected, rel=2e-4, abs=2e-4), name
