"""What governance means for the state: trips, clears, profiles, allocations, models, and time that passes."""

from decimal import Decimal

from njord.domain.command import Cause, Level, Reallocated, Restricted
from njord.domain.governance import (
    GLOBAL,
    AllocationChanged,
    Cleared,
    ClockTick,
    Deposited,
    ModelActivated,
    OrderUnknown,
    ProfileChanged,
    Scope,
    ScopeKind,
    Tripped,
)
from njord.domain.ids import EntryId, StrategyId
from njord.engine.protect import cancel_covered, flatten_covered, stop_flattening
from njord.engine.state import State

NONE = Decimal(0)


def tripped(state: State, event: Tripped) -> None:
    """Stop a scope: nothing new is approved there, all that works is cancelled, allocations there become nothing."""
    if state.kill.trip(event):
        scope = event.scope if event.scope in state.kill.tripped else GLOBAL
        detail = f"{event.source} by {event.actor}: {event.reason}"
        state.commands.append(Restricted(scope, Cause.TRIPPED, Level.HALTED, detail))
        for strategy_id in list(state.shares):
            if stopped(state, strategy_id) and state.shares[strategy_id]:
                state.shares_before_trip[strategy_id] = state.shares[strategy_id]
                _reallocate(state, strategy_id, NONE, f"tripped: {scope}")
    if event.flatten or state.profile.flatten_on_trip:
        state.flattening[event.scope] = None
    cancel_covered(state)
    flatten_covered(state)


def cleared(state: State, event: Cleared) -> None:
    """Let a scope start again, or say on record why it does not."""
    refusal = state.kill.clear(event, needs_two=state.profile.clear_needs_two)
    if refusal is not None:
        state.commands.append(Restricted(event.scope, Cause.TRIPPED, Level.HALTED, f"not cleared: {refusal}"))
        return
    stop_flattening(state, event.scope)
    detail = f"cleared by {' and '.join(event.actors)}: {event.reason}"
    state.commands.append(Restricted(event.scope, Cause.TRIPPED, Level.NORMAL, detail))
    for strategy_id in list(state.shares_before_trip):
        if not stopped(state, strategy_id):
            share = state.shares_before_trip.pop(strategy_id)
            _reallocate(state, strategy_id, share, f"cleared: {event.scope}")


def profile_changed(state: State, event: ProfileChanged) -> None:
    """Judge by another profile from now on. Whether it may was decided before the event was made."""
    state.adopt(event.profile)
    _use(state, event.approval_id)


def allocation_changed(state: State, event: AllocationChanged) -> None:
    """Give each strategy another share of the equity. One that is stopped gets its own when it is cleared."""
    _use(state, event.approval_id)
    for strategy_id in [*event.shares, *(name for name in state.shares if name not in event.shares)]:
        share = event.shares.get(strategy_id, NONE)
        if stopped(state, strategy_id):
            state.shares_before_trip[strategy_id] = share
            share = NONE
        _reallocate(state, strategy_id, share, event.reason)


def model_activated(state: State, event: ModelActivated) -> None:
    """Allow orders on a model's signals, or forbid them."""
    _use(state, event.approval_id)
    (state.models.add if event.active else state.models.discard)(event.model_id)


def deposited(state: State, event: Deposited) -> None:
    """Book money that was paid in or out."""
    entry_id = EntryId(f"deposit:{event.deposit_id}")
    state.commands.append(state.portfolio.deposit(event.amount_units, event.asset, event.local_time_ns, entry_id))
    if state.watch is not None and event.asset == state.portfolio.currency:
        state.watch.shift(event.amount_units)


def order_unknown(state: State, event: OrderUnknown) -> None:
    """Take note that nobody knows what became of an order: it stays reserved until the venue answers."""
    state.orders.unknown(event)


def clock_tick(state: State, _event: ClockTick) -> None:
    """Ask again for what was not confirmed."""
    if state.kill.tripped:
        cancel_covered(state)
        flatten_covered(state)


def stopped(state: State, strategy_id: StrategyId) -> bool:
    """Return whether a strategy is stopped everywhere."""
    return GLOBAL in state.kill.tripped or Scope(ScopeKind.STRATEGY, strategy_id) in state.kill.tripped


def _use(state: State, approval_id: str) -> None:
    if approval_id:
        state.approvals_used[approval_id] = None


def _reallocate(state: State, strategy_id: StrategyId, share: Decimal, reason: str) -> None:
    before = state.shares.get(strategy_id, NONE)
    state.shares[strategy_id] = share
    if share != before:
        state.commands.append(Reallocated(strategy_id, before, share, reason))
