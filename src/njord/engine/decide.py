"""From what strategies want to what is done: every order meets the risk engine here, and nowhere else."""

from collections import Counter

from njord.domain.command import CancelOrder, Refused, ReplaceOrder
from njord.domain.limits import Exposure, Refusal
from njord.domain.order import NewOrder
from njord.engine.flow import sent
from njord.engine.pretrade import assessed, exposure_of
from njord.engine.state import Intent, Slot, State
from njord.engine.tell import stop, tell
from njord.risk.checks import reduces, refusal
from njord.risk.compliance import self_trade_refusal


def decide(state: State) -> None:
    """Turn all intents into commands: approved and on record, or refused with a reason.

    What a strategy is told of a refusal can make it want something else, so this goes on until nothing is wanted.
    """
    wanted = 0
    rounds: list[list[Intent]] = []
    while state.intents:
        intents, state.intents = state.intents, []
        wanted += len(intents)
        rounds.append(intents)
        if wanted > state.profile.orders_per_event_max:
            intents = _tame(state, rounds)
        for intent in intents:
            slot = state.slots[intent.strategy_id]
            if isinstance(intent, NewOrder):
                reason = _refusal(state, intent, slot)
                if reason is None:
                    state.orders.submit(intent, state.grids[intent.instrument_id])
                    slot.order_ids[intent.client_order_id] = None
                    state.commands.append(intent)
                    sent(state, intent)
                else:
                    _refuse(state, slot, intent, reason)
            elif isinstance(intent, (CancelOrder, ReplaceOrder)):
                if intent.client_order_id in slot.order_ids:
                    reason = _replace_refusal(state, intent, slot) if isinstance(intent, ReplaceOrder) else None
                else:
                    known = state.orders.known(intent.client_order_id)
                    reason = Refusal.ORDER_DONE if known else Refusal.ORDER_UNKNOWN
                if reason is None:
                    if isinstance(intent, ReplaceOrder):
                        state.orders.replacing(intent.client_order_id, intent.quantity_lots, intent.limit_ticks)
                    state.commands.append(intent)
                else:
                    _refuse(state, slot, intent, reason)
            else:
                state.commands.append(intent)
                if isinstance(intent, Refused):
                    tell(state, slot, "on_order", intent)


def _tame(state: State, rounds: list[list[Intent]]) -> list[Intent]:
    # Whoever wants too much of one event is stopped, and the others go on. Not an assert: a strategy is not our code
    counts = Counter(intent.strategy_id for intents in rounds for intent in intents)
    for strategy_id, wanted in counts.items():
        slot = state.slots[strategy_id]
        if wanted > state.profile.orders_per_event_max and slot.stopped is None:
            stop(state, slot, f"wanted {wanted} things at once, of one event")
    wild = state.profile.orders_per_event_max
    return [intent for intent in rounds[-1] if counts[intent.strategy_id] <= wild]


def _refusal(state: State, order: NewOrder, slot: Slot) -> Refusal | None:
    exposure = exposure_of(state, order)
    reason = _first_refusal(state, order, slot, exposure)
    if state.on_record:
        state.commands.append(assessed(state, order, exposure, reason))
    if reason is None and state.rate is not None:
        state.rate.spend(state.time_ns)
    return reason


def _first_refusal(
    state: State, order: NewOrder, slot: Slot, exposure: Exposure, *, replaces: bool = False
) -> Refusal | None:
    if exposure.halted:
        return Refusal.HALTED
    if slot.stopped is not None:
        return Refusal.STRATEGY_STOPPED
    if state.on_record and slot.model_id is not None and slot.model_id not in state.models:
        return Refusal.MODEL_NOT_ACTIVE
    if exposure.barred is not None:
        return exposure.barred
    order_id = order.client_order_id
    if not replaces and state.orders.known(order_id):
        return Refusal.DUPLICATE_INTENT
    share = state.shares.get(order.strategy_id)
    if share is not None and not share and not reduces(order, exposure):
        return Refusal.REDUCE_ONLY  # No capital is allocated to it, so it may only get out
    name = order.instrument_id
    reason = refusal(order, state.instruments[name], state.grids[name], exposure, state.limits)
    if reason is None and not state.profile.self_trade_allowed:
        return self_trade_refusal(order, state.orders.of_instrument(name))
    return reason


def _replace_refusal(state: State, replace: ReplaceOrder, slot: Slot) -> Refusal | None:
    # Judged like a new order in the place of the old one; but to take away needs nobody's leave
    tracked = state.orders.open[replace.client_order_id]
    if replace.quantity_lots <= 0:
        return Refusal.QUANTITY_TOO_SMALL
    order, left = tracked.order, replace.quantity_lots - tracked.filled_lots
    if left <= 0 or (replace.limit_ticks is None) != (tracked.limit_ticks is None):
        return None  # Nothing is left of it, or no order at market gets a limit: the venue will say so
    if replace.quantity_lots <= tracked.quantity_lots and replace.limit_ticks == tracked.limit_ticks:
        return None
    whole = NewOrder(
        order.client_order_id, order.strategy_id, order.instrument_id, order.side, order.order_type, left,
        replace.limit_ticks, order.stop_ticks, order.time_in_force, order.post_only, order.reduce_only,
    )  # fmt: skip
    with state.orders.without(tracked):
        exposure = exposure_of(state, whole)
    exposure.open_orders -= 1
    reason = _first_refusal(state, whole, slot, exposure, replaces=True)
    if reason is None and state.rate is not None:
        state.rate.spend(state.time_ns)
    return reason


def _refuse(state: State, slot: Slot, intent: NewOrder | CancelOrder | ReplaceOrder, reason: Refusal) -> None:
    refused = Refused(intent.client_order_id, intent.strategy_id, intent.instrument_id, reason)
    state.commands.append(refused)
    tell(state, slot, "on_order", refused)
