"""The heart: one event in, the commands it causes out. Every world calls this and nothing else.

The order inside a step is fixed: apply what happened, tell the strategies, check what they want, return what to do.
It runs to completion, without clock, disk, network or dice, so the same events give the same commands.
"""

from collections.abc import Sequence

from njord.domain.command import (
    CancelOrder,
    Command,
    Refused,
    ReplaceOrder,
    StrategyStopped,
)
from njord.domain.event import Event, Report, TimerFired
from njord.domain.fill import Fill
from njord.domain.limits import Refusal
from njord.domain.market import Bar, BookUpdate, Dividend, Funding, Quote, QuoteBar, Split, Trade, TradingStatus
from njord.domain.order import NewOrder
from njord.engine.state import Listener, Slot, State
from njord.market.book import Guard
from njord.risk.checks import refusal

_NOTHING: tuple[Command, ...] = ()
_PRICE_BARS = (Bar, QuoteBar)


def step(state: State, event: Event) -> Sequence[Command]:
    """Apply ``event`` and return what must now be done about it, in order.

    Raises only where our own code is wrong or the world contradicts itself; a strategy that raises is stopped.
    """
    assert event.local_time_ns >= state.time_ns, (event, state.time_ns)
    state.sequence += 1
    state.time_ns = event.local_time_ns
    kind = event.__class__
    if kind is Bar:
        state.last_price[event.instrument_id] = event.close  # type: ignore[union-attr]
        believed = True
    else:
        believed = _apply(state, event)
    if believed:
        listeners = state.listeners.get(kind)
        if listeners is not None:
            for callback, desk, slot in listeners.get(event.instrument_id, ()):  # type: ignore[union-attr]
                if slot.stopped is None:
                    try:
                        callback(event, desk)
                    except Exception as error:  # noqa: BLE001 - a plugin is not our code, and must not take others down
                        stop(state, slot, error)
    else:
        state.suppressed += 1
    if state.intents:
        _decide(state)
    commands = state.commands
    if commands:
        state.commands = []
        return commands
    return _NOTHING


def start(state: State) -> Sequence[Command]:
    """Tell every strategy that it begins, and return what they want done."""
    return _call_all(state, "on_start")


def finish(state: State) -> Sequence[Command]:
    """Tell every strategy that it is over, and return what they want done."""
    return _call_all(state, "on_stop")


def stop(state: State, slot: Slot, error: Exception | str) -> None:
    """Stop one strategy and cancel its orders; the others go on."""
    reason = error if isinstance(error, str) else _told(error)
    slot.stopped = reason
    state.intents.clear()
    state.commands.append(StrategyStopped(slot.strategy_id, reason))
    for order_id in slot.order_ids:
        tracked = state.orders.open[order_id]
        state.commands.append(CancelOrder(order_id, slot.strategy_id, tracked.instrument_id))


def _apply(state: State, event: Event) -> bool:
    # Take in what happened; False where strategies should not see it
    if isinstance(event, QuoteBar):
        state.last_price[event.instrument_id] = event.close
    elif isinstance(event, Quote):
        if event.bid_lots <= 0 or event.ask_lots <= 0 or event.bid_ticks >= event.ask_ticks:
            return False
        state.last_price[event.instrument_id] = (event.bid + event.ask) / 2
    elif isinstance(event, Trade):
        # Where there are quotes or a book, they are the better price
        if event.instrument_id not in state.books:
            state.last_price[event.instrument_id] = event.price
    elif isinstance(event, BookUpdate):
        return _apply_book(state, event)
    elif isinstance(event, Funding):
        _apply_funding(state, event)
    elif isinstance(event, Split):
        _apply_split(state, event)
    elif isinstance(event, Dividend):
        entry = state.portfolio.dividend(event)
        if entry is not None:
            state.commands.append(entry)
    elif isinstance(event, TimerFired):
        slot = state.slots[event.strategy_id]
        _tell(state, slot, "on_timer", event)
    elif not isinstance(event, TradingStatus | Bar):
        _apply_report(state, event)
    return True


def _apply_book(state: State, event: BookUpdate) -> bool:
    book = state.books[event.instrument_id]
    if not state.books_shared:
        book.apply(event)
    if book.guard() is not Guard.OK:
        return False
    bid, ask = book.best_bid(), book.best_ask()
    assert bid is not None, event
    assert ask is not None, event
    grid = state.grids[event.instrument_id]
    state.last_price[event.instrument_id] = (grid.price(bid[0]) + grid.price(ask[0])) / 2
    return True


def _apply_funding(state: State, event: Funding) -> None:
    mark = event.mark_ticks
    if mark is None:
        price = state.last_price.get(event.instrument_id)
        if price is None:
            return  # No price yet, so nothing can be held
        mark = state.grids[event.instrument_id].nearest_ticks(price)
    entry = state.portfolio.fund(event, mark)
    if entry is not None:
        state.commands.append(entry)


def _apply_split(state: State, event: Split) -> None:
    name = event.instrument_id
    price = state.last_price.get(name)
    last = None if price is None else state.grids[name].nearest_ticks(price)
    entry = state.portfolio.split(event, last)
    if price is not None:
        state.last_price[name] = price * event.denominator / event.numerator
    if entry is not None:
        state.commands.append(entry)


def _apply_report(state: State, report: Report) -> None:
    order_id = report.client_order_id
    tracked = state.orders.apply(report)
    if tracked is None:
        return
    slot = state.slots[tracked.order.strategy_id]
    if order_id not in state.orders.open:
        slot.order_ids.pop(order_id, None)
    if isinstance(report, Fill):
        entry, closed = state.portfolio.fill(report, slot.strategy_id)
        state.commands.append(entry)
        state.closed.extend(closed)
        # Until the market says otherwise, a price somebody traded at is the last price
        if report.instrument_id not in state.last_price:
            state.last_price[report.instrument_id] = state.grids[report.instrument_id].price(report.price_ticks)
        _tell(state, slot, "on_fill", report)
    else:
        _tell(state, slot, "on_order", report)


def _tell(state: State, slot: Slot, callback: str, news: object) -> None:
    if slot.stopped is not None:
        return
    listener = slot.callbacks.get(callback)
    if listener is not None:
        try:
            listener(news, slot.desk)
        except Exception as error:  # noqa: BLE001 - a plugin is not our code, and must not take others down
            stop(state, slot, error)


def _decide(state: State) -> None:
    # What a strategy is told of a refusal can make it want something else, so this goes on until nothing is wanted
    wanted = 0
    while state.intents:
        intents, state.intents = state.intents, []
        wanted += len(intents)
        if wanted > state.profile.orders_per_event_max:
            # Not an assert: a strategy is not our code
            stop(state, state.slots[intents[0].strategy_id], f"wanted {wanted} things at once, of one event")
            return
        for intent in intents:
            slot = state.slots[intent.strategy_id]
            if isinstance(intent, NewOrder):
                reason = _refusal(state, intent, slot)
                if reason is None:
                    state.orders.submit(intent, state.grids[intent.instrument_id])
                    slot.order_ids[intent.client_order_id] = None
                    state.commands.append(intent)
                else:
                    _refuse(state, slot, intent, reason)
            elif isinstance(intent, (CancelOrder, ReplaceOrder)):
                if intent.client_order_id in slot.order_ids:
                    reason = _replace_refusal(state, intent) if isinstance(intent, ReplaceOrder) else None
                else:
                    known = state.orders.known(intent.client_order_id)
                    reason = Refusal.ORDER_DONE if known else Refusal.ORDER_UNKNOWN
                if reason is None:
                    state.commands.append(intent)
                else:
                    _refuse(state, slot, intent, reason)
            else:
                state.commands.append(intent)
                if isinstance(intent, Refused):
                    _tell(state, slot, "on_order", intent)


def _refusal(state: State, order: NewOrder, slot: Slot) -> Refusal | None:
    if slot.stopped is not None:
        return Refusal.STRATEGY_STOPPED
    if state.orders.known(order.client_order_id):
        return Refusal.DUPLICATE_INTENT
    name = order.instrument_id
    return refusal(order, state.instruments[name], state.grids[name], state.exposure(order), state.limits)


def _replace_refusal(state: State, replace: ReplaceOrder) -> Refusal | None:
    # What is added is judged like a new order of that size; taking away needs nobody's leave, but a price is a price
    tracked = state.orders.open[replace.client_order_id]
    if replace.quantity_lots <= 0:
        return Refusal.QUANTITY_TOO_SMALL
    more = replace.quantity_lots - tracked.quantity_lots
    order = tracked.order
    if more <= 0 and replace.limit_ticks == tracked.limit_ticks:
        return None
    added = NewOrder(
        order.client_order_id, order.strategy_id, order.instrument_id, order.side, order.order_type, max(more, 1),
        replace.limit_ticks, order.stop_ticks, order.time_in_force, order.post_only, order.reduce_only,
    )  # fmt: skip
    name = order.instrument_id
    return refusal(added, state.instruments[name], state.grids[name], state.exposure(added), state.limits)


def _refuse(state: State, slot: Slot, intent: NewOrder | CancelOrder | ReplaceOrder, reason: Refusal) -> None:
    refused = Refused(intent.client_order_id, intent.strategy_id, intent.instrument_id, reason)
    state.commands.append(refused)
    _tell(state, slot, "on_order", refused)


def _call_all(state: State, callback: str) -> Sequence[Command]:
    for slot in state.slots.values():
        if slot.stopped is None:
            try:
                getattr(slot.strategy, callback)(slot.desk)
            except Exception as error:  # noqa: BLE001 - a plugin is not our code, and must not take others down
                stop(state, slot, error)
    if state.intents:
        _decide(state)
    commands, state.commands = state.commands, []
    return commands


def _told(error: Exception) -> str:
    # The last line of the strategy's own code says where; the whole trace would name folders of this machine
    trace = error.__traceback__
    where = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
        where = f" at {file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{where}"


def listen(state: State, slot: Slot, kinds: dict[type, str]) -> None:
    """Connect a strategy's callbacks: ``kinds`` says which callback, if any, it has for each kind of market event."""
    for kind, callback in kinds.items():
        heard = state.listeners.setdefault(kind, {})
        listener: Listener = (getattr(slot.strategy, callback), slot.desk, slot)
        for name in slot.desk.instruments:
            heard[name] = (*heard.get(name, ()), listener)
