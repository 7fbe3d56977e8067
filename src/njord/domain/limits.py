"""Limits: what a risk profile allows, and the closed list of reasons to refuse."""

import enum
from decimal import Decimal

import msgspec


class Refusal(enum.StrEnum):
    """Every reason our own risk engine refuses an order. Closed list; the first in this order wins."""

    HALTED = "halted"
    STRATEGY_STOPPED = "strategy_stopped"
    INSTRUMENT_UNKNOWN = "instrument_unknown"
    DUPLICATE_INTENT = "duplicate_intent"
    TOO_MANY_ORDERS = "too_many_orders"
    QUANTITY_TOO_SMALL = "quantity_too_small"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    PRICE_NOT_POSITIVE = "price_not_positive"
    NO_PRICE_YET = "no_price_yet"
    PRICE_OUTSIDE_COLLAR = "price_outside_collar"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    ORDER_NOTIONAL_TOO_LARGE = "order_notional_too_large"
    SYMBOL_NOTIONAL_TOO_LARGE = "symbol_notional_too_large"
    PORTFOLIO_NOTIONAL_TOO_LARGE = "portfolio_notional_too_large"
    SHORT_NOT_ALLOWED = "short_not_allowed"
    INSUFFICIENT_CASH = "insufficient_cash"
    LEVERAGE_TOO_HIGH = "leverage_too_high"
    ORDER_UNKNOWN = "order_unknown"
    ORDER_DONE = "order_done"


class RiskProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What we may do. None means no limit of that kind. Notionals are in the account's currency.

    ``price_collar`` is how far a limit or trigger may be from the last price, as a fraction of it.
    ``leverage_max`` bounds gross exposure, working orders included, over equity.
    Raises ValueError naming the field.
    """

    name: str
    version: int = 1
    short_allowed: bool = False
    leverage_max: Decimal | None = Decimal(1)
    order_notional_max: Decimal | None = None
    symbol_notional_max: Decimal | None = None
    portfolio_notional_max: Decimal | None = None
    order_quantity_max: Decimal | None = None
    price_collar: Decimal | None = None
    # A market order is judged this much dearer than the last price, since nobody knows where it will trade
    market_order_buffer: Decimal = Decimal("0.01")
    open_orders_max: int = 10_000
    orders_per_event_max: int = 64
    backtest_only: bool = False

    def __post_init__(self) -> None:
        for name in (
            "leverage_max", "order_notional_max", "symbol_notional_max", "portfolio_notional_max",
            "order_quantity_max", "price_collar",
        ):  # fmt: skip
            limit: Decimal | None = getattr(self, name)
            if limit is not None and not (limit.is_finite() and limit > 0):
                raise ValueError(f"risk profile {self.name}: {name} must be > 0 or none, was {limit}")
        for name in ("open_orders_max", "orders_per_event_max", "version"):
            if getattr(self, name) <= 0:
                raise ValueError(f"risk profile {self.name}: {name} must be > 0, was {getattr(self, name)}")


CAPITAL_PRESERVING = RiskProfile(name="capital_preserving", price_collar=Decimal("0.5"))
MARKET_MAKING = RiskProfile(
    name="market_making", short_allowed=True, leverage_max=Decimal(2), price_collar=Decimal("0.1")
)
RESEARCH = RiskProfile(name="research", short_allowed=True, leverage_max=None, backtest_only=True)
PROFILES = {profile.name: profile for profile in (CAPITAL_PRESERVING, MARKET_MAKING, RESEARCH)}


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
