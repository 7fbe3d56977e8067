"""How strategies are called, and what happens when one breaks: it is stopped, and the others go on."""

from collections.abc import Callable
from typing import Any

from njord.domain.command import CancelOrder, StrategyStopped
from njord.domain.market import Bar
from njord.engine.impure import Impure
from njord.engine.state import Listener, Slot, State
from njord.risk.sizing import Sizer
from njord.strategies.port import Desk


def tell(state: State, slot: Slot, callback: str, news: object) -> None:
    """Tell a strategy what concerns it alone: its fills, its orders, its timers."""
    listener = slot.callbacks.get(callback)
    if listener is not None:
        try:
            listener(news, slot.desk)
        except Exception as error:  # noqa: BLE001 - a plugin is not our code, and must not take others down
            stop(state, slot, error)


def stop(state: State, slot: Slot, error: Exception | str) -> None:
    """Stop one strategy for good: forget what it wants, cancel its orders, call it no more."""
    slot.stopped = error if isinstance(error, str) else _told(error)
    slot.callbacks.clear()
    state.intents = [intent for intent in state.intents if intent.strategy_id != slot.strategy_id]
    for heard in state.listeners.values():
        for name, listeners in heard.items():
            heard[name] = tuple(listener for listener in listeners if listener[2] is not slot)
    state.commands.append(StrategyStopped(slot.strategy_id, slot.stopped))
    for order_id in slot.order_ids:
        tracked = state.orders.open[order_id]
        state.commands.append(CancelOrder(order_id, slot.strategy_id, tracked.instrument_id))


def listen(state: State, slot: Slot, kinds: dict[type, str]) -> None:
    """Connect a strategy's callbacks: ``kinds`` says which callback it has for each kind of market event.

    Where its positions are sized, the size takes in a bar before the strategy does.
    """
    for kind, callback in kinds.items():
        heard = state.listeners[kind]
        called = getattr(slot.strategy, callback)
        for name in slot.desk.instruments:
            sizer = state.sizers.get((slot.strategy_id, name)) if issubclass(kind, Bar) else None
            listener: Listener = (called if sizer is None else _sized(sizer, called), slot.desk, slot)
            heard[name] = (*heard.get(name, ()), listener)


def _sized(sizer: Sizer, called: Callable[[Any, Desk], None]) -> Callable[[Any, Desk], None]:
    def on_bar(bar: Any, desk: Desk) -> None:
        sizer.update(bar.close)
        called(bar, desk)

    return on_bar


def _told(error: Exception) -> str:
    if isinstance(error, Impure):
        return f"{type(error).__name__}: {error}"  # It names its place itself
    # The last line of the strategy's own code says where; the whole trace would name folders of this machine
    trace = error.__traceback__
    where = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
        where = f" at {file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{where}"
