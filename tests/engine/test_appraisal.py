"""What accounts are worth and at risk of: exact where it is money, and equal to bumping the market where it is not."""

import random
from decimal import Decimal

import numpy as np
import pytest

from njord.domain.instruction import BY_HAND
from njord.domain.instrument import InstrumentKind
from njord.domain.order import NewOrder, OrderType, Side, TimeInForce
from njord.engine.marketplace import Marketplace
from njord.engine.simulation.appraisal import STRESSES, Appraiser
from njord.engine.simulation.house import House, Plan
from njord.ledger.memory import MemoryLedger
from njord.market.pricing import black_scholes, bonds
from njord.market.synthetic.listing import default_universe

S = 10**9
START = 1_767_600_000 * S
UNIVERSE = default_universe(START)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = House(Marketplace(UNIVERSE, 5), MemoryLedger(), tmp_path_factory.mktemp("house"), wait=lambda _s: None)
    for account_id in ("ann", "bob", "idle"):
        house.open(account_id, Plan(cash=Decimal(50_000_000), risk="market_making"))
    house.begin()
    for step in range(1, 40):
        house.turn(START + step * S // 10)
    yield house
    house.close()


@pytest.fixture(scope="module")
def traded(house):
    dice, names = random.Random(2), [each.instrument.instrument_id for each in UNIVERSE.listings]
    for number in range(150):
        order = NewOrder(
            f"o{number}", BY_HAND, dice.choice(names), dice.choice(list(Side)), OrderType.MARKET, dice.randint(1, 5),
            None, None, TimeInForce.IOC,
        )  # fmt: skip
        owner = dice.choice(("ann", "bob"))
        house.instruct(owner, order, owner)
        house.turn(house.now_ns + S // 10)
        appraiser = Appraiser(house.marketplace.world) if number % 30 == 0 else None
        if appraiser is not None:
            nav_is_cash_and_marks(house, appraiser)
    return house


def nav_is_cash_and_marks(house, appraiser):
    appraiser.look(house.now_ns)
    for view in appraiser.portfolios(list(house.accounts.values())):
        state = house.accounts[view.account_id].session.state
        assert view.nav_units == state.equity_units()
        gained = view.realised_units + view.unrealised_units + view.income_units - view.fees_units
        assert view.nav_units == view.capital_units + gained


@pytest.fixture(scope="module")
def looked(traded):
    appraiser = Appraiser(traded.marketplace.world)
    appraiser.look(traded.now_ns)
    views = {view.account_id: view for view in appraiser.portfolios(list(traded.accounts.values()))}
    assert len(views["ann"].positions) > 10
    return appraiser, views


def test_nav_is_cash_and_marks_and_gains_add_up_to_it(traded):
    nav_is_cash_and_marks(traded, Appraiser(traded.marketplace.world))


def test_deltas_are_what_a_bump_of_the_underlier_does(traded, looked):
    appraiser, _ = looked
    world, bump = traded.marketplace.world, 1e-5
    found = appraiser.sensitivities
    multipliers = np.array([float(each.multiplier) for each in appraiser._instruments])
    spots = np.array([world.underlier_price(name) if name else 1.0 for name in found.underliers])
    change = world.fairs_if(price_factors=1 + bump) - world.fairs_if(price_factors=1 - bump)
    for row, each in enumerate(appraiser._instruments):
        if each.kind is InstrumentKind.OPTION:  # At a volatility that stays: a surface has a skew, and moves with spot
            term = world.option_terms(each.instrument_id)
            rest = (term.strike, term.years, term.rate, term.carry, term.volatility)
            up = black_scholes.price(term.sign, term.spot * (1 + bump), *rest)
            moved = up - black_scholes.price(term.sign, term.spot * (1 - bump), *rest)
        else:
            moved = change[row]
        bumped = float(moved) / (2 * bump * spots[row]) * multipliers[row]
        assert found.delta[row] == pytest.approx(bumped, rel=1e-4, abs=1e-6), each.instrument_id


def test_greeks_of_an_account_are_the_sum_of_its_positions(traded, looked):
    appraiser, views = looked
    found = appraiser.sensitivities
    for view in views.values():
        by: dict[str, float] = {}
        for position in view.positions:
            on = found.underliers[found.instruments.index(position.instrument_id)]
            if on:
                by[on] = by.get(on, 0.0) + position.delta
        assert {on: each.delta for on, each in view.greeks.items()} == pytest.approx(by)


def test_dv01_is_what_a_basis_point_costs_bonds_and_swaps(traded, looked):
    appraiser, views = looked
    world = traded.marketplace.world
    debts = {InstrumentKind.BOND, InstrumentKind.SWAP}
    rows = [row for row, each in enumerate(appraiser._instruments) if each.kind in debts]
    up, down = world.fairs_if(rates_shift=1e-4), world.fairs_if(rates_shift=-1e-4)
    multipliers = np.array([float(each.multiplier) for each in appraiser._instruments])
    bumped = (down - up)[rows] / 2 * multipliers[rows]
    assert appraiser.sensitivities.dv01.sum(axis=1)[rows] == pytest.approx(bumped, rel=1e-3)
    held = {p.instrument_id: p for p in views["ann"].positions}
    total = sum(np.array(p.dv01).sum() for p in held.values())
    assert sum(views["ann"].dv01) == pytest.approx(total)


def test_rates_up_a_percent_is_dv01_and_convexity(looked, traded):
    appraiser, _ = looked
    world, curve = traded.marketplace.world, traded.marketplace.curve
    change = world.fairs_if(rates_shift=0.01) - world.fairs()
    for row, each in enumerate(appraiser._instruments):
        if each.kind is InstrumentKind.BOND and world.years_to(each.expiry_ns) < 11:
            years = world.years_to(each.expiry_ns)
            dv01, convexity = bonds.curve_sensitivities(curve, years, float(each.coupon_rate))
            assert change[row] == pytest.approx(-dv01 * 100 + convexity * 0.01**2 / 2, rel=0.01), each.instrument_id


def test_an_idle_account_is_worth_its_cash_and_at_no_risk(looked):
    _, views = looked
    idle = views["idle"]
    assert (idle.nav_units, idle.gross_units, idle.leverage) == (50_000_000 * 10**18, 0, 0.0)
    assert idle.positions == []
    assert dict.fromkeys(STRESSES, 0.0) == idle.stress
    text = repr(idle)
    assert "ann" not in text
    assert "bob" not in text
