"""What must be equal of two runs over the same rows: fills, commands, notes, money, and the life of each order."""

import msgspec

from njord.domain.command import CancelOrder, Entry, Refused, ReplaceOrder, StrategyNote
from njord.domain.event import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
)
from njord.domain.fill import Fill
from njord.domain.order import NewOrder
from njord.ledger.journal import Record
from njord.venues.simulated.kernels import layout

_KINDS = (NewOrder, CancelOrder, ReplaceOrder, Refused, StrategyNote, Entry)
_decode = msgspec.json.Decoder(Record).decode


def same(plain, fast, run):
    """Assert that an engine's run and a compiled one of the same config are equal in all that counts."""
    assert not plain.backtest.stopped, plain.backtest.stopped
    equal(fast.backtest.fills, plain.backtest.fills)
    equal(commands(fast), commands(plain))
    assert fast.backtest.orders == plain.backtest.orders
    assert fast.backtest.refused == plain.backtest.refused
    assert fast.backtest.state.last_price == plain.backtest.state.last_price
    assert fast.backtest.state.equity_units() == plain.backtest.state.equity_units()
    same_lives(plain, run)


def same_lives(plain, run):
    """Assert that both strategies were told the same of their orders, at the same moments."""
    told = plain.strategies["given"].told
    equal(lives(run), [_told(*each) for each in told if not isinstance(each[1], Refused)])


def equal(fast, plain):
    """Assert that two lists are the same; say where they part, if they do."""
    for place, (one, other) in enumerate(zip(fast, plain, strict=False)):
        assert one == other, f"number {place}: compiled {one}, plain {other}"
    assert len(fast) == len(plain), f"compiled {fast[len(plain) :][:1]}, plain {plain[len(fast) :][:1]}"


def commands(assembly):
    """Return what the journal says of a run's commands: when, and which."""
    records = (_decode(line) for line in assembly.backtest.journal.lines())
    return [(r.time_ns, r.command) for r in records if isinstance(r.command, _KINDS) and r.cause != "start"]


def _told(time_ns, news):
    number = int(news.client_order_id.rpartition("-")[2])
    match news:
        case Fill():
            return (time_ns, "filled", number, news.quantity_lots, news.price_ticks)
        case OrderReplaced():
            limit = layout_limit(news.limit_ticks)
            return (time_ns, "replaced", number, news.quantity_lots, limit)
        case OrderRejected() | OrderCancelled() | CancelRejected():
            return (time_ns, _NAMES[type(news)], number, str(news.reason))
    return (time_ns, _NAMES[type(news)], number)


def lives(run):
    """Return what a compiled run's log says of its orders: what we are told of those we have not heard the end of."""
    found, done, lots = [], set(), {}
    for row in run.messages():
        kind, number = int(row["kind"]), int(row["number"])
        head = (int(row["local_ns"]), _WORDS.get(kind), number)
        if kind == layout.SEND_NEW:
            lots[number] = [int(row["lots"]), int(row["lots"])]
        if head[1] is None or number in done:
            continue
        if kind in (layout.FILLED, layout.REPLACED):
            found.append((*head, int(row["lots"]), int(row["limit"])))
        elif kind in (layout.REJECTED, layout.CANCELLED, layout.CANCEL_REJECTED):
            found.append((*head, run.venue.rejection_of(row)))
        else:
            found.append(head)
        if kind == layout.FILLED:
            lots[number][0] -= int(row["lots"])
        elif kind == layout.REPLACED:
            left, total = lots[number]
            lots[number] = [left + int(row["lots"]) - total, int(row["lots"])]
        if kind in (layout.REJECTED, layout.CANCELLED, layout.EXPIRED) or lots[number][0] == 0:
            done.add(number)
    return found


def layout_limit(limit_ticks):
    from njord.market.view import NO_PRICE

    return NO_PRICE if limit_ticks is None else limit_ticks


_NAMES = {
    OrderAccepted: "accepted", OrderRejected: "rejected", OrderCancelled: "cancelled", OrderExpired: "expired",
    CancelRejected: "cancel rejected",
}  # fmt: skip
_WORDS = {
    int(layout.ACCEPTED): "accepted", int(layout.REJECTED): "rejected", int(layout.CANCELLED): "cancelled",
    int(layout.EXPIRED): "expired", int(layout.REPLACED): "replaced", int(layout.CANCEL_REJECTED): "cancel rejected",
    int(layout.FILLED): "filled",
}  # fmt: skip
