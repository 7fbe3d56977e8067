"""No free butterflies or calendars on the surface, and contracts on the right days."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_DAY, time_ns
from njord.market.pricing import black_scholes, futures, surface

SKEWS = st.floats(-0.95, 0.95)
SHARES = st.floats(0.05, 1.0)


@given(SKEWS, SHARES, st.floats(1e-4, 1.0), st.floats(1.0, 4.0))
def test_no_butterfly_and_no_calendar_is_free(skew, share, theta, later):
    wings = share * 2 / (1 + abs(skew))
    k = np.linspace(-1.5, 1.5, 601)
    near = surface.total_variance(k, theta, skew, wings)
    far = surface.total_variance(k, theta * later, skew, wings)

    assert (far >= near - 1e-12).all()
    # With forward 1 and no rates the second difference of calls in the strike is a price of a butterfly
    strikes = np.linspace(0.25, 4.0, 801)
    variance = surface.total_variance(np.log(strikes), theta, skew, wings)
    calls = black_scholes.price(1.0, 1.0, strikes, 1.0, 0.0, 0.0, np.sqrt(variance))
    assert (np.diff(calls, 2) > -1e-9).all()
    assert (np.diff(calls) < 1e-12).all()


def test_at_the_money_is_what_was_asked_for():
    assert float(surface.volatility(100.0, 100.0, 0.5, 0.02, -0.6, 1.0)) == pytest.approx(0.2)
    low, high = surface.volatility(np.array([80.0, 120.0]), 100.0, 0.5, 0.02, -0.6, 1.0)
    assert low > 0.2 > high


@pytest.mark.parametrize(("skew", "wings", "field"), [(1.0, 0.5, "skew"), (-0.5, 1.4, "wings"), (0.0, 0.0, "wings")])
def test_a_shape_that_would_be_free_money_is_refused(skew, wings, field):
    with pytest.raises(ValueError, match=field):
        surface.Smile(skew, wings)


def test_variance_reverts_and_never_falls_with_time():
    years = np.linspace(0.01, 3, 50)
    found = surface.expected_variance(0.09, 0.04, 5.0, years)

    assert (np.diff(found) > 0).all()
    assert found[0] / years[0] == pytest.approx(0.09, rel=0.03)
    assert found[-1] / years[-1] == pytest.approx(0.04, rel=0.1)


def test_index_contracts_expire_on_third_fridays():
    known = {(2025, 12): 19, (2026, 3): 20, (2026, 6): 19, (2026, 9): 18, (2027, 1): 15}
    assert {key: futures.third_friday(*key).day for key in known} == known

    found = futures.quarterly(time_ns("2026-01-05"), 3)

    assert [code for code, _ in found] == ["H26", "M26", "U26"]
    assert found[0][1] == time_ns("2026-03-20T20:00:00")


def test_commodity_months_follow_each_other():
    found = futures.monthly(time_ns("2026-11-20"), 4, notice_days=14)

    assert [code for code, _ in found] == ["Z26", "F27", "G27", "H27"]
    day = datetime.date(1970, 1, 1) + datetime.timedelta(days=found[0][1] // NS_PER_DAY)
    assert day == datetime.date(2026, 12, 29)  # 29, 30 and 31 are the last three weekdays
    assert futures.option_months(time_ns("2026-01-05"), 2)[0][0] == "F26"


@given(st.floats(1, 1e5), st.floats(0, 5), st.floats(-0.05, 0.2), st.floats(-0.1, 0.1))
def test_carry(spot, years, rate, income):
    future = float(futures.cost_of_carry(spot, years, rate, income))

    assert np.log(future / spot) == pytest.approx((rate - income) * years, abs=1e-9)
    with pytest.raises(ValueError, match="contracts"):
        futures.quarterly(0, 0)
