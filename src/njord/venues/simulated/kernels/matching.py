"""Matching against an L2 book. Reference: simulated.depth.BookMatcher, simulated.queue, simulated.slippage."""

import math

from njord.market.view import FOK, IOC, NO_PRICE
from njord.venues.simulated.kernels import ladder
from njord.venues.simulated.kernels.flight import deliver
from njord.venues.simulated.kernels.inner import hot, inner
from njord.venues.simulated.kernels.layout import (
    BOOK_CAUSE,
    CANCELLED,
    CROSSED_BOOK,
    EXPIRED,
    FILLED,
    LEVELS_WALKED_MAX,
    MAKER,
    NEVER_NS,
    NO_LIQUIDITY,
    NOT_AT_ONCE,
    Q_CROSS,
    Q_FRONT_SHARE,
    Q_LOG,
    Q_LOG_OF_TOTAL,
    Q_POWER,
    Q_POWER_OF_TOTAL,
    QUOTE_THROUGH,
    REDUCE_ONLY,
    SLIP_FIXED,
    SLIP_LINEAR,
    SLIP_NONE,
    TAKEN_MAX,
    TAKER,
    TOO_MANY_TAKEN,
    TRADE_AT_LIMIT,
    TRADE_CAUSE,
    TRADE_THROUGH,
    Record,
    World,
)


@inner
def behind_chance(queue: int, exponent: float, ahead: float, behind: float) -> float:
    """Return the chance that a lot which left the level stood behind us."""
    if ahead <= 0.0:
        return 1.0
    if behind <= 0.0:
        return 0.0
    if queue == Q_POWER:
        back = math.pow(behind, exponent)
        return back / (back + math.pow(ahead, exponent))
    if queue == Q_LOG:
        back = math.log(1.0 + behind)
        return back / (back + math.log(1.0 + ahead))
    if queue == Q_POWER_OF_TOTAL:
        return math.pow(behind, exponent) / math.pow(behind + ahead, exponent)
    if queue == Q_LOG_OF_TOTAL:
        return math.log(1.0 + behind) / math.log(1.0 + behind + ahead)
    assert queue == Q_FRONT_SHARE
    return 1.0 - math.pow(ahead / (ahead + behind), exponent)


@inner
def ahead_after(queue: int, exponent: float, ahead: float, before: float, after: float) -> float:
    """Return the lots ahead of us once our level shows ``after`` lots."""
    left = before - after
    if left > 0.0 and ahead > 0.0 and Q_POWER <= queue <= Q_FRONT_SHARE:
        behind = before - ahead
        chance = behind_chance(queue, exponent, ahead, behind)
        ahead = ahead - (1.0 - chance) * left + min(behind - chance * left, 0.0)
    return max(0.0, min(ahead, after))


@inner
def within(order: Record, price: int) -> bool:
    """Whether an order may trade at a price."""
    return bool(order.limit == NO_PRICE or (price - order.limit) * order.sign <= 0)


@inner
def allowed(market: Record, order: Record) -> int:
    """Return what an order may still trade: all that is left or, reduce-only, what the position allows."""
    if order.reduce_only == 0:
        return int(order.leaves)
    return int(min(order.leaves, max(0, -order.sign * market.position)))


@inner
def taken_at(world: World, k: int, sign: int, price: int) -> int:
    """Return what we took from a displayed level that has not been shown anew."""
    for i in range(world.markets[k].taken):
        if world.taken[k, i, 0] == sign and world.taken[k, i, 1] == price:
            return int(world.taken[k, i, 2])
    return 0


@inner
def take_from(world: World, k: int, sign: int, price: int, lots: int) -> None:
    """Remember that we took from a displayed level."""
    market = world.markets[k]
    for i in range(market.taken):
        if world.taken[k, i, 0] == sign and world.taken[k, i, 1] == price:
            world.taken[k, i, 2] += lots
            return
    if market.taken == TAKEN_MAX:
        world.clock[0].error, world.clock[0].error_number = TOO_MANY_TAKEN, TAKEN_MAX
        return
    i = market.taken
    world.taken[k, i, 0], world.taken[k, i, 1], world.taken[k, i, 2] = sign, price, lots
    market.taken += 1


@inner
def forget_taken(world: World, k: int, sign: int, price: int) -> None:
    """A level is shown anew: what we took from it is in what it shows now."""
    market = world.markets[k]
    for i in range(market.taken):
        if world.taken[k, i, 0] == sign and world.taken[k, i, 1] == price:
            market.taken -= 1
            for field in range(3):
                world.taken[k, i, field] = world.taken[k, market.taken, field]
            return


@inner
def remove(world: World, k: int, slot: int) -> None:
    """Take an order off the venue's list."""
    market = world.markets[k]
    row = world.working[k]
    place = 0
    while row[place] != slot:
        place += 1
    market.working -= 1
    for i in range(place, market.working):
        row[i] = row[i + 1]
    world.orders[slot].working = 0
    if world.orders[slot].day_end_ns > 0:
        market.day_orders -= 1
    watch(world, k)


@inner
def report(world: World, k: int, slot: int, kind: int, reason: int, venue_ns: int) -> None:
    """Report something of an order that is not a fill."""
    order, message = world.orders[slot], world.message[0]
    message.kind, message.slot, message.number, message.market = kind, slot, order.number, k
    message.sign, message.lots, message.limit, message.reason = order.sign, order.leaves, order.limit, reason
    deliver(world, world.markets[k].venue, venue_ns, venue_ns, message)


@inner
def end(world: World, k: int, slot: int, reason: int, time_ns: int) -> None:
    """Cancel what is left of an order."""
    remove(world, k, slot)
    report(world, k, slot, CANCELLED, reason, time_ns)


@inner
def expire(world: World, k: int, now_ns: int) -> None:
    """End the day orders whose day is over."""
    place = 0
    while place < world.markets[k].working:
        slot = world.working[k, place]
        order = world.orders[slot]
        if 0 < order.day_end_ns <= now_ns:
            remove(world, k, slot)
            message = world.message[0]
            message.kind, message.slot, message.number, message.market = EXPIRED, slot, order.number, k
            message.sign, message.lots, message.limit, message.reason = order.sign, order.leaves, order.limit, 0
            deliver(world, world.markets[k].venue, order.day_end_ns, now_ns, message)
        else:
            place += 1


@inner
def fill(
    world: World, k: int, slot: int, lots: int, price: int, liquidity: int, reason: int, cause: int, time_ns: int
) -> None:
    """Report a fill, and let go of the order when nothing is left of it."""
    market, order, message = world.markets[k], world.orders[slot], world.message[0]
    assert lots > 0
    assert lots <= order.leaves
    market.fills += 1
    order.leaves -= lots
    market.position += order.sign * lots
    message.kind, message.slot, message.number, message.market = FILLED, slot, order.number, k
    message.sign, message.lots, message.limit, message.reason = order.sign, lots, price, reason
    message.liquidity, message.cause, message.fill = liquidity, cause, market.fills
    message.cause_ns = market.time_ns if cause == BOOK_CAUSE else time_ns
    message.cause_sequence = market.sequence
    deliver(world, market.venue, time_ns, time_ns, message)
    if order.leaves == 0:
        remove(world, k, slot)


@inner
def slipped(market: Record, order: Record, price: int, lots: int, shown: int) -> int:
    """Return a taker's price with slippage, at worst the order's limit."""
    if market.slippage == SLIP_NONE:
        return price
    share = lots / shown if shown > 0 else 1.0
    if market.slippage == SLIP_FIXED:
        worse = market.coefficient
    elif market.slippage == SLIP_LINEAR:
        worse = market.coefficient * share
    else:
        worse = market.coefficient * math.sqrt(share)
    moved = price + order.sign * math.ceil(abs(price) * worse)
    return int(moved if within(order, moved) else order.limit)


@inner
def free_lots(world: World, k: int, order: Record, wanted: int) -> int:
    """Return how much of ``wanted`` the displayed levels within the limit could fill."""
    market = world.markets[k]
    side = world.asks if order.sign > 0 else world.bids
    cell, left = (market.ask, market.asks) if order.sign > 0 else (market.bid, market.bids)
    found, walked = 0, 0
    while left > 0 and found < wanted and walked < LEVELS_WALKED_MAX:
        if side[cell] > 0:
            left -= 1
            walked += 1
            price = ladder.price_at(market, cell)
            if not within(order, price):
                break
            found += max(0, min(wanted - found, side[cell] - taken_at(world, k, order.sign, price)))
        cell += order.sign
    return found


@inner
def take(world: World, k: int, slot: int, cause: int, time_ns: int) -> None:
    """Let an order walk the displayed levels."""
    market, order = world.markets[k], world.orders[slot]
    wanted = allowed(market, order)
    if wanted == 0:
        end(world, k, slot, REDUCE_ONLY, time_ns)
        return
    if order.time_in_force == FOK and free_lots(world, k, order, wanted) < wanted:
        return
    side = world.asks if order.sign > 0 else world.bids
    cell, left = (market.ask, market.asks) if order.sign > 0 else (market.bid, market.bids)
    walked = 0
    while left > 0 and wanted > 0 and walked < LEVELS_WALKED_MAX:
        shown = side[cell]
        if shown > 0:
            left -= 1
            walked += 1
            price = ladder.price_at(market, cell)
            if not within(order, price):
                break
            lots = min(wanted, shown - taken_at(world, k, order.sign, price))
            if lots > 0:
                wanted -= lots
                take_from(world, k, order.sign, price, lots)
                paid = slipped(market, order, price, lots, shown)
                fill(world, k, slot, lots, paid, TAKER, CROSSED_BOOK, cause, time_ns)
        cell += order.sign


@inner
def join(world: World, k: int, slot: int) -> None:
    """Stand behind everybody at the level."""
    market, order = world.markets[k], world.orders[slot]
    order.level = ladder.lots_at(market, world.bids, world.asks, order.sign, order.limit)
    order.ahead = 0.0 if market.touch else float(order.level)


@inner
def arrive(world: World, k: int, slot: int, time_ns: int) -> None:
    """Let an order that just arrived walk the book; then it rests, or what is left is cancelled."""
    market, order = world.markets[k], world.orders[slot]
    if order.stop != NO_PRICE:
        return
    if not market.halted and not ladder.crossed(market):
        take(world, k, slot, BOOK_CAUSE, time_ns)
    if order.leaves > 0 and order.working:
        if order.limit == NO_PRICE:
            end(world, k, slot, NO_LIQUIDITY, time_ns)
        elif order.time_in_force == IOC or order.time_in_force == FOK:
            end(world, k, slot, NOT_AT_ONCE, time_ns)
        else:
            join(world, k, slot)


@inner
def trigger(world: World, k: int, slot: int, price: int, cause: int, time_ns: int) -> None:
    """Wake a stop that the market has reached."""
    order = world.orders[slot]
    if (price - order.stop) * order.sign < 0:
        return
    order.stop = NO_PRICE
    watch(world, k)
    take(world, k, slot, cause, time_ns)
    if order.leaves > 0 and order.working:
        if order.limit == NO_PRICE:
            end(world, k, slot, NO_LIQUIDITY, time_ns)
        else:
            join(world, k, slot)


@inner
def stops_first(world: World, k: int) -> int:
    """Write the orders into ``turn``, stops before limits. Return how many there are."""
    count = 0
    for wants_stop in (True, False):
        for i in range(world.markets[k].working):
            slot = world.working[k, i]
            if (world.orders[slot].stop != NO_PRICE) == wants_stop:
                world.turn[count] = slot
                count += 1
    return count


@inner
def left_level(world: World, k: int, sign: int, price: int, lots: int, entered_ns: int) -> None:
    """An order left a level, and it is known when it had come (order by order data)."""
    for i in range(world.markets[k].working):
        order = world.orders[world.working[k, i]]
        if order.sign == sign and order.limit == price and order.stop == NO_PRICE and entered_ns <= order.arrived_ns:
            order.ahead = max(0.0, order.ahead - lots)


@inner
def watch(world: World, k: int) -> None:
    """Take note of where our orders are, so that what does not touch them passes quickly."""
    market, clock = world.markets[k], world.clock[0]
    market.own_bid, market.own_ask, market.stops = -NEVER_NS, NEVER_NS, 0
    prices = 0
    for i in range(market.working):
        order = world.orders[world.working[k, i]]
        prices |= 1 << (order.limit & 63)
        if order.stop != NO_PRICE:
            market.stops += 1
        elif order.sign > 0:
            market.own_bid = max(market.own_bid, order.limit)
        else:
            market.own_ask = min(market.own_ask, order.limit)
    for i in range(clock.mine_count):
        order = world.orders[world.mine[i]]
        if order.market == k:
            prices |= 1 << (order.mine_limit & 63)
    market.own_prices = world.seen[k].own_prices = prices


@hot
def meets_own(market: Record) -> bool:
    """Whether a book that has just changed can matter to our orders, other than at their levels."""
    return bool(
        (market.asks > 0 and market.ask - market.offset + market.floor <= market.own_bid)
        or (market.bids > 0 and market.bid - market.offset + market.floor >= market.own_ask)
        or market.day_orders > 0
        or (market.stops > 0 and not market.has_trade)
    )


@hot
def move_up(world: World, k: int) -> None:
    """Move our orders up in their queues by what their levels show now."""
    market = world.markets[k]
    for i in range(market.working):
        order = world.orders[world.working[k, i]]
        if order.stop == NO_PRICE:
            shown = ladder.lots_at(market, world.bids, world.asks, order.sign, order.limit)
            if shown != order.level:
                order.ahead = ahead_after(market.queue, market.exponent, order.ahead, float(order.level), float(shown))
                order.level = shown


@inner
def on_update(world: World, k: int, time_ns: int) -> None:
    """Work all orders through a book update that has been applied."""
    market = world.markets[k]
    if market.day_orders > 0:
        expire(world, k, time_ns)
    move_up(world, k)
    if market.halted or ladder.crossed(market):
        return
    count = stops_first(world, k)
    for i in range(count):
        slot = world.turn[i]
        order = world.orders[slot]
        if order.stop != NO_PRICE:
            against = market.asks if order.sign > 0 else market.bids
            if not market.has_trade and against > 0:
                best = market.ask if order.sign > 0 else market.bid
                trigger(world, k, slot, ladder.price_at(market, best), BOOK_CAUSE, time_ns)
        else:
            through(world, k, slot, time_ns)


@inner
def through(world: World, k: int, slot: int, time_ns: int) -> None:
    """Fill a resting order that the opposite side of the book has moved through."""
    market, order = world.markets[k], world.orders[slot]
    side = world.asks if order.sign > 0 else world.bids
    cell, left = (market.ask, market.asks) if order.sign > 0 else (market.bid, market.bids)
    if left == 0 or order.limit == NO_PRICE:
        return
    beyond = (ladder.price_at(market, cell) - order.limit) * order.sign
    if beyond > 0 or (beyond == 0 and not market.touch):
        return
    while left > 0 and order.leaves > 0:
        shown = side[cell]
        if shown > 0:
            left -= 1
            price = ladder.price_at(market, cell)
            if not within(order, price):
                break
            lots = min(allowed(market, order), shown - taken_at(world, k, order.sign, price))
            if lots > 0:
                take_from(world, k, order.sign, price, lots)
                fill(world, k, slot, lots, order.limit, MAKER, QUOTE_THROUGH, BOOK_CAUSE, time_ns)
        cell += order.sign


@inner
def on_trade(world: World, k: int, price: int, traded: int, aggressor: int, time_ns: int) -> None:
    """Work all orders through a trade between others."""
    market = world.markets[k]
    if market.day_orders > 0:
        expire(world, k, time_ns)
    ours = 0
    count = stops_first(world, k)
    for i in range(count):
        slot = world.turn[i]
        order = world.orders[slot]
        if order.stop != NO_PRICE:
            trigger(world, k, slot, price, TRADE_CAUSE, time_ns)
            continue
        if order.limit == NO_PRICE or aggressor == order.sign or (price - order.limit) * order.sign > 0:
            continue
        left = traded - ours
        reason = TRADE_THROUGH
        if price == order.limit:
            ahead = order.ahead
            order.ahead = max(0.0, ahead - left)
            order.level = max(0, order.level - traded)
            left = 0 if market.queue == Q_CROSS else max(0, math.floor(left - ahead))
            reason = TRADE_AT_LIMIT
        lots = min(allowed(market, order), left)
        if lots > 0:
            ours += lots
            fill(world, k, slot, lots, order.limit, MAKER, reason, TRADE_CAUSE, time_ns)
