"""From what strategies want to what is done: every order meets the risk engine here, and nowhere else."""

from njord.domain.command import CancelOrder, Refused, ReplaceOrder
from njord.domain.limits import Refusal
from njord.domain.order import NewOrder
from njord.engine.state import Slot, State
from njord.engine.tell import stop, tell
from njord.risk.checks import refusal


def decide(state: State) -> None:
    """Turn all intents into commands: approved and on record, or refused with a reason.

    What a strategy is told of a refusal can make it want something else, so this goes on until nothing is wanted.
    """
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
                    tell(state, slot, "on_order", intent)


def _refusal(state: State, order: NewOrder, slot: Slot) -> Refusal | None:
    if slot.stopped is not None:
        return Refusal.STRATEGY_STOPPED
    order_id = order.client_order_id
    if order_id in state.orders.open or order_id in state.orders.done:
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
    if (replace.limit_ticks is None) != (tracked.limit_ticks is None):
        return None  # No order at market gets a limit, nor the other way round: the venue will say so
    added = NewOrder(
        order.client_order_id, order.strategy_id, order.instrument_id, order.side, order.order_type, max(more, 1),
        replace.limit_ticks, order.stop_ticks, order.time_in_force, order.post_only, order.reduce_only,
    )  # fmt: skip
    name = order.instrument_id
    return refusal(added, state.instruments[name], state.grids[name], state.exposure(added), state.limits)


def _refuse(state: State, slot: Slot, intent: NewOrder | CancelOrder | ReplaceOrder, reason: Refusal) -> None:
    refused = Refused(intent.client_order_id, intent.strategy_id, intent.instrument_id, reason)
    state.commands.append(refused)
    tell(state, slot, "on_order", refused)
