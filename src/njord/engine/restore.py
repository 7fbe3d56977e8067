"""All runtime state of an account, rebuilt from its ledger: orders, money, holdings, what is stopped, what is allowed.

Two accounts of the money are made on the way, one from postings and lots, one by applying every fill again, and must be
equal. Strategies hear nothing of it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from njord.domain.command import Assessed, Cause, Entry, Level, Reallocated, ReplaceOrder, Restricted, Snapshot
from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
)
from njord.domain.fill import Fill
from njord.domain.governance import (
    AllocationChanged,
    Cleared,
    Deposited,
    ModelActivated,
    OrderUnknown,
    ProfileChanged,
    Tripped,
    TripSource,
)
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.market import RESTATING
from njord.domain.order import IllegalTransition, NewOrder
from njord.engine import govern
from njord.engine.boundary import slot_of
from njord.engine.protect import stop_flattening
from njord.engine.state import State
from njord.engine.watching import begin_reductions, prices_of, watch_by
from njord.ledger.rebuild import Disagrees, bare, rebuild
from njord.ledger.record import StepRecord


class Irreconcilable(ValueError):
    """A ledger contradicts itself, or names what the config does not have. The message names the record."""


def restore(state: State, records: Iterable[StepRecord]) -> None:
    """Bring a fresh state to where an account's records end. Raises Irreconcilable."""
    try:
        money = rebuild(_applied(state, records))
    except (Disagrees, IllegalTransition) as error:
        raise Irreconcilable(str(error)) from error
    state.begin_rate()
    if bare(money) != bare(state.portfolio.money):
        raise Irreconcilable(f"postings and lots come to {bare(money)}, fills to {bare(state.portfolio.money)}")


def _applied(state: State, records: Iterable[StepRecord]) -> Iterator[StepRecord]:
    for record in records:
        try:
            _apply(state, record)
        except KeyError as error:
            raise Irreconcilable(f"{_named(record)}: names {error}, which is not in the config") from error
        judged = {each.client_order_id for each in record.commands if isinstance(each, Assessed)}
        for command in record.commands:
            if isinstance(command, NewOrder):
                slot = slot_of(state, command.strategy_id)
                state.orders.submit(command, state.grids[command.instrument_id])
                slot.order_ids[command.client_order_id] = None
                if command.client_order_id not in judged:  # Of the risk engine itself: nobody judges those
                    state.protective[command.client_order_id] = None
                    state.reductions.pop((command.strategy_id, command.instrument_id), None)
            elif isinstance(command, ReplaceOrder):
                state.orders.replacing(command.client_order_id, command.quantity_lots, command.limit_ticks)
            elif isinstance(command, Reallocated):
                _reallocated(state, command, record)
            elif isinstance(command, Snapshot):
                _mark(state, command.ticks)
                _watch(state, command)
            elif isinstance(command, Restricted):
                _restricted(state, command, record)
        state.commands.clear()
        state.time_ns = max(state.time_ns, record.time_ns)
        yield record


def _restricted(state: State, command: Restricted, record: StepRecord) -> None:
    if command.cause is Cause.TRIPPED:
        # What people did is an event; what the risk engine stopped by itself is only to be seen by this
        if command.level is Level.HALTED and not isinstance(record.event, Tripped | Cleared):
            who, _, why = command.detail.partition(": ")
            by = TripSource.RISK, who.partition(" by ")[2]
            _tripped(state, Tripped(command.scope, *by, why, False, record.time_ns, record.time_ns))
    elif state.watch is not None:
        state.watch.restrict(command.cause, command.whose, command.level, command.detail, record.time_ns)
        if command.cause is Cause.SEVERE_LOSS and command.level is Level.REDUCING:
            begin_reductions(state)


def _apply(state: State, record: StepRecord) -> None:
    event = record.event
    entries = [command for command in record.commands if isinstance(command, Entry)]
    if isinstance(event, Fill):
        tracked = state.orders.fill(event)
        if tracked is None:
            raise Irreconcilable(f"{_named(record)}: fill {event.fill_id} for the second time")
        _mark(state, {event.instrument_id: event.price_ticks})
        made, _ = state.portfolio.fill(event, tracked.order.strategy_id)
        if entries != [made]:
            raise Irreconcilable(f"{_named(record)}: the ledger has {entries}, fill {event.fill_id} makes {made}")
        _let_go(state, tracked.client_order_id, slot_of(state, tracked.order.strategy_id).order_ids)
        return
    for entry in entries:
        state.portfolio.post(entry)
    if isinstance(event, RESTATING):
        state.portfolio.restate(event.instrument_id, record.opened)
    elif isinstance(event, _REPORTS):
        tracked = state.orders.apply(event)
        if tracked is not None:
            _let_go(state, tracked.client_order_id, slot_of(state, tracked.order.strategy_id).order_ids)
    elif isinstance(event, OrderUnknown):
        state.orders.unknown(event)
    elif isinstance(event, tuple(_GOVERNANCE)):
        _GOVERNANCE[type(event)](state, event)


def _mark(state: State, ticks: dict[InstrumentId, int]) -> None:
    # A price to value what is held by, until the market gives another
    state.last_price.update((name, state.grids[name].price(at)) for name, at in ticks.items())


def _watch(state: State, snapshot: Snapshot) -> None:
    watch = state.watch
    if watch is not None:
        watch.restore_marks(snapshot)
        watch.take_snapshot(snapshot, prices_of(state, snapshot.ticks))


def _let_go(state: State, order_id: ClientOrderId, own: dict[ClientOrderId, None]) -> None:
    if order_id not in state.orders.open:
        own.pop(order_id, None)
        state.protective.pop(order_id, None)


def _named(record: StepRecord) -> str:
    return f"ledger of {record.account_id}, session {record.session_id}, step {record.sequence}"


def _tripped(state: State, event: Tripped) -> None:
    # What followed of it, cancels and all, is on record as well and is not done again
    state.kill.trip(event)
    if event.flatten or state.profile.flatten_on_trip:
        state.flattening[event.scope] = None


def _cleared(state: State, event: Cleared) -> None:
    if state.kill.clear(event, needs_two=state.profile.clear_needs_two) is None:
        stop_flattening(state, event.scope)


def _reallocated(state: State, command: Reallocated, record: StepRecord) -> None:
    strategy_id = command.strategy_id
    if isinstance(record.event, AllocationChanged):
        return  # It says more than its commands, and was applied
    state.shares[strategy_id] = command.after
    if not govern.stopped(state, strategy_id):
        state.shares_before_trip.pop(strategy_id, None)
    else:
        state.shares_before_trip[strategy_id] = command.before


def _profile_changed(state: State, event: ProfileChanged) -> None:
    govern.profile_changed(state, event)
    watch_by(state, always=True)


def _deposited(state: State, event: Deposited) -> None:
    # The entry is posted as it is on record; what is left is that it is neither gain nor loss
    if state.watch is not None and event.asset == state.portfolio.currency:
        state.watch.shift(event.amount_units)


_REPORTS = (OrderAccepted, OrderRejected, OrderCancelled, OrderExpired, OrderReplaced, CancelRejected)
_GOVERNANCE: dict[type, Callable[[State, Any], None]] = {
    Tripped: _tripped,
    Cleared: _cleared,
    AllocationChanged: govern.allocation_changed,
    ProfileChanged: _profile_changed,
    ModelActivated: govern.model_activated,
    Deposited: _deposited,
}
