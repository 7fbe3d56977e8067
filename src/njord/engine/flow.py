"""Our own order flow under surveillance: what is told to it, and what follows from a finding.

It begins anew with each session; what it remembers is a matter of minutes. In a replay it hears the same.
"""

import msgspec

from njord.domain.command import Cause, Level, Restricted
from njord.domain.event import OrderCancelled, OrderReplaced, Report
from njord.domain.fill import Fill
from njord.domain.governance import Scope, ScopeKind, Tripped, TripSource
from njord.domain.order import NewOrder, Rejection
from njord.domain.profile import Vigilance
from njord.engine import govern
from njord.engine.state import State
from njord.execution.oms import Tracked
from njord.risk.surveillance import Alert

ACTOR = "surveillance"
SHOWN_MAX = 8  # Order ids of a finding that are in its text


def sent(state: State, order: NewOrder) -> None:
    """Take an order that was approved."""
    if state.flow is not None:
        _found(state, order, state.flow.on_order(order, state.time_ns))


def reported(state: State, tracked: Tracked, report: Report) -> None:
    """Take what a venue said of an order, after it was applied. A replaced order is its cancel, and then an order."""
    flow, now_ns, order = state.flow, state.time_ns, tracked.order
    if flow is None:
        return
    order_id = order.client_order_id
    if isinstance(report, Fill):
        _found(state, order, flow.on_fill(report, now_ns))
    elif isinstance(report, OrderReplaced):
        changed = msgspec.structs.replace(order, quantity_lots=tracked.leaves_lots, limit_ticks=tracked.limit_ticks)
        _found(state, order, [*flow.on_cancel(order_id, now_ns), *flow.on_order(changed, now_ns)])
    elif isinstance(report, OrderCancelled) and report.reason is Rejection.REQUESTED:
        _found(state, order, flow.on_cancel(order_id, now_ns))
    elif order_id not in state.orders.open:
        flow.on_done(order_id)


def _found(state: State, order: NewOrder, alerts: list[Alert]) -> None:
    # The finding is on record either way. To restrict is to stop the strategy: people clear it, with a reason
    for alert in alerts:
        ids = ", ".join(alert.order_ids[-SHOWN_MAX:])
        detail = f"{alert.pattern}: {alert.detail}; orders {ids}"
        scope = Scope(ScopeKind.STRATEGY, order.strategy_id)
        state.commands.append(Restricted(scope, Cause.SURVEILLANCE, Level.NORMAL, detail, alert.instrument_id))
        if state.profile.surveillance is Vigilance.RESTRICT:
            at = state.time_ns, state.time_ns
            govern.tripped(state, Tripped(scope, TripSource.RISK, ACTOR, detail, False, *at))
