"""What a kernel strategy sees and what it may say: records of numbers, the same in compiled code and in the engine.

One VIEW an instrument. Prices are ticks, quantities lots, times nanoseconds; what is counted is counted since the
strategy was last asked. A strategy answers into an ANSWER; the functions of ``strategies.kernels`` fill it in.
"""

import numpy as np

LEVELS_MAX = 10  # Levels of each side a view can show
ORDERS_MAX = 32  # Own orders of one instrument a view shows, the oldest first
COMMANDS_MAX = 64  # What a strategy may ask for at once
NOTES_MAX = 32  # What it may put on record at once

ONE_ORDER_NS = 1_000  # Trades of one side that follow so closely are of one market order

# State of an own order, as far as we know it
SENT, LIVE, CANCELLING = 1, 2, 3
# What keeps a book from being believed, 0 for nothing
EMPTY, ONE_SIDED, CROSSED, GAP = 1, 2, 3, 4
# Commands
NEW, CANCEL, REPLACE = 1, 2, 3
# Time in force
GTC, IOC, FOK, DAY = 0, 1, 2, 3
# No price: a market order has no limit, and what is no stop has no trigger
NO_PRICE = -(2**62)

VIEW = np.dtype(
    [
        ("time_ns", "i8"),
        ("guard", "i8"),  # Why the book must not be traded on; 0 if it may
        ("halted", "i8"),
        ("bid_ticks", "i8"),  # Best bid and ask as they were last believed; 0 lots before the first
        ("bid_lots", "i8"),
        ("ask_ticks", "i8"),
        ("ask_lots", "i8"),
        ("heard_ns", "i8"),  # When the last news of the book came; 0 for never
        ("position_lots", "i8"),
        ("price_tick", "f8"),
        ("quantity_lot", "f8"),
        ("updates", "i8"),  # Book updates that could be believed
        ("flow_lots", "i8"),  # Order-flow imbalance of the best quotes: the sum of e_n (Cont, Kukanov, Stoikov 2014)
        ("buys", "i8"),  # Market orders: trades of one side within ONE_ORDER_NS are one
        ("sells", "i8"),
        ("buy_lots", "i8"),
        ("sell_lots", "i8"),
        ("buy_depth_half_ticks", "i8"),  # How far from the mid they reached, summed over orders
        ("sell_depth_half_ticks", "i8"),
        ("buy_touch_half_ticks", "i8"),  # How far the touch was then: half the spread, summed over the same orders
        ("sell_touch_half_ticks", "i8"),
        ("last_trade_ticks", "i8"),
        ("bought_lots", "i8"),  # Our own fills
        ("sold_lots", "i8"),
        ("rejected", "i8"),  # Own orders that were refused
        ("bids_ticks", "i8", (LEVELS_MAX,)),  # As many levels as the strategy asks for, best first; 0 lots beyond
        ("bids_lots", "i8", (LEVELS_MAX,)),
        ("asks_ticks", "i8", (LEVELS_MAX,)),
        ("asks_lots", "i8", (LEVELS_MAX,)),
        ("orders", "i8"),  # How many own orders are shown
        ("order_number", "i8", (ORDERS_MAX,)),
        ("order_state", "i8", (ORDERS_MAX,)),
        ("order_sign", "i8", (ORDERS_MAX,)),  # 1 buys, -1 sells
        ("order_ticks", "i8", (ORDERS_MAX,)),
        ("order_lots", "i8", (ORDERS_MAX,)),  # What is left of it
        ("order_ahead", "f8", (ORDERS_MAX,)),  # Lots ahead in its queue, as estimated; -1 where nobody can tell
    ],
    align=True,
)

ANSWER = np.dtype(
    [
        ("commands", "i8"),  # How many there are; more than COMMANDS_MAX is a mistake and stops the strategy
        ("kind", "i8", (COMMANDS_MAX,)),
        ("instrument", "i8", (COMMANDS_MAX,)),
        ("order", "i8", (COMMANDS_MAX,)),  # Which to cancel or replace
        ("sign", "i8", (COMMANDS_MAX,)),
        ("lots", "i8", (COMMANDS_MAX,)),
        ("limit_ticks", "i8", (COMMANDS_MAX,)),
        ("stop_ticks", "i8", (COMMANDS_MAX,)),
        ("time_in_force", "i8", (COMMANDS_MAX,)),
        ("post_only", "i8", (COMMANDS_MAX,)),
        ("reduce_only", "i8", (COMMANDS_MAX,)),
        ("notes", "i8"),
        ("note_code", "i8", (NOTES_MAX,)),
        ("note_instrument", "i8", (NOTES_MAX,)),
        ("note_value", "f8", (NOTES_MAX,)),
        ("line", "i8"),  # The line of source that is at work, 0 where nobody keeps track: for what goes wrong
        ("lines", "i8", (COMMANDS_MAX,)),  # The line each command came from
    ],
    align=True,
)

# Fields of a view that count since the strategy was last asked
COUNTED = (
    "updates", "flow_lots", "buys", "sells", "buy_lots", "sell_lots", "buy_depth_half_ticks", "sell_depth_half_ticks",
    "buy_touch_half_ticks", "sell_touch_half_ticks", "bought_lots", "sold_lots", "rejected",
)  # fmt: skip
