"""What a kernel strategy may ask for: orders, cancels, replacements, a two-sided quote, a note for the record.

Each function fills in the answer (``market.view.ANSWER``) that ``decide`` is handed. Prices are ticks, quantities lots,
``instrument`` is the position of its view. What is no whole number is cut off towards zero. More than COMMANDS_MAX
commands, a quantity below 0, or a price or quantity that is no number stops the strategy.

They are compiled into whoever calls them; where numba is not there they are plain Python, and do the same.
"""

from typing import Any

from njord.market.view import (
    CANCEL,
    CANCELLING,
    COMMANDS_MAX,
    GTC,
    NEW,
    NO_PRICE,
    NOTES_MAX,
    REPLACE,
    SENT,
)
from njord.strategies.compilable import compilable

WHOLE_MAX = 2.0**63


@compilable
def number(value: float) -> float:
    """Return a number. Raises ValueError for what is none, or too large to count with.

    Reference: itself as plain Python, where int(value) raises for the same.
    """
    if -WHOLE_MAX <= value < WHOLE_MAX:
        return value
    raise ValueError("cannot make an integer of what is no number, or infinite")


@compilable
def whole(value: float) -> int:
    """Return a number without its fraction. Raises ValueError for what is no number, or too large to count with.

    Reference: int, of which compiled code makes some number whatever it is given.
    """
    return int(number(value))


@compilable
def order(
    out: Any, instrument: int, sign: int, lots: int, limit_ticks: int, stop_ticks: int, time_in_force: int,
    post_only: int, reduce_only: int,
) -> None:  # fmt: skip
    """Ask for an order of any kind. ``NO_PRICE`` for no limit (at market) and for no trigger.

    Reference: engine.desk.StrategyDesk.buy and sell, which an answer becomes a call of.
    """
    i = out.commands
    out.commands = i + 1
    if i < COMMANDS_MAX:
        out.kind[i], out.instrument[i], out.order[i], out.sign[i] = NEW, instrument, 0, sign
        out.lots[i], out.limit_ticks[i], out.stop_ticks[i] = whole(lots), whole(limit_ticks), whole(stop_ticks)
        out.time_in_force[i], out.post_only[i], out.reduce_only[i] = time_in_force, post_only, reduce_only
        out.lines[i] = out.line


@compilable
def buy(out: Any, instrument: int, lots: int, limit_ticks: int) -> None:
    """Bid, post-only, until cancelled.

    Reference: engine.desk.StrategyDesk.buy.
    """
    order(out, instrument, 1, lots, limit_ticks, NO_PRICE, GTC, 1, 0)


@compilable
def sell(out: Any, instrument: int, lots: int, limit_ticks: int) -> None:
    """Offer, post-only, until cancelled.

    Reference: engine.desk.StrategyDesk.sell.
    """
    order(out, instrument, -1, lots, limit_ticks, NO_PRICE, GTC, 1, 0)


@compilable
def take(out: Any, instrument: int, sign: int, lots: int) -> None:
    """Trade at market.

    Reference: engine.desk.StrategyDesk.buy and sell, without a limit.
    """
    order(out, instrument, sign, lots, NO_PRICE, NO_PRICE, GTC, 0, 0)


@compilable
def cancel(out: Any, number: int) -> None:
    """Cancel an own order. One that is being cancelled already, or is done, is left alone.

    Reference: engine.desk.StrategyDesk.cancel.
    """
    i = out.commands
    out.commands = i + 1
    if i < COMMANDS_MAX:
        out.kind[i], out.order[i], out.lines[i] = CANCEL, number, out.line


@compilable
def replace(out: Any, number: int, lots: int, limit_ticks: int) -> None:
    """Change an own order's total quantity and limit; NO_PRICE leaves the limit. It loses its place unless it only gets
    smaller.

    Reference: engine.desk.StrategyDesk.replace.
    """
    i = out.commands
    out.commands = i + 1
    if i < COMMANDS_MAX:
        out.kind[i], out.order[i], out.lines[i] = REPLACE, number, out.line
        out.lots[i], out.limit_ticks[i] = whole(lots), whole(limit_ticks)


@compilable
def cancel_all(view: Any, out: Any, instrument: int) -> None:
    """Cancel every own order of an instrument.

    Reference: engine.desk.StrategyDesk.cancel_all.
    """
    seen = view[instrument]
    for i in range(seen.orders):
        if seen.order_state[i] != CANCELLING:
            cancel(out, seen.order_number[i])


@compilable
def note(out: Any, instrument: int, code: int, value: float) -> None:
    """Put a number on record. What the code means is in the strategy's ``notes``.

    Reference: engine.desk.StrategyDesk.note.
    """
    i = out.notes
    out.notes = i + 1
    if i < NOTES_MAX:
        out.note_code[i], out.note_instrument[i], out.note_value[i] = code, instrument, value


@compilable
def quote(view: Any, out: Any, instrument: int, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int) -> None:
    """Have one bid and one ask, post-only: what rests as asked stays where it is in its queue, anything else goes.

    0 lots: nothing on that side. A quote that would meet our own order on the other side waits until that one is gone.

    Reference: itself as plain Python.
    """
    quote_side(view, out, instrument, 1, bid_ticks, bid_lots)
    quote_side(view, out, instrument, -1, ask_ticks, ask_lots)


@compilable
def quote_side(view: Any, out: Any, instrument: int, sign: int, ticks: int, lots: int) -> None:
    """Have one order on one side, as ``quote`` does.

    Reference: itself as plain Python.
    """
    ticks, lots = whole(ticks), whole(lots)
    seen = view[instrument]
    kept = False
    meets = False
    for i in range(seen.orders):
        if seen.order_sign[i] != sign:
            meets = meets or (seen.order_ticks[i] - ticks) * sign <= 0
        elif seen.order_state[i] != CANCELLING:
            # Partly filled, it is smaller than asked and yet the one to keep: it is further up than a new one
            same = seen.order_ticks[i] == ticks and seen.order_lots[i] <= lots
            if same and not kept and lots > 0:
                kept = True
            else:
                cancel(out, seen.order_number[i])
    if lots > 0 and not kept and not meets:
        order(out, instrument, sign, lots, ticks, NO_PRICE, GTC, 1, 0)


@compilable
def open_lots(view: Any, instrument: int, sign: int) -> int:
    """Return what own orders of one side could still fill, those being cancelled included.

    Reference: engine.desk.StrategyDesk.open_orders, summed.
    """
    seen = view[instrument]
    lots = 0
    for i in range(seen.orders):
        if seen.order_sign[i] == sign:
            lots += seen.order_lots[i]
    return lots


@compilable
def in_flight(view: Any, instrument: int) -> int:
    """Return how many own orders are on their way to the venue or to their cancellation.

    Reference: execution.oms.Tracked.status, counted.
    """
    seen = view[instrument]
    count = 0
    for i in range(seen.orders):
        if seen.order_state[i] == SENT or seen.order_state[i] == CANCELLING:
            count += 1
    return count
