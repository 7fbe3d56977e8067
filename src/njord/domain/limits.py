"""Limits: the closed list of reasons to refuse an order, and what an order is judged against."""

import enum

import msgspec


class Refusal(enum.StrEnum):
    """Every reason our own risk engine refuses an order. Closed list; the first in this order wins."""

    HALTED = "halted"
    STRATEGY_STOPPED = "strategy_stopped"
    MODEL_NOT_ACTIVE = "model_not_active"
    INSTRUMENT_UNKNOWN = "instrument_unknown"
    VENUE_NOT_ALLOWED = "venue_not_allowed"
    VENUE_DATA_ONLY = "venue_data_only"
    DUPLICATE_INTENT = "duplicate_intent"
    TOO_MANY_ORDERS = "too_many_orders"
    ORDER_RATE = "order_rate"
    MARKET_STALE = "market_stale"
    BREAKER_OPEN = "breaker_open"
    REDUCE_ONLY = "reduce_only"  # Drawdown, daily loss or VaR: only what makes us smaller
    QUANTITY_TOO_SMALL = "quantity_too_small"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    PRICE_NOT_POSITIVE = "price_not_positive"
    NO_PRICE_YET = "no_price_yet"
    PRICE_OUTSIDE_COLLAR = "price_outside_collar"
    WOULD_SELF_TRADE = "would_self_trade"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    SHORT_NOT_ALLOWED = "short_not_allowed"
    ORDER_NOTIONAL_TOO_LARGE = "order_notional_too_large"
    SYMBOL_NOTIONAL_TOO_LARGE = "symbol_notional_too_large"
    STRATEGY_NOTIONAL_TOO_LARGE = "strategy_notional_too_large"
    PORTFOLIO_NOTIONAL_TOO_LARGE = "portfolio_notional_too_large"
    VENUE_EXPOSURE_TOO_LARGE = "venue_exposure_too_large"
    INSUFFICIENT_CASH = "insufficient_cash"
    LEVERAGE_TOO_HIGH = "leverage_too_high"
    VAR_TOO_HIGH = "var_too_high"
    ORDER_UNKNOWN = "order_unknown"
    ORDER_DONE = "order_done"


class Exposure(msgspec.Struct, gc=False):
    """What an order would be added to: all that is held and all that is already working.

    Notionals and cash are in units of the account's currency; quantities are lots of the order's instrument.
    """

    halted: bool
    open_orders: int
    position_lots: int
    working_buy_lots: int
    working_sell_lots: int
    last_ticks: int | None
    order_notional_units: int = 0
    symbol_notional_units: int = 0  # Worst case of this instrument, with the order
    portfolio_notional_units: int = 0  # Worst case of all instruments, with the order
    equity_units: int = 0
    free_cash_units: int = 0  # Cash less what working orders would take
    cash_needed_units: int = 0  # What this order would take, its fee included; 0 where it needs none
    barred: Refusal | None = None  # Why nothing may go to the order's venue
    too_fast: bool = False
    only_reducing: Refusal | None = None  # Why only what makes the position smaller may go
    size: tuple[int, int] = (1, 1)  # Limits are multiplied by it, as deep in a drawdown as we are
    strategy_notional_units: int = 0  # Worst case of the order's strategy, with the order
    strategy_adds: bool = (
        True  # Whether it can make what its own strategy holds larger, whatever it does to the account
    )
    strategy_equity_units: int | None = None  # What is allocated to it; None where capital is not allocated
    group_refusal: Refusal | None = None  # Of the venues that are capped together
    var_before_units: int | None = None
    var_after_units: int | None = None
    var_max_units: int | None = None
