"""All the engine knows. One owner, one thread: only ``step`` changes it, and only because of an event."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from njord.domain.command import CancelOrder, Command, Refused, ReplaceOrder, SetTimer, StrategyNote
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.instrument import Grid, Instrument
from njord.domain.limits import Exposure, RiskProfile
from njord.domain.market import MarketEvent
from njord.domain.money import ceil_div
from njord.domain.order import NewOrder, OrderType, Side
from njord.execution.oms import Orders
from njord.ledger.lots import ClosedLot
from njord.ledger.portfolio import Portfolio
from njord.market.book import Book
from njord.risk.checks import Limits
from njord.risk.sizing import Sizer
from njord.strategies.port import Desk, Strategy

Intent = NewOrder | CancelOrder | ReplaceOrder | SetTimer | StrategyNote | Refused
Listener = tuple[Callable[[Any, Desk], None], Desk, "Slot"]


@dataclasses.dataclass(slots=True)
class Slot:
    """One strategy at work."""

    strategy_id: StrategyId
    strategy: Strategy
    desk: Desk
    stopped: str | None = None  # Why it was stopped
    # Of its own fills, orders and timers
    callbacks: dict[str, Callable[[Any, Desk], None]] = dataclasses.field(default_factory=dict)
    order_ids: dict[ClientOrderId, None] = dataclasses.field(default_factory=dict)  # Its open orders, oldest first


class State:
    """What the engine knows: the market as last seen, our orders, our money, who listens to what."""

    def __init__(
        self, instruments: Mapping[InstrumentId, Instrument], portfolio: Portfolio, profile: RiskProfile,
        taker_fee: tuple[int, int] = (0, 1),
    ) -> None:  # fmt: skip
        self.sequence = 0
        self.time_ns = 0
        self.cause = "start"
        self.instruments = dict(instruments)
        self.grids = {name: Grid.of(instrument) for name, instrument in instruments.items()}
        self.last_price: dict[InstrumentId, float] = {}
        self.books: dict[InstrumentId, Book] = {}
        self.quoted: set[InstrumentId] = set()  # Those with quotes or a book, whose mid is their price
        self.halted_instruments: set[InstrumentId] = set()
        self.books_shared = False  # With the simulated venue, which then applies the updates
        self.orders = Orders()
        self.portfolio = portfolio
        self.profile = profile
        self.limits = Limits.of(profile)
        self.taker_fee = taker_fee
        self.halted = False
        self.sizers: dict[tuple[StrategyId, InstrumentId], Sizer] = {}
        self.slots: dict[StrategyId, Slot] = {}
        self.listeners: dict[type, dict[InstrumentId, tuple[Listener, ...]]] = {
            kind: {} for kind in MarketEvent.__args__
        }
        self.intents: list[Intent] = []
        self.commands: list[Command] = []
        self.closed: list[ClosedLot] = []
        self.suppressed = 0  # Events no strategy saw because the book or quote could not be believed

    def last_ticks(self) -> dict[InstrumentId, int]:
        """Return the last price of each instrument that has one, on its grid."""
        return {name: self.grids[name].nearest_ticks(price) for name, price in self.last_price.items()}

    def equity_units(self) -> int:
        """Return net asset value in units of the account's currency."""
        return self.portfolio.equity(self.last_ticks())

    def sized(self, strategy_id: StrategyId, name: InstrumentId, whole: float) -> float:
        """Return the quantity that a target of ``whole`` positions means, where the strategy's positions are sized."""
        sizer = self.sizers.get((strategy_id, name))
        if sizer is None or whole == 0:
            return whole
        ticks = self.last_ticks()
        lot_units = self._notional(name, ticks[name], 1, ticks)
        lots = self.portfolio.equity(ticks) * sizer.equity_share() / lot_units if lot_units else 0.0
        return whole * lots * self.grids[name].lot_numerator / self.grids[name].lot_denominator

    def exposure(self, order: NewOrder) -> Exposure:
        """Return what ``order`` would be added to, with everything that is already working."""
        name = order.instrument_id
        orders = self.orders
        last = None
        if self.limits.checks_money or order.order_type is not OrderType.MARKET:
            price = self.last_price.get(name)
            last = None if price is None else self.grids[name].nearest_ticks(price)
        # In the order of its fields: keywords would double what it costs
        exposure = Exposure(
            self.halted or name in self.halted_instruments, len(orders.open), self.portfolio.lots[name],
            orders.working_lots(name, Side.BUY), orders.working_lots(name, Side.SELL), last,
        )  # fmt: skip
        if self.limits.checks_money and last is not None:
            self._value(order, exposure)
        return exposure

    def _value(self, order: NewOrder, exposure: Exposure) -> None:
        ticks = self.last_ticks()
        # A market order's price is anybody's guess, so it counts for somewhat more than the last one
        numerator, denominator = self.limits.buffer
        buffer = (denominator + numerator, denominator) if order.order_type is OrderType.MARKET else (1, 1)
        reference = order.limit_ticks if order.limit_ticks is not None else order.stop_ticks
        at = ticks[order.instrument_id] if reference is None else reference
        worth = self._notional(order.instrument_id, at, order.quantity_lots, ticks)
        worth = ceil_div(worth * buffer[0], buffer[1])
        exposure.order_notional_units = worth
        exposure.symbol_notional_units = self._worst_notional(order.instrument_id, ticks, order)
        if not self.limits.checks_portfolio:
            return
        exposure.portfolio_notional_units = sum(
            self._worst_notional(name, ticks, order if name == order.instrument_id else None) for name in ticks
        )
        exposure.equity_units = self.portfolio.equity(ticks)
        instrument = self.instruments[order.instrument_id]
        if order.side is Side.BUY and instrument.paid_in_full:
            fee = ceil_div(worth * self.taker_fee[0], self.taker_fee[1])
            exposure.cash_needed_units = worth + max(0, fee)
            asset = instrument.settlement
            held = self.portfolio.converter.convert(self.portfolio.cash.get(asset, 0), asset, ticks)
            exposure.free_cash_units = held - self._reserved(asset, ticks)

    def _reserved(self, asset: str, ticks: dict[InstrumentId, int]) -> int:
        # What working buys would take out of the cash of one asset, at their limits
        reserved = 0
        for tracked in self.orders.open.values():
            instrument = self.instruments[tracked.instrument_id]
            if tracked.side is Side.BUY and instrument.paid_in_full and instrument.settlement == asset:
                at = tracked.limit_ticks
                if at is None:
                    at = tracked.order.stop_ticks
                if at is None:
                    at = ticks.get(tracked.instrument_id, 0)
                reserved += self._notional(tracked.instrument_id, at, tracked.leaves_lots, ticks)
        return reserved

    def _worst_notional(self, name: InstrumentId, ticks: dict[InstrumentId, int], order: NewOrder | None) -> int:
        held = self.portfolio.lots[name]
        buys = self.orders.working_lots(name, Side.BUY)
        sells = self.orders.working_lots(name, Side.SELL)
        if order is not None:
            buys += order.quantity_lots if order.side is Side.BUY else 0
            sells += order.quantity_lots if order.side is Side.SELL else 0
        worst = max(abs(held + buys), abs(held - sells))
        return self._notional(name, ticks[name], worst, ticks) if worst else 0

    def _notional(self, name: InstrumentId, price_ticks: int, lots: int, ticks: dict[InstrumentId, int]) -> int:
        value = abs(self.portfolio.value(name, price_ticks, lots))
        return self.portfolio.converter.convert(value, self.instruments[name].settlement, ticks)
