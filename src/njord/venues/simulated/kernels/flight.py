"""What is under way: two rings of messages, and the lines they travel on.

Reference: engine.backtest.Backtest, simulated.latency.Line.
"""

import math
from typing import Any

from njord.venues.simulated.kernels.inner import hot, inner
from njord.venues.simulated.kernels.layout import (
    ARRIVAL,
    LOG_MAX,
    NEWS,
    ORDERS_IN,
    REPORT,
    REPORTS_OUT,
    TOO_MANY_UNDER_WAY,
    UNDER_WAY_MAX,
    Record,
    World,
)


@hot
def arrives_ns(world: World, line: Record, sent_ns: int) -> int:
    """Return when what is sent now arrives."""
    if line.knots == 0:
        return int(sent_ns + line.constant_ns)
    return curve_arrives_ns(line, world.knot_times, world.knot_latencies, sent_ns)


@inner
def curve_arrives_ns(line: Record, times: Any, latencies: Any, sent_ns: int) -> int:
    """Return when what is sent now arrives on a line that has knots, never before what was sent earlier."""
    first, last = line.first, line.first + line.knots - 1
    if sent_ns < times[first] or first == last:
        latency_ns = latencies[first]
    elif sent_ns >= times[last]:
        latency_ns = latencies[last]
    else:
        low, high = first, last  # times[low] <= sent_ns < times[high]
        while high - low > 1:
            middle = (low + high) // 2
            if times[middle] <= sent_ns:
                low = middle
            else:
                high = middle
        share = (sent_ns - times[low]) / (times[high] - times[low])
        latency_ns = latencies[low] + math.floor((latencies[high] - latencies[low]) * share)
    line.last_ns = max(line.last_ns, sent_ns + latency_ns)
    return int(line.last_ns)


@inner
def push(world: World, due_ns: int, what: int, message: Record) -> None:
    """Put a message under way: behind all that come before it, or at the same moment and were sent before."""
    clock, ring = world.clock[0], world.pending
    count, head = clock.pending_count, clock.pending_head
    if count == UNDER_WAY_MAX:
        clock.error, clock.error_number = TOO_MANY_UNDER_WAY, UNDER_WAY_MAX
        return
    message.due_ns, message.what, message.sent = due_ns, what, clock.sent
    clock.sent += 1
    place = count
    while place > 0:
        before = ring[(head + place - 1) % UNDER_WAY_MAX]
        if before.due_ns < due_ns or (before.due_ns == due_ns and before.what <= what):
            break
        ring[(head + place) % UNDER_WAY_MAX] = before
        place -= 1
    ring[(head + place) % UNDER_WAY_MAX] = message
    clock.pending_count = count + 1


@inner
def push_now(world: World, what: int, message: Record) -> None:
    """Put a message behind all that happens without delay."""
    clock = world.clock[0]
    if clock.now_count == UNDER_WAY_MAX:
        clock.error, clock.error_number = TOO_MANY_UNDER_WAY, UNDER_WAY_MAX
        return
    message.what = what
    world.now[(clock.now_head + clock.now_count) % UNDER_WAY_MAX] = message
    clock.now_count += 1


@inner
def news_is_due(pending: Any, clock: Record) -> bool:
    """Whether news that was sent before is to be heard at this very moment."""
    for place in range(clock.pending_count):
        message = pending[(clock.pending_head + place) % UNDER_WAY_MAX]
        if message.due_ns > clock.market_ns:
            return False
        if message.what == NEWS:
            return True
    return False


@inner
def pop(world: World) -> int:
    """Take the first message under way. Return its place, which holds it until the next push."""
    clock = world.clock[0]
    place = clock.pending_head
    clock.pending_head = (place + 1) % UNDER_WAY_MAX
    clock.pending_count -= 1
    return int(place)


@inner
def pop_now(world: World) -> int:
    """Take the first message of those without delay. Return its place, which holds it until the next push."""
    clock = world.clock[0]
    place = clock.now_head
    clock.now_head = (place + 1) % UNDER_WAY_MAX
    clock.now_count -= 1
    return int(place)


@inner
def deliver(world: World, venue: int, venue_ns: int, sent_ns: int, message: Record) -> None:
    """Put a report of what was so at ``venue_ns`` into the venue's outbox."""
    clock = world.clock[0]
    if clock.reports == LOG_MAX:
        clock.error, clock.error_number = TOO_MANY_UNDER_WAY, LOG_MAX
        return
    message.venue_ns, message.due_ns, message.row = venue_ns, sent_ns, venue
    world.outbox[clock.reports] = message
    clock.reports += 1


@inner
def flush(world: World) -> None:
    """Send the reports of the outbox on their way to us."""
    clock = world.clock[0]
    count, clock.reports = clock.reports, 0
    for i in range(count):
        message = world.outbox[i]
        local_ns = arrives_ns(world, world.lines[message.row, REPORTS_OUT], message.due_ns)
        message.local_ns = local_ns
        if local_ns > clock.market_ns:
            push(world, local_ns, REPORT, message)
        else:
            push_now(world, REPORT, message)


@inner
def send(world: World, venue: int, message: Record) -> None:
    """Send a command on its way to a venue."""
    clock = world.clock[0]
    now_ns = max(clock.market_ns, clock.local_ns)
    due_ns = arrives_ns(world, world.lines[venue, ORDERS_IN], now_ns)
    if due_ns > now_ns:
        push(world, due_ns, ARRIVAL, message)
    else:
        push_now(world, ARRIVAL, message)


@inner
def write(world: World, message: Record) -> None:
    """Put a message on record. The loop sees to it that there is room."""
    clock = world.clock[0]
    if clock.log_count < LOG_MAX:
        world.log[clock.log_count] = message
        clock.log_count += 1
    else:
        clock.error, clock.error_number = TOO_MANY_UNDER_WAY, LOG_MAX
