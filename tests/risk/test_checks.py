"""Pre-trade checks: each refusal on both sides of its limit, in order of precedence."""

from decimal import Decimal

import msgspec
import pytest

from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.limits import Exposure, Refusal
from njord.domain.money import units
from njord.domain.order import NewOrder, OrderType, Side
from njord.domain.profile import CAPITAL_PRESERVING, PROFILES, RESEARCH, RiskProfile
from njord.risk.checks import Limits, refusal

SPOT = Instrument(
    instrument_id="BTC/USD.SIM", kind=InstrumentKind.SPOT, base="BTC", quote="USD",
    price_tick=Decimal("0.01"), quantity_lot=Decimal("0.001"), quantity_min=Decimal("0.002"),
)  # fmt: skip
FUTURE = msgspec.structs.replace(SPOT, kind=InstrumentKind.FUTURE, underlier="X", expiry_ns=1)
PROFILE = RiskProfile(
    name="test", price_collar=Decimal("0.1"), order_notional_max=Decimal(5_000), symbol_notional_max=Decimal(8_000),
    portfolio_notional_max=Decimal(9_000), order_quantity_max=Decimal(100), open_orders_max=5,
)  # fmt: skip
FLAT = Exposure(
    halted=False, open_orders=0, position_lots=0, working_buy_lots=0, working_sell_lots=0, last_ticks=10_000,
    order_notional_units=units(1_000), symbol_notional_units=units(1_000), portfolio_notional_units=units(1_000),
    equity_units=units(10_000), free_cash_units=units(10_000), cash_needed_units=units(1_000),
)  # fmt: skip
BUY = NewOrder("a-1", "a", "BTC/USD.SIM", Side.BUY, OrderType.LIMIT, 10_000, limit_ticks=10_000)
MARKET = {"order_type": OrderType.MARKET, "limit_ticks": None}
SELL = {"side": Side.SELL}


@pytest.mark.parametrize(
    ("order", "exposure", "expected"),
    [
        ({}, {}, None),
        ({}, {"open_orders": 4}, None),
        ({}, {"open_orders": 5}, Refusal.TOO_MANY_ORDERS),
        ({"quantity_lots": 2}, {}, None),
        ({"quantity_lots": 1}, {}, Refusal.QUANTITY_TOO_SMALL),
        ({"quantity_lots": 100_000}, {}, None),
        ({"quantity_lots": 100_001}, {}, Refusal.QUANTITY_TOO_LARGE),
        ({"limit_ticks": 11_000}, {}, None),
        ({"limit_ticks": 11_001}, {}, Refusal.PRICE_OUTSIDE_COLLAR),
        ({"limit_ticks": 1}, {}, None),  # Far on the passive side harms nobody
        ({"limit_ticks": 0}, {}, Refusal.PRICE_NOT_POSITIVE),
        ({}, {"last_ticks": None}, Refusal.NO_PRICE_YET),
        (MARKET, {"last_ticks": None}, Refusal.NO_PRICE_YET),
        (SELL | {"limit_ticks": 8_999}, {"position_lots": 10_000}, Refusal.PRICE_OUTSIDE_COLLAR),
        (SELL, {"position_lots": 10_000}, None),
        (SELL, {"position_lots": 9_999}, Refusal.SHORT_NOT_ALLOWED),
        (SELL, {"position_lots": 15_000, "working_sell_lots": 5_001}, Refusal.SHORT_NOT_ALLOWED),
        (SELL | {"reduce_only": True}, {"position_lots": 1}, None),  # The venue cuts it to what there is
        ({}, {"order_notional_units": units(5_000)}, None),
        ({}, {"order_notional_units": units(5_000) + 1}, Refusal.ORDER_NOTIONAL_TOO_LARGE),
        ({}, {"symbol_notional_units": units(8_000)}, None),
        ({}, {"symbol_notional_units": units(8_000) + 1}, Refusal.SYMBOL_NOTIONAL_TOO_LARGE),
        ({}, {"portfolio_notional_units": units(9_000) + 1}, Refusal.PORTFOLIO_NOTIONAL_TOO_LARGE),
        (SELL, {"position_lots": 10_000, "portfolio_notional_units": units(99_000)}, None),  # Getting out
        ({}, {"cash_needed_units": units(10_000)}, None),
        ({}, {"cash_needed_units": units(10_000) + 1}, Refusal.INSUFFICIENT_CASH),
        ({}, {"equity_units": units(1_000)}, None),
        ({}, {"equity_units": units(1_000) - 1}, Refusal.LEVERAGE_TOO_HIGH),
        ({"quantity_lots": 1}, {"halted": True, "open_orders": 9}, Refusal.HALTED),  # The first reason wins
    ],
)
def test_refusals(order, exposure, expected):
    found = refusal(
        msgspec.structs.replace(BUY, **order),
        SPOT,
        Grid.of(SPOT),
        msgspec.structs.replace(FLAT, **exposure),
        Limits.of(PROFILE),
    )
    assert found is expected


def test_a_future_may_have_a_negative_price():
    order = msgspec.structs.replace(BUY, limit_ticks=-3_763)
    limits = Limits.of(msgspec.structs.replace(PROFILE, price_collar=None))
    assert refusal(order, FUTURE, Grid.of(FUTURE), FLAT, limits) is None


def test_the_default_profile_neither_borrows_nor_sells_short():
    assert CAPITAL_PRESERVING.leverage_max == 1
    assert not CAPITAL_PRESERVING.short_allowed
    assert RESEARCH.backtest_only
    assert set(PROFILES) == {"capital_preserving", "market_making", "research"}


@pytest.mark.parametrize(
    "change", [{"leverage_max": Decimal(0)}, {"open_orders_max": 0}, {"price_collar": Decimal("nan")}]
)
def test_a_malformed_profile_is_refused_by_field(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        msgspec.structs.replace(PROFILE, **change)
