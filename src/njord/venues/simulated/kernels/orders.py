"""Orders at the venue's door: taken, refused, cancelled, replaced. Reference: simulated.venue.SimulatedVenue."""

from njord.market.view import DAY, NO_PRICE
from njord.venues.simulated.kernels import ladder
from njord.venues.simulated.kernels.flight import deliver
from njord.venues.simulated.kernels.inner import inner
from njord.venues.simulated.kernels.layout import (
    ACCEPTED,
    BELOW_NOTIONAL_MIN,
    BELOW_QUANTITY_MIN,
    CANCEL_NEWEST,
    CANCEL_OLDEST,
    CANCEL_REJECTED,
    HALTED,
    NO_REASON,
    NS_PER_DAY,
    ORDER_DONE,
    ORDER_UNKNOWN,
    POST_ONLY,
    PRICE_INVALID,
    REDUCE_ONLY,
    REJECTED,
    REPLACED,
    REQUESTED,
    SELF_TRADE,
    SLOTS_MAX,
    TOO_MANY,
    Record,
    World,
)
from njord.venues.simulated.kernels.matching import allowed, arrive, end, report, watch, within


@inner
def would_cross(market: Record, order: Record) -> bool:
    """Whether a limit order would trade at once."""
    if order.sign > 0:
        return bool(market.asks > 0 and within(order, ladder.price_at(market, market.ask)))
    return bool(market.bids > 0 and within(order, ladder.price_at(market, market.bid)))


@inner
def would_trade(market: Record, incoming: Record, resting: Record) -> bool:
    """Whether two of our own orders, both awake and on opposite sides, could meet."""
    if incoming.sign == resting.sign or incoming.stop != NO_PRICE or resting.stop != NO_PRICE:
        return False
    if resting.limit == NO_PRICE:
        return bool(incoming.limit == NO_PRICE)
    if incoming.limit != NO_PRICE:
        return within(incoming, resting.limit)
    if incoming.sign > 0:
        return bool(market.asks > 0 and resting.limit <= ladder.price_at(market, market.ask))
    return bool(market.bids > 0 and resting.limit >= ladder.price_at(market, market.bid))


@inner
def rejection(market: Record, order: Record) -> int:
    """Return why the venue does not take an order, or NO_REASON."""
    if market.halted:
        return HALTED
    if market.working >= market.open_max:
        return TOO_MANY
    if order.quantity < market.quantity_min:
        return BELOW_QUANTITY_MIN
    price = order.limit if order.limit != NO_PRICE else order.stop
    if price != NO_PRICE:
        if price <= 0 and not market.negative:
            return PRICE_INVALID
        if price * order.quantity < market.notional_min:
            return BELOW_NOTIONAL_MIN
    if order.post_only and would_cross(market, order):
        return POST_ONLY
    if order.reduce_only and allowed(market, order) == 0:
        return REDUCE_ONLY
    return NO_REASON


@inner
def self_trades(world: World, k: int, slot: int, time_ns: int) -> bool:
    """Deal with those of our own orders this one would trade with. Whether this one must not live."""
    market, order = world.markets[k], world.orders[slot]
    met = False
    place = 0
    while place < market.working:
        other = world.working[k, place]
        if would_trade(market, order, world.orders[other]):
            met = True
            if market.self_trade != CANCEL_NEWEST:
                end(world, k, other, SELF_TRADE, time_ns)
                continue
        place += 1
    return met and market.self_trade != CANCEL_OLDEST


@inner
def submit(world: World, slot: int, time_ns: int) -> None:
    """Take an order that arrives."""
    order = world.orders[slot]
    k = order.market
    market = world.markets[k]
    reason = rejection(market, order)
    if reason != NO_REASON:
        report(world, k, slot, REJECTED, reason, time_ns)
        return
    world.fate[order.number] = 1
    if market.working > 0 and self_trades(world, k, slot, time_ns):
        report(world, k, slot, REJECTED, SELF_TRADE, time_ns)
        return
    report(world, k, slot, ACCEPTED, NO_REASON, time_ns)
    order.arrived_ns = time_ns
    order.day_end_ns = (time_ns // NS_PER_DAY + 1) * NS_PER_DAY if order.time_in_force == DAY else 0
    add(world, k, slot)
    arrive(world, k, slot, time_ns)


@inner
def add(world: World, k: int, slot: int) -> None:
    """Put an order on the venue's list, as the youngest."""
    market, order = world.markets[k], world.orders[slot]
    assert market.working < SLOTS_MAX
    world.working[k, market.working] = slot
    market.working += 1
    order.working = 1
    if order.day_end_ns > 0:
        market.day_orders += 1
    watch(world, k)


@inner
def refuse_change(world: World, message: Record, reason: int, time_ns: int) -> None:
    """Reject a cancel or a replacement."""
    answer = world.message[0]
    answer.kind, answer.slot, answer.number, answer.market = (
        CANCEL_REJECTED,
        message.slot,
        message.number,
        message.market,
    )
    answer.sign, answer.lots, answer.limit, answer.reason = message.sign, 0, NO_PRICE, reason
    deliver(world, world.markets[message.market].venue, time_ns, time_ns, answer)


@inner
def is_working(world: World, message: Record) -> bool:
    """Whether the order that a cancel or a replacement names rests at the venue."""
    order = world.orders[message.slot]
    return bool(order.number == message.number and order.working)


@inner
def why_not_found(world: World, number: int) -> int:
    """Return why there is no such order."""
    return ORDER_DONE if world.fate[number] else ORDER_UNKNOWN


@inner
def cancel(world: World, message: Record, time_ns: int) -> None:
    """Take a cancel that arrives."""
    if is_working(world, message):
        end(world, message.market, message.slot, REQUESTED, time_ns)
    else:
        refuse_change(world, message, why_not_found(world, message.number), time_ns)


@inner
def replace(world: World, message: Record, time_ns: int) -> None:
    """Take a replacement that arrives. The order loses its place unless it only gets smaller."""
    if not is_working(world, message):
        refuse_change(world, message, why_not_found(world, message.number), time_ns)
        return
    k, slot = message.market, message.slot
    market, order = world.markets[k], world.orders[slot]
    filled = order.quantity - order.leaves
    if (message.limit == NO_PRICE) != (order.limit == NO_PRICE) or message.lots <= filled:
        refuse_change(world, message, PRICE_INVALID if message.lots > filled else ORDER_DONE, time_ns)
        return
    moved = message.limit != order.limit
    if moved and crosses(world, k, slot, message.limit):
        refuse_change(world, message, POST_ONLY if order.post_only else SELF_TRADE, time_ns)
        return
    answer = world.message[0]
    answer.kind, answer.slot, answer.number, answer.market = REPLACED, slot, order.number, k
    answer.sign, answer.lots, answer.limit, answer.reason = order.sign, message.lots, message.limit, 0
    deliver(world, market.venue, time_ns, time_ns, answer)
    smaller = message.lots - filled <= order.leaves
    order.quantity, order.leaves, order.limit = message.lots, message.lots - filled, message.limit
    if moved or not smaller:
        order.arrived_ns = time_ns
        row, place = world.working[k], 0
        while row[place] != slot:
            place += 1
        for i in range(place, market.working - 1):
            row[i] = row[i + 1]
        row[market.working - 1] = slot
        order.ahead = 0.0
        watch(world, k)
        arrive(world, k, slot, time_ns)


@inner
def crosses(world: World, k: int, slot: int, limit: int) -> bool:
    """Whether an order moved to a new limit would trade with our own, or must not trade at once and would."""
    market, order = world.markets[k], world.orders[slot]
    old = order.limit
    order.limit = limit
    found = bool(order.post_only) and would_cross(market, order)
    for i in range(market.working):
        other = world.working[k, i]
        found = found or (other != slot and would_trade(market, order, world.orders[other]))
    order.limit = old
    return found
