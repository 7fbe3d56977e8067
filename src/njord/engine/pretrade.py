"""Before an order goes: what it is judged against, and its passport, what was seen when it was judged."""

import math

from njord.domain.command import Assessed
from njord.domain.ids import InstrumentId
from njord.domain.limits import Exposure, Refusal
from njord.domain.money import ceil_div
from njord.domain.order import NewOrder, OrderType, Side
from njord.engine.exposures import worst_lots
from njord.engine.state import State
from njord.ledger.currency import NoRate
from njord.risk.checks import Limits, reduces
from njord.risk.drawdown import BP
from njord.risk.scenarios import PortfolioVar

BEYOND_BP = 10**12
_BUY, _MARKET = Side.BUY, OrderType.MARKET  # Looked up once: a member of an enum takes as long to find as a sum to make


def exposure_of(state: State, order: NewOrder) -> Exposure:
    """Return what ``order`` would be added to, with everything that is already working."""
    name = order.instrument_id
    orders, limits, rules, watch = state.orders, state.limits, state.venue_rules, state.watch
    halted = name in state.halted_instruments
    if state.kill.tripped:
        halted = halted or state.kill.blocks(order.strategy_id, state.venues[name]) is not None
    # In the order of its fields: keywords would double what it costs
    exposure = Exposure(
        halted, len(orders.open), state.portfolio.lots[name], orders.buys.get(name, 0), orders.sells.get(name, 0), None,
    )  # fmt: skip
    if rules is not None:
        exposure.barred = rules.access_refusal(state.venues[name])
    if state.rate is not None:
        exposure.too_fast = not state.rate.allowed(state.time_ns)
    if watch is not None:
        exposure.only_reducing = watch.only_reducing(name)
        exposure.size = watch.size
    price = state.last_price.get(name)
    if price is None:
        return exposure
    if limits.checks_money:
        try:
            _value(state, order, exposure)
        except NoRate:
            exposure.last_ticks = None  # What cannot be valued has no price yet
    elif order.order_type is not _MARKET:
        exposure.last_ticks = state.grids[name].nearest_ticks(price)
    return exposure


def _value(state: State, order: NewOrder, exposure: Exposure) -> None:
    name, lots, limits, known = order.instrument_id, order.quantity_lots, state.limits, state.exposures
    known.refresh()
    own = known.of(name)
    exposure.last_ticks = own.ticks
    reference = order.stop_ticks if order.limit_ticks is None else order.limit_ticks
    worth = known.value(name, own.ticks if reference is None else reference, lots)
    if order.order_type is _MARKET:
        # Its price is anybody's guess, so it counts for somewhat more than the last one
        numerator, denominator = limits.buffer
        worth = ceil_div(worth * (denominator + numerator), denominator)
    exposure.order_notional_units = worth
    buys, sells = exposure.working_buy_lots, exposure.working_sell_lots
    if order.side is _BUY:
        buys += lots
        change = buys
    else:
        sells += lots
        change = -sells
    exposure.symbol_notional_units = known.now(own, worst_lots(exposure.position_lots, buys, sells))
    if not limits.checks_portfolio:
        return
    if known.unpriced:
        exposure.last_ticks = None  # Something is held that nobody can value, so nothing can be judged
        return
    added = exposure.symbol_notional_units - own.worst
    exposure.portfolio_notional_units = known.gross_units + added
    exposure.equity_units = equity = known.equity_units
    if limits.checks_strategy:
        exposure.strategy_notional_units, exposure.strategy_adds = known.of_strategy(order)
        share = state.shares.get(order.strategy_id)
        if share is not None:
            exposure.strategy_equity_units = int(equity * share)
    rules = state.venue_rules
    if rules is not None and rules.caps:
        exposure.group_refusal = rules.group_refusal(own.venue, known.by_venue(), added, equity)
    if known.var is not None:
        # What is already working on its side is held by then
        _value_at_risk(known.var, name, known.now(own, change), limits, exposure)
    if limits.owns_cash:
        _cash(state, order, exposure, worth)


def _value_at_risk(var: PortfolioVar, name: InstrumentId, change: int, limits: Limits, exposure: Exposure) -> None:
    share = limits.var_share
    assert share is not None, name
    after = var.after(name, float(change))
    before = var.before()
    if before is None or after is None:
        return
    exposure.var_before_units = int(before)
    exposure.var_after_units = math.ceil(after)
    exposure.var_max_units = max(0, exposure.equity_units) * share[0] // share[1]


def _cash(state: State, order: NewOrder, exposure: Exposure, worth: int) -> None:
    instrument = state.instruments[order.instrument_id]
    if order.side is not _BUY or not instrument.paid_in_full:
        return
    fee = ceil_div(worth * state.taker_fee[0], state.taker_fee[1])
    exposure.cash_needed_units = worth + max(0, fee)
    asset, portfolio = instrument.settlement, state.portfolio
    ticks = state.last_ticks() if asset != portfolio.currency else {}
    held = portfolio.converter.convert(portfolio.cash.get(asset, 0), asset, ticks)
    exposure.free_cash_units = held - _reserved(state, asset)


def _reserved(state: State, asset: str) -> int:
    # What working buys would take out of the cash of one asset, at their limits
    reserved = 0
    for name, lots in state.orders.buys.items():
        instrument = state.instruments[name]
        if lots and instrument.paid_in_full and instrument.settlement == asset:
            priced, at_market = state.orders.buying(name)
            if priced:
                reserved += abs(state.exposures.value(name, 1, priced))
            if at_market:
                reserved += state.exposures.now(state.exposures.of(name), at_market)
    return reserved


def assessed(state: State, order: NewOrder, exposure: Exposure, refusal: Refusal | None) -> Assessed:
    """Return an order's passport: what the risk engine saw of it."""
    profile, watch, limits = state.profile, state.watch, state.limits
    equity = exposure.equity_units
    drawdown_bp, tier, entries = (0, 0, True) if watch is None else (watch.drawdown_bp, watch.tier, watch.tier_entries)
    # In the order of its fields, as above
    return Assessed(
        order.client_order_id, order.strategy_id, order.instrument_id, refusal, not reduces(order, exposure),
        exposure.order_notional_units, equity, _bp(state.exposures.gross_units, equity),
        _bp(exposure.portfolio_notional_units, equity), limits.leverage_bp, drawdown_bp, tier, entries,
        exposure.var_before_units, exposure.var_after_units, exposure.var_max_units, profile.name, profile.version,
    )  # fmt: skip


def _bp(part_units: int, whole_units: int) -> int:
    # Of nothing, or less, anything is beyond all measure; the columns of a database end somewhere
    if whole_units <= 0:
        return BEYOND_BP if part_units else 0
    share = -(-part_units * BP // whole_units)  # Rounded up
    return share if share < BEYOND_BP else BEYOND_BP
