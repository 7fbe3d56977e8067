"""The heart: one event in, the commands it causes out. Every world calls this and nothing else.

The order inside a step is fixed: apply what happened, tell the strategies, decide on what they want, return what to do.
It runs to completion, without clock, disk, network or dice, so the same events give the same commands.
"""

from collections.abc import Sequence

from njord.domain.command import Command
from njord.domain.event import Event
from njord.domain.market import Bar
from njord.engine.apply import APPLY, NOBODY
from njord.engine.decide import decide
from njord.engine.state import State
from njord.engine.tell import stop

_NOTHING: tuple[Command, ...] = ()


def step(state: State, event: Event) -> Sequence[Command]:
    """Apply ``event`` and return what must now be done about it, in order.

    Raises only where our own code is wrong or the world contradicts itself; a strategy that raises is stopped.
    """
    time_ns = event.local_time_ns
    assert time_ns >= state.time_ns, (event, state.time_ns)
    state.sequence += 1
    state.time_ns = time_ns
    kind = event.__class__
    if kind is Bar:  # What most runs are made of, applied here: a call less for each
        name = event.instrument_id  # type: ignore[union-attr]
        state.last_price[name] = event.close  # type: ignore[union-attr]
        heard = state.listeners[kind].get(name, NOBODY)
    else:
        heard = APPLY[kind](state, event)
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
    """Tell every strategy that it begins, and return what they want done."""
    return _call_all(state, "on_start")


def finish(state: State) -> Sequence[Command]:
    """Tell every strategy that it is over, and return what they want done."""
    return _call_all(state, "on_stop")


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
