"""The loop of the compiled venue: market events, what is under way, and when the strategy is asked.

Reference: engine.backtest.Backtest. The order in which things of one moment happen is the same, or results would differ:
market events first; what they cause without delay; then reports that are due; then the news of the event; what is under
way is done before the first market event of a later moment.
"""

from typing import Any

import numpy as np

from njord.venues.simulated.kernels import ladder
from njord.venues.simulated.kernels.client import handle_report, hear, heard, obey, show
from njord.venues.simulated.kernels.flight import arrives_ns, flush, pop, pop_now, push
from njord.venues.simulated.kernels.inner import hot, inner
from njord.venues.simulated.kernels.layout import (
    ARRIVAL,
    ASK,
    BID_LEFT,
    CLEAR,
    DECIDE,
    DRAIN,
    ENDED,
    ENDLESS,
    FAILED,
    FEED_OUT,
    HALT,
    LAST,
    LOG_MAX,
    LOG_SPARE,
    NEVER_NS,
    NEWS,
    PHASE_MARKET,
    PHASE_NEWS,
    PHASE_REPORTS,
    Q_EXACT,
    REACTIONS_MAX,
    REPORT,
    RESUME,
    SEND_CANCEL,
    SEND_NEW,
    TIMER,
    TRADE_BUY,
    TRADE_SELL,
    TRADE_UNKNOWN,
    WHAT,
    Record,
    World,
)
from njord.venues.simulated.kernels.matching import concerned, forget_taken, left_level, on_trade, on_update
from njord.venues.simulated.kernels.orders import cancel, replace, submit


@inner
def handle(world: World, tape: Any, message: Record) -> bool:
    """Do what is due. Whether the strategy is asked because of it."""
    clock, what = world.clock[0], message.what
    if what == REPORT:
        return handle_report(world, message)
    if what == NEWS:
        return hear(world, tape, message.row - clock.base, message.due_ns) and heard(world)
    if what == TIMER:
        clock.local_ns = max(clock.local_ns, message.due_ns)
        clock.awaiting = TIMER
        return True
    time_ns = message.due_ns
    if message.kind == SEND_NEW:
        submit(world, message.slot, time_ns)
    elif message.kind == SEND_CANCEL:
        cancel(world, message, time_ns)
    else:
        replace(world, message, time_ns)
    flush(world)
    return False


@inner
def advance(world: World, tape: Any) -> int:
    """Go on until the tape ends, the strategy is to be asked, or the log is to be drained. Return which."""
    clock = world.clock[0]
    while True:
        if clock.error:
            return FAILED
        if clock.log_count > LOG_MAX - LOG_SPARE:
            return DRAIN
        if clock.now_count:
            clock.reactions += 1
            if clock.reactions > REACTIONS_MAX:
                clock.error, clock.error_number = ENDLESS, REACTIONS_MAX
                return FAILED
            message = world.now[pop_now(world)]
            if message.what == ARRIVAL:
                message.due_ns = max(clock.market_ns, clock.local_ns)
            if handle(world, tape, message):
                return DECIDE
            continue
        if clock.phase == PHASE_REPORTS:
            top = world.pending[clock.pending_head]
            if clock.pending_count and top.due_ns <= clock.market_ns and top.what == REPORT:
                clock.reactions = 0
                if handle(world, tape, world.pending[pop(world)]):
                    return DECIDE
                continue
            clock.phase = PHASE_NEWS
        if clock.phase == PHASE_NEWS:
            clock.phase = PHASE_MARKET
            if tell(world, tape):
                return DECIDE
            continue
        row = clock.row - clock.base
        due_ns = world.pending[clock.pending_head].due_ns if clock.pending_count else NEVER_NS
        ended = row >= len(tape.times_ns)
        if ended and not (clock.final and due_ns <= clock.market_ns):
            return ENDED
        if ended or due_ns < tape.times_ns[row]:
            clock.reactions = 0
            if handle(world, tape, world.pending[pop(world)]):
                return DECIDE
            continue
        clock.reactions = 0
        if run_rows(world, tape, due_ns):
            return DECIDE


@inner
def go(world: World, tape: Any, answer: Record) -> int:
    """Do what the strategy answered, if it was asked, and go on. Return what ended it: the views are ready for DECIDE."""
    clock = world.clock[0]
    if clock.asked:
        clock.asked = 0
        obey(world, answer)
    ended = advance(world, tape)
    if ended == DECIDE:
        show(world)
        clock.asked = 1
    return ended


@hot
def tell(world: World, tape: Any) -> bool:
    """Send the news of the event that was just matched on its way to us, or hear it at once. Whether the strategy is
    asked.
    """
    clock = world.clock[0]
    row = clock.news_row - clock.base
    if not clock.shared:
        local_ns = arrives_ns(world, world.markets[np.int64(tape.markets[row])].venue, FEED_OUT, clock.market_ns)
        if local_ns > clock.market_ns:
            world.message[1].row = clock.news_row
            push(world, local_ns, NEWS, world.message[1])
            return False
    return hear(world, tape, row, clock.market_ns) and heard(world)


@hot
def run_rows(world: World, tape: Any, due_ns: int) -> bool:
    """Match events until something else is due, or one of them caused something. Whether the strategy is asked at once."""
    clock = world.clock[0]
    row = clock.row - clock.base
    while row < len(tape.times_ns) and tape.times_ns[row] <= due_ns:
        clock.market_ns = tape.times_ns[row]
        first = row
        what = np.int64(tape.what[row]) & WHAT
        if TRADE_BUY <= what <= TRADE_UNKNOWN:
            match_trade(world, tape, row, what)
            row += 1
        else:
            row = match_update(world, tape, row, what)
        clock.row, clock.news_row = row + clock.base, first + clock.base
        if clock.reports:
            flush(world)
            clock.phase = PHASE_REPORTS
            return False
        if tell(world, tape):
            return True
        if clock.pending_count:
            due_ns = world.pending[clock.pending_head].due_ns
    return False


@hot
def match_trade(world: World, tape: Any, row: int, what: int) -> None:
    """Work our orders through a trade."""
    k = np.int64(tape.markets[row])
    market = world.markets[k]
    market.has_trade = 1
    if market.working > 0 and not market.halted:
        sign = 1 if what == TRADE_BUY else (-1 if what == TRADE_SELL else 0)
        on_trade(world, k, tape.price_ticks[row], tape.lots[row], sign, tape.times_ns[row])


@hot
def match_update(world: World, tape: Any, row: int, what: int) -> int:
    """Apply the update that begins at a row, and work our orders through it. Return the row after it."""
    k = np.int64(tape.markets[row])
    market = world.markets[k]
    if what == HALT or what == RESUME:
        market.halted = 1 if what == HALT else 0
        return row + 1
    ladder.begin(market, what, tape.sequence[row])
    if not market.skip:
        market.sequence, market.time_ns = tape.sequence[row], tape.times_ns[row]
    while True:
        what = np.int64(tape.what[row])
        if not market.skip:
            ladder.apply(market, world.bids, world.asks, what & WHAT, tape.price_ticks[row], tape.lots[row])
            if market.taken > 0:
                shown_anew(world, k, what & WHAT, tape.price_ticks[row])
            if what & WHAT >= BID_LEFT and market.working > 0 and market.queue == Q_EXACT:
                sign = 1 if what & WHAT == BID_LEFT else -1
                left_level(world, k, sign, tape.price_ticks[row], tape.lots[row], tape.entered_ns[row])
        row += 1
        if what >= LAST:
            break
    if not market.skip and market.working > 0 and concerned(world, k):
        on_update(world, k, market.time_ns)
    return row


@inner
def shown_anew(world: World, k: int, what: int, price: int) -> None:
    """A level is shown anew: what we took from it is forgotten."""
    if what == CLEAR:
        world.markets[k].taken = 0
    elif what <= ASK:
        forget_taken(world, k, 1 if what == ASK else -1, price)
