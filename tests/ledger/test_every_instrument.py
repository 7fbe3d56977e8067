"""The laws of money, for every kind of instrument, side and way to end: one property for each combination."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Grid, Instrument, InstrumentKind, OptionRight
from njord.domain.money import units
from njord.domain.order import Side
from njord.ledger.portfolio import Portfolio

NEEDS = {
    InstrumentKind.BOND: {"expiry_ns": 1, "coupon_rate": Decimal("0.05")},
    InstrumentKind.OPTION: {"underlier": "X", "expiry_ns": 1, "strike": Decimal(430), "right": OptionRight.PUT},
    InstrumentKind.FUTURE: {"underlier": "X", "expiry_ns": 1},
    InstrumentKind.PERPETUAL: {"underlier": "X"},
    InstrumentKind.SWAP: {"underlier": "X", "expiry_ns": 1, "coupon_rate": Decimal("0.03")},
}
MULTIPLIERS = {InstrumentKind.OPTION: Decimal(100), InstrumentKind.FUTURE: Decimal(50)}
GRIDS = {"fine": (Decimal("0.00001"), Decimal("0.00000001")), "coarse": (Decimal("0.25"), Decimal(1))}
LOTS, TICKS = st.integers(1, 10**6), st.integers(1, 10**7)
START = units(10**9)


def instrument(kind, grid, inverse=False):
    tick, lot = GRIDS[grid]
    return Instrument(
        instrument_id="A/USD.SIM", kind=kind, base="A", quote="USD", price_tick=tick, quantity_lot=lot, inverse=inverse,
        multiplier=MULTIPLIERS.get(kind, Decimal(1)), **NEEDS.get(kind, {}),
    )  # fmt: skip


CASES = [(instrument(kind, grid), kind.value, grid) for kind in InstrumentKind for grid in GRIDS]
CASES += [(instrument(InstrumentKind.PERPETUAL, grid, inverse=True), "inverse", grid) for grid in GRIDS]
EACH = pytest.mark.parametrize("traded", [c[0] for c in CASES], ids=[f"{c[1]}-{c[2]}" for c in CASES])
SIDES = pytest.mark.parametrize("side", list(Side))
LAW = settings(max_examples=8, deadline=None)


def fill(traded, side, lots, ticks, fee=0, number=1):
    return Fill(
        f"f{number}", "a-1", traded.instrument_id, side, ticks, lots, fee, traded.settlement, Liquidity.TAKER,
        FillReason.VENUE, "", number, number,
    )  # fmt: skip


def funded(traded):
    made = Portfolio(traded.settlement, [traded])
    made.deposit(START, traded.settlement, 0)
    return made


def worth(made, traded, ticks):
    return made.equity({traded.instrument_id: ticks})


@EACH
@SIDES
@LAW
@given(LOTS, TICKS)
def test_trading_at_the_mark_changes_no_net_asset_value(traded, side, lots, ticks):
    made = funded(traded)
    made.fill(fill(traded, side, lots, ticks), "a")
    assert worth(made, traded, ticks) == START


@EACH
@SIDES
@LAW
@given(LOTS, TICKS, st.integers(-(10**20), 10**20))
def test_a_fee_costs_exactly_itself(traded, side, lots, ticks, fee):
    made = funded(traded)
    made.fill(fill(traded, side, lots, ticks, fee), "a")
    assert worth(made, traded, ticks) == START - fee


@EACH
@SIDES
@LAW
@given(LOTS, TICKS, TICKS)
def test_a_round_trip_gains_what_the_worth_changed_by_and_leaves_nothing(traded, side, lots, entry, end):
    made, grid = funded(traded), Grid.of(traded)
    made.fill(fill(traded, side, lots, entry, number=1), "a")
    _, closed = made.fill(fill(traded, side.opposite, lots, end, number=2), "a")
    signed = lots * side.sign
    gain = grid.value_units(end, signed) - grid.value_units(entry, signed)
    assert [trip.gain_units for trip in closed] == [gain]
    assert made.cash[traded.settlement] == START + gain
    assert made.lots[traded.instrument_id] == 0
    assert made.holding("a", traded.instrument_id).cost_units == 0


@EACH
@SIDES
@LAW
@given(LOTS, TICKS, TICKS)
def test_what_one_side_gains_the_other_loses(traded, side, lots, entry, mark):
    ours, theirs = funded(traded), funded(traded)
    ours.fill(fill(traded, side, lots, entry), "a")
    theirs.fill(fill(traded, side.opposite, lots, entry), "a")
    total = worth(ours, traded, mark) + worth(theirs, traded, mark) - 2 * START
    # Worth is rounded down where a contract does not divide evenly, never up: nobody gains by rounding
    assert -2 <= total <= 2 if traded.inverse else total == 0


@EACH
@SIDES
@LAW
@given(st.integers(2, 10**6), TICKS, TICKS, st.data())
def test_closing_in_parts_ends_where_closing_at_once_does(traded, side, lots, entry, end, data):
    whole, parts = funded(traded), funded(traded)
    for made in (whole, parts):
        made.fill(fill(traded, side, lots, entry, number=1), "a")
    whole.fill(fill(traded, side.opposite, lots, end, number=2), "a")
    first = data.draw(st.integers(1, lots - 1))
    parts.fill(fill(traded, side.opposite, first, end, number=2), "a")
    parts.fill(fill(traded, side.opposite, lots - first, end, number=3), "a")
    difference = whole.cash[traded.settlement] - parts.cash[traded.settlement]
    assert abs(difference) <= (2 if traded.inverse else 0)


@EACH
@SIDES
@LAW
@given(LOTS, TICKS, LOTS, TICKS)
def test_every_entry_balances_for_every_asset(traded, side, lots, ticks, more, later):
    made = funded(traded)
    for number, (size, price, way) in enumerate(((lots, ticks, side), (more, later, side.opposite)), 1):
        entry, _ = made.fill(fill(traded, way, size, price, 7, number), "a")
        totals = {}
        for posting in entry.postings:
            totals[posting.asset] = totals.get(posting.asset, 0) + posting.amount
        assert not any(totals.values())
