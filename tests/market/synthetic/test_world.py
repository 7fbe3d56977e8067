"""A world whose prices hold together at every moment, and that goes on from where it was stopped."""

import math

import msgspec
import numpy as np
import pytest

from njord.domain.clock import NS_PER_DAY, NS_PER_S, time_ns
from njord.domain.instrument import InstrumentKind
from njord.market.pricing import black_scholes, bonds, futures, swaps
from njord.market.synthetic.listing import BOND_YEARS, default_universe
from njord.market.synthetic.scenarios import Drift, FlashCrash, RatesShift, Volatility
from njord.market.synthetic.universe import YEAR_NS
from njord.market.synthetic.world import Occurrence, World, WorldState

START_NS = time_ns("2026-01-05")
UNIVERSE = default_universe(START_NS)
INSTRUMENTS = {each.instrument.instrument_id: each.instrument for each in UNIVERSE.listings}
OPTIONS = [each for each in INSTRUMENTS.values() if each.kind is InstrumentKind.OPTION]
FUTURES = [each for each in INSTRUMENTS.values() if each.kind is InstrumentKind.FUTURE]
STEP_NS = UNIVERSE.step_ns


def world(seed=1):
    return World(UNIVERSE, seed)


def of(universe, kind):
    return [each for each in universe.listings if each.instrument.kind is kind]


def test_the_universe_is_what_it_should_be():
    assert {kind: len(of(UNIVERSE, kind)) for kind in InstrumentKind} == {
        InstrumentKind.EQUITY: 12, InstrumentKind.FUTURE: 9, InstrumentKind.OPTION: 84, InstrumentKind.BOND: 6,
        InstrumentKind.SWAP: 4, InstrumentKind.SPOT: 4, InstrumentKind.PERPETUAL: 3, InstrumentKind.FX: 0,
    }  # fmt: skip
    for each in INSTRUMENTS.values():
        assert each.instrument_id.endswith(".SIM")
        assert each.quote == "USD"
        assert each.expiry_ns is None or each.expiry_ns > START_NS + 14 * NS_PER_DAY


def check_parity(now):
    pairs = {}
    for option in OPTIONS:
        pairs.setdefault((option.underlier, option.expiry_ns, option.strike), {})[option.right] = option.instrument_id
    assert len(pairs) == 42
    for (underlier, expiry_ns, strike), pair in pairs.items():
        years = now.years_to(expiry_ns)
        spot = now.underlier_price(underlier)
        expected = spot * math.exp(-now.income(underlier) * years) - float(strike * 1) * float(
            now.curve.discount(years)
        )
        assert now.fair(pair["call"]) - now.fair(pair["put"]) == pytest.approx(expected, abs=1e-10 * spot)


def check_carry(now):
    for future in FUTURES:
        years = now.years_to(future.expiry_ns)
        expected = futures.cost_of_carry(
            now.underlier_price(future.underlier), years, now.curve.zero(years), now.income(future.underlier)
        )
        assert now.fair(future.instrument_id) == pytest.approx(float(expected), rel=1e-14)


def check_rates(now):
    for years in BOND_YEARS:
        par = now.curve.par_rate(years)
        assert bonds.dirty_price(now.curve, years, par) == pytest.approx(100, abs=1e-10)
        assert swaps.present_value(now.curve, years, par) == pytest.approx(0, abs=1e-10)
    for listing in of(UNIVERSE, InstrumentKind.BOND):
        bond = listing.instrument
        expected = bonds.dirty_price(now.curve, now.years_to(bond.expiry_ns), float(bond.coupon_rate))
        assert now.fair(bond.instrument_id) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("steps", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_parity_carry_and_par_hold_on_every_tick(steps):
    # 103 instruments follow from others: ten thousand steps are a million prices
    now = world()
    actions = {50: Volatility(4.0), 80: FlashCrash(0.2, 5.0, 10.0), 120: RatesShift(150.0), 150: Drift(100.0)}
    for step in range(steps):
        now.advance(START_NS + step * STEP_NS)
        if step in actions:
            now.apply(actions[step])
        check_parity(now)
        check_carry(now)
        check_rates(now)
        assert np.isfinite(now.fairs()).all()


def test_option_terms_are_what_the_option_is_priced_with():
    now = world()
    now.advance(START_NS + 30 * NS_PER_S)
    for option in OPTIONS:
        t = now.option_terms(option.instrument_id)
        price = black_scholes.price(t.sign, t.spot, t.strike, t.years, t.rate, t.carry, t.volatility)
        assert float(price) == pytest.approx(now.fair(option.instrument_id), rel=1e-12)
        assert now.vol(option.instrument_id) == t.volatility
    with pytest.raises(ValueError, match="no option"):
        now.vol("BRAGE.SIM")


def test_the_index_is_its_members():
    now = world()
    now.advance(START_NS + 600 * NS_PER_S)
    basket = UNIVERSE.baskets[0]

    worth = sum(units * now.fair(f"{name}.SIM") for name, units in basket.members)

    assert now.underlier_price(basket.name) == pytest.approx(worth, rel=1e-13)


def test_a_hundred_basis_points_more():
    now = world()
    before, after, expected = {}, {}, {}
    for listing in of(UNIVERSE, InstrumentKind.BOND):
        bond = listing.instrument
        years = now.years_to(bond.expiry_ns)
        dv01, convexity = bonds.curve_sensitivities(now.curve, years, float(bond.coupon_rate))
        before[bond.instrument_id] = now.fair(bond.instrument_id)
        expected[bond.instrument_id] = -dv01 * 100 + convexity * 0.01**2 / 2
    now.apply(RatesShift(100.0))
    for name in before:
        after[name] = now.fair(name)

    for name in before:
        # At 30 years the third term, -1/6 of the third derivative, is itself more than a hundredth
        within = 0.015 if "30Y" in name else 0.01
        assert after[name] - before[name] == pytest.approx(expected[name], rel=within), name
    change = sum(after.values()) - sum(before.values())
    assert change == pytest.approx(sum(expected.values()), rel=0.01)


def returns(now, names, steps):
    path = []
    for step in range(steps):
        now.advance(START_NS + step * STEP_NS)
        path.append([now.underlier_price(name) for name in names])
    return np.diff(np.log(np.array(path)), axis=0)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_realised_volatility_scales(scale):
    names = [each.name for each in UNIVERSE.assets]
    usual, scaled = world(), world()
    scaled.apply(Volatility(scale))

    ratio = returns(scaled, names, 1_500).std(axis=0) / returns(usual, names, 1_500).std(axis=0)

    np.testing.assert_allclose(ratio, scale, rtol=0.02)


@pytest.mark.slow
def test_realised_volatility_is_what_the_universe_says():
    step_ns = 10 * NS_PER_S
    now, path = World(slow_universe(step_ns), 4), []
    for step in range(8_640):
        now.advance(START_NS + step * step_ns)
        path.append([now.underlier_price(each.name) for each in UNIVERSE.assets])
    realised = np.diff(np.log(np.array(path)), axis=0).std(axis=0) * np.sqrt(YEAR_NS / step_ns)
    stated = np.array([each.volatility for each in UNIVERSE.assets])

    # In a day: about 50 independent variances and 144 jumps, so 9 % is one standard error of each
    assert (np.abs(realised / stated - 1) < 0.27).all()
    assert np.mean(realised / stated) == pytest.approx(1, abs=0.05)


def test_drift_shifts_and_one_underlier_alone():
    usual, shifted = world(), world()
    shifted.apply(Drift(1_000.0, ("RAN",)))
    for each in (usual, shifted):
        each.advance(START_NS + 60 * NS_PER_S)

    change = math.log(shifted.fair("RAN.SIM") / usual.fair("RAN.SIM"))

    assert change == pytest.approx(1_000 * 60 * NS_PER_S / YEAR_NS, rel=1e-9)
    assert shifted.fair("SIF.SIM") == usual.fair("SIF.SIM")
    with pytest.raises(ValueError, match="NOBODY is no asset"):
        shifted.apply(Volatility(2.0, ("NOBODY",)))


@pytest.mark.parametrize("chunk_ns", [STEP_NS, 70_000_001, 5 * NS_PER_S])
def test_a_crash_falls_and_recovers_however_time_is_cut(chunk_ns):
    usual, crashed = world(), world()
    crashed.apply(FlashCrash(0.3, 10.0, 20.0, recovery=0.5))
    lowest, at_ns = 0.0, START_NS
    while at_ns < START_NS + 40 * NS_PER_S:
        at_ns += chunk_ns
        for each in (usual, crashed):
            each.advance(at_ns)
        lowest = min(lowest, math.log(crashed.fair("EIR.SIM") / usual.fair("EIR.SIM")))

    assert lowest == pytest.approx(math.log(0.7), rel=1e-9)
    assert math.log(crashed.fair("EIR.SIM") / usual.fair("EIR.SIM")) == pytest.approx(math.log(0.7) / 2, rel=1e-9)


def test_a_restart_goes_on_as_if_nothing_had_been():
    first, second = world(3), world(3)
    first.apply(FlashCrash(0.1, 30.0, 60.0))
    first.advance(START_NS + 12_345_678_901)
    stored = msgspec.json.encode(first.snapshot())

    second.restore(msgspec.json.decode(stored, type=WorldState))

    assert (second.fairs() == first.fairs()).all()
    for each in (first, second):
        each.advance(START_NS + 40 * NS_PER_S)
    assert (second.fairs() == first.fairs()).all()
    assert msgspec.json.encode(second.snapshot()) == msgspec.json.encode(first.snapshot())
    with pytest.raises(ValueError, match="cannot go back"):
        second.advance(START_NS)


def slow_universe(step_ns):
    return msgspec.structs.replace(UNIVERSE, step_ns=step_ns)


def test_half_a_year_brings_funding_expiries_and_coupons():
    now = World(slow_universe(NS_PER_DAY // 24), 2)
    now.advance(START_NS + 185 * NS_PER_DAY)
    happened = now.drain()
    kinds = {kind: [each for each in happened if each.occurrence is kind] for kind in Occurrence}

    assert [each.time_ns for each in happened] == sorted(each.time_ns for each in happened)
    assert len(kinds[Occurrence.FUNDING]) == 3 * 3 * 185
    assert len(kinds[Occurrence.COUPON]) == 6
    for each in kinds[Occurrence.COUPON]:
        assert each.value == pytest.approx(50 * float(INSTRUMENTS[each.instrument_id].coupon_rate))
    expired = {each.instrument_id: each.value for each in kinds[Occurrence.EXPIRY]}
    due = [each for each in (*OPTIONS, *FUTURES) if each.expiry_ns <= now.now_ns]
    assert sorted(expired) == sorted(each.instrument_id for each in due)
    for each in OPTIONS:
        settled = expired[each.instrument_id]
        assert settled == now.fair(each.instrument_id)
        twin = each.instrument_id.replace("-C.", "-P.") if "-C." in each.instrument_id else None
        assert settled >= -1e-9
        if twin is not None:
            assert min(settled, expired[twin]) == pytest.approx(0, abs=0.02)
    rates = [each.value for each in kinds[Occurrence.FUNDING]]
    assert max(map(abs, rates)) < 0.0075
    assert np.mean(rates) == pytest.approx(0.0001, abs=0.0001)


def test_a_swap_does_not_jump_when_it_pays():
    now = World(slow_universe(NS_PER_DAY), 2)
    payment_ns = START_NS + YEAR_NS // 2
    path = []
    for day in range(-3, 4):
        now.advance(payment_ns + day * NS_PER_DAY)
        path.append([now.fair(f"IRS-{years}Y.SIM") for years in (2, 5)])

    # A payment of about 2 per 100 would show; a day of rates moves 2 and 5 years by far less
    assert np.abs(np.diff(np.array(path), axis=0)).max() < 1.0
