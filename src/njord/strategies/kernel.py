"""Kernel strategies: one function of numbers, compiled with the venue in research, called per event by the engine.

A strategy is its parameters, its state and ``decide``. This class is the engine's side of it: it keeps the very views
that the compiled venue keeps (``venues.simulated.kernels.client``), event by event, and turns answers into orders.
"""

import ast
import dataclasses
import inspect
import math
import textwrap
import types
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, NoReturn, dataclass_transform

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
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.market import BookUpdate, Trade, TradingStatus
from njord.domain.order import Side, TimeInForce
from njord.market.book import Guard
from njord.market.view import (
    ANSWER,
    CANCEL,
    CANCELLING,
    COMMANDS_MAX,
    COUNTED,
    CROSSED,
    DAY,
    EMPTY,
    FOK,
    GAP,
    GTC,
    IOC,
    LEVELS_MAX,
    LIVE,
    NEW,
    NO_PRICE,
    NOTES_MAX,
    ONE_ORDER_NS,
    ONE_SIDED,
    ORDERS_MAX,
    REPLACE,
    SENT,
    VIEW,
)
from njord.strategies.port import Desk, Memory, OrderNews, Strategy

Records = npt.NDArray[np.void]
Decide = Callable[[Any, Any, Any, Any], None]

NS_PER_MS = 1_000_000
NO_ORDER = -1
_GUARDS = {Guard.OK: 0, Guard.EMPTY: EMPTY, Guard.ONE_SIDED: ONE_SIDED, Guard.CROSSED: CROSSED}
_TIMES_IN_FORCE = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY)
_TYPES = {float: "f8", int: "i8", bool: "i8", "float": "f8", "int": "i8", "bool": "i8"}


class KernelError(ValueError):
    """A kernel strategy cannot be compiled, or went wrong. The message names its file and line."""


class Own:
    """One of our orders, as far as we know it."""

    __slots__ = ("ahead", "instrument", "leaves_lots", "limit_ticks", "order_id", "quantity_lots", "sign", "state")

    def __init__(self, instrument: int, sign: int, lots: int, limit_ticks: int, order_id: ClientOrderId) -> None:
        self.instrument, self.sign, self.limit_ticks, self.order_id = instrument, sign, limit_ticks, order_id
        self.quantity_lots = self.leaves_lots = lots
        self.state = SENT
        self.ahead = 0


class _Side:
    """The engine's side of a strategy at work. A thing of its own: a strategy is known by its parameters alone."""

    __slots__ = (
        "answer",
        "compiled",
        "grids",
        "heard_since",
        "index",
        "last_order",
        "names",
        "own",
        "timer_set",
        "view",
    )

    def __init__(self) -> None:
        self.compiled: Decide | None = None
        self.begin([], [])

    def begin(self, names: list[InstrumentId], grids: list[tuple[Decimal, Decimal]]) -> None:
        """Make ready for a run."""
        self.names, self.grids = names, grids
        self.index = {name: k for k, name in enumerate(names)}
        self.view: Records = np.zeros(len(names), dtype=VIEW).view(np.recarray)
        self.answer: Records = np.zeros(1, dtype=ANSWER).view(np.recarray)
        for k, (tick, lot) in enumerate(grids):
            self.view[k].price_tick, self.view[k].quantity_lot = tick, lot
        self.own: dict[int, Own] = {}
        self.last_order = [(0, 0, 0, 0)] * len(names)  # Moment, sign and depth of the last market order
        self.heard_since = 0
        self.timer_set = False


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
        if not 1 <= self.depth <= LEVELS_MAX:
            raise ValueError(f"depth must be from 1 to {LEVELS_MAX}, was {self.depth}")
        if type(self).decide is KernelStrategy.decide:
            raise KernelError(f"{placed(type(self))}: {type(self).__name__} has no decide(view, params, state, out)")
        self.params = _params(self)
        self.state = self.fresh()
        self._side = _Side()

    @staticmethod
    def decide(view: Any, params: Any, state: Any, out: Any) -> None:
        """Look at the views, remember in ``state``, ask through ``out``."""

    @property
    def compiled(self) -> Decide | None:
        """``decide`` as the engine calls it, of whole arrays; None for plain Python."""
        return self._side.compiled

    @compiled.setter
    def compiled(self, ask: Decide | None) -> None:
        self._side.compiled = ask

    @property
    def every_ns(self) -> int:
        """How often it is asked; 0 for at every event."""
        return round(self.every_ms * NS_PER_MS)

    def fresh(self) -> Records:
        """Return the state it begins with."""
        return fresh_state(type(self))

    def remember(self) -> Memory:
        state = self.state[0]
        return {name: _numbers(state[name]) for name in state.dtype.names or ()}

    def recall(self, memory: Memory) -> None:
        for name in self.state.dtype.names or ():
            field, kept = np.asarray(self.state[0][name]), memory.get(name, ())
            if len(kept) == field.size:
                numbers = [math.nan if each is None else each for each in kept]
                self.state[name] = np.array(numbers, dtype=field.dtype).reshape(field.shape)

    def note_text(self, code: int, value: float) -> str:
        """Return a note in words."""
        return self.notes.get(code, f"note {code}: {{value:g}}").format(value=value)

    def on_start(self, desk: Desk) -> None:
        self.state = self.fresh()
        definitions = [desk.definition(name) for name in desk.instruments]
        self._side.begin(list(desk.instruments), [(each.price_tick, each.quantity_lot) for each in definitions])
        for k, name in enumerate(desk.instruments):
            # What an earlier session left: the position is taken over, orders it cannot know of are cancelled
            self._side.view[k].position_lots = round(desk.position(name) / float(definitions[k].quantity_lot))
        desk.cancel_all()

    def on_book(self, update: BookUpdate, desk: Desk) -> None:
        k = self._side.index[update.instrument_id]
        view, book = self._side.view[k], desk.book(update.instrument_id)
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
        for own in self._side.own.values():
            if own.instrument == k and own.state != SENT and own.limit_ticks != NO_PRICE:
                own.ahead = min(own.ahead, book.lots_at(own.limit_ticks)[0 if own.sign > 0 else 1])
        self._heard(desk)

    def on_trade(self, trade: Trade, desk: Desk) -> None:
        k = self._side.index[trade.instrument_id]
        view, sign, price = self._side.view[k], int(trade.aggressor), trade.price_ticks
        view.last_trade_ticks = price
        if sign and view.heard_ns:
            moment_ns, last_sign, reached, twice_mid = self._side.last_order[k]
            same = sign == last_sign and trade.venue_time_ns - moment_ns <= ONE_ORDER_NS
            twice_mid = twice_mid if same else int(view.bid_ticks + view.ask_ticks)
            touch = int(view.ask_ticks - view.bid_ticks)
            depth = sign * (2 * price - twice_mid)
            depth = depth if same else max(touch, depth)
            more = max(0, depth - reached) if same else depth
            self._side.last_order[k] = (trade.venue_time_ns, sign, reached + more if same else depth, twice_mid)
            side = "buy" if sign > 0 else "sell"
            view[f"{side}s"] += not same
            view[f"{side}_lots"] += trade.quantity_lots
            view[f"{side}_depth_half_ticks"] += more
            view[f"{side}_touch_half_ticks"] += 0 if same else touch
        for own in self._side.own.values():
            if own.instrument == k and own.state != SENT and own.limit_ticks == price and own.sign != sign:
                own.ahead = max(0, own.ahead - trade.quantity_lots)
        self._heard(desk)

    def on_event(self, event: Event, desk: Desk) -> None:
        if isinstance(event, TradingStatus) and event.instrument_id in self._side.index:
            self._side.view[self._side.index[event.instrument_id]].halted = event.halted

    def on_fill(self, fill: Fill, desk: Desk) -> None:
        view = self._side.view[self._side.index[fill.instrument_id]]
        view.position_lots += fill.side.sign * fill.quantity_lots
        view["bought_lots" if fill.side is Side.BUY else "sold_lots"] += fill.quantity_lots
        number = _number(fill.client_order_id)
        own = self._mine(number, fill.client_order_id)
        if own is not None:
            own.leaves_lots -= fill.quantity_lots
            if own.leaves_lots == 0:
                del self._side.own[number]
        if self.wake_on_fills:
            self._ask(desk, timer=False)

    def on_order(self, news: OrderNews, desk: Desk) -> None:
        number = _number(news.client_order_id)
        own = self._mine(number, news.client_order_id)
        if own is None:
            return
        if isinstance(news, OrderAccepted):
            own.state = LIVE if own.state == SENT else own.state
            self._join(own, desk)
        elif isinstance(news, OrderReplaced):
            own.leaves_lots += news.quantity_lots - own.quantity_lots
            own.quantity_lots = news.quantity_lots
            own.limit_ticks = NO_PRICE if news.limit_ticks is None else news.limit_ticks
            self._join(own, desk)
        elif isinstance(news, CancelRejected):
            own.state = LIVE if own.state == CANCELLING else own.state
        else:
            self._side.view[own.instrument].rejected += isinstance(news, (OrderRejected, Refused))
            if not (isinstance(news, Refused) and desk.order(news.client_order_id) is not None):
                del self._side.own[number]  # Of an order that is open, a replacement was refused, and it lives on

    def on_timer(self, timer: TimerFired, desk: Desk) -> None:
        self._ask(desk, timer=True)

    def _mine(self, number: int, order_id: ClientOrderId) -> Own | None:
        # None for an order of an earlier session, or of the risk engine in its name
        own = self._side.own.get(number)
        return own if own is not None and own.order_id == order_id else None

    def _join(self, own: Own, desk: Desk) -> None:
        book = desk.book(self._side.names[own.instrument])
        if book is not None and own.limit_ticks != NO_PRICE:
            own.ahead = book.lots_at(own.limit_ticks)[0 if own.sign > 0 else 1]

    def _heard(self, desk: Desk) -> None:
        self._side.heard_since += 1
        if self.every_ns == 0:
            self._ask(desk, timer=False)
        elif not self._side.timer_set:
            self._side.timer_set = True
            self._set_timer(desk)

    def _set_timer(self, desk: Desk) -> None:
        every_ns = self.every_ns
        desk.timer("decide", (desk.time_ns // every_ns + 1) * every_ns)

    def _ask(self, desk: Desk, *, timer: bool) -> None:
        self._show(desk)
        answer = self._side.answer[0]
        if self.compiled is not None:
            self.compiled(self._side.view, self.params, self.state, self._side.answer)
        else:
            self.decide(self._side.view, self.params[0], self.state[0], answer)
        if answer.commands > COMMANDS_MAX or answer.notes > NOTES_MAX:
            self._wrong(f"asked for {max(answer.commands, answer.notes)} things at once", int(answer.line))
        ever = max(self._side.own, default=0)  # What it knew of when it was asked: no more can be changed
        for i in range(answer.commands):
            if answer.kind[i] == NEW:
                self._new(answer, i, desk)
            else:
                self._change(answer, i, ever, desk)
        for i in range(answer.notes):
            k = int(answer.note_instrument[i])
            if not 0 <= k < len(self._side.names):
                self._wrong(f"made a note on instrument {k}, which it does not have", 0)
            name = self._side.names[k]
            desk.note(f"{name}: {self.note_text(int(answer.note_code[i]), float(answer.note_value[i]))}")
        answer.commands = answer.notes = 0
        for field in COUNTED:
            self._side.view[field] = 0
        if timer:
            self._side.timer_set = bool(self._side.heard_since or self._side.own)
            if self._side.timer_set:
                self._set_timer(desk)
        self._side.heard_since = 0

    def _show(self, desk: Desk) -> None:
        for k, name in enumerate(self._side.names):
            view, book = self._side.view[k], desk.book(name)
            view.time_ns, view.orders = desk.time_ns, 0
            guard = Guard.EMPTY if book is None else book.guard()
            view.guard = _GUARDS.get(guard, GAP)
            sides = ([], []) if book is None else book.depth(self.depth)
            for side, levels in zip(("bids", "asks"), sides, strict=True):
                for i in range(self.depth):
                    ticks, lots = levels[i] if i < len(levels) else (0, 0)
                    view[f"{side}_ticks"][i], view[f"{side}_lots"][i] = ticks, lots
        for number, own in self._side.own.items():
            view = self._side.view[own.instrument]
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
        if lots < 0 or not 0 <= k < len(self._side.names) or sign not in (1, -1):
            self._wrong(f"asked for an order of {lots} lots, sign {sign}, of instrument {k}", int(answer.lines[i]))
        limit_ticks, stop_ticks = int(answer.limit_ticks[i]), int(answer.stop_ticks[i])
        tick, lot = self._side.grids[k]
        ask = desk.buy if sign > 0 else desk.sell
        time_in_force, post_only = int(answer.time_in_force[i]), bool(answer.post_only[i])
        at_once, rests = IOC <= time_in_force <= FOK, limit_ticks != NO_PRICE and stop_ticks == NO_PRICE
        if not GTC <= time_in_force <= DAY or (post_only and (at_once or not rests)):
            what = f"time in force {time_in_force}, or post-only and not resting"
            self._wrong(f"asked for an order that cannot be: {what}", int(answer.lines[i]))
        order_id = ask(
            lots * lot, instrument=self._side.names[k], limit=_price(limit_ticks, tick), stop=_price(stop_ticks, tick),
            time_in_force=_TIMES_IN_FORCE[time_in_force], post_only=post_only,
            reduce_only=bool(answer.reduce_only[i]),
        )  # fmt: skip
        self._side.own[_number(order_id)] = Own(k, sign, lots, limit_ticks, order_id)

    def _wrong(self, what: str, line: int) -> NoReturn:
        code = inspect.unwrap(type(self).decide).__code__
        raise_at(ValueError(what), code.co_filename, line or code.co_firstlineno)

    def _change(self, answer: Any, i: int, ever: int, desk: Desk) -> None:
        number = int(answer.order[i])
        own = self._side.own.get(number)
        if own is None or number > ever:
            return
        if answer.kind[i] == CANCEL:
            if own.state != CANCELLING:
                own.state = CANCELLING
                desk.cancel(own.order_id)
        elif answer.kind[i] == REPLACE and answer.lots[i] > 0:
            tick, lot = self._side.grids[own.instrument]
            desk.replace(
                own.order_id, quantity=int(answer.lots[i]) * lot, limit=_price(int(answer.limit_ticks[i]), tick)
            )


def fresh_state(strategy: type[KernelStrategy]) -> Records:
    """Return a strategy's state at its beginning. Raises KernelError naming what is neither a number nor an array."""
    fields: list[Any] = []
    for name, hint in getattr(strategy.State, "__annotations__", {}).items():
        first = getattr(strategy.State, name, 0)
        if isinstance(first, np.ndarray) and first.dtype.kind in "fiub":
            fields.append((name, first.dtype, first.shape))
        elif hint in _TYPES and isinstance(first, (int, float)):
            fields.append((name, _TYPES[hint]))
        else:
            what = f"{strategy.__name__}.State.{name} must be float, int, bool or an array of them"
            raise KernelError(f"{placed(strategy, name)}: {what}, was {_called(hint)} = {first!r}")
    state: Records = np.zeros(1, dtype=np.dtype(fields or [("nothing", "i8")], align=True)).view(np.recarray)
    for name, *_ in fields:
        state[name] = getattr(strategy.State, name, 0)
    return state


def _numbers(field: Any) -> list[Any]:
    # NaN, which JSON lacks, travels as nothing
    return [None if each != each else each for each in np.asarray(field).ravel().tolist()]


def _params(strategy: KernelStrategy) -> Records:
    # As one record, which compiled code reads by name
    fields = dataclasses.fields(strategy)
    for field in fields:
        value = getattr(strategy, field.name)
        if field.type not in _TYPES or not isinstance(value, (int, float)):
            what = f"parameter {field.name} must be float, int or bool"
            raise KernelError(f"{placed(type(strategy), field.name)}: {what}, was {_called(field.type)} = {value!r}")
    dtype = np.dtype([(field.name, _TYPES[field.type]) for field in fields], align=True)
    record: Records = np.zeros(1, dtype=dtype).view(np.recarray)
    for field in fields:
        record[field.name] = getattr(strategy, field.name)
    return record


def placed(strategy: type[KernelStrategy], field: str | None = None) -> str:
    """Return ``file, line n`` of a strategy or of where it declares a field; the file alone without source."""
    try:
        lines, first = inspect.getsourcelines(strategy)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        code = getattr(inspect.unwrap(strategy.decide), "__code__", None)
        return strategy.__name__ if code is None else code.co_filename.rpartition("/")[2]
    declared = (
        node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == field
    )
    line = next((node.lineno for node in declared), 1)
    return f"{(inspect.getsourcefile(strategy) or '').rpartition('/')[2]}, line {first + line - 1}"


def raise_at(error: Exception, file: str, line: int) -> NoReturn:
    """Raise an error as if a line of a file had: who looks at where it came from finds the strategy's own code."""
    code = _raise.__code__.replace(co_filename=file, co_firstlineno=line - 1, co_name="decide", co_qualname="decide")
    types.FunctionType(code, {})(error.with_traceback(None))
    raise AssertionError(error)  # Never reached


def _raise(error: Exception) -> NoReturn:
    raise error


def _called(hint: Any) -> str:
    return hint if isinstance(hint, str) else getattr(hint, "__name__", repr(hint))


def _number(order_id: ClientOrderId) -> int:
    # ``<strategy>-<count>`` or, in a session, ``<strategy>-<session>.<count>``
    count = order_id.rpartition("-")[2].rpartition(".")[2]
    return int(count) if count.isdigit() else NO_ORDER


def _price(ticks: int, tick: Decimal) -> Decimal | None:
    return None if ticks == NO_PRICE else ticks * tick
