"""Pre-trade checks: may this order go to a venue? Pure: an order, what it adds to, and limits; a reason or none."""

from decimal import Decimal

import msgspec

from njord.domain.instrument import Grid, Instrument
from njord.domain.limits import Exposure, Refusal, RiskProfile
from njord.domain.money import units
from njord.domain.order import NewOrder, OrderType, Side


class Limits(msgspec.Struct, frozen=True):
    """A risk profile in the units the checks compare: money in units of the account's currency, rates as fractions."""

    short_allowed: bool
    order_notional_max: int | None
    symbol_notional_max: int | None
    portfolio_notional_max: int | None
    leverage: tuple[int, int] | None
    collar: tuple[int, int] | None
    buffer: tuple[int, int]
    order_quantity_max: Decimal | None
    open_orders_max: int
    checks_portfolio: bool  # Whether any limit needs the exposure of the other instruments
    checks_money: bool  # Whether any limit needs a notional at all

    @classmethod
    def of(cls, profile: RiskProfile) -> "Limits":
        leverage = None if profile.leverage_max is None else profile.leverage_max.as_integer_ratio()
        portfolio = leverage is not None or profile.portfolio_notional_max is not None
        symbol = profile.order_notional_max is not None or profile.symbol_notional_max is not None
        return cls(
            short_allowed=profile.short_allowed,
            order_notional_max=_units(profile.order_notional_max),
            symbol_notional_max=_units(profile.symbol_notional_max),
            portfolio_notional_max=_units(profile.portfolio_notional_max),
            leverage=leverage,
            collar=None if profile.price_collar is None else profile.price_collar.as_integer_ratio(),
            buffer=profile.market_order_buffer.as_integer_ratio(),
            order_quantity_max=profile.order_quantity_max,
            open_orders_max=profile.open_orders_max,
            checks_portfolio=portfolio,
            checks_money=portfolio or symbol,
        )


def refusal(order: NewOrder, instrument: Instrument, grid: Grid, exposure: Exposure, limits: Limits) -> Refusal | None:
    """Return why ``order`` must not be sent, or None if it may be. The first reason of ``Refusal`` wins."""
    if exposure.halted:
        return Refusal.HALTED
    if exposure.open_orders >= limits.open_orders_max:
        return Refusal.TOO_MANY_ORDERS
    return (
        _quantity_refusal(order, instrument, grid, limits)
        or _price_refusal(order, instrument, exposure, limits)
        or _position_refusal(order, exposure, limits)
        or (_money_refusal(order, exposure, limits) if limits.checks_money else None)
    )


def _quantity_refusal(order: NewOrder, instrument: Instrument, grid: Grid, limits: Limits) -> Refusal | None:
    if instrument.quantity_min and order.quantity_lots * grid.quantity_lot < instrument.quantity_min:
        return Refusal.QUANTITY_TOO_SMALL
    if limits.order_quantity_max is not None and order.quantity_lots * grid.quantity_lot > limits.order_quantity_max:
        return Refusal.QUANTITY_TOO_LARGE
    return None


def _price_refusal(order: NewOrder, instrument: Instrument, exposure: Exposure, limits: Limits) -> Refusal | None:
    last = exposure.last_ticks
    if order.order_type is OrderType.MARKET:
        return Refusal.NO_PRICE_YET if last is None and limits.checks_money else None
    for ticks in (order.limit_ticks, order.stop_ticks):
        if ticks is None:
            continue
        if ticks <= 0 and not instrument.price_can_be_negative:
            return Refusal.PRICE_NOT_POSITIVE
        if limits.collar is not None:
            if last is None:
                return Refusal.NO_PRICE_YET
            # A collar keeps a slip of the finger away: a limit on the passive side, however far, harms nobody
            away = ticks - last if order.side is Side.BUY else last - ticks
            if away * limits.collar[1] > abs(last) * limits.collar[0]:
                return Refusal.PRICE_OUTSIDE_COLLAR
    return None


def _position_refusal(order: NewOrder, exposure: Exposure, limits: Limits) -> Refusal | None:
    if order.side is Side.BUY or limits.short_allowed or order.reduce_only:
        return None
    # The worst case: all sells that are working fill first, and no buy does
    if exposure.position_lots - exposure.working_sell_lots < order.quantity_lots:
        return Refusal.SHORT_NOT_ALLOWED
    return None


def _money_refusal(order: NewOrder, exposure: Exposure, limits: Limits) -> Refusal | None:
    if limits.order_notional_max is not None and exposure.order_notional_units > limits.order_notional_max:
        return Refusal.ORDER_NOTIONAL_TOO_LARGE
    if _reduces(order, exposure):
        return None  # Getting out is never refused for being too large
    if limits.symbol_notional_max is not None and exposure.symbol_notional_units > limits.symbol_notional_max:
        return Refusal.SYMBOL_NOTIONAL_TOO_LARGE
    if limits.portfolio_notional_max is not None and exposure.portfolio_notional_units > limits.portfolio_notional_max:
        return Refusal.PORTFOLIO_NOTIONAL_TOO_LARGE
    if limits.leverage is not None:
        owns_cash = limits.leverage[0] <= limits.leverage[1]
        if owns_cash and exposure.cash_needed_units > exposure.free_cash_units:
            return Refusal.INSUFFICIENT_CASH
        if exposure.portfolio_notional_units * limits.leverage[1] > exposure.equity_units * limits.leverage[0]:
            return Refusal.LEVERAGE_TOO_HIGH
    return None


def _reduces(order: NewOrder, exposure: Exposure) -> bool:
    # Only if it could not turn the position round even after all that is already working on its side
    if order.side is Side.SELL:
        return exposure.position_lots - exposure.working_sell_lots >= order.quantity_lots
    return -exposure.position_lots - exposure.working_buy_lots >= order.quantity_lots


def _units(amount: Decimal | None) -> int | None:
    return None if amount is None else units(amount)
