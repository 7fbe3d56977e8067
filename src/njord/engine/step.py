"""The heart: one event in, the commands it causes out. Every world calls this and nothing else.

The order inside a step is fixed: apply what happened, tell the strategies, decide on what they want, return what to do.
It runs to completion, without clock, disk, network or dice, so the same events give the same commands.
"""

from collections.abc import Iterable, Sequence

from njord.domain.command import CancelOrder, Command
from njord.domain.event import Event
from njord.domain.instruction import BY_HAND
from njord.domain.market import Bar
from njord.engine.apply import APPLY, NOBODY
from njord.engine.decide import decide
from njord.engine.state import NO_STRATEGY, State
from njord.engine.tell import stop
from njord.engine.watching import look
from njord.execution.oms import Tracked

OVER = "the session is over"

_NOTHING: tuple[Command, ...] = ()


def step(state: State, event: Event) -> Sequence[Command]:
    """Apply ``event`` and return what must now be done about it, in order.

    Raises only where our own code is wrong or the world contradicts itself; a strategy that raises is stopped.
    """
    time_ns = event.local_time_ns
    assert time_ns >= state.time_ns, (event, state.time_ns)
    state.sequence += 1
    state.time_ns = time_ns
    if type(event) is Bar:  # What most runs are made of, applied here: a call less for each
        name = event.instrument_id
        state.last_price[name] = event.close
        heard = state.listeners[Bar].get(name, NOBODY)
    else:
        heard = APPLY[type(event)](state, event)
    if time_ns >= state.watch_due_ns:
        look(state)
    for callback, desk, slot in heard:
        try:
            callback(event, desk)
        except Exception as error:  # noqa: BLE001 - a plugin is not our code, and must not take others down
            stop(state, slot, error)
    if state.intents:
        decide(state)
    commands = state.commands
    if commands:
        state.commands = []
        return commands
    return _NOTHING


def start(state: State) -> Sequence[Command]:
    """Tell every strategy that it begins, and return what they want done. Orders of strategies that are no more go."""
    commands = _call_all(state, "on_start")
    _recall_all(state)
    orphans = [tracked for tracked in _open(state) if state.slots[tracked.order.strategy_id].stopped == NO_STRATEGY]
    left = [CancelOrder(each.client_order_id, each.order.strategy_id, each.instrument_id) for each in orphans]
    return [*commands, *left] if left else commands


def finish(state: State) -> Sequence[Command]:
    """Tell every strategy that it is over, and return what they want done.

    In a session no strategy leaves anything working at the venue: what is open is cancelled, and strategies are not
    asked again. Orders by hand stay: whoever gave them did not say that they should go.
    """
    commands = _call_all(state, "on_stop")
    if not state.on_record:
        return commands
    for slot in state.slots.values():
        slot.stopped = slot.stopped or OVER
        slot.callbacks.clear()
    for heard in state.listeners.values():
        heard.clear()
    theirs = [each for each in _open(state) if each.order.strategy_id != BY_HAND]
    left = [CancelOrder(each.client_order_id, each.order.strategy_id, each.instrument_id) for each in theirs]
    return [*commands, *left]


def _open(state: State) -> Iterable[Tracked]:
    return state.orders.open.values()


def _recall_all(state: State) -> None:
    for strategy_id, memory in state.memories.items():
        slot = state.slots.get(strategy_id)
        if slot is not None and slot.stopped is None:
            try:
                slot.strategy.recall(memory)
            except Exception as error:  # noqa: BLE001 - a plugin is not our code, and must not take others down
                stop(state, slot, error)


def _call_all(state: State, callback: str) -> Sequence[Command]:
    for slot in state.slots.values():
        if slot.stopped is None:
            try:
                getattr(slot.strategy, callback)(slot.desk)
            except Exception as error:  # noqa: BLE001 - a plugin is not our code, and must not take others down
                stop(state, slot, error)
    if state.intents:
        decide(state)
    commands, state.commands = state.commands, []
    return commands
