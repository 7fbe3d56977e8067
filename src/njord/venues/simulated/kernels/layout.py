"""Records of the compiled venue, and the numbers that stand for words in them.

Everything is an array made once, before the first event; nothing is allocated while events pass. All sizes are limits,
and what happens at them is a code in ``Clock.error`` that the caller turns into a sentence.
"""

from typing import Any, NamedTuple, cast

import numpy as np


def _numbers(start: int, end: int) -> list[int]:
    # Not plain integers: the compiler would make a copy of a function for each one it is called with
    return cast("list[int]", [np.int64(number) for number in range(start, end)])


Record = Any  # A record of a structured array, whose fields mypy does not know

# Rows of a tape. The last row of each update has LAST added
BID, ASK, TRADE_BUY, TRADE_SELL, TRADE_UNKNOWN, CLEAR, HALT, RESUME, BID_LEFT, ASK_LEFT = _numbers(0, 10)
LAST = 128
WHAT = 127

# Messages: to the venue, back from it, and what only the log sees
SEND_NEW, SEND_CANCEL, SEND_REPLACE = _numbers(1, 4)
ACCEPTED, REJECTED, CANCELLED, EXPIRED, REPLACED, CANCEL_REJECTED, FILLED = _numbers(10, 17)
REFUSED, NOTE = _numbers(20, 22)
# What is under way, in the order it comes where moments are equal
# (our timer comes last, and is no message)
REPORT, NEWS, ARRIVAL = _numbers(0, 3)
# Directions of a line
ORDERS_IN, REPORTS_OUT = _numbers(0, 2)
# Market data sets of an instrument, each with a line of its own
FEED_STATUS, FEED_BOOK, FEED_TRADES = _numbers(0, 3)

# Why fills happened, and why orders did not live
QUOTE_THROUGH, TRADE_THROUGH, TRADE_AT_LIMIT, CROSSED_BOOK = _numbers(0, 4)
(
    HALTED, TOO_MANY, BELOW_QUANTITY_MIN, PRICE_INVALID, BELOW_NOTIONAL_MIN, POST_ONLY, REDUCE_ONLY, SELF_TRADE,
    NO_LIQUIDITY, NOT_AT_ONCE, REQUESTED, ORDER_DONE, ORDER_UNKNOWN,
) = _numbers(0, 13)  # fmt: skip
NO_REASON = _numbers(-1, 0)[0]
MAKER, TAKER = _numbers(0, 2)
BOOK_CAUSE, TRADE_CAUSE = _numbers(0, 2)

# Queue models, self-trade prevention and slippage, by number
Q_CROSS, Q_RISK_AVERSE, Q_POWER, Q_LOG, Q_POWER_OF_TOTAL, Q_LOG_OF_TOTAL, Q_FRONT_SHARE, Q_EXACT, Q_TOUCH = _numbers(
    0, 9
)
CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH = _numbers(0, 3)
SLIP_NONE, SLIP_FIXED, SLIP_LINEAR, SLIP_SQUARE_ROOT = _numbers(0, 4)

# Where an event stands between being matched and being heard of
PHASE_MARKET, PHASE_REPORTS, PHASE_NEWS = _numbers(0, 3)
# What a call to the loop ended with
ENDED, DECIDE, DRAIN, FAILED = _numbers(0, 4)
# What went wrong
(
    OK, TOO_MANY_UNDER_WAY, TOO_MANY_SLOTS, TOO_MANY_ORDERS_EVER, TOO_MANY_TAKEN, ENDLESS, BAD_LOTS, TOO_MANY_COMMANDS,
    BAD_ORDER, BAD_NOTE,
) = _numbers(0, 10)  # fmt: skip

NEVER_NS = 2**62
NS_PER_DAY = 86_400_000_000_000

# Limits
SLOTS_MAX = 4_096  # Own orders alive at once
ORDERS_EVER_MAX = 16_777_216
UNDER_WAY_MAX = 65_536
LOG_MAX = 16_384
LOG_SPARE = 4_096  # The loop asks for the log to be drained when less than this is left of it
TAKEN_MAX = 4_096  # Levels we took from that have not been shown anew
LEVELS_WALKED_MAX = 10_000
REACTIONS_MAX = 10_000


def _record(ints: str, floats: str = "") -> np.dtype[np.void]:
    fields = [(name, "i8") for name in ints.split()] + [(name, "f8") for name in floats.split()]
    return np.dtype(fields, align=True)


CLOCK = _record(
    "market_ns local_ns reports row base phase news_row sent log_count mine_count free_count orders_ever reactions"
    " error error_number error_line every_ns wake_on_fills shared timer_set timer_ns timer_due heard_since depth asked"
    " final one_feed heard_row next_row news_ns pending_head pending_count now_head now_count"
)
MARKET = _record(
    # Ladder: the cell of a price is offset + price - floor
    "offset floor cells bid ask bids asks bid_low bid_high ask_low ask_high ready skip sequence time_ns"
    # The venue
    " venue halted has_trade working day_orders taken fills position"
    # Of our orders there: the best limits of each side, how many stops wait, a bit for each price modulo 64 at which
    # one is; whether the last update touched such a price, or the best ones; whether those could be believed, and
    # whether since then there were some that could not
    " own_bid own_ask stops own_prices touched top believed missed"
    # Rules of the instrument and the venue
    " quantity_min notional_min negative self_trade open_max queue touch slippage"
    # The last market order we heard of
    " trade_ns trade_sign trade_depth trade_mid",
    "exponent coefficient",
)
ORDER = _record(
    "number market sign quantity leaves limit stop time_in_force post_only reduce_only arrived_ns day_end_ns level"
    " working"
    # Our own knowledge of it
    " state mine_leaves mine_quantity mine_limit mine_ahead",
    "ahead",
)
MESSAGE = _record(
    "due_ns what sent kind slot number market sign lots limit stop reason liquidity cause cause_ns cause_sequence fill"
    " venue_ns local_ns row",
    "value",
)
LINE = _record("constant_ns first knots last_ns")


class World(NamedTuple):
    """All state of a compiled run. ``seen`` is the book as we know it: the venue's own where news takes no time."""

    clock: Any  # CLOCK (1,)
    markets: Any  # MARKET (instruments,)
    bids: Any  # int64 ladders, one after the other
    asks: Any
    seen: Any  # MARKET (instruments,)
    seen_bids: Any
    seen_asks: Any
    orders: Any  # ORDER (SLOTS_MAX,)
    working: Any  # int64 (instruments, SLOTS_MAX): slots at the venue, oldest first
    turn: Any  # int64 (SLOTS_MAX,): scratch for going through them
    mine: Any  # int64 (SLOTS_MAX,): slots we know of, oldest first
    free: Any  # int64 (SLOTS_MAX,): unused slots
    fate: Any  # int8 (ORDERS_EVER_MAX,): whether the venue ever had an order
    pending: Any  # MESSAGE (UNDER_WAY_MAX,): a ring in order of time
    now: Any  # MESSAGE (UNDER_WAY_MAX,): a ring of what happens without delay
    outbox: Any  # MESSAGE (LOG_MAX,): what a venue reports of one event
    log: Any  # MESSAGE (LOG_MAX,)
    lines: Any  # LINE (venues, 2): orders, reports
    feeds: Any  # LINE (instruments, 3): status, book, trades
    knot_times: Any  # int64: knots of all latency curves
    knot_latencies: Any
    taken: Any  # int64 (instruments, TAKEN_MAX, 3): taker's sign, price, lots
    message: Any  # MESSAGE (2,): scratch
    views: Any  # VIEW (instruments,)


class Tape(NamedTuple):
    """Events as columns: one row a level, a trade or a change of trading status."""

    times_ns: Any
    what: Any  # uint8
    markets: Any  # uint8
    price_ticks: Any
    lots: Any
    sequence: Any
    entered_ns: Any  # Of BID_LEFT and ASK_LEFT rows: when the order that left had come. Empty where there are none
