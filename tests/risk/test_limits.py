"""A profile in the units the checks compare, and the corners of the checks that one table does not reach."""

from decimal import Decimal

import msgspec
import pytest

from njord.domain.instrument import Grid, Instrument, InstrumentKind
from njord.domain.limits import Exposure, Refusal
from njord.domain.money import units
from njord.domain.order import NewOrder, OrderType, Side
from njord.domain.profile import RiskProfile, VarLimit
from njord.risk.checks import Limits, reduces, refusal

SPOT = Instrument(
    instrument_id="BTC/USD.SIM", kind=InstrumentKind.SPOT, base="BTC", quote="USD",
    price_tick=Decimal("0.01"), quantity_lot=Decimal("0.001"),
)  # fmt: skip
NOTHING = RiskProfile(name="x", leverage_max=None, short_allowed=True)
FLAT = Exposure(False, 0, 0, 0, 0, 10_000, 100, 100, 100, 1_000, 1_000, 100)
BUY = NewOrder("a-1", "a", "BTC/USD.SIM", Side.BUY, OrderType.LIMIT, 10, limit_ticks=10_000)
STOP = {"order_type": OrderType.STOP, "limit_ticks": None}


def profile(**changes):
    return msgspec.structs.replace(NOTHING, **changes)


def judged(limits, order=None, **exposure):
    return refusal(
        msgspec.structs.replace(BUY, **(order or {})), SPOT, Grid.of(SPOT),
        msgspec.structs.replace(FLAT, **exposure), Limits.of(limits),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "portfolio", "strategy", "money"),
    [
        ({}, False, False, False),
        ({"leverage_max": Decimal(1)}, True, False, True),
        ({"portfolio_notional_max": Decimal(1)}, True, False, True),
        ({"value_at_risk": VarLimit(share_max=Decimal("0.1"))}, True, False, True),
        ({"strategy_notional_max": Decimal(1)}, True, True, True),
        ({"strategy_leverage_max": Decimal(1)}, True, True, True),
        ({"order_notional_max": Decimal(1)}, False, False, True),
        ({"symbol_notional_max": Decimal(1)}, False, False, True),
    ],
)
def test_only_what_a_limit_needs_is_computed(change, portfolio, strategy, money):
    limits = Limits.of(profile(**change))
    assert (limits.checks_portfolio, limits.checks_strategy, limits.checks_money) == (portfolio, strategy, money)


def test_limits_are_exact():
    every = profile(
        leverage_max=Decimal("1.5"), strategy_leverage_max=Decimal("0.3"), price_collar=Decimal("0.1"),
        market_order_buffer=Decimal("0.02"), order_notional_max=Decimal(5), symbol_notional_max=Decimal(6),
        strategy_notional_max=Decimal(7), portfolio_notional_max=Decimal(8), order_quantity_max=Decimal(9),
        open_orders_max=3, short_allowed=False,
    )  # fmt: skip
    limits = Limits.of(every)
    assert (limits.leverage, limits.strategy_leverage, limits.collar, limits.buffer) == (
        (3, 2), (3, 10), (1, 10), (1, 50),
    )  # fmt: skip
    assert [
        limits.order_notional_max, limits.symbol_notional_max, limits.strategy_notional_max,
        limits.portfolio_notional_max,
    ] == [units(each) for each in (5, 6, 7, 8)]  # fmt: skip
    assert (limits.order_quantity_max, limits.open_orders_max, limits.short_allowed) == ((9, 1), 3, False)
    assert (limits.leverage_bp, limits.var_share) == (15_000, None)
    assert Limits.of(profile(value_at_risk=VarLimit(share_max=Decimal("0.4")))).var_share == (2, 5)
    none = Limits.of(NOTHING)
    assert none.short_allowed is True
    assert {none.leverage, none.strategy_leverage, none.collar, none.order_notional_max, none.symbol_notional_max,
            none.strategy_notional_max, none.portfolio_notional_max, none.order_quantity_max} == {None}  # fmt: skip


def test_without_a_limit_on_money_nobody_asks_for_a_price():
    market = {"order_type": OrderType.MARKET, "limit_ticks": None}
    assert judged(NOTHING, market, last_ticks=None) is None
    assert judged(profile(leverage_max=Decimal(9)), market, last_ticks=None) is Refusal.NO_PRICE_YET
    assert judged(profile(leverage_max=Decimal(9)), market) is None
    huge = 10**30
    assert judged(NOTHING, portfolio_notional_units=huge, symbol_notional_units=huge, order_notional_units=huge) is None


def test_the_trigger_is_held_to_the_collar_as_well():
    collar = profile(price_collar=Decimal("0.3"))
    assert judged(collar, STOP | {"stop_ticks": 13_000}) is None
    assert judged(collar, STOP | {"stop_ticks": 13_001}) is Refusal.PRICE_OUTSIDE_COLLAR
    assert judged(collar, {"limit_ticks": 13_001}) is Refusal.PRICE_OUTSIDE_COLLAR


@pytest.mark.parametrize(
    ("limits", "exposure", "expected"),
    [
        ({"portfolio_notional_max": Decimal(1)}, {"portfolio_notional_units": units(1)}, None),
        ({"portfolio_notional_max": Decimal(1)}, {"portfolio_notional_units": units(1) + 1},
         Refusal.PORTFOLIO_NOTIONAL_TOO_LARGE),
        ({"leverage_max": Decimal("1.5")}, {"portfolio_notional_units": 1_500}, None),
        ({"leverage_max": Decimal("1.5")}, {"portfolio_notional_units": 1_501}, Refusal.LEVERAGE_TOO_HIGH),
        ({"leverage_max": Decimal("1.5")}, {"cash_needed_units": 9_999}, None),  # It may borrow
        ({"leverage_max": Decimal(1)}, {"cash_needed_units": 1_001}, Refusal.INSUFFICIENT_CASH),
        ({"leverage_max": Decimal("0.5")}, {"portfolio_notional_units": 501}, Refusal.LEVERAGE_TOO_HIGH),
        ({"strategy_notional_max": Decimal(1)}, {"strategy_notional_units": units(1)}, None),
        ({"strategy_notional_max": Decimal(1)}, {"strategy_notional_units": units(1) + 1},
         Refusal.STRATEGY_NOTIONAL_TOO_LARGE),
        ({"strategy_leverage_max": Decimal("0.3")}, {"strategy_notional_units": 300}, None),
        ({"strategy_leverage_max": Decimal("0.3")}, {"strategy_notional_units": 301},
         Refusal.STRATEGY_NOTIONAL_TOO_LARGE),
        ({"strategy_leverage_max": Decimal("0.3")}, {"strategy_notional_units": 30, "strategy_equity_units": 100},
         None),
        ({"strategy_leverage_max": Decimal("0.3")}, {"strategy_notional_units": 31, "strategy_equity_units": 100},
         Refusal.STRATEGY_NOTIONAL_TOO_LARGE),
        ({"strategy_leverage_max": Decimal("0.3")}, {"strategy_notional_units": 301, "strategy_equity_units": 9_999},
         Refusal.STRATEGY_NOTIONAL_TOO_LARGE),
        ({"symbol_notional_max": Decimal(1)}, {"symbol_notional_units": units(1) // 2, "size": (1, 2)}, None),
        ({"symbol_notional_max": Decimal(1)}, {"symbol_notional_units": units(1) // 2 + 1, "size": (1, 2)},
         Refusal.SYMBOL_NOTIONAL_TOO_LARGE),
        ({"leverage_max": Decimal(2)}, {"portfolio_notional_units": 1_000, "size": (1, 2)}, None),
        ({"leverage_max": Decimal(2)}, {"portfolio_notional_units": 1_001, "size": (1, 2)}, Refusal.LEVERAGE_TOO_HIGH),
    ],
)  # fmt: skip
def test_money_on_both_sides(limits, exposure, expected):
    assert judged(profile(**limits), **exposure) is expected


STRATEGY = profile(strategy_notional_max=Decimal(1))


@pytest.mark.parametrize(
    ("limits", "exposure", "expected"),
    [
        (STRATEGY, {"strategy_notional_units": units(1) + 1, "strategy_adds": True},
         Refusal.STRATEGY_NOTIONAL_TOO_LARGE),
        (STRATEGY, {"strategy_notional_units": units(1) + 1, "strategy_adds": False}, None),
        (STRATEGY, {"strategy_notional_units": units(1), "strategy_adds": True}, None),
        (NOTHING, {"strategy_notional_units": units(1) + 1, "strategy_adds": True}, None),
    ],
)  # fmt: skip
def test_who_gets_out_of_what_another_strategy_holds_is_not_getting_out(limits, exposure, expected):
    """An order that makes the account's position smaller can make its own strategy's larger."""
    assert judged(limits, {"side": Side.SELL}, position_lots=10, **exposure) is expected


def test_a_part_of_the_size_of_a_tier_is_exact():
    third = {"symbol_notional_units": units(1) // 3 * 2, "size": (2, 3)}
    assert judged(profile(symbol_notional_max=Decimal(1)), **third) is None
    more = third | {"symbol_notional_units": units(1) * 2 // 3 + 1}
    assert judged(profile(symbol_notional_max=Decimal(1)), **more) is Refusal.SYMBOL_NOTIONAL_TOO_LARGE


def test_the_largest_quantity_is_exact_where_it_is_no_whole_number_of_units():
    limits = profile(order_quantity_max=Decimal("2.5"))
    assert judged(limits, {"quantity_lots": 2_500}) is None
    assert judged(limits, {"quantity_lots": 2_501}) is Refusal.QUANTITY_TOO_LARGE


VAR = profile(value_at_risk=VarLimit(share_max=Decimal("0.1")))


@pytest.mark.parametrize(
    ("before", "after", "limit", "expected"),
    [
        (50, 100, 100, None),
        (50, 101, 100, Refusal.VAR_TOO_HIGH),
        (102, 101, 100, None),  # It makes it smaller
        (101, 101, 100, Refusal.VAR_TOO_HIGH),
        (None, 101, 100, Refusal.VAR_TOO_HIGH),
        (None, None, 100, None),
        (50, 101, None, None),
    ],
)
def test_value_at_risk_on_both_sides(before, after, limit, expected):
    assert judged(VAR, var_before_units=before, var_after_units=after, var_max_units=limit) is expected


@pytest.mark.parametrize(
    ("side", "held", "buys", "sells", "lots", "expected"),
    [
        (Side.SELL, 10, 0, 0, 10, True),
        (Side.SELL, 10, 0, 0, 11, False),
        (Side.SELL, 10, 0, 1, 10, False),
        (Side.SELL, 10, 5, 1, 9, True),
        (Side.SELL, -10, 0, 0, 1, False),
        (Side.BUY, -10, 0, 0, 10, True),
        (Side.BUY, -10, 0, 0, 11, False),
        (Side.BUY, -10, 1, 0, 10, False),
        (Side.BUY, -10, 1, 5, 9, True),
        (Side.BUY, 10, 0, 0, 1, False),
        (Side.BUY, 0, 0, 0, 1, False),
    ],
)
def test_what_reduces(side, held, buys, sells, lots, expected):
    order = msgspec.structs.replace(BUY, side=side, quantity_lots=lots)
    exposure = msgspec.structs.replace(FLAT, position_lots=held, working_buy_lots=buys, working_sell_lots=sells)
    assert reduces(order, exposure) is expected
    limited = profile(symbol_notional_max=Decimal(1))
    found = judged(limited, {"side": side, "quantity_lots": lots}, position_lots=held, working_buy_lots=buys,
                   working_sell_lots=sells, symbol_notional_units=10**30)  # fmt: skip
    assert found is (None if expected else Refusal.SYMBOL_NOTIONAL_TOO_LARGE)


@pytest.mark.parametrize(
    ("exposure", "expected"),
    [
        ({"barred": Refusal.VENUE_NOT_ALLOWED}, Refusal.VENUE_NOT_ALLOWED),
        ({"too_fast": True}, Refusal.ORDER_RATE),
        ({"only_reducing": Refusal.BREAKER_OPEN}, Refusal.BREAKER_OPEN),
        ({"only_reducing": Refusal.BREAKER_OPEN, "position_lots": -10}, None),
        ({"group_refusal": Refusal.VENUE_EXPOSURE_TOO_LARGE}, Refusal.VENUE_EXPOSURE_TOO_LARGE),
        ({"group_refusal": Refusal.VENUE_EXPOSURE_TOO_LARGE, "position_lots": -10}, None),
        ({"halted": True, "barred": Refusal.VENUE_NOT_ALLOWED}, Refusal.HALTED),
        ({"barred": Refusal.VENUE_NOT_ALLOWED, "open_orders": 10**6}, Refusal.VENUE_NOT_ALLOWED),
        ({"too_fast": True, "open_orders": 10**6}, Refusal.TOO_MANY_ORDERS),
        ({"too_fast": True, "only_reducing": Refusal.BREAKER_OPEN}, Refusal.ORDER_RATE),
    ],
)
def test_what_others_have_found_out(exposure, expected):
    assert judged(profile(symbol_notional_max=Decimal(1)), **exposure) is expected
