"""Curves, bonds and swaps: published answers, and what must hold for any of them."""

import datetime
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.market.pricing import bonds, swaps
from njord.market.pricing.curve import BUCKETS, ZeroCurve, bucket_weights, nelson_siegel, payment_times

YEARS = np.array([0.25, 0.5, 1, 2, 3, 5, 7, 10, 20, 30])
CURVES = st.lists(st.floats(-0.01, 0.12), min_size=10, max_size=10).map(lambda z: ZeroCurve(YEARS, np.array(z)))
FLAT = ZeroCurve(YEARS, np.full(10, 0.05))


def test_the_ten_year_par_bond():
    assert bonds.dirty_price_at_yield(0.05, 10, 0.05) == pytest.approx(100, abs=1e-10)
    assert bonds.modified_duration(0.05, 10, 0.05) == pytest.approx(7.794581, abs=1e-6)
    assert bonds.dv01_at_yield(0.05, 10, 0.05) == pytest.approx(0.0779458, abs=1e-7)


def case(folder, name):
    cases = json.loads((folder / "oracles" / "vectors_bonds" / "bond_known_answers.json").read_text())["cases"]
    return next(each for each in cases if each["id"] == name)


def time_left(settle, maturity, last, following):
    """Years to maturity in half-year periods, the running one by its actual days."""
    settle, last, following = (datetime.date.fromisoformat(each) for each in (settle, last, following))
    maturity = datetime.date.fromisoformat(maturity)
    whole = round((maturity - following).days / 365.25 * 2)
    return (whole + (following - settle).days / (following - last).days) / 2


@pytest.mark.shared_data
def test_the_bond_of_the_textbook(shared_data):
    known = case(shared_data, "bondtutor_8.5%_1997")
    left = time_left(known["settle"], known["maturity"], "1994-01-15", "1994-07-15")
    own, expected = (known["ytm"], left, known["coupon"]), known["expected"]

    assert bonds.dirty_price_at_yield(*own) == pytest.approx(expected["dirty_per_100"], abs=1e-4)
    assert bonds.accrued(left, 0.085) * 1e4 == pytest.approx(expected["accrued_on_face"], abs=1e-3)
    assert bonds.dv01_at_yield(*own) == pytest.approx(expected["dv01_per_100_from_dollar_duration"], abs=1e-8)
    assert bonds.modified_duration(*own) == pytest.approx(expected["modified_duration"], abs=1e-4)
    assert bonds.macaulay_duration(*own) == pytest.approx(expected["macaulay_duration"], abs=1e-4)
    assert bonds.convexity(*own) / 100 == pytest.approx(expected["convexity_financepy_scaling_div100"], abs=1e-4)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["UST_2.375%_2027-05-15", "AAPL_2.7%_2022-05-13"])
def test_bonds_on_a_screen(shared_data, name):
    known = case(shared_data, name)
    if name.startswith("UST"):
        left = time_left(known["settle"], known["maturity"], "2017-05-15", "2017-11-15")
    else:  # 30E/360: 68 of 180 days
        left = 4.5 + (180 - 68) / 360
    accrued, expected = bonds.accrued(left, known["coupon"]), known["expected"]
    found = bonds.yield_of(known["clean_price"] + accrued, left, known["coupon"])

    assert accrued == pytest.approx(expected["accrued_per_100"], abs=1e-4)
    assert found == pytest.approx(expected["ytm_us_street_4dp"], abs=5e-5)
    assert bonds.modified_duration(found, left, known["coupon"]) == pytest.approx(
        expected["modified_duration"], abs=2e-3
    )


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "last", "following", "maturity"),
    [
        ("QuantLib_cached_bond1", "2004-10-31", "2005-04-30", "2006-10-31"),
        ("QuantLib_cached_bond2", "2004-11-15", "2005-05-15", "2009-11-15"),
    ],
)
def test_bonds_of_another_library(shared_data, name, last, following, maturity):
    known = case(shared_data, name)
    left = time_left("2004-11-23", maturity, last, following)
    coupon, expected = known["coupon"], known["expected"]
    accrued = bonds.accrued(left, coupon)

    clean = bonds.dirty_price_at_yield(known["market_yield"], left, coupon) - accrued
    assert clean == pytest.approx(expected["clean_from_market_yield"], abs=1e-6)
    found = bonds.yield_of(known["market_price_clean"] + accrued, left, coupon)
    assert found == pytest.approx(expected["yield_from_market_price_compounded_semiannual"], abs=1e-6)


@given(CURVES, st.floats(0.3, 30), st.sampled_from([1, 2, 4]))
def test_a_par_bond_is_worth_its_face(curve, maturity, frequency):
    coupon = curve.par_rate(maturity, frequency)

    assert bonds.clean_price(curve, maturity, coupon, frequency) == pytest.approx(100, abs=1e-10)


@given(CURVES, st.sampled_from([2.0, 5.0, 10.0, 30.0]))
def test_a_swap_at_the_par_rate_is_worth_nothing(curve, maturity):
    assert swaps.present_value(curve, maturity, swaps.par_rate(curve, maturity)) == pytest.approx(0, abs=1e-10)


@given(CURVES, st.floats(0.3, 30), st.floats(0, 0.1))
def test_buckets_make_the_parallel_shift(curve, maturity, coupon):
    by_bucket = bonds.key_rate_dv01(curve, maturity, coupon)

    assert by_bucket.sum() == pytest.approx(bonds.curve_sensitivities(curve, maturity, coupon)[0], rel=1e-5)
    assert np.allclose(bucket_weights(np.linspace(0, 40, 97)).sum(axis=0), 1)


def test_a_bond_without_coupons_has_its_risk_where_it_matures():
    found = bonds.key_rate_dv01(FLAT, 5.0, 0.0)

    assert found[BUCKETS.index(5.0)] == pytest.approx(found.sum())
    halfway = swaps.key_rate_dv01(FLAT, 7.5, 0.0)
    assert halfway[1] == pytest.approx(halfway[2])


@given(CURVES, st.floats(0.5, 30), st.floats(0.0, 0.1))
def test_a_hundred_basis_points_are_duration_and_convexity(curve, maturity, coupon):
    dv01, convexity = bonds.curve_sensitivities(curve, maturity, coupon)
    change = bonds.dirty_price(curve.shifted(0.01), maturity, coupon) - bonds.dirty_price(curve, maturity, coupon)

    assert change == pytest.approx(-dv01 * 100 + convexity * 0.01**2 / 2, rel=0.02)


@given(st.floats(-0.02, 0.3), st.floats(0.1, 40), st.floats(0, 0.15))
def test_the_yield_of_a_price_is_the_yield(bond_yield, maturity, coupon):
    price = bonds.dirty_price_at_yield(bond_yield, maturity, coupon)

    assert bonds.yield_of(price, maturity, coupon) == pytest.approx(bond_yield, abs=1e-9)


@given(CURVES, st.floats(0.25, 29), st.floats(0.05, 1))
def test_forwards_are_what_lies_between_two_discounts(curve, start, length):
    ratio = float(curve.discount(start) / curve.discount(start + length))

    assert np.log(ratio) / length == pytest.approx(float(curve.forward(start, start + length)), abs=1e-12)


def test_what_makes_no_sense_is_said():
    with pytest.raises(ValueError, match="ascend"):
        ZeroCurve(np.array([1.0, 1.0]), np.array([0.1, 0.1]))
    with pytest.raises(ValueError, match="maturity 0"):
        payment_times(0, 2)
    with pytest.raises(ValueError, match="price -1"):
        bonds.yield_of(-1, 5, 0.05)


def test_nelson_siegel_ends():
    short, long = nelson_siegel(np.array([1e-9, 1e6]), 0.04, -0.02, 0.01, 0.6)

    assert (short, long) == (pytest.approx(0.02), pytest.approx(0.04, abs=1e-6))


def test_another_library_agrees(quantlib):
    ql = quantlib
    today = ql.Date(15, 1, 2026)
    ql.Settings.instance().evaluationDate = today
    schedule = ql.Schedule(
        today, today + ql.Period(10, ql.Years), ql.Period(ql.Semiannual), ql.NullCalendar(), ql.Unadjusted,
        ql.Unadjusted, ql.DateGeneration.Backward, False,
    )  # fmt: skip
    days = ql.Thirty360(ql.Thirty360.BondBasis)
    bond = ql.FixedRateBond(0, 100.0, schedule, [0.0425], days)
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.05, days, ql.Continuous))
    bond.setPricingEngine(ql.DiscountingBondEngine(flat))

    assert bonds.dirty_price(FLAT, 10, 0.0425) == pytest.approx(bond.dirtyPrice(), abs=1e-9)
    rate = ql.InterestRate(0.047, days, ql.Compounded, ql.Semiannual)
    functions = ql.BondFunctions
    assert bonds.modified_duration(0.047, 10, 0.0425) == pytest.approx(
        functions.duration(bond, rate, ql.Duration.Modified), abs=1e-9
    )
    assert bonds.convexity(0.047, 10, 0.0425) == pytest.approx(functions.convexity(bond, rate), abs=1e-8)
    swap = ql.OvernightIndexedSwap(
        ql.Swap.Receiver, 100.0, schedule, 0.0425, days,
        ql.OvernightIndex("on", 0, ql.USDCurrency(), ql.NullCalendar(), days, flat),
    )  # fmt: skip
    swap.setPricingEngine(ql.DiscountingSwapEngine(flat))
    assert swaps.present_value(FLAT, 10, 0.0425) == pytest.approx(swap.NPV(), abs=1e-6)
    assert swaps.par_rate(FLAT, 10) == pytest.approx(swap.fairRate(), abs=1e-8)


def test_options_of_another_library_agree(quantlib):
    from njord.market.pricing import black_scholes

    ql = quantlib
    for sign, strike, years, volatility in ((1, 90, 0.5, 0.2), (-1, 120, 2.0, 0.45), (1, 100, 0.08, 0.1)):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if sign > 0 else ql.Option.Put, strike)
        forward = 100 * np.exp(0.025 * years)
        option = ql.BlackCalculator(payoff, forward, volatility * np.sqrt(years), np.exp(-0.04 * years))
        own = (100.0, strike, years, 0.04, 0.025, volatility)
        assert float(black_scholes.price(sign, *own)) == pytest.approx(option.value(), rel=1e-10)
        assert float(black_scholes.delta(sign, *own)) == pytest.approx(option.delta(100.0), rel=1e-10)
        assert float(black_scholes.gamma(*own)) == pytest.approx(option.gamma(100.0), rel=1e-10)
        assert float(black_scholes.vega(*own)) == pytest.approx(option.vega(years), rel=1e-10)
        assert float(black_scholes.theta(sign, *own)) == pytest.approx(option.theta(100.0, years), rel=1e-9)
        assert float(black_scholes.rho(sign, *own)) == pytest.approx(option.rho(years), rel=1e-10)
