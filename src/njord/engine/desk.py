"""The desk a strategy is handed: it turns wishes into intents on the grid, and shows the strategy its own affairs."""

import random
from collections.abc import Sequence

from njord.domain.command import CancelOrder, Refused, ReplaceOrder, SetTimer, StrategyNote
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.instrument import Instrument
from njord.domain.limits import Refusal
from njord.domain.money import decimal
from njord.domain.order import NewOrder, OrderType, Side, TimeInForce
from njord.engine.state import State
from njord.execution.oms import Tracked
from njord.market.book import Book
from njord.strategies.port import Quantity

NOTE_CHARS_MAX = 2_000


def strategy_of(order_id: ClientOrderId) -> StrategyId:
    """Return the strategy that an order id was made for: ``<strategy>-<count>`` or ``<strategy>:<intent>``."""
    name, colon, _ = order_id.partition(":")
    return StrategyId(name if colon else order_id.rpartition("-")[0])


class StrategyDesk:
    """See ``strategies.port.Desk``."""

    __slots__ = ("_count", "_mine", "_only", "_state", "_strategy_id", "instruments", "rng")

    def __init__(
        self, state: State, strategy_id: StrategyId, instruments: Sequence[InstrumentId], rng: random.Random
    ) -> None:
        self._state = state
        self._strategy_id = strategy_id
        self._count = 0
        self._only = instruments[0] if len(instruments) == 1 else None
        self.instruments = tuple(instruments)
        self._mine = {str(name): name for name in instruments}
        self.rng = rng

    @property
    def time_ns(self) -> int:
        return self._state.time_ns

    def buy(
        self,
        quantity: Quantity,
        *,
        instrument: str | None = None,
        limit: Quantity | None = None,
        stop: Quantity | None = None,
        time_in_force: str = "gtc",
        post_only: bool = False,
        reduce_only: bool = False,
        intent: str | None = None,
    ) -> ClientOrderId:
        return self._order(Side.BUY, quantity, instrument, limit, stop, time_in_force, post_only, reduce_only, intent)

    def sell(
        self,
        quantity: Quantity,
        *,
        instrument: str | None = None,
        limit: Quantity | None = None,
        stop: Quantity | None = None,
        time_in_force: str = "gtc",
        post_only: bool = False,
        reduce_only: bool = False,
        intent: str | None = None,
    ) -> ClientOrderId:
        return self._order(Side.SELL, quantity, instrument, limit, stop, time_in_force, post_only, reduce_only, intent)

    def target(self, quantity: Quantity, *, instrument: str | None = None) -> ClientOrderId | None:
        name = self._instrument(instrument)
        state = self._state
        wanted = state.sized(self._strategy_id, name, float(quantity)) if state.sizers else float(quantity)
        lots = state.grids[name].wanted_lots(abs(wanted))
        missing = (lots if wanted >= 0 else -lots) - state.portfolio.holding(self._strategy_id, name).lots
        working = state.slots[self._strategy_id].order_ids
        if working:
            for tracked in state.orders.open_of(name, working):
                missing -= tracked.leaves_lots * tracked.side.sign
        if missing == 0:
            return None
        return self._send(
            NewOrder(
                self._next_id(None), self._strategy_id, name, Side.BUY if missing > 0 else Side.SELL,
                OrderType.MARKET, abs(missing),
            )
        )  # fmt: skip

    def cancel(self, order: ClientOrderId) -> None:
        tracked = self._state.orders.open.get(order)
        instrument_id = tracked.instrument_id if tracked is not None else self.instruments[0]
        self._state.intents.append(CancelOrder(order, self._strategy_id, instrument_id))

    def cancel_all(self, instrument: str | None = None) -> None:
        for tracked in self.open_orders(instrument):
            self.cancel(tracked.client_order_id)

    def replace(self, order: ClientOrderId, *, quantity: Quantity | None = None, limit: Quantity | None = None) -> None:
        tracked = self._state.orders.open.get(order)
        if tracked is None:
            self._state.intents.append(ReplaceOrder(order, self._strategy_id, self.instruments[0], 1, None))
            return
        grid = tracked.grid
        lots = tracked.quantity_lots if quantity is None else grid.wanted_lots(quantity)
        ticks = tracked.limit_ticks if limit is None else grid.wanted_ticks(limit, up=tracked.side is Side.SELL)
        self._state.intents.append(ReplaceOrder(order, self._strategy_id, tracked.instrument_id, lots, ticks))

    def position(self, instrument: str | None = None) -> float:
        name = self._instrument(instrument)
        return self._state.grids[name].quantity(self._state.portfolio.holding(self._strategy_id, name).lots)

    def order(self, order: ClientOrderId) -> Tracked | None:
        return self._state.orders.open.get(order)

    def open_orders(self, instrument: str | None = None) -> list[Tracked]:
        name = None if instrument is None else self._instrument(instrument)
        return self._state.orders.open_of(name, self._state.slots[self._strategy_id].order_ids)

    def last_price(self, instrument: str | None = None) -> float | None:
        return self._state.last_price.get(self._instrument(instrument))

    def book(self, instrument: str | None = None) -> Book | None:
        return self._state.books.get(self._instrument(instrument))

    def definition(self, instrument: str | None = None) -> Instrument:
        return self._state.instruments[self._instrument(instrument)]

    def cash(self) -> float:
        portfolio = self._state.portfolio
        return float(decimal(portfolio.cash[portfolio.currency]))

    def equity(self) -> float:
        return float(decimal(self._state.equity_units()))

    def timer(self, name: str, time_ns: int) -> None:
        if time_ns < self._state.time_ns:
            raise ValueError(f"timer {name!r}: {time_ns} is before now, {self._state.time_ns}")
        self._state.intents.append(SetTimer(self._strategy_id, name, time_ns))

    def note(self, text: str) -> None:
        self._state.intents.append(StrategyNote(self._strategy_id, text[:NOTE_CHARS_MAX]))

    def _order(
        self, side: Side, quantity: Quantity, instrument: str | None, limit: Quantity | None, stop: Quantity | None,
        time_in_force: str, post_only: bool, reduce_only: bool, intent: str | None,
    ) -> ClientOrderId:  # fmt: skip
        name = self._instrument(instrument)
        grid = self._state.grids[name]
        lots = grid.wanted_lots(quantity)
        order_id = self._next_id(intent)
        if lots <= 0:
            if lots < 0:
                raise ValueError(f"{side} {name}: quantity must be > 0, was {quantity}")
            self._state.intents.append(Refused(order_id, self._strategy_id, name, Refusal.QUANTITY_TOO_SMALL))
            return order_id
        # A limit is never more aggressive than asked; a trigger never earlier
        up = side is Side.SELL
        limit_ticks = None if limit is None else grid.wanted_ticks(limit, up=up)
        stop_ticks = None if stop is None else grid.wanted_ticks(stop, up=not up)
        if limit_ticks is None:
            kind = OrderType.MARKET if stop_ticks is None else OrderType.STOP
        else:
            kind = OrderType.LIMIT if stop_ticks is None else OrderType.STOP_LIMIT
        return self._send(
            NewOrder(
                order_id, self._strategy_id, name, side, kind, lots, limit_ticks, stop_ticks,
                TimeInForce(time_in_force), post_only, reduce_only,
            )
        )  # fmt: skip

    def _send(self, order: NewOrder) -> ClientOrderId:
        self._state.intents.append(order)
        return order.client_order_id

    def _next_id(self, intent: str | None) -> ClientOrderId:
        if intent is not None:
            return ClientOrderId(f"{self._strategy_id}:{intent}")
        self._count += 1
        return f"{self._strategy_id}-{self._state.order_prefix}{self._count}"  # type: ignore[return-value]  # A NewType call costs as much as the text

    def _instrument(self, instrument: str | None) -> InstrumentId:
        if instrument is None:
            if self._only is None:
                raise ValueError(f"{self._strategy_id} trades {len(self.instruments)} instruments: say which one")
            return self._only
        if instrument not in self.instruments:
            raise ValueError(
                f"{self._strategy_id} has no instrument {instrument!r}: it has {', '.join(self.instruments)}"
            )
        return self._mine[instrument]
