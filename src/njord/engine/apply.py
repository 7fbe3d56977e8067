"""What an event means for the state: one function for each kind but the plain bar, which ``step`` applies itself.

Each returns who is to hear of it.

Nobody hears of a book or a quote that cannot be believed: crossed, one-sided, or with a hole in it.
"""

from collections.abc import Callable
from typing import Any

from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    TimerFired,
)
from njord.domain.fill import Fill
from njord.domain.governance import (
    AllocationChanged,
    Cleared,
    ClockTick,
    Deposited,
    ModelActivated,
    OrderUnknown,
    ProfileChanged,
    Tripped,
)
from njord.domain.instruction import Instructed
from njord.domain.market import BookUpdate, Dividend, Expiry, Funding, Quote, QuoteBar, Split, Trade, TradingStatus
from njord.domain.order import Rejection
from njord.engine import govern
from njord.engine.flow import reported
from njord.engine.state import Listener, State
from njord.engine.tell import tell
from njord.engine.watching import watch_by
from njord.market.book import Guard

Heard = tuple[Listener, ...]
NOBODY: Heard = ()


def _apply_bar(state: State, event: QuoteBar) -> Heard:
    state.last_price[event.instrument_id] = event.close
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_quote(state: State, event: Quote) -> Heard:
    if event.bid_lots <= 0 or event.ask_lots <= 0 or event.bid_ticks >= event.ask_ticks:
        state.suppressed += 1
        return NOBODY
    state.last_price[event.instrument_id] = (event.bid + event.ask) / 2
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_trade(state: State, event: Trade) -> Heard:
    if event.instrument_id not in state.quoted:  # Where there are quotes or a book, they are the better price
        state.last_price[event.instrument_id] = event.price
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_book(state: State, event: BookUpdate) -> Heard:
    book = state.books[event.instrument_id]
    if not state.books_shared:
        book.apply(event)
    if book.guard() is not Guard.OK:
        state.suppressed += 1
        return NOBODY
    bid, ask = book.best_bid(), book.best_ask()
    assert bid is not None, event
    assert ask is not None, event
    grid = state.grids[event.instrument_id]
    state.last_price[event.instrument_id] = (grid.price(bid[0]) + grid.price(ask[0])) / 2
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_funding(state: State, event: Funding) -> Heard:
    mark = event.mark_ticks
    if mark is None:
        price = state.last_price.get(event.instrument_id)
        if price is None:
            return state.listeners[Funding].get(event.instrument_id, NOBODY)  # Nothing can be held yet
        mark = state.grids[event.instrument_id].nearest_ticks(price)
    entry = state.portfolio.fund(event, mark)
    if entry is not None:
        state.commands.append(entry)
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_dividend(state: State, event: Dividend) -> Heard:
    entry = state.portfolio.dividend(event)
    if entry is not None:
        state.commands.append(entry)
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_expiry(state: State, event: Expiry) -> Heard:
    entry = state.portfolio.expire(event)
    if entry is not None:
        state.commands.append(entry)
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_status(state: State, event: TradingStatus) -> Heard:
    (state.halted_instruments.add if event.halted else state.halted_instruments.discard)(event.instrument_id)
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_split(state: State, event: Split) -> Heard:
    name = event.instrument_id
    price = state.last_price.get(name)
    last = None if price is None else state.grids[name].nearest_ticks(price)
    entry = state.portfolio.split(event, last)
    if price is not None:
        state.last_price[name] = price * event.denominator / event.numerator
    if entry is not None:
        state.commands.append(entry)
    return state.listeners[event.__class__].get(event.instrument_id, NOBODY)


def _apply_timer(state: State, event: TimerFired) -> Heard:
    tell(state, state.slots[event.strategy_id], "on_timer", event)
    return NOBODY


def _apply_fill(state: State, fill: Fill) -> Heard:
    tracked = state.orders.fill(fill)
    if tracked is None:
        return NOBODY
    order = tracked.order
    slot = state.slots[order.strategy_id]
    if tracked.filled_lots == tracked.quantity_lots:
        slot.order_ids.pop(order.client_order_id, None)  # One that was filled after its end is not there
        state.protective.pop(order.client_order_id, None)
    entry, closed = state.portfolio.fill(fill, order.strategy_id)
    state.commands.append(entry)
    if state.flow is not None:
        reported(state, tracked, fill)
    if closed:
        state.closed.extend(closed)
    # Until the market says otherwise, a price somebody traded at is the last price
    if fill.instrument_id not in state.last_price:
        state.last_price[fill.instrument_id] = state.grids[fill.instrument_id].price(fill.price_ticks)
    if slot.callbacks:
        tell(state, slot, "on_fill", fill)
    return NOBODY


def _apply_accepted(state: State, report: OrderAccepted) -> Heard:
    tracked = state.orders.accept(report)
    if tracked is not None:
        _judge_venue(state, rejected=False)
        slot = state.slots[tracked.order.strategy_id]
        if slot.callbacks:
            tell(state, slot, "on_order", report)
    return NOBODY


def _apply_news(state: State, report: Any) -> Heard:
    tracked = state.orders.apply(report)
    if tracked is not None:
        order_id = report.client_order_id
        if type(report) is OrderRejected and report.reason is not Rejection.NOT_SENT:
            _judge_venue(state, rejected=True)
        slot = state.slots[tracked.order.strategy_id]
        if order_id not in state.orders.open:
            del slot.order_ids[order_id]
            state.protective.pop(order_id, None)
        if state.flow is not None:
            reported(state, tracked, report)
        if slot.callbacks:
            tell(state, slot, "on_order", report)
    return NOBODY


def _apply_instructed(state: State, event: Instructed) -> None:
    state.intents.append(event.intent)


def _apply_profile(state: State, event: ProfileChanged) -> None:
    govern.profile_changed(state, event)
    watch_by(state, always=state.on_record)


def _unheard(apply: Callable[[State, Any], None]) -> Callable[[State, Any], Heard]:
    # Of what no strategy is told: it shows in what becomes of its orders
    def applied(state: State, event: Any) -> Heard:
        apply(state, event)
        return NOBODY

    return applied


def _judge_venue(state: State, *, rejected: bool) -> None:
    if state.watch is not None and state.watch.breakers is not None:
        state.watch.breakers.on_order_result(state.time_ns, rejected=rejected)


APPLY: dict[type, Callable[[State, Any], Heard]] = {
    Tripped: _unheard(govern.tripped),
    Cleared: _unheard(govern.cleared),
    ProfileChanged: _unheard(_apply_profile),
    AllocationChanged: _unheard(govern.allocation_changed),
    ModelActivated: _unheard(govern.model_activated),
    Deposited: _unheard(govern.deposited),
    Instructed: _unheard(_apply_instructed),
    OrderUnknown: _unheard(govern.order_unknown),
    ClockTick: _unheard(govern.clock_tick),
    QuoteBar: _apply_bar,
    Quote: _apply_quote,
    Trade: _apply_trade,
    BookUpdate: _apply_book,
    Funding: _apply_funding,
    Split: _apply_split,
    Dividend: _apply_dividend,
    Expiry: _apply_expiry,
    TradingStatus: _apply_status,
    TimerFired: _apply_timer,
    Fill: _apply_fill,
    OrderAccepted: _apply_accepted,
    OrderRejected: _apply_news,
    OrderCancelled: _apply_news,
    OrderExpired: _apply_news,
    OrderReplaced: _apply_news,
    CancelRejected: _apply_news,
}
