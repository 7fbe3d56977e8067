"""Our own end: what we know of the market and of our orders, and how a strategy's answer is obeyed.

Reference: strategies.kernel.KernelStrategy, which does the same with the engine's desk.
"""

from typing import Any

from njord.market.view import (
    CANCEL,
    CANCELLING,
    COMMANDS_MAX,
    CROSSED,
    DAY,
    EMPTY,
    FOK,
    GTC,
    IOC,
    LIVE,
    NEW,
    NO_PRICE,
    NOTES_MAX,
    ONE_ORDER_NS,
    ONE_SIDED,
    ORDERS_MAX,
    REPLACE,
    SENT,
)
from njord.venues.simulated.kernels import ladder
from njord.venues.simulated.kernels.flight import send, write
from njord.venues.simulated.kernels.inner import hot, inner
from njord.venues.simulated.kernels.layout import (
    ACCEPTED,
    BAD_LOTS,
    BAD_NOTE,
    BAD_ORDER,
    BELOW_QUANTITY_MIN,
    CANCEL_REJECTED,
    CLEAR,
    FILLED,
    HALT,
    HALTED,
    LAST,
    NO_REASON,
    NOTE,
    ORDERS_EVER_MAX,
    PRICE_INVALID,
    REFUSED,
    REJECTED,
    REPLACED,
    RESUME,
    SEND_CANCEL,
    SEND_NEW,
    SEND_REPLACE,
    SLOTS_MAX,
    TOO_MANY_COMMANDS,
    TOO_MANY_ORDERS_EVER,
    TOO_MANY_SLOTS,
    TRADE_BUY,
    TRADE_SELL,
    TRADE_UNKNOWN,
    WHAT,
    Record,
    Tape,
    World,
)
from njord.venues.simulated.kernels.matching import watch


@inner
def guard(market: Record) -> int:
    """Return why a book must not be traded on, 0 if it may."""
    if market.bids == 0 and market.asks == 0:
        return EMPTY
    if market.bids == 0 or market.asks == 0:
        return ONE_SIDED
    return CROSSED if market.bid >= market.ask else 0


@hot
def hear_book(world: World, k: int) -> bool:
    """Take in that the book we see has changed. Whether the strategy may hear of it."""
    market, view, clock = world.seen[k], world.views[k], world.clock[0]
    if market.top == 0 and market.touched == 0:  # Most updates: away from the best prices and from our orders
        view.updates += market.believed
        if market.believed:
            view.heard_ns = clock.local_ns
        return bool(market.believed)
    market.believed = 0
    if market.bids == 0 or market.asks == 0 or market.bid >= market.ask:
        market.missed = 1
        return False
    market.believed = 1
    bid, ask = ladder.price_at(market, market.bid), ladder.price_at(market, market.ask)
    bid_lots, ask_lots = world.seen_bids[market.bid], world.seen_asks[market.ask]
    if view.heard_ns:
        flow = 0
        if bid >= view.bid_ticks:
            flow += bid_lots
        if bid <= view.bid_ticks:
            flow -= view.bid_lots
        if ask <= view.ask_ticks:
            flow -= ask_lots
        if ask >= view.ask_ticks:
            flow += view.ask_lots
        view.flow_lots += flow
    view.bid_ticks, view.bid_lots, view.ask_ticks, view.ask_lots = bid, bid_lots, ask, ask_lots
    view.updates += 1
    view.heard_ns = clock.local_ns
    for i in range(clock.mine_count if market.touched or market.missed else 0):
        order = world.orders[world.mine[i]]
        if order.market == k and order.state != SENT and order.mine_limit != NO_PRICE:
            shown = ladder.lots_at(market, world.seen_bids, world.seen_asks, order.sign, order.mine_limit)
            if shown < order.mine_ahead:
                order.mine_ahead = shown
    market.missed = 0
    return True


@hot
def hear_trade(world: World, k: int, sign: int, price: int, lots: int, time_ns: int) -> None:
    """Take in a trade between others. Trades of one side within a microsecond are one market order, which reached the
    furthest from where the mid was before it.
    """
    market, view, clock = world.seen[k], world.views[k], world.clock[0]
    view.last_trade_ticks = price
    if sign != 0 and view.heard_ns:
        same = sign == market.trade_sign and time_ns - market.trade_ns <= ONE_ORDER_NS
        if not same:
            market.trade_mid = view.bid_ticks + view.ask_ticks
        touch = view.ask_ticks - view.bid_ticks
        depth = sign * (2 * price - market.trade_mid)
        if not same:
            depth = max(touch, depth)
        more = max(0, depth - market.trade_depth) if same else depth
        market.trade_depth = market.trade_depth + more if same else depth
        market.trade_ns, market.trade_sign = time_ns, sign
        if sign > 0:
            view.buys += 0 if same else 1
            view.buy_lots += lots
            view.buy_depth_half_ticks += more
            view.buy_touch_half_ticks += 0 if same else touch
        else:
            view.sells += 0 if same else 1
            view.sell_lots += lots
            view.sell_depth_half_ticks += more
            view.sell_touch_half_ticks += 0 if same else touch
    for i in range(clock.mine_count):
        order = world.orders[world.mine[i]]
        if order.market == k and order.state != SENT and order.mine_limit == price and order.sign != sign:
            order.mine_ahead = max(0, order.mine_ahead - lots)


@hot
def hear(world: World, tape: Tape, row: int, local_ns: int) -> bool:
    """Take in the news that begins at a row. Whether the strategy may hear of it."""
    clock = world.clock[0]
    clock.local_ns = max(clock.local_ns, local_ns)
    k, what = ladder.market_at(tape, row), ladder.what_at(tape, row) & WHAT
    clock.next_row = row + clock.base + 1
    if TRADE_BUY <= what <= TRADE_UNKNOWN:
        sign = 1 if what == TRADE_BUY else (-1 if what == TRADE_SELL else 0)
        hear_trade(world, k, sign, tape.price_ticks[row], tape.lots[row], tape.times_ns[row])
        return True
    if HALT <= what <= RESUME:
        world.views[k].halted = 1 if what == HALT else 0
        return False
    if not clock.shared:
        apply_seen(world, tape, row, k)
    return hear_book(world, k)


@hot
def apply_seen(world: World, tape: Tape, row: int, k: int) -> None:
    """Apply the update that begins at a row to the book as we see it."""
    market = world.seen[k]
    market.touched = market.top = 0
    ladder.begin(market, ladder.what_at(tape, row) & WHAT, tape.sequence[row])
    while True:
        if not market.skip:
            market.sequence = tape.sequence[row]
            if tape.what[row] & WHAT == CLEAR or (market.own_prices >> (tape.price_ticks[row] & 63)) & 1:
                market.touched = 1
            what, price = ladder.what_at(tape, row) & WHAT, tape.price_ticks[row]
            if ladder.apply(market, world.seen_bids, world.seen_asks, what, price, tape.lots[row]):
                market.top = 1
        row += 1
        if tape.what[row - 1] >= LAST:
            break
    world.clock[0].next_row = row + world.clock[0].base


@hot
def heard(world: World) -> bool:
    """A strategy may hear of something. Whether it is asked at once; otherwise its timer is set."""
    clock = world.clock[0]
    clock.heard_since += 1
    if clock.every_ns == 0:
        return True
    if clock.timer_set == 0:
        clock.timer_set = 1
        clock.timer_ns = (clock.local_ns // clock.every_ns + 1) * clock.every_ns
    return False


@inner
def forget(world: World, slot: int) -> None:
    """An order is done: take it off our list, and its slot is free."""
    clock = world.clock[0]
    place = 0
    while world.mine[place] != slot:
        place += 1
    clock.mine_count -= 1
    for i in range(place, clock.mine_count):
        world.mine[i] = world.mine[i + 1]
    world.orders[slot].state = 0
    world.free[clock.free_count] = slot
    clock.free_count += 1
    watch(world, world.orders[slot].market)


@inner
def handle_report(world: World, message: Record) -> bool:
    """Take in what a venue said of an order. Whether the strategy is asked because of it."""
    clock = world.clock[0]
    clock.local_ns = max(clock.local_ns, message.local_ns)
    write(world, message)
    slot, kind = message.slot, message.kind
    order, view = world.orders[slot], world.views[message.market]
    if order.number != message.number or order.state == 0:
        return False
    if kind == ACCEPTED:
        if order.state == SENT:
            order.state = LIVE
        market = world.seen[message.market]
        order.mine_ahead = ladder.lots_at(market, world.seen_bids, world.seen_asks, order.sign, order.mine_limit)
    elif kind == REPLACED:
        order.mine_leaves += message.lots - order.mine_quantity
        order.mine_quantity, order.mine_limit = message.lots, message.limit
        watch(world, message.market)
        market = world.seen[message.market]
        order.mine_ahead = ladder.lots_at(market, world.seen_bids, world.seen_asks, order.sign, order.mine_limit)
    elif kind == CANCEL_REJECTED:
        if order.state == CANCELLING:
            order.state = LIVE
    elif kind == FILLED:
        order.mine_leaves -= message.lots
        view.position_lots += order.sign * message.lots
        if order.sign > 0:
            view.bought_lots += message.lots
        else:
            view.sold_lots += message.lots
        if order.mine_leaves == 0:
            forget(world, slot)
        return bool(clock.wake_on_fills)
    else:
        if kind == REJECTED:
            view.rejected += 1
        forget(world, slot)
    return False


@inner
def show(world: World) -> None:
    """Complete the views a strategy is about to see."""
    clock = world.clock[0]
    for k in range(len(world.views)):
        view, market = world.views[k], world.seen[k]
        view.time_ns = clock.local_ns
        view.guard = guard(market)
        view.orders = 0
        show_side(view.bids_ticks, view.bids_lots, world.seen_bids, market, market.bid, market.bids, -1, clock.depth)
        show_side(view.asks_ticks, view.asks_lots, world.seen_asks, market, market.ask, market.asks, 1, clock.depth)
    for i in range(clock.mine_count):
        order = world.orders[world.mine[i]]
        view = world.views[order.market]
        n = view.orders
        if n < ORDERS_MAX:
            view.order_number[n], view.order_state[n], view.order_sign[n] = order.number, order.state, order.sign
            view.order_ticks[n], view.order_lots[n] = order.mine_limit, order.mine_leaves
            view.order_ahead[n] = -1.0 if order.state == SENT else float(order.mine_ahead)
            view.orders = n + 1


@inner
def show_side(ticks: Any, lots: Any, side: Any, market: Record, cell: int, count: int, step: int, depth: int) -> None:
    """Write the best levels of one side, best first; 0 lots where there are no more."""
    for i in range(depth):
        if i < count:
            while side[cell] == 0:
                cell += step
            ticks[i], lots[i] = ladder.price_at(market, cell), side[cell]
            cell += step
        else:
            ticks[i], lots[i] = 0, 0


@inner
def obey(world: World, answer: Record) -> None:
    """Do what a strategy asked for, in its order; what is counted begins anew, and the timer is set again."""
    clock = world.clock[0]
    clock.error_line = answer.line
    if answer.commands > COMMANDS_MAX or answer.notes > NOTES_MAX:
        clock.error, clock.error_number = TOO_MANY_COMMANDS, max(answer.commands, answer.notes)
        return
    for k in range(len(world.views)):
        view = world.views[k]
        view.updates = view.flow_lots = view.buys = view.sells = view.buy_lots = view.sell_lots = 0
        view.buy_depth_half_ticks = view.sell_depth_half_ticks = 0
        view.buy_touch_half_ticks = view.sell_touch_half_ticks = 0
        view.bought_lots = view.sold_lots = view.rejected = 0
    ever = clock.orders_ever
    for i in range(answer.commands):
        clock.error_line = answer.lines[i]
        if answer.kind[i] == NEW:
            new_order(world, answer, i)
        else:
            change_order(world, answer, i, ever)
        if clock.error:
            return
    put_notes(world, answer)
    answer.commands = answer.notes = 0
    if clock.timer_due:
        if clock.heard_since == 0 and clock.mine_count == 0 and clock.orders_ever == ever:
            clock.timer_set = 0  # Nothing is going on: the next news sets it
        else:
            clock.timer_ns = (clock.local_ns // clock.every_ns + 1) * clock.every_ns
    clock.heard_since = clock.timer_due = clock.error_line = 0


@inner
def put_notes(world: World, answer: Record) -> None:
    """Put on record what a strategy wants there."""
    clock, message = world.clock[0], world.message[0]
    for i in range(answer.notes):
        k = answer.note_instrument[i]
        if k < 0 or k >= len(world.views):
            clock.error, clock.error_number, clock.error_line = BAD_NOTE, k, 0
            return
        message.kind, message.number, message.market = NOTE, answer.note_code[i], k
        message.value, message.venue_ns, message.local_ns = answer.note_value[i], clock.local_ns, clock.local_ns
        write(world, message)


@inner
def why_refused(world: World, k: int, lots: int, limit: int, stop: int) -> int:
    """Return why our own risk engine would not let an order go, or NO_REASON. Reference: risk.checks.refusal."""
    market = world.markets[k]
    if world.views[k].halted:
        return HALTED
    if lots < market.quantity_min:
        return BELOW_QUANTITY_MIN
    if not market.negative and ((limit != NO_PRICE and limit <= 0) or (stop != NO_PRICE and stop <= 0)):
        return PRICE_INVALID
    return NO_REASON


@inner
def refuse(world: World, message: Record, reason: int) -> None:
    """Put on record that something is not sent. The strategy sees it counted."""
    message.kind, message.reason = REFUSED, reason
    write(world, message)
    world.views[message.market].rejected += 1


@inner
def new_order(world: World, answer: Record, i: int) -> None:
    """Send an order, or refuse it as the risk engine does."""
    clock = world.clock[0]
    lots, k, sign = answer.lots[i], answer.instrument[i], answer.sign[i]
    limit, stop, tif = answer.limit_ticks[i], answer.stop_ticks[i], answer.time_in_force[i]
    if lots == 0:
        return
    if lots < 0 or k < 0 or k >= len(world.views) or (sign != 1 and sign != -1):
        clock.error, clock.error_number = BAD_LOTS, lots
        return
    at_once = IOC <= tif <= FOK
    if not GTC <= tif <= DAY or (answer.post_only[i] and (limit == NO_PRICE or stop != NO_PRICE or at_once)):
        clock.error, clock.error_number = BAD_ORDER, tif
        return
    clock.orders_ever += 1
    number = clock.orders_ever
    if number >= ORDERS_EVER_MAX:
        clock.error, clock.error_number = TOO_MANY_ORDERS_EVER, ORDERS_EVER_MAX
        return
    market, message = world.markets[k], world.message[0]
    message.kind, message.number, message.market, message.sign, message.slot = SEND_NEW, number, k, sign, -1
    message.lots, message.limit, message.stop = lots, limit, stop
    # An order has no cause, liquidity or fill yet: the log reads these as its time in force and its two flags
    message.cause, message.liquidity, message.fill = tif, answer.post_only[i], answer.reduce_only[i]
    message.venue_ns = message.local_ns = clock.local_ns
    reason = why_refused(world, k, lots, limit, stop)
    if reason != NO_REASON:
        refuse(world, message, reason)
        return
    if clock.free_count == 0:
        clock.error, clock.error_number = TOO_MANY_SLOTS, SLOTS_MAX
        return
    clock.free_count -= 1
    slot = world.free[clock.free_count]
    order = world.orders[slot]
    order.number, order.market, order.sign, order.quantity, order.leaves = number, k, sign, lots, lots
    order.limit, order.stop, order.time_in_force = limit, stop, tif
    order.post_only, order.reduce_only = answer.post_only[i], answer.reduce_only[i]
    order.ahead, order.level, order.working, order.day_end_ns = 0.0, 0, 0, 0
    order.state, order.mine_leaves, order.mine_quantity, order.mine_limit = SENT, lots, lots, limit
    order.mine_ahead = 0
    world.mine[clock.mine_count] = slot
    clock.mine_count += 1
    watch(world, k)
    message.slot = slot
    write(world, message)
    send(world, market.venue, message)


@inner
def change_order(world: World, answer: Record, i: int, ever: int) -> None:
    """Send a cancel or a replacement of an order that we knew of when asked; of another, nothing is sent."""
    clock, wanted = world.clock[0], answer.order[i]
    for place in range(clock.mine_count):
        slot = world.mine[place]
        order = world.orders[slot]
        if order.number != wanted or wanted > ever:
            continue
        message = world.message[0]
        message.slot, message.number, message.market, message.sign = slot, wanted, order.market, order.sign
        message.lots, message.limit, message.stop = answer.lots[i], answer.limit_ticks[i], NO_PRICE
        message.venue_ns = message.local_ns = clock.local_ns
        if answer.kind[i] == CANCEL:
            if order.state == CANCELLING:
                return
            order.state = CANCELLING
            message.kind = SEND_CANCEL
        else:
            if answer.kind[i] != REPLACE or answer.lots[i] <= 0:
                return
            if message.limit == NO_PRICE:
                message.limit = order.mine_limit
            reason = why_not_replaced(world, order, message)
            if reason != NO_REASON:
                refuse(world, message, reason)
                return
            message.kind = SEND_REPLACE
        write(world, message)
        send(world, world.markets[order.market].venue, message)
        return


@inner
def why_not_replaced(world: World, order: Record, message: Record) -> int:
    """Return why our own risk engine would not let a replacement go, or NO_REASON: what is left is like a new order.

    Reference: engine.decide.
    """
    left = message.lots - (order.mine_quantity - order.mine_leaves)
    if left <= 0 or (message.limit == NO_PRICE) != (order.mine_limit == NO_PRICE):
        return NO_REASON
    if message.lots <= order.mine_quantity and message.limit == order.mine_limit:
        return NO_REASON
    return why_refused(world, message.market, left, message.limit, order.stop)
