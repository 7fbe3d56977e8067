"""The loop of the compiled venue: market events, what is under way, and when the strategy is asked.

Reference: engine.backtest.Backtest. The order in which things of one moment happen is the same, or results would
differ: market events first; what they cause without delay; then reports that are due; then the news of the event; what
is under way is done before the first market event of a later moment.
"""

from typing import Any

from njord.venues.simulated.kernels import ladder
from njord.venues.simulated.kernels.client import handle_report, hear, heard, obey, show
from njord.venues.simulated.kernels.flight import arrives_ns, flush, news_is_due, pop, pop_now, push
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
    FEED_BOOK,
    FEED_STATUS,
    FEED_TRADES,
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
    TRADE_BUY,
    TRADE_SELL,
    TRADE_UNKNOWN,
    WHAT,
    Record,
    Tape,
    World,
)
from njord.venues.simulated.kernels.matching import (
    forget_taken,
    left_level,
    meets_own,
    move_up,
    on_trade,
    on_update,
)
from njord.venues.simulated.kernels.orders import cancel, replace, submit


@inner
def handle(world: World, tape: Tape, message: Record) -> bool:
    """Do what is due. Whether the strategy is asked because of it."""
    clock, what = world.clock[0], message.what
    if what == REPORT:
        return handle_report(world, message)
    if what == NEWS:
        return hear(world, tape, message.row - clock.base, message.due_ns) and heard(world)
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
def advance(world: World, tape: Tape) -> int:
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
        due_ns = due_next(world)
        ended = row >= len(tape.times_ns)
        first_ns = min(due_ns, clock.news_ns)
        if ended and not (clock.final and first_ns <= clock.market_ns):
            return ENDED
        clock.reactions = 0
        if not ended and first_ns >= tape.times_ns[row]:
            if run_rows(world, tape, due_ns):
                return DECIDE
        elif news_first(world, due_ns):
            if hear_next(world, tape):
                return DECIDE
        elif timer_first(world):
            clock.local_ns = max(clock.local_ns, clock.timer_ns)
            clock.timer_ns, clock.timer_due = NEVER_NS, 1
            return DECIDE
        elif handle(world, tape, world.pending[pop(world)]):
            return DECIDE


@hot
def due_next(world: World) -> int:
    """Return when the timer or the next message is due, NEVER_NS if there is neither."""
    clock = world.clock[0]
    if clock.pending_count:
        return int(min(clock.timer_ns, world.pending[clock.pending_head].due_ns))
    return int(clock.timer_ns)


@hot
def timer_first(world: World) -> bool:
    """Whether the timer comes before all messages under way: at one moment it is the last."""
    clock = world.clock[0]
    return bool(clock.pending_count == 0 or clock.timer_ns < world.pending[clock.pending_head].due_ns)


@hot
def news_first(world: World, due_ns: int) -> bool:
    """Whether the next news of the one feed comes before all messages and the timer: at one moment, after reports."""
    clock = world.clock[0]
    if clock.news_ns != due_ns:
        return bool(clock.news_ns < due_ns)
    reports = clock.pending_count and world.pending[clock.pending_head].due_ns == due_ns
    return not (reports and world.pending[clock.pending_head].what == REPORT)


@inner
def go(world: World, tape: Tape, answer: Record) -> int:
    """Do what the strategy answered, if it was asked, and go on. Return what ended it: with DECIDE, views are ready."""
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
def tell(world: World, tape: Tape) -> bool:
    """Send the news of the event that was just matched on its way to us, or hear it at once. Whether the strategy is
    asked.
    """
    clock = world.clock[0]
    row = clock.news_row - clock.base
    if clock.shared:
        return hear(world, tape, row, clock.market_ns) and heard(world)
    if clock.one_feed and clock.heard_row < clock.news_row:
        return False  # Others are before it, and it comes after them
    local_ns = arrives_ns(world, feed_of(world, tape, row), clock.market_ns)
    if clock.one_feed:
        clock.news_ns = local_ns
        return local_ns <= clock.market_ns and hear_next(world, tape)
    if local_ns > clock.market_ns or news_is_due(world.pending, clock):
        world.message[1].row = clock.news_row
        push(world, local_ns, NEWS, world.message[1])
        return False
    return hear(world, tape, row, clock.market_ns) and heard(world)


@hot
def feed_of(world: World, tape: Tape, row: int) -> Record:
    """Return the line on which a row travels to us: each data set has its own."""
    what, feed = ladder.what_at(tape, row) & WHAT, FEED_BOOK
    if TRADE_BUY <= what <= TRADE_UNKNOWN:
        feed = FEED_TRADES
    elif HALT <= what <= RESUME:
        feed = FEED_STATUS
    return world.feeds[ladder.market_at(tape, row), feed]


@hot
def hear_next(world: World, tape: Tape) -> bool:
    """Hear the next news where all comes by one feed, in the order of the tape. Whether the strategy is asked."""
    clock = world.clock[0]
    told = hear(world, tape, clock.heard_row - clock.base, clock.news_ns)
    clock.heard_row, clock.news_ns = clock.next_row, NEVER_NS
    if clock.heard_row < clock.row:
        row = clock.heard_row - clock.base
        clock.news_ns = arrives_ns(world, feed_of(world, tape, row), tape.times_ns[row])
    return told and heard(world)


@hot
def run_rows(world: World, tape: Tape, due_ns: int) -> bool:
    """Match events until something else is due, or one of them caused something. Whether the strategy is asked."""
    clock = world.clock[0]
    row = clock.row - clock.base
    while row < len(tape.times_ns) and tape.times_ns[row] <= due_ns:
        if clock.news_ns < tape.times_ns[row]:
            if not news_first(world, due_ns):
                return False
            if hear_next(world, tape):
                return True
            due_ns = due_next(world)
            continue
        clock.market_ns = tape.times_ns[row]
        first = row
        what = ladder.what_at(tape, row) & WHAT
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
        due_ns = due_next(world)
    return False


@hot
def match_trade(world: World, tape: Tape, row: int, what: int) -> None:
    """Work our orders through a trade."""
    k = ladder.market_at(tape, row)
    market = world.markets[k]
    market.has_trade = 1
    if market.working > 0 and not market.halted:
        sign = 1 if what == TRADE_BUY else (-1 if what == TRADE_SELL else 0)
        on_trade(world, k, tape.price_ticks[row], tape.lots[row], sign, tape.times_ns[row])


@hot
def match_update(world: World, tape: Tape, row: int, what: int) -> int:
    """Apply the update that begins at a row, and work our orders through it. Return the row after it."""
    k = ladder.market_at(tape, row)
    market = world.markets[k]
    if HALT <= what <= RESUME:
        market.halted = 1 if what == HALT else 0
        return row + 1
    touched, top = 0, False
    ladder.begin(market, what, tape.sequence[row])
    if not market.skip:
        market.sequence, market.time_ns = tape.sequence[row], tape.times_ns[row]
    while True:
        what = ladder.what_at(tape, row)
        if not market.skip:
            if ladder.apply(market, world.bids, world.asks, what & WHAT, tape.price_ticks[row], tape.lots[row]):
                top = True
            touched |= 1 if what & WHAT == CLEAR else (market.own_prices >> (tape.price_ticks[row] & 63)) & 1
            if market.taken > 0:
                shown_anew(world, k, what & WHAT, tape.price_ticks[row])
            if what & WHAT >= BID_LEFT and market.working > 0 and market.queue == Q_EXACT:
                sign = 1 if what & WHAT == BID_LEFT else -1
                left_level(world, k, sign, tape.price_ticks[row], tape.lots[row], tape.entered_ns[row])
        row += 1
        if what >= LAST:
            break
    market.touched, market.top = touched, 1 if top else 0
    if market.working > 0 and not market.skip:
        if meets_own(market):
            on_update(world, k, market.time_ns)
        elif touched:
            move_up(world, k)
    return row


@inner
def shown_anew(world: World, k: int, what: int, price: int) -> None:
    """A level is shown anew: what we took from it is forgotten."""
    if what == CLEAR:
        world.markets[k].taken = 0
    elif what <= ASK:
        forget_taken(world, k, 1 if what == ASK else -1, price)


@inner
def measure(tape: Tape, lowest: Any, highest: Any) -> int:
    """Widen the least and greatest price of each market by those of a tape's levels. Return how many events it has."""
    events = 0
    for row in range(len(tape.times_ns)):
        what = ladder.what_at(tape, row)
        if what & WHAT <= ASK:
            k, price = ladder.market_at(tape, row), tape.price_ticks[row]
            lowest[k] = min(lowest[k], price)
            highest[k] = max(highest[k], price)
        events += what >> 7
    return events
