"""Kernel strategies: one function of numbers, compiled with the venue in research, called per event by the engine.

A strategy is its parameters, its state and ``decide``. This class is the engine's side of it: it keeps the very views
that the compiled venue keeps (``venues.simulated.kernels.client``), event by event, and turns answers into orders.
"""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, dataclass_transform

import numpy as np
import numpy.typing as npt

from njord.domain.command import Refused
from njord.domain.event import (
    CancelRejected,
    Event,
    OrderAccepted,
    OrderRejected,
    OrderReplaced,
    TimerFired,
)
from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId
from njord.domain.market import BookUpdate, Trade, TradingStatus
from njord.domain.order import TimeInForce
from njord.market.book import Guard
from njord.market.view import (
    ANSWER,
    CANCEL,
    CANCELLING,
    COMMANDS_MAX,
    COUNTED,
    CROSSED,
    EMPTY,
    GAP,
    LEVELS_MAX,
    LIVE,
    NEW,
    NO_PRICE,
    NOTES_MAX,
    ONE_SIDED,
    ORDERS_MAX,
    SENT,
    VIEW,
)
from njord.strategies.port import Desk, OrderNews, Strategy

Records = npt.NDArray[np.void]
Decide = Callable[[Any, Any, Any, Any], None]

NS_PER_MS = 1_000_000
_GUARDS = {Guard.OK: 0, Guard.EMPTY: EMPTY, Guard.ONE_SIDED: ONE_SIDED, Guard.CROSSED: CROSSED}
_TIMES_IN_FORCE = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY)
_TYPES = {float: "f8", int: "i8", bool: "i8", "float": "f8", "int": "i8", "bool": "i8"}


class Own:
    """One of our orders, as far as we know it."""

    __slots__ = ("ahead", "instrument", "leaves_lots", "limit_ticks", "quantity_lots", "sign", "state")

    def __init__(self, instrument: int, sign: int, lots: int, limit_ticks: int) -> None:
        self.instrument, self.sign, self.limit_ticks = instrument, sign, limit_ticks
        self.quantity_lots = self.leaves_lots = lots
        self.state = SENT
        self.ahead = 0


@dataclass_transform(kw_only_default=True)
@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class KernelStrategy(Strategy):
    """A strategy whose decisions are one compiled function.

    Annotated numbers of the class are its parameters; ``State`` names what it remembers (numbers, or arrays of a fixed
    size). ``every_ms`` is how often it is asked; 0 asks it at every update of a book and every trade. ``depth`` is how
    many levels its view shows. ``notes`` words the codes it puts on record: ``{1: "volatility {value:.3f}"}``.

    ``decide(view, params, state, out)`` sees an array of views, one an instrument, and fills in ``out`` through the
    functions of ``strategies.kernels``. It may use numbers, arrays and ``math``; it is compiled.
    """

    wake_on_fills: ClassVar[bool] = False
    depth: ClassVar[int] = 1
    notes: ClassVar[dict[int, str]] = {}

    class State:
        """What the strategy remembers from one decision to the next."""

    every_ms: float = 100.0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)

    def __post_init__(self) -> None:
        if not 0 <= self.every_ms <= 86_400_000:
            raise ValueError(f"every_ms must be from 0 to a day, was {self.every_ms}")
        assert 1 <= self.depth <= LEVELS_MAX, self.depth
        self.params = _params(self)
        self.state = self.fresh()
        self.compiled: Decide | None = None

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        """Look at the views, remember in ``state``, ask through ``out``."""
        raise NotImplementedError

    @property
    def every_ns(self) -> int:
        """How often it is asked; 0 for at every event."""
        return round(self.every_ms * NS_PER_MS)

    def fresh(self) -> Records:
        """Return the state it begins with."""
        return fresh_state(type(self))

    def note_text(self, code: int, value: float) -> str:
        """Return a note in words."""
        return self.notes.get(code, f"note {code}: {{value:g}}").format(value=value)

    def on_start(self, desk: Desk) -> None:
        self.state = self.fresh()
        self._names = desk.instruments
        self._index = {name: k for k, name in enumerate(desk.instruments)}
        self._view: Records = np.zeros(len(self._names), dtype=VIEW).view(np.recarray)
        self._answer: Records = np.zeros(1, dtype=ANSWER).view(np.recarray)
        for k, name in enumerate(self._names):
            definition = desk.definition(name)
            self._view[k].price_tick, self._view[k].quantity_lot = definition.price_tick, definition.quantity_lot
        self._grids = [(desk.definition(name).price_tick, desk.definition(name).quantity_lot) for name in self._names]
        self._own: dict[int, Own] = {}
        self._last_order = [(0, 0, 0)] * len(self._names)  # Moment, sign and depth of the last market order
        self._heard_since = 0
        self._timer_set = False

    def on_book(self, update: BookUpdate, desk: Desk) -> None:
        k = self._index[update.instrument_id]
        view, book = self._view[k], desk.book(update.instrument_id)
        assert book is not None, update
        best_bid, best_ask = book.best_bid(), book.best_ask()
        assert best_bid is not None, update
        assert best_ask is not None, update
        (bid, bid_lots), (ask, ask_lots) = best_bid, best_ask
        if view.heard_ns:
            came = (bid_lots if bid >= view.bid_ticks else 0) - (view.bid_lots if bid <= view.bid_ticks else 0)
            went = (ask_lots if ask <= view.ask_ticks else 0) - (view.ask_lots if ask >= view.ask_ticks else 0)
            view.flow_lots += came - went
        view.bid_ticks, view.bid_lots, view.ask_ticks, view.ask_lots = bid, bid_lots, ask, ask_lots
        view.updates += 1
        view.heard_ns = desk.time_ns
        for own in self._own.values():
            if own.instrument == k and own.state != SENT and own.limit_ticks != NO_PRICE:
                own.ahead = min(own.ahead, book.lots_at(own.limit_ticks)[0 if own.sign > 0 else 1])
        self._heard(desk)

    def on_trade(self, trade: Trade, desk: Desk) -> None:
        k = self._index[trade.instrument_id]
        view, sign, price = self._view[k], int(trade.aggressor), trade.price_ticks
        view.last_trade_ticks = price
        if sign and view.heard_ns:
            touch = int(view.ask_ticks - view.bid_ticks)
            depth = max(touch, sign * int(2 * price - view.bid_ticks - view.ask_ticks))
            moment, last_sign, reached = self._last_order[k]
            same = (trade.venue_time_ns, sign) == (moment, last_sign)
            more = max(0, depth - reached) if same else depth
            self._last_order[k] = (trade.venue_time_ns, sign, reached + more if same else depth)
            side = "buy" if sign > 0 else "sell"
            view[f"{side}s"] += not same
            view[f"{side}_lots"] += trade.quantity_lots
            view[f"{side}_depth_half_ticks"] += more
            view[f"{side}_touch_half_ticks"] += 0 if same else touch
        for own in self._own.values():
            if own.instrument == k and own.state != SENT and own.limit_ticks == price and own.sign != sign:
                own.ahead = max(0, own.ahead - trade.quantity_lots)
        self._heard(desk)

    def on_event(self, event: Event, desk: Desk) -> None:
        if isinstance(event, TradingStatus) and event.instrument_id in self._index:
            self._view[self._index[event.instrument_id]].halted = event.halted

    def on_fill(self, fill: Fill, desk: Desk) -> None:
        number = _number(fill.client_order_id)
        own = self._own[number]
        view = self._view[own.instrument]
        own.leaves_lots -= fill.quantity_lots
        view.position_lots += own.sign * fill.quantity_lots
        view["bought_lots" if own.sign > 0 else "sold_lots"] += fill.quantity_lots
        if own.leaves_lots == 0:
            del self._own[number]
        if self.wake_on_fills:
            self._ask(desk, timer=False)

    def on_order(self, news: OrderNews, desk: Desk) -> None:
        number = _number(news.client_order_id)
        own = self._own.get(number)
        if own is None:
            return
        if isinstance(news, OrderAccepted):
            own.state = LIVE if own.state == SENT else own.state
            self._join(own, desk)
        elif isinstance(news, OrderReplaced):
            assert news.limit_ticks is not None, news
            own.leaves_lots += news.quantity_lots - own.quantity_lots
            own.quantity_lots, own.limit_ticks = news.quantity_lots, news.limit_ticks
            self._join(own, desk)
        elif isinstance(news, CancelRejected):
            own.state = LIVE if own.state == CANCELLING else own.state
        else:
            self._view[own.instrument].rejected += isinstance(news, (OrderRejected, Refused))
            del self._own[number]

    def on_timer(self, timer: TimerFired, desk: Desk) -> None:
        self._ask(desk, timer=True)

    def _join(self, own: Own, desk: Desk) -> None:
        book = desk.book(self._names[own.instrument])
        if book is not None and own.limit_ticks != NO_PRICE:
            own.ahead = book.lots_at(own.limit_ticks)[0 if own.sign > 0 else 1]

    def _heard(self, desk: Desk) -> None:
        self._heard_since += 1
        if self.every_ns == 0:
            self._ask(desk, timer=False)
        elif not self._timer_set:
            self._timer_set = True
            self._set_timer(desk)

    def _set_timer(self, desk: Desk) -> None:
        every_ns = self.every_ns
        desk.timer("decide", (desk.time_ns // every_ns + 1) * every_ns)

    def _ask(self, desk: Desk, *, timer: bool) -> None:
        self._show(desk)
        answer = self._answer[0]
        if self.compiled is not None:
            self.compiled(self._view, self.params, self.state, self._answer)
        else:
            self.decide(self._view, self.params[0], self.state[0], answer)
        if answer.commands > COMMANDS_MAX or answer.notes > NOTES_MAX:
            raise ValueError(f"asked for {max(answer.commands, answer.notes)} things at once")
        for i in range(answer.commands):
            if answer.kind[i] == NEW:
                self._new(answer, i, desk)
            else:
                self._change(answer, i, desk)
        for i in range(answer.notes):
            name = self._names[int(answer.note_instrument[i])]
            desk.note(f"{name}: {self.note_text(int(answer.note_code[i]), float(answer.note_value[i]))}")
        answer.commands = answer.notes = 0
        for field in COUNTED:
            self._view[field] = 0
        if timer:
            self._timer_set = bool(self._heard_since or self._own)
            if self._timer_set:
                self._set_timer(desk)
        self._heard_since = 0

    def _show(self, desk: Desk) -> None:
        for k, name in enumerate(self._names):
            view, book = self._view[k], desk.book(name)
            view.time_ns, view.orders = desk.time_ns, 0
            guard = Guard.EMPTY if book is None else book.guard()
            view.guard = _GUARDS.get(guard, GAP)
            sides = ([], []) if book is None else book.depth(self.depth)
            for side, levels in zip(("bids", "asks"), sides, strict=True):
                for i in range(self.depth):
                    ticks, lots = levels[i] if i < len(levels) else (0, 0)
                    view[f"{side}_ticks"][i], view[f"{side}_lots"][i] = ticks, lots
        for number, own in self._own.items():
            view = self._view[own.instrument]
            n = int(view.orders)
            if n < ORDERS_MAX:
                view.order_number[n], view.order_state[n], view.order_sign[n] = number, own.state, own.sign
                view.order_ticks[n], view.order_lots[n] = own.limit_ticks, own.leaves_lots
                view.order_ahead[n] = -1.0 if own.state == SENT else own.ahead
                view.orders = n + 1

    def _new(self, answer: Any, i: int, desk: Desk) -> None:
        lots, k, sign = int(answer.lots[i]), int(answer.instrument[i]), int(answer.sign[i])
        if lots == 0:
            return
        if lots < 0 or not 0 <= k < len(self._names) or sign not in (1, -1):
            raise ValueError(f"asked for an order of {lots} lots, sign {sign}, of instrument {k}")
        limit_ticks, stop_ticks = int(answer.limit_ticks[i]), int(answer.stop_ticks[i])
        tick, lot = self._grids[k]
        ask = desk.buy if sign > 0 else desk.sell
        order_id = ask(
            lots * lot, instrument=self._names[k], limit=_price(limit_ticks, tick), stop=_price(stop_ticks, tick),
            time_in_force=_TIMES_IN_FORCE[int(answer.time_in_force[i])], post_only=bool(answer.post_only[i]),
            reduce_only=bool(answer.reduce_only[i]),
        )  # fmt: skip
        self._own[_number(order_id)] = Own(k, sign, lots, limit_ticks)

    def _change(self, answer: Any, i: int, desk: Desk) -> None:
        number = int(answer.order[i])
        own = self._own.get(number)
        if own is None:
            return
        order_id = next(o.client_order_id for o in desk.open_orders() if _number(o.client_order_id) == number)
        if answer.kind[i] == CANCEL:
            if own.state != CANCELLING:
                own.state = CANCELLING
                desk.cancel(order_id)
        elif answer.lots[i] > 0:
            tick, lot = self._grids[own.instrument]
            desk.replace(order_id, quantity=int(answer.lots[i]) * lot, limit=_price(int(answer.limit_ticks[i]), tick))


def fresh_state(strategy: type[KernelStrategy]) -> Records:
    """Return a strategy's state at its beginning. Raises TypeError naming what is neither a number nor an array."""
    fields: list[Any] = []
    for name, hint in getattr(strategy.State, "__annotations__", {}).items():
        first = getattr(strategy.State, name, 0)
        if isinstance(first, np.ndarray):
            fields.append((name, first.dtype, first.shape))
        elif hint in _TYPES and isinstance(first, (int, float)):
            fields.append((name, _TYPES[hint]))
        else:
            raise TypeError(f"{strategy.__name__}.State.{name} must be float, int, bool or an array, was {hint!r}")
    state: Records = np.zeros(1, dtype=np.dtype(fields or [("nothing", "i8")], align=True)).view(np.recarray)
    for name, *_ in fields:
        state[name] = getattr(strategy.State, name, 0)
    return state


def _params(strategy: KernelStrategy) -> Records:
    # As one record, which compiled code reads by name
    fields = dataclasses.fields(strategy)
    for field in fields:
        value = getattr(strategy, field.name)
        if field.type not in _TYPES or not isinstance(value, (int, float)):
            raise TypeError(f"parameter {field.name} must be a number, was {value!r}")
    dtype = np.dtype([(field.name, _TYPES[field.type]) for field in fields], align=True)
    record: Records = np.zeros(1, dtype=dtype).view(np.recarray)
    for field in fields:
        record[field.name] = getattr(strategy, field.name)
    return record


def _number(order_id: ClientOrderId) -> int:
    return int(order_id.rpartition("-")[2])


def _price(ticks: int, tick: Decimal) -> Decimal | None:
    return None if ticks == NO_PRICE else ticks * tick
