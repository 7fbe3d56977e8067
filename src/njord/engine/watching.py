"""One look at the account: is it worth less than it may be, at more risk, or is something broken? And what follows.

Called by ``step`` at the profile's rhythm, before strategies are: what they want next is judged by what was seen.
"""

import msgspec

from njord.domain.command import CancelOrder, Cause, Level, Restricted, Snapshot
from njord.domain.governance import GLOBAL, Tripped, TripSource
from njord.domain.ids import InstrumentId
from njord.domain.money import ceil_div
from njord.engine import govern
from njord.engine.protect import cancel_again, reduce
from njord.engine.state import NEVER_NS, State
from njord.engine.watch import PEAK_STEP, Watch
from njord.ledger.currency import NoRate
from njord.risk.drawdown import daily_loss_reached, lost_bp, severe_reductions

NO_INSTRUMENT = ""


def watch_by(state: State, *, always: bool = False) -> None:
    """Watch an account by its profile from now on. ``always``: for its marks, where the profile asks for nothing."""
    profile, before = state.profile, state.watch
    if before is None and not always and not Watch.wanted(profile):
        state.watch_due_ns = NEVER_NS
        return
    watch = Watch(profile)
    if before is not None:
        kept = before.dump()
        if before.profile.value_at_risk != profile.value_at_risk:
            kept = msgspec.structs.replace(kept, var=None)  # Another window is another estimate, and begins anew
        watch.load(kept)
        if before.profile.breakers == profile.breakers:
            watch.breakers, watch.seen = before.breakers, before.seen  # Or to change anything would make them forget
    state.watch = watch
    state.exposures.watch_risk(watch.var)
    state.watch_due_ns = 0


def look(state: State) -> None:
    """Judge the account as it is now, and put on record what changed."""
    watch, now_ns = state.watch, state.time_ns
    assert watch is not None, now_ns
    state.watch_due_ns = now_ns - now_ns % watch.interval_ns + watch.interval_ns
    if not state.portfolio.capital:
        return  # Nothing was paid in yet, so nothing can be lost
    if not state.on_record and not state.reductions:
        known = state.exposures.equity_now()
        if known is not None and watch.quiet(known, now_ns):
            return
    exposures = state.exposures
    try:
        exposures.refresh()
        unpriced = ", ".join(exposures.unpriced)
    except NoRate as error:
        unpriced = str(error)
    _restrict(state, watch, Cause.UNPRICED, NO_INSTRUMENT, bool(unpriced), f"no price of {unpriced}")
    if unpriced:
        return
    equity = exposures.equity_units
    watch.mark(equity, now_ns)
    _look_at_losses(state, watch, equity)
    _look_at_risk(state, watch, equity)
    _look_at_breakers(state, watch, equity)
    _mark(state, watch, equity)
    _reduce_on(state)


def _look_at_losses(state: State, watch: Watch, equity: int) -> None:
    profile, marks = watch.profile, watch.marks
    assert marks is not None, equity
    drawdown = f"equity {lost_bp(equity, marks.peak_units)} bp below its highest, tier {watch.tier}"
    _restrict(state, watch, Cause.DRAWDOWN, NO_INSTRUMENT, not watch.tier_entries, drawdown)
    reached = daily_loss_reached(equity, marks.day_units, profile.daily_loss_max)
    lost = f"lost {lost_bp(equity, marks.day_units)} bp today"
    _restrict(state, watch, Cause.DAILY_LOSS, NO_INSTRUMENT, reached, lost)
    done = (Cause.SEVERE_LOSS, NO_INSTRUMENT) in watch.restricted
    lots = {name: held for name, held in state.portfolio.lots.items() if held}
    wanted, severe = severe_reductions(lots, profile.severe_loss, equity, marks.peak_units, done=done)
    _restrict(state, watch, Cause.SEVERE_LOSS, NO_INSTRUMENT, severe, drawdown)
    if wanted:
        begin_reductions(state)


def begin_reductions(state: State) -> None:
    """Take note of what a severe loss wants traded, of all that is held now."""
    severe = state.profile.severe_loss
    assert severe is not None, state.profile
    numerator, denominator = severe.reduce.as_integer_ratio()
    for (strategy_id, name), holding in state.portfolio.holdings.items():
        if holding.lots:
            cut = ceil_div(abs(holding.lots) * numerator, denominator)
            state.reductions[strategy_id, name] = -cut if holding.lots > 0 else cut


def _look_at_risk(state: State, watch: Watch, equity: int) -> None:
    limit = watch.profile.value_at_risk
    if limit is None or watch.var is None:
        return
    risk = watch.var.before()
    if risk is None:
        return
    numerator, denominator = limit.share_max.as_integer_ratio()
    share = f"VaR {risk / 1e18:.2f} of equity {equity / 1e18:.2f}, at most {limit.share_max}"
    over = int(risk) * denominator > max(0, equity) * numerator
    _restrict(state, watch, Cause.VALUE_AT_RISK, NO_INSTRUMENT, over, share)
    if limit.halt_share is not None and GLOBAL not in state.kill.tripped:
        numerator, denominator = limit.halt_share.as_integer_ratio()
        if int(risk) * denominator > max(0, equity) * numerator:
            govern.tripped(state, _trip(state, f"{share}, halt at {limit.halt_share}"))


def _look_at_breakers(state: State, watch: Watch, equity: int) -> None:
    breakers = watch.breakers
    if breakers is None:
        return
    for name, price in state.last_price.items():
        if watch.seen.get(name) is not price:
            watch.seen[name] = price
            breakers.on_price(name, price, state.time_ns)
    breakers.on_equity(equity, state.time_ns)
    for change in breakers.tick(state.time_ns):
        _restrict(state, watch, change.cause, change.instrument_id or NO_INSTRUMENT, change.opened, change.detail)


def _mark(state: State, watch: Watch, equity: int) -> None:
    marks, now_ns = watch.marks, state.time_ns
    assert marks is not None, now_ns
    due = watch.closes_interval(watch.snapshot_ns, now_ns)
    if state.on_record:
        due = due or now_ns // watch.mark_interval_ns != watch.snapshot_ns // watch.mark_interval_ns
        due = due or marks.peak_units * PEAK_STEP[1] > watch.recorded_peak_units * PEAK_STEP[0]
    if not due:
        return
    lots = {name: held for name, held in state.portfolio.lots.items() if held}
    ticks = state.last_ticks()
    snapshot = Snapshot(now_ns, equity, marks.peak_units, marks.day_units, dict(state.portfolio.cash), lots, ticks)
    watch.take_snapshot(snapshot, prices_of(state, ticks))
    if state.on_record:
        state.commands.append(snapshot)


def prices_of(state: State, ticks: dict[InstrumentId, int]) -> dict[InstrumentId, float]:
    """Return prices on the grid as the floats of the grid: the same now and when read back."""
    return {name: state.grids[name].price(at) for name, at in ticks.items()}


def _reduce_on(state: State) -> None:
    # What a severe loss wants sold, as soon as nothing else of that strategy is working there
    for (strategy_id, name), lots in list(state.reductions.items()):
        slot = state.slots[strategy_id]
        working = state.orders.open_of(name, slot.order_ids)
        if working:
            for tracked in working:
                cancel_again(state, tracked)
            continue
        reduce(state, slot, name, lots, "severe-loss")
        del state.reductions[strategy_id, name]


def _restrict(state: State, watch: Watch, cause: Cause, whose: str, holds: bool, detail: str) -> None:
    known = (cause, whose) in watch.restricted
    if holds == known:
        return
    if holds:
        watch.restricted[cause, whose] = (Level.REDUCING, detail)
    else:
        del watch.restricted[cause, whose]
    state.commands.append(Restricted(GLOBAL, cause, Level.REDUCING if holds else Level.NORMAL, detail, whose))
    if holds:
        _cancel_growing(state, whose)


def _cancel_growing(state: State, whose: str) -> None:
    # What was approved before and would still make a position larger goes; what makes one smaller stays
    for order_id, tracked in state.orders.open.items():
        name = tracked.instrument_id
        if whose not in (NO_INSTRUMENT, name) or order_id in state.protective:
            continue
        if state.portfolio.lots[name] * tracked.side.sign >= 0:
            state.commands.append(CancelOrder(order_id, tracked.order.strategy_id, name))


def _trip(state: State, reason: str) -> Tripped:
    return Tripped(GLOBAL, TripSource.RISK, "value_at_risk", reason, False, state.time_ns, state.time_ns)
