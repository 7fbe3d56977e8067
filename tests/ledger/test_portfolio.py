"""Money: exact, balanced, conserved, whatever happens and however it is split up."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.market import Dividend, Expiry, Funding, Split
from njord.domain.money import decimal, units
from njord.domain.order import Side
from njord.ledger.currency import Converter, NoRate
from njord.ledger.portfolio import Portfolio

SPOT = Instrument(
    instrument_id="BTC/USD.SIM", kind=InstrumentKind.SPOT, base="BTC", quote="USD",
    price_tick=Decimal("0.01"), quantity_lot=Decimal("0.0001"),
)  # fmt: skip
PERP = msgspec.structs.replace(SPOT, instrument_id="ETH/USD:USD.SIM", kind=InstrumentKind.PERPETUAL, underlier="ETH")
INVERSE = msgspec.structs.replace(
    PERP, instrument_id="BTC/USD:BTC.SIM", quantity_lot=Decimal(1), multiplier=Decimal(100), inverse=True
)
EURUSD = msgspec.structs.replace(
    SPOT, instrument_id="EUR/USD.SIM", kind=InstrumentKind.FX, base="EUR", price_tick=Decimal("0.00001")
)
USDJPY = msgspec.structs.replace(
    SPOT, instrument_id="USD/JPY.SIM", kind=InstrumentKind.FX, base="USD", quote="JPY", price_tick=Decimal("0.001")
)
ALL = [SPOT, PERP, INVERSE, EURUSD, USDJPY]
LAST = {
    "BTC/USD.SIM": 5_000_000,
    "ETH/USD:USD.SIM": 300_000,
    "BTC/USD:BTC.SIM": 5_000_000,
    "EUR/USD.SIM": 110_000,
    "USD/JPY.SIM": 150_000,
}


def fill(instrument, side, lots, ticks, fee=0, number=1, asset=None):
    return Fill(
        f"f{number}", "a-1", instrument.instrument_id, side, ticks, lots, fee, asset or instrument.settlement,
        Liquidity.TAKER, FillReason.VENUE, "", number, number,
    )  # fmt: skip


def balanced(entry):
    totals = {}
    for posting in entry.postings:
        totals[posting.asset] = totals.get(posting.asset, 0) + posting.amount
    return not any(totals.values())


def portfolio(currency="USD", cash=1_000_000):
    made = Portfolio(currency, ALL)
    made.deposit(units(cash), currency, 0)
    return made


def test_a_round_trip_by_hand():
    made = portfolio(cash=100_000)
    made.fill(fill(SPOT, Side.BUY, 10_000, 5_000_000, units(50), 1), "a")
    _, closed = made.fill(fill(SPOT, Side.SELL, 4_000, 5_100_000, units(20), 2), "a")

    assert [(trip.lots, trip.gain_units, trip.fee_units) for trip in closed] == [(4_000, units(400), units(40))]
    assert decimal(made.cash["USD"]) == 100_000 - 50_000 - 50 + 20_400 - 20
    assert made.lots["BTC/USD.SIM"] == 6_000
    assert made.unrealised({**LAST, "BTC/USD.SIM": 5_200_000}) == {"USD": units(1_200)}
    assert made.equity({**LAST, "BTC/USD.SIM": 5_200_000}) == units(100_000 + 400 + 1_200 - 70)


def test_a_position_turned_round_closes_first_and_opens_the_rest():
    made = portfolio()
    made.fill(fill(SPOT, Side.BUY, 100, 1_000, number=1), "a")
    _, closed = made.fill(fill(SPOT, Side.SELL, 250, 1_100, number=2), "a")

    holding = made.holding("a", SPOT.instrument_id)
    assert [trip.lots for trip in closed] == [100]
    assert holding.lots == -150
    assert [lot.lots for lot in holding.open_lots] == [-150]


def test_lots_are_first_in_first_out():
    made = portfolio()
    for number, ticks in enumerate((1_000, 2_000, 3_000), 1):
        made.fill(fill(SPOT, Side.BUY, 100, ticks, number=number), "a")
    _, closed = made.fill(fill(SPOT, Side.SELL, 150, 4_000, number=4), "a")

    assert [(trip.entry_fill_id, trip.exit_fill_id, trip.lots) for trip in closed] == [
        ("f1", "f4", 100),
        ("f2", "f4", 50),
    ]


def test_strategies_hold_apart_what_the_account_holds_together():
    made = portfolio()
    made.fill(fill(SPOT, Side.BUY, 100, 1_000, number=1), "a")
    made.fill(fill(SPOT, Side.SELL, 100, 1_000, number=2), "b")

    assert made.lots[SPOT.instrument_id] == 0
    assert (made.holding("a", SPOT.instrument_id).lots, made.holding("b", SPOT.instrument_id).lots) == (100, -100)


def test_margined_contracts_pay_only_what_they_gain():
    made = portfolio(cash=10_000)
    made.fill(fill(PERP, Side.SELL, 10_000, 300_000, number=1), "a")
    assert decimal(made.cash["USD"]) == 10_000
    made.fill(fill(PERP, Side.BUY, 10_000, 290_000, number=2), "a")
    assert decimal(made.cash["USD"]) == 10_100
    assert made.equity(LAST) == units(10_100)


def test_inverse_contracts_gain_in_the_base():
    made = Portfolio("BTC", ALL)
    made.deposit(units(1), "BTC", 0)
    made.fill(fill(INVERSE, Side.BUY, 10, 5_000_000, number=1), "a")
    made.fill(fill(INVERSE, Side.SELL, 10, 6_250_000, number=2), "a")
    assert made.cash["BTC"] == units("1.004")


def test_funding_is_paid_by_longs_to_shorts_and_rounded_against_us():
    for side, paid in ((Side.BUY, "-0.3"), (Side.SELL, "0.3")):
        made = portfolio()
        made.fill(fill(PERP, side, 10_000, 300_000), "a")
        entry = made.fund(Funding(PERP.instrument_id, 8, 8, 100_000_000), 300_000)
        assert balanced(entry)
        assert made.funding == {"USD": units(paid)}
    assert portfolio().fund(Funding(PERP.instrument_id, 8, 8, 100_000_000), 300_000) is None


def test_funding_of_an_inverse_contract_follows_its_notional():
    made = Portfolio("BTC", ALL)
    made.fill(fill(INVERSE, Side.BUY, 10, 5_000_000), "a")
    made.fund(Funding(INVERSE.instrument_id, 8, 8, 1_000_000_000), 5_000_000)
    assert made.funding == {"BTC": units("-0.00002")}  # 0.1 % of 1000 USD / 50000


def test_a_split_keeps_the_worth_and_the_cost():
    made = portfolio()
    made.fill(fill(SPOT, Side.BUY, 3, 700, number=1), "a")
    made.fill(fill(SPOT, Side.BUY, 4, 700, number=2), "a")
    before = made.equity({**LAST, "BTC/USD.SIM": 700})
    entry = made.split(Split(SPOT.instrument_id, 5, 5, 7, 1), 700)

    assert balanced(entry)
    assert made.lots[SPOT.instrument_id] == 49
    assert made.equity({**LAST, "BTC/USD.SIM": 100}) == before
    assert sum(lot.lots for lot in made.holding("a", SPOT.instrument_id).open_lots) == 49


def test_a_reverse_split_pays_out_the_fraction():
    made = portfolio()
    for number in (1, 2, 3):
        made.fill(fill(SPOT, Side.BUY, 5, 100, number=number), "a")
    before = made.equity({**LAST, "BTC/USD.SIM": 100})
    made.split(Split(SPOT.instrument_id, 5, 5, 1, 10), 100)

    assert made.lots[SPOT.instrument_id] == 1
    assert made.equity({**LAST, "BTC/USD.SIM": 1_000}) == before
    assert (
        sum(lot.cost_units for lot in made.holding("a", SPOT.instrument_id).open_lots)
        == made.holding("a", SPOT.instrument_id).cost_units
    )


def test_dividends_are_paid_to_holders_and_by_the_short():
    made = portfolio()
    made.fill(fill(SPOT, Side.SELL, 20_000, 100), "a")
    assert balanced(made.dividend(Dividend(SPOT.instrument_id, 5, 5, units("0.47"))))
    assert made.dividends == {"USD": units("-0.94")}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(1, 500), st.integers(1, 10**6), st.sampled_from("ab"))),
    st.integers(1, 10**6), st.sampled_from([SPOT, PERP]),
)  # fmt: skip
def test_what_expires_is_worth_what_it_was_marked_at_and_nothing_is_left_of_it(stream, ticks, instrument):
    made, name = portfolio(), instrument.instrument_id
    for number, (side, lots, price, strategy) in enumerate(stream):
        made.fill(fill(instrument, side, lots, price, number=number), strategy)
    last = {**LAST, name: ticks}
    before, held = made.equity(last), any(each.lots for each in made.holdings.values())
    entry = made.expire(Expiry(name, 5, 6, ticks))
    assert (entry is not None) == held
    assert entry is None or (balanced(entry) and entry.entry_id == f"expiry:{name}:6")
    assert made.equity({**LAST, name: 1}) == before
    assert (made.lots[name], made.costs[name]) == (0, 0)
    assert not any(holding.lots or holding.open_lots for holding in made.holdings.values())
    assert made.expire(Expiry(name, 5, 6, ticks)) is None


def test_net_asset_value_is_the_same_by_any_road():
    # Triangular: EUR into JPY by way of USD equals EUR into USD and that into JPY
    jpy = Converter("JPY", ALL)
    usd = Converter("USD", ALL)
    amount = units(1_000)
    assert jpy.convert(amount, "EUR", LAST) == jpy.convert(usd.convert(amount, "EUR", LAST), "USD", LAST)
    assert jpy.convert(amount, "EUR", LAST) == units(165_000)
    assert abs(Converter("EUR", ALL).convert(jpy.convert(amount, "EUR", LAST), "JPY", LAST) - amount) <= 2
    with pytest.raises(NoRate, match="XRP"):
        usd.convert(1, "XRP", LAST)
    with pytest.raises(NoRate, match="no price"):
        usd.convert(1, "EUR", {})


def test_equity_in_several_currencies_by_hand():
    made = portfolio(cash=1_000)
    made.fill(fill(USDJPY, Side.BUY, 10_000, 150_000, number=1), "a")  # 1 USD for 150 JPY: borrows yen, holds dollars
    last = {**LAST, "USD/JPY.SIM": 160_000}
    # It gained 10 JPY a dollar, worth 10 / 160 USD
    assert made.equity(last) == units(1_000) + units("0.0625")


FILLS = st.lists(
    st.tuples(
        st.sampled_from([SPOT, PERP]), st.sampled_from(list(Side)), st.integers(1, 500), st.integers(1, 10**7),
        st.integers(-(10**17), 10**18), st.sampled_from(["a", "b"]),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(FILLS, st.integers(1, 10**7), st.integers(1, 10**7))
def test_money_is_conserved_over_any_stream_of_fills(stream, spot_ticks, perp_ticks):
    made = portfolio()
    last = {**LAST, "BTC/USD.SIM": spot_ticks, "ETH/USD:USD.SIM": perp_ticks}
    cash_postings = units(1_000_000)
    trips = []
    for number, (instrument, side, lots, ticks, fee, strategy) in enumerate(stream):
        entry, closed = made.fill(fill(instrument, side, lots, ticks, fee, number), strategy)
        assert balanced(entry)
        cash_postings += sum(p.amount for p in entry.postings if p.account == "cash")
        trips += closed

        # After every event: lots sum to the position, cash is its postings, NAV is cash and what is held
        for holding in made.holdings.values():
            assert sum(lot.lots for lot in holding.open_lots) == holding.lots
            assert sum(lot.cost_units for lot in holding.open_lots) == holding.cost_units
            assert len({lot.lots > 0 for lot in holding.open_lots}) <= 1
        assert made.cash["USD"] == cash_postings
        gain = made.realised.get("USD", 0) + made.unrealised(last).get("USD", 0) - made.fees.get("USD", 0)
        assert made.equity(last) - units(1_000_000) == gain
    open_fees = sum(lot.fee_units for h in made.holdings.values() for lot in h.open_lots)
    assert sum(trip.fee_units for trip in trips) + open_fees == made.fees.get("USD", 0)
    assert sum(trip.gain_units for trip in trips) == made.realised.get("USD", 0)


@settings(max_examples=80, deadline=None)
@given(FILLS, st.data())
def test_any_partition_of_the_fills_gives_the_same_ledger(stream, data):
    whole, parts = portfolio(), portfolio()
    for number, (instrument, side, lots, ticks, _, strategy) in enumerate(stream):
        whole.fill(fill(instrument, side, lots, ticks, 0, number), strategy)
        left = lots
        while left:
            part = data.draw(st.integers(1, left))
            parts.fill(fill(instrument, side, part, ticks, 0, number * 1_000 + left), strategy)
            left -= part
    assert whole.cash == parts.cash
    assert whole.lots == parts.lots
    assert whole.equity(LAST) == parts.equity(LAST)
    assert {key: h.cost_units for key, h in whole.holdings.items()} == {
        key: h.cost_units for key, h in parts.holdings.items()
    }


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(1, 99), st.integers(100, 9_999)), max_size=12),
       st.sampled_from([(7, 1), (2, 1), (3, 2), (1, 10), (1, 7), (4, 3)]))  # fmt: skip
def test_no_split_makes_or_loses_money(stream, ratio):
    made = portfolio()
    for number, (side, lots, ticks) in enumerate(stream):
        made.fill(fill(SPOT, side, lots, ticks, 0, number), "a")
    ticks = 8_400
    before = made.equity({**LAST, "BTC/USD.SIM": ticks})
    made.split(Split(SPOT.instrument_id, 9, 9, *ratio), ticks)
    after_ticks = ticks * ratio[1] // ratio[0]
    assert ticks * ratio[1] % ratio[0] == 0
    assert abs(made.equity({**LAST, "BTC/USD.SIM": after_ticks}) - before) <= 1
    for holding in made.holdings.values():
        assert sum(lot.lots for lot in holding.open_lots) == holding.lots
        assert sum(lot.cost_units for lot in holding.open_lots) == holding.cost_units


def test_the_grid_of_a_portfolio_is_that_of_its_instruments():
    assert portfolio().value(SPOT.instrument_id, 5_000_000, 10_000) == Grid.of(SPOT).value_units(5_000_000, 10_000)
