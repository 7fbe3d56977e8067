"""The boundary of a session: all that an account brings into it, as one value.

It is made of a state and loaded into a fresh one; what strategies keep to themselves and what the market looks like are
not in it. A session's journal begins with it, so that the session can be replayed without anything from before.
"""

import random
from decimal import Decimal

import msgspec

from njord.domain.governance import Tripped
from njord.domain.ids import ClientOrderId, FillId, InstrumentId, StrategyId
from njord.domain.order import NewOrder, OrderStatus
from njord.domain.profile import RiskProfile
from njord.engine.desk import StrategyDesk
from njord.engine.state import NO_STRATEGY, Slot, State
from njord.engine.watch import WatchState
from njord.engine.watching import watch_by
from njord.execution.oms import Tracked
from njord.ledger.lots import Lot
from njord.ledger.rebuild import Money
from njord.risk.kill_switch import KillSwitch
from njord.strategies.port import Memory, Strategy


class OrderState(msgspec.Struct, frozen=True):
    """An order and what has become of it."""

    order: NewOrder
    status: OrderStatus
    quantity_lots: int
    filled_lots: int
    limit_ticks: int | None
    asked: tuple[tuple[int, int | None], ...] = ()  # Replacements under way: total quantity and limit


class Held(msgspec.Struct, frozen=True):
    """The open lots of one strategy in one instrument, oldest first."""

    strategy_id: StrategyId
    instrument_id: InstrumentId
    lots: tuple[Lot, ...]


class Totals(msgspec.Struct, frozen=True):
    """Money by asset, in units: see ``ledger.portfolio``."""

    cash: dict[str, int]
    capital: dict[str, int]
    realised: dict[str, int]
    fees: dict[str, int]
    funding: dict[str, int]
    dividends: dict[str, int]


class Boundary(msgspec.Struct, frozen=True, kw_only=True):
    """An account between two sessions."""

    time_ns: int
    totals: Totals
    holdings: tuple[Held, ...]
    open_orders: tuple[OrderState, ...]
    ended_orders: tuple[OrderState, ...]
    done_orders: dict[ClientOrderId, OrderStatus]
    fill_ids: tuple[FillId, ...]
    tripped: tuple[Tripped, ...]
    profile: RiskProfile
    shares: dict[StrategyId, Decimal]
    shares_before_trip: dict[StrategyId, Decimal]
    models: tuple[str, ...]
    approvals_used: tuple[str, ...]
    watch: WatchState | None
    reductions: tuple[tuple[StrategyId, InstrumentId, int], ...] = ()  # Lots a severe loss still wants traded
    protective: tuple[ClientOrderId, ...] = ()  # Open orders of the risk engine itself
    # What strategies take over from those they replaced while the market lived
    memories: dict[StrategyId, Memory] | msgspec.UnsetType = msgspec.UNSET
    ticks: dict[InstrumentId, int] = {}  # The last price of each that is on record: a mark until there is another


def boundary_of(state: State) -> Boundary:
    """Return what an account would bring into its next session."""
    money = state.portfolio.money
    return Boundary(
        time_ns=state.time_ns,
        totals=Totals(money.cash, money.capital, money.realised, money.fees, money.funding, money.dividends),
        holdings=tuple(Held(*key, lots) for key, lots in money.holdings.items()),
        open_orders=tuple(_order_state(tracked) for tracked in state.orders.open.values()),
        ended_orders=tuple(_order_state(tracked) for tracked in state.orders.ended.values()),
        done_orders=dict(state.orders.done),
        fill_ids=tuple(state.orders.fill_ids),
        tripped=tuple(state.kill.tripped.values()),
        profile=state.profile,
        shares=dict(state.shares),
        shares_before_trip=dict(state.shares_before_trip),
        models=tuple(sorted(state.models)),
        approvals_used=tuple(state.approvals_used),
        watch=None if state.watch is None else state.watch.dump(),
        reductions=tuple((*key, lots) for key, lots in state.reductions.items()),
        protective=tuple(state.protective),
        memories=dict(state.memories) or msgspec.UNSET,
        ticks=state.last_ticks(),
    )


def load(state: State, boundary: Boundary) -> None:
    """Bring a boundary into a fresh state. Orders of strategies that are no more keep a place, and are cancelled.

    Raises KeyError naming an instrument the state does not know.
    """
    totals = boundary.totals
    holdings = {(held.strategy_id, held.instrument_id): held.lots for held in boundary.holdings}
    state.portfolio.restore(Money(**msgspec.structs.asdict(totals), holdings=holdings))
    for known in boundary.open_orders:
        tracked = _tracked(state, known)
        state.orders.restore(tracked)
        slot_of(state, tracked.order.strategy_id).order_ids[tracked.client_order_id] = None
    for held in boundary.holdings:
        slot_of(state, held.strategy_id)
    ended = [_tracked(state, known) for known in boundary.ended_orders]
    state.orders.restore_done(dict(boundary.done_orders), ended, list(boundary.fill_ids))
    state.kill = KillSwitch(boundary.tripped)
    state.adopt(boundary.profile)
    for trip in boundary.tripped:
        if trip.flatten or boundary.profile.flatten_on_trip:
            state.flattening[trip.scope] = None
    state.shares = dict(boundary.shares)
    state.shares_before_trip = dict(boundary.shares_before_trip)
    state.models = set(boundary.models)
    state.approvals_used = dict.fromkeys(boundary.approvals_used)
    state.time_ns = max(state.time_ns, boundary.time_ns)
    state.begin_rate()
    state.reductions = {(strategy_id, name): lots for strategy_id, name, lots in boundary.reductions}
    state.protective = dict.fromkeys(boundary.protective)
    watch_by(state, always=state.on_record)
    if boundary.watch is not None and state.watch is not None:
        state.watch.load(boundary.watch)
        state.exposures.watch_risk(state.watch.var)
    state.memories = {} if boundary.memories is msgspec.UNSET else dict(boundary.memories)
    state.last_price.update((name, state.grids[name].price(ticks)) for name, ticks in boundary.ticks.items())


def slot_of(state: State, strategy_id: StrategyId) -> Slot:
    """Return a strategy's slot; for one that is not there any more, a stopped one that keeps its place."""
    found = state.slots.get(strategy_id)
    if found is None:
        desk = StrategyDesk(state, strategy_id, (), random.Random(0))  # noqa: S311 - nobody ever asks it anything
        found = state.slots[strategy_id] = Slot(strategy_id, Strategy(), desk, stopped=NO_STRATEGY)
    return found


def _order_state(tracked: Tracked) -> OrderState:
    return OrderState(
        tracked.order, tracked.status, tracked.quantity_lots, tracked.filled_lots, tracked.limit_ticks,
        tuple(tracked.asked),
    )  # fmt: skip


def _tracked(state: State, known: OrderState) -> Tracked:
    tracked = Tracked(known.order, state.grids[known.order.instrument_id])
    tracked.status, tracked.quantity_lots = known.status, known.quantity_lots
    tracked.filled_lots, tracked.limit_ticks = known.filled_lots, known.limit_ticks
    tracked.asked = list(known.asked)
    return tracked
