"""Pre-trade checks: may this order go to a venue? Pure: an order, what it adds to, and limits; a reason or none."""

from decimal import Decimal

import msgspec

from njord.domain.instrument import Grid, Instrument
from njord.domain.limits import Exposure, Refusal
from njord.domain.money import units
from njord.domain.order import NewOrder, OrderType, Side
from njord.domain.profile import RiskProfile
from njord.risk.drawdown import BP

# Looked up once: a member of an enum takes as long to find as a sum to make
_BUY, _SELL, _MARKET = Side.BUY, Side.SELL, OrderType.MARKET


class Limits(msgspec.Struct, frozen=True):
    """A risk profile in the units the checks compare: money in units of the account's currency, rates as fractions."""

    short_allowed: bool
    order_notional_max: int | None
    symbol_notional_max: int | None
    strategy_notional_max: int | None
    portfolio_notional_max: int | None
    leverage: tuple[int, int] | None
    leverage_bp: int | None  # The same in 1/10000, rounded down
    strategy_leverage: tuple[int, int] | None
    var_share: tuple[int, int] | None
    collar: tuple[int, int] | None
    buffer: tuple[int, int]
    order_quantity_max: tuple[int, int] | None
    open_orders_max: int
    owns_cash: bool  # Whether what is bought must be paid with what is there
    checks_portfolio: bool  # Whether any limit needs the exposure of the other instruments
    checks_strategy: bool  # Whether any limit needs that of the order's strategy
    checks_money: bool  # Whether any limit needs a notional at all

    @classmethod
    def of(cls, profile: RiskProfile) -> "Limits":
        leverage, by_strategy, var = _ratio(profile.leverage_max), profile.strategy_leverage_max, profile.value_at_risk
        portfolio = leverage is not None or profile.portfolio_notional_max is not None
        portfolio = portfolio or var is not None
        strategy = profile.strategy_notional_max is not None or by_strategy is not None
        symbol = profile.order_notional_max is not None or profile.symbol_notional_max is not None
        return cls(
            short_allowed=profile.short_allowed,
            order_notional_max=_units(profile.order_notional_max),
            symbol_notional_max=_units(profile.symbol_notional_max),
            strategy_notional_max=_units(profile.strategy_notional_max),
            portfolio_notional_max=_units(profile.portfolio_notional_max),
            leverage=leverage,
            leverage_bp=None if profile.leverage_max is None else int(profile.leverage_max * BP),
            strategy_leverage=_ratio(by_strategy),
            var_share=None if var is None else var.share_max.as_integer_ratio(),
            collar=_ratio(profile.price_collar),
            buffer=profile.market_order_buffer.as_integer_ratio(),
            order_quantity_max=_ratio(profile.order_quantity_max),
            open_orders_max=profile.open_orders_max,
            owns_cash=leverage is not None and leverage[0] <= leverage[1],
            checks_portfolio=portfolio or strategy,
            checks_strategy=strategy,
            checks_money=portfolio or strategy or symbol,
        )


def refusal(order: NewOrder, instrument: Instrument, grid: Grid, exposure: Exposure, limits: Limits) -> Refusal | None:
    """Return why ``order`` must not be sent, or None if it may be. The first reason of ``Refusal`` wins."""
    if exposure.halted:
        return Refusal.HALTED
    if exposure.barred is not None:
        return exposure.barred
    if exposure.open_orders >= limits.open_orders_max:
        return Refusal.TOO_MANY_ORDERS
    if exposure.too_fast:
        return Refusal.ORDER_RATE
    if exposure.only_reducing is not None and not reduces(order, exposure):
        return exposure.only_reducing
    return (
        _quantity_refusal(order, instrument, grid, limits)
        or _price_refusal(order, instrument, exposure, limits)
        or _position_refusal(order, exposure, limits)
        or (_money_refusal(order, exposure, limits) if limits.checks_money else None)
    )


def reduces(order: NewOrder, exposure: Exposure) -> bool:
    """Return whether an order can only make the position smaller, after all that is already working on its side."""
    if order.side is _SELL:
        return exposure.position_lots - exposure.working_sell_lots >= order.quantity_lots
    return -exposure.position_lots - exposure.working_buy_lots >= order.quantity_lots


def _quantity_refusal(order: NewOrder, instrument: Instrument, grid: Grid, limits: Limits) -> Refusal | None:
    if instrument.quantity_min and order.quantity_lots * grid.quantity_lot < instrument.quantity_min:
        return Refusal.QUANTITY_TOO_SMALL
    most = limits.order_quantity_max
    if most is not None and order.quantity_lots * grid.lot_numerator * most[1] > most[0] * grid.lot_denominator:
        return Refusal.QUANTITY_TOO_LARGE
    return None


def _price_refusal(order: NewOrder, instrument: Instrument, exposure: Exposure, limits: Limits) -> Refusal | None:
    last = exposure.last_ticks
    if order.order_type is _MARKET:
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
            away = ticks - last if order.side is _BUY else last - ticks
            if away * limits.collar[1] > abs(last) * limits.collar[0]:
                return Refusal.PRICE_OUTSIDE_COLLAR
    return None


def _position_refusal(order: NewOrder, exposure: Exposure, limits: Limits) -> Refusal | None:
    if order.side is _BUY or limits.short_allowed or order.reduce_only:
        return None
    # The worst case: all sells that are working fill first, and no buy does
    if exposure.position_lots - exposure.working_sell_lots < order.quantity_lots:
        return Refusal.SHORT_NOT_ALLOWED
    return None


def _money_refusal(order: NewOrder, exposure: Exposure, limits: Limits) -> Refusal | None:
    size = exposure.size
    if _over(exposure.order_notional_units, limits.order_notional_max, (1, 1)):
        return Refusal.ORDER_NOTIONAL_TOO_LARGE
    if reduces(order, exposure):
        # Getting out is never refused for being too large. To sell what another strategy holds is no way out
        over = limits.checks_strategy and exposure.strategy_adds and _strategy_over(exposure, limits)
        return Refusal.STRATEGY_NOTIONAL_TOO_LARGE if over else None
    if _over(exposure.symbol_notional_units, limits.symbol_notional_max, size):
        return Refusal.SYMBOL_NOTIONAL_TOO_LARGE
    if limits.checks_strategy and _strategy_over(exposure, limits):
        return Refusal.STRATEGY_NOTIONAL_TOO_LARGE
    if _over(exposure.portfolio_notional_units, limits.portfolio_notional_max, size):
        return Refusal.PORTFOLIO_NOTIONAL_TOO_LARGE
    if exposure.group_refusal is not None:
        return exposure.group_refusal
    if limits.leverage is not None:
        if limits.owns_cash and exposure.cash_needed_units > exposure.free_cash_units:
            return Refusal.INSUFFICIENT_CASH
        if _beyond(exposure.portfolio_notional_units, exposure.equity_units, limits.leverage, size):
            return Refusal.LEVERAGE_TOO_HIGH
    if exposure.var_max_units is not None and exposure.var_after_units is not None:
        # What makes it smaller may go, however large it still is
        smaller = exposure.var_before_units is not None and exposure.var_after_units < exposure.var_before_units
        if exposure.var_after_units > exposure.var_max_units and not smaller:
            return Refusal.VAR_TOO_HIGH
    return None


def _strategy_over(exposure: Exposure, limits: Limits) -> bool:
    notional, size = exposure.strategy_notional_units, exposure.size
    if _over(notional, limits.strategy_notional_max, size):
        return True
    equity = exposure.equity_units
    if exposure.strategy_equity_units is not None:
        equity = min(equity, exposure.strategy_equity_units)
    return limits.strategy_leverage is not None and _beyond(notional, equity, limits.strategy_leverage, size)


def _over(notional_units: int, limit_units: int | None, size: tuple[int, int]) -> bool:
    return limit_units is not None and notional_units * size[1] > limit_units * size[0]


def _beyond(notional_units: int, equity_units: int, leverage: tuple[int, int], size: tuple[int, int]) -> bool:
    return notional_units * leverage[1] * size[1] > equity_units * leverage[0] * size[0]


def _units(amount: Decimal | None) -> int | None:
    return None if amount is None else units(amount)


def _ratio(share: Decimal | None) -> tuple[int, int] | None:
    return None if share is None else share.as_integer_ratio()
