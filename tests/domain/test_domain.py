"""The words: identifiers, times, money, grids, orders. Each rule on both sides of its limit."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain import clock, ids, money
from njord.domain.instrument import Grid, Instrument, InstrumentKind, OffGrid, OptionRight
from njord.domain.order import TERMINAL, TRANSITIONS, NewOrder, OrderStatus, OrderType, Side, TimeInForce

SPOT = Instrument(
    instrument_id="BTC/USD.KRAKEN", kind=InstrumentKind.SPOT, base="BTC", quote="USD",
    price_tick=Decimal("0.1"), quantity_lot=Decimal("0.00000001"),
)  # fmt: skip


@pytest.mark.parametrize(
    "text", ["BTC/USD.KRAKEN", "BTC/USDT:USDT.BINANCE", "AAPL.NASDAQ", "BRK.B.NYSE", "X.BINANCE_US"]
)
def test_instrument_ids(text):
    assert ids.instrument_id(text) == text
    assert ids.venue_of(text) == text.rpartition(".")[2]


@pytest.mark.parametrize(
    "text", ["", "BTC", ".KRAKEN", "BTC.", "BTC/USD.kraken", "BTC /USD.X", "../x.Y", "A/../B.X", "A" * 70 + ".X"]
)
def test_what_is_no_instrument_id_is_refused_by_name(text):
    with pytest.raises(ValueError, match="instrument"):
        ids.instrument_id(text)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01", 0),
        ("2020-01-01", 1_577_836_800_000_000_000),
        ("2020-01-01T00:00:00Z", 1_577_836_800_000_000_000),
        ("2020-01-01T03:00:00+03:00", 1_577_836_800_000_000_000),
        ("2020-01-01T00:00:00.000000001Z", 1_577_836_800_000_000_001),
        ("1969-12-31T23:59:59", -1_000_000_000),
    ],
)
def test_times(text, ns):
    assert clock.time_ns(text) == ns


@given(st.integers(-(2**61), 2**62))
def test_a_time_reads_back_from_its_text(ns):
    assert clock.time_ns(clock.iso(ns)) == ns


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01", "2020-01-01T00:00:00.0000000001Z"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="time"):
        clock.time_ns(text)


@pytest.mark.parametrize(
    ("text", "ns"), [("1m", 60 * 10**9), ("4h", 14400 * 10**9), ("1d", 86400 * 10**9), ("500ms", 5 * 10**8)]
)
def test_intervals(text, ns):
    assert clock.interval_ns(text) == ns
    assert clock.interval_text(ns) == text


@pytest.mark.parametrize("text", ["", "1", "m", "0m", "-1h", "1.5h", "1y"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ValueError, match="interval"):
        clock.interval_ns(text)


@given(st.integers(-(10**40), 10**40))
def test_money_reads_back_from_its_decimal(units):
    assert money.units(money.decimal(units)) == units


def test_floats_are_read_by_their_shortest_text():
    assert money.units(0.1) == 10**17


@pytest.mark.parametrize("value", ["nan", "inf", "x", Decimal("1e-19")])
def test_what_is_no_money_is_refused(value):
    with pytest.raises(ValueError):
        money.units(value)


GRIDS = st.sampled_from(["0.00000001", "0.0001", "0.01", "0.1", "0.5", "1", "0.25", "5", "0.03125"])


@given(tick=GRIDS, ticks=st.integers(-(10**9), 10**9))
def test_a_price_is_the_float_of_its_decimal_and_finds_back_to_its_tick(tick, ticks):
    grid = Grid.of(msgspec.structs.replace(SPOT, price_tick=Decimal(tick)))
    exact = Decimal(ticks) * Decimal(tick)
    assert grid.price(ticks) == float(exact)
    assert grid.nearest_ticks(grid.price(ticks)) == ticks
    assert grid.ticks(exact) == ticks


@given(tick=GRIDS, price=st.floats(-1e7, 1e7))
def test_what_is_wanted_is_never_made_more_aggressive(tick, price):
    grid = Grid.of(msgspec.structs.replace(SPOT, price_tick=Decimal(tick)))
    below, above = grid.wanted_ticks(price, up=False), grid.wanted_ticks(price, up=True)
    assert grid.price(below) <= price <= grid.price(above)
    assert above - below in (0, 1)


@given(quantity=st.floats(0, 1e6))
def test_a_quantity_is_never_more_than_asked(quantity):
    grid = Grid.of(SPOT)
    assert grid.quantity(grid.wanted_lots(quantity)) <= quantity


@pytest.mark.parametrize("price", ["100.05", "x", "nan", "inf", "1e30"])
def test_what_a_venue_says_is_never_rounded(price):
    with pytest.raises(OffGrid, match=r"BTC/USD\.KRAKEN: price"):
        Grid.of(SPOT).ticks(price)


def test_the_worth_of_linear_and_inverse_contracts():
    assert Grid.of(SPOT).value_units(1_000_000, 100_000_000) == money.units(100_000)
    inverse = Instrument(
        instrument_id="BTC/USD:BTC.BINANCE", kind=InstrumentKind.PERPETUAL, base="BTC", quote="USD", underlier="BTC",
        price_tick=Decimal("0.1"), quantity_lot=Decimal(1), multiplier=Decimal(100), inverse=True,
    )  # fmt: skip
    grid = Grid.of(inverse)
    # Ten contracts of 100 USD from 50,000 to 62,500: 1000/50000 - 1000/62500 = 0.004 BTC
    assert grid.value_units(625_000, 10) - grid.value_units(500_000, 10) == money.units("0.004")
    assert inverse.settlement == "BTC"


KINDS = {
    InstrumentKind.SPOT: {},
    InstrumentKind.FX: {},
    InstrumentKind.EQUITY: {},
    InstrumentKind.BOND: {"expiry_ns": 1, "coupon_rate": Decimal("0.05")},
    InstrumentKind.OPTION: {"underlier": "SPY.CBOE", "expiry_ns": 1, "strike": Decimal(430), "right": OptionRight.CALL},
    InstrumentKind.FUTURE: {"underlier": "ES", "expiry_ns": 1},
    InstrumentKind.PERPETUAL: {"underlier": "BTC"},
    InstrumentKind.SWAP: {"underlier": "SOFR", "expiry_ns": 1, "coupon_rate": Decimal("0.03")},
}


@pytest.mark.parametrize("kind", list(InstrumentKind))
def test_every_kind_of_instrument_has_what_it_needs_and_reads_back(kind):
    made = msgspec.structs.replace(SPOT, kind=kind, **KINDS[kind])
    assert msgspec.json.decode(msgspec.json.encode(made), type=Instrument) == made
    for field in KINDS[kind]:
        with pytest.raises(ValueError, match=field):
            msgspec.structs.replace(made, **{field: None})


@pytest.mark.parametrize(
    ("field", "value"),
    [("price_tick", Decimal(0)), ("quantity_lot", Decimal(-1)), ("multiplier", Decimal("nan")),
     ("notional_min", Decimal(-1)),
     ("base", ""), ("strike", Decimal(1)), ("inverse", True)],
)  # fmt: skip
def test_a_malformed_instrument_is_refused_by_name_and_field(field, value):
    with pytest.raises(ValueError, match=r"BTC/USD\.KRAKEN"):
        msgspec.structs.replace(SPOT, **{field: value})


ORDER = NewOrder("a-1", "a", "BTC/USD.KRAKEN", Side.BUY, OrderType.LIMIT, 10, limit_ticks=100)


@pytest.mark.parametrize(
    "change",
    [{"quantity_lots": 0}, {"limit_ticks": None}, {"stop_ticks": 5}, {"order_type": OrderType.MARKET},
     {"post_only": True, "time_in_force": TimeInForce.IOC}, {"order_type": OrderType.STOP_LIMIT}],
)  # fmt: skip
def test_a_malformed_order_is_refused(change):
    with pytest.raises(ValueError, match="a-1"):
        msgspec.structs.replace(ORDER, **change)


def test_the_order_state_machine_is_closed():
    assert set(TRANSITIONS) == set(OrderStatus)
    assert {s for following in TRANSITIONS.values() for s in following} <= set(OrderStatus)
    assert OrderStatus.INITIALISED not in {s for following in TRANSITIONS.values() for s in following}
    assert {
        OrderStatus.REFUSED, OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED,
    } == TERMINAL  # fmt: skip
    # Whatever happened, a venue can still tell us that an order we lost sight of was filled
    assert OrderStatus.FILLED in TRANSITIONS[OrderStatus.UNKNOWN]
