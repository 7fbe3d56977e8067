"""Campaigns in the ledger: from flat to flat, each leg's figures the ledger's own."""

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Grid
from njord.domain.order import Side
from njord.ledger.campaigns import LegKind, campaigns
from njord.ledger.portfolio import Portfolio
from njord.ledger.record import OpenedLot, StepRecord

NAME = "BTC/USD.SIM"
E, A, P, R, F = LegKind.ENTRY, LegKind.ADD, LegKind.PARTIAL_EXIT, LegKind.REENTRY, LegKind.FINAL_EXIT


def records(spot, fills):
    """Book fills of (signed lots, price) and return their records, the portfolio's own figures beside them."""
    portfolio = Portfolio("USD", [spot])
    made = []
    for count, (lots, price) in enumerate(fills, 1):
        side = Side.BUY if lots > 0 else Side.SELL
        fill = Fill(
            f"f{count}", f"o{count}", NAME, side, price, abs(lots), 100 * count, "USD", Liquidity.TAKER,
            FillReason.VENUE, "", count, count,
        )  # fmt: skip
        entry, closed = portfolio.fill(fill, "s")
        newest = portfolio.holding("s", NAME).newest
        opened = (
            ()
            if newest is None or newest.fill_id != fill.fill_id
            else (OpenedLot("s", NAME, msgspec.structs.replace(newest)),)
        )
        record = StepRecord(
            account_id="x", session_id="x-1", sequence=count, time_ns=count, cause="fill", event=fill,
            commands=(entry,), opened=opened, closed=tuple(closed),
        )  # fmt: skip
        made.append(record)
    return portfolio, made


def test_a_campaign_with_partial_exits_and_a_re_entry(spot):
    fills = [(10, 100), (5, 110), (-6, 120), (3, 115), (-12, 130), (4, 90)]

    _, made = records(spot, fills)
    first, second = campaigns(made)

    assert [leg.kind for leg in first.legs] == [E, A, P, R, F]
    assert [leg.held_lots for leg in first.legs] == [10, 15, 9, 12, 0]
    assert (first.over, second.over) == (True, False)
    assert first.campaign_id == "f1"
    cost = 10 * 100 + 5 * 110 + 3 * 115
    assert first.gain_units == Grid.of(spot).value_units(1, 6 * 120 + 12 * 130 - cost)
    assert first.fee_units == 100 * (1 + 2 + 3 + 4 + 5)


def test_a_fill_that_turns_a_position_round_is_a_leg_of_two_campaigns(spot):
    _, made = records(spot, [(10, 100), (-15, 110), (5, 100)])

    long, short = campaigns(made)

    assert [(leg.kind, leg.lots, leg.fee_units) for leg in long.legs] == [(E, 10, 100), (F, -10, 133)]
    assert [(leg.kind, leg.lots, leg.fee_units) for leg in short.legs] == [(E, -5, 67), (F, 5, 300)]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(50, 150)), max_size=30))
def test_the_legs_come_to_the_ledgers_own_figures(fills):
    from decimal import Decimal

    from njord.domain.instrument import Instrument, InstrumentKind

    spot = Instrument(
        instrument_id=NAME, kind=InstrumentKind.SPOT, base="BTC", quote="USD", price_tick=Decimal("0.01"),
        quantity_lot=Decimal("0.0001"),
    )  # fmt: skip
    portfolio, made = records(spot, fills)

    found = campaigns(made)

    legs = list(itertools.chain.from_iterable(each.legs for each in found))
    assert sum(leg.lots for leg in legs) == portfolio.lots[NAME]
    assert sum(leg.gain_units for leg in legs) == portfolio.realised.get("USD", 0)
    assert sum(leg.fee_units for leg in legs) == portfolio.fees.get("USD", 0)
    assert all(each.over for each in found[:-1])
    for each in found:
        signs = {leg.held_lots > 0 for leg in each.legs if leg.held_lots}
        assert len(signs) == 1
