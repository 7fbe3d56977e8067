"""Orders of the risk engine itself: cancels where trading has stopped, and what makes a position smaller.

They are on record like any other, and nothing here ever makes a position larger.
"""

from njord.domain.clock import NS_PER_MS
from njord.domain.command import CancelOrder
from njord.domain.governance import Scope
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.order import NewOrder, OrderType, Side
from njord.engine.state import Slot, State
from njord.execution.oms import Tracked
from njord.risk.kill_switch import covers

# A cancel that was not confirmed is asked for again after so long, for as long as it takes
CANCEL_RETRY_NS = 250 * NS_PER_MS


def cancel_covered(state: State) -> None:
    """Ask for the cancellation of every open order in a stopped scope, again where it was not confirmed in time."""
    kill, asked = state.kill, state.cancel_asked_ns
    for gone in [order_id for order_id in asked if order_id not in state.orders.open]:
        del asked[gone]
    for order_id, tracked in state.orders.open.items():
        strategy_id, name = tracked.order.strategy_id, tracked.instrument_id
        if order_id in state.protective or kill.blocks(strategy_id, state.instruments[name].venue) is None:
            continue
        cancel_again(state, tracked)


def cancel_again(state: State, tracked: Tracked) -> None:
    """Ask for one order's cancellation, unless that was done a moment ago."""
    order_id, asked = tracked.client_order_id, state.cancel_asked_ns
    if state.time_ns - asked.get(order_id, -CANCEL_RETRY_NS) >= CANCEL_RETRY_NS:
        asked[order_id] = state.time_ns
        state.commands.append(CancelOrder(order_id, tracked.order.strategy_id, tracked.instrument_id))


def flatten_covered(state: State) -> None:
    """Sell what is held in scopes that are to be flattened, as soon as nothing else is working there."""
    for scope in state.flattening:
        for (strategy_id, name), holding in state.portfolio.holdings.items():
            if holding.lots and covers(scope, strategy_id, state.instruments[name].venue):
                reduce(state, state.slots[strategy_id], name, -holding.lots, "flatten")


def reduce(state: State, slot: Slot, name: InstrumentId, lots: int, why: str) -> ClientOrderId | None:
    """Trade ``lots`` (negative: sell) at market, reduce-only, for a strategy that holds the other way round.

    Never beyond flat, and not while any order of the strategy in this instrument is working: then None.
    """
    held = state.portfolio.holding(slot.strategy_id, name).lots
    if held == 0 or (held > 0) == (lots > 0) or state.orders.open_of(name, slot.order_ids):
        return None
    order = NewOrder(
        ClientOrderId(f"{slot.strategy_id}:{state.order_prefix}{why}-{state.sequence}-{name}"), slot.strategy_id, name,
        Side.BUY if lots > 0 else Side.SELL, OrderType.MARKET, min(abs(lots), abs(held)), reduce_only=True,
    )  # fmt: skip
    state.orders.submit(order, state.grids[name])
    slot.order_ids[order.client_order_id] = None
    state.protective[order.client_order_id] = None
    state.commands.append(order)
    return order.client_order_id


def stop_flattening(state: State, scope: Scope) -> None:
    """Forget that a scope was to be flattened."""
    state.flattening.pop(scope, None)
