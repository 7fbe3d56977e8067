"""How long our orders rested, and how near the touch: read from the commands of a run, which are all on record.

Reports are not, so when an order began and ended is worked out: it arrives at the venue by the line of its orders, is
taken away by a cancel that arrives, by its last fill, or by the end of its day. What the venue ended on its own
accord, at a moment nobody wrote down, is counted and left out.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from njord.domain.clock import NS_PER_DAY
from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.order import NewOrder, OrderStatus, Side, TimeInForce
from njord.engine.assemble import Assembly
from njord.ledger.journal import Record
from njord.research.making_tops import Tops
from njord.venues.simulated.latency import Line

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NEAR_TICKS = (0, 1, 5, 10)
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
_decode = msgspec.json.Decoder(Record).decode
_ORDER_TAGS = (b'"new_order"', b'"cancel_order"', b'"replace_order"')


class Life(msgspec.Struct):
    """A limit order at one price, from when the venue had it to when it was gone. ``end_ns`` is None while it rests.

    ``first_fill_ns`` is its first fill as a maker, ``filled_lots`` all of them. An order that is moved has a life at
    each price.
    """

    order_id: ClientOrderId
    instrument_id: InstrumentId
    side: int  # +1 buys, -1 sells
    price_ticks: int
    lots: int
    start_ns: int
    end_ns: int | None = None
    first_fill_ns: int | None = None
    filled_lots: int = 0


class Lives(msgspec.Struct):
    """The lives of all limit orders that rested, in the order they began. ``unknown`` have no end on record."""

    lives: list[Life]
    unknown: int


class Uptime(msgspec.Struct, frozen=True):
    """Shares 0..1 of the time from first to last price: with a bid, an offer, or both resting.

    ``near`` are the same with the order at most so many ticks behind the best price of its own side.
    """

    instrument_id: InstrumentId
    bid: float
    ask: float
    both: float
    near: dict[int, tuple[float, float, float]]


def lives_of(assembly: Assembly) -> Lives:
    """Return the lives of a run's limit orders. Reads its journal, which is open."""
    lines: dict[str, Line] = {}
    ending: dict[ClientOrderId, Life] = {}
    found: list[Life] = []
    done = assembly.backtest.state.orders.done
    for text in assembly.backtest.journal.lines():
        if not any(tag in text for tag in _ORDER_TAGS):
            continue
        record = _decode(text)
        command = record.command
        if not isinstance(command, NewOrder | CancelOrder | ReplaceOrder):
            continue
        name = command.instrument_id
        venue = assembly.instruments[name].venue
        if venue not in lines:
            lines[venue] = assembly.venues[name].settings.order_line()
        arrives_ns = lines[venue].arrives_ns(record.time_ns)
        if isinstance(command, NewOrder):
            rests = command.limit_ticks is not None and command.stop_ticks is None
            refused = done.get(command.client_order_id) is OrderStatus.REJECTED
            if not rests or refused or command.time_in_force in _AT_ONCE:
                continue
            assert command.limit_ticks is not None
            side = 1 if command.side is Side.BUY else -1
            life = Life(command.client_order_id, name, side, command.limit_ticks, command.quantity_lots, arrives_ns)
            if command.time_in_force is TimeInForce.DAY:
                life.end_ns = (arrives_ns // NS_PER_DAY + 1) * NS_PER_DAY
            ending[command.client_order_id] = life
            found.append(life)
        elif command.client_order_id in ending:
            life = ending[command.client_order_id]
            life.end_ns = arrives_ns if life.end_ns is None else min(life.end_ns, arrives_ns)
            if isinstance(command, ReplaceOrder) and command.limit_ticks is not None:
                moved = Life(life.order_id, name, life.side, command.limit_ticks, command.quantity_lots, arrives_ns)
                ending[life.order_id] = moved
                found.append(moved)
    return _ended(assembly, found)


def _ended(assembly: Assembly, found: list[Life]) -> Lives:
    lives_of_order: dict[ClientOrderId, list[Life]] = {}
    for life in found:
        lives_of_order.setdefault(life.order_id, []).append(life)
    done = assembly.backtest.state.orders.done
    # One that was filled lives until its last fill, whatever was on its way by then
    for fill in assembly.backtest.fills:
        if done.get(fill.client_order_id) is OrderStatus.FILLED and fill.client_order_id in lives_of_order:
            lives_of_order[fill.client_order_id][-1].end_ns = fill.venue_time_ns
    for fill in assembly.backtest.fills:
        for life in lives_of_order.get(fill.client_order_id, ()):
            if life.start_ns <= fill.venue_time_ns and (life.end_ns is None or fill.venue_time_ns <= life.end_ns):
                life.filled_lots += fill.quantity_lots
                life.first_fill_ns = life.first_fill_ns or fill.venue_time_ns
                break
    known = [life for life in found if life.end_ns is not None or life.order_id not in done]
    # A move that came too late, or an order gone before it: nothing rested
    lived = [life for life in known if life.end_ns is None or life.end_ns >= life.start_ns]
    return Lives(lived, len(found) - len(known))


def uptimes(lives: Lives, tops: Mapping[InstrumentId, Tops]) -> list[Uptime]:
    """Return how long there was a quote, for each instrument that has prices and had orders."""
    found = []
    for name, top in tops.items():
        theirs = [life for life in lives.lives if life.instrument_id == name]
        if not theirs or len(top.time_ns) < 2:
            continue
        begin_ns, end_ns = int(top.time_ns[0]), top.end_ns
        sides = {side: [_clipped(life, begin_ns, end_ns) for life in theirs if life.side == side] for side in (1, -1)}
        anywhere = _shares(sides[1], sides[-1], begin_ns, end_ns)
        near = {}
        for ticks in NEAR_TICKS:
            parts = {
                side: [part for life in theirs if life.side == side for part in _near(life, top, ticks)]
                for side in (1, -1)
            }
            near[ticks] = _shares(parts[1], parts[-1], begin_ns, end_ns)
        found.append(Uptime(name, *anywhere, near))
    return found


def _clipped(life: Life, begin_ns: int, end_ns: int) -> tuple[int, int]:
    until_ns = end_ns if life.end_ns is None else min(life.end_ns, end_ns)
    return max(life.start_ns, begin_ns), until_ns


def _near(life: Life, top: Tops, ticks: int) -> list[tuple[int, int]]:
    # While an order rests the touch moves: the stretches in which it is near enough
    start_ns, end_ns = _clipped(life, int(top.time_ns[0]), top.end_ns)
    if end_ns <= start_ns:
        return []
    first, last = top.at(np.array([start_ns, end_ns], dtype=np.int64)).tolist()
    touch = top.bid_ticks[first : last + 1] if life.side > 0 else top.ask_ticks[first : last + 1]
    close = (touch - life.price_ticks) * life.side <= ticks
    edges = np.append(np.maximum(top.time_ns[first : last + 1], start_ns), end_ns)
    turns = np.flatnonzero(np.diff(np.concatenate([[False], close, [False]]).astype(np.int8)))
    return [(int(edges[a]), int(edges[b])) for a, b in turns.reshape(-1, 2).tolist()]


def _shares(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], begin_ns: int, end_ns: int
) -> tuple[float, float, float]:
    # How many rest at each moment, from what begins and ends; where both are above 0, both do
    times: list[Ints] = []
    steps: list[npt.NDArray[np.int64]] = []
    for column, parts in enumerate((bids, asks)):
        edges = np.array([part for part in parts if part[1] > part[0]], dtype=np.int64).reshape(-1, 2)
        step = np.zeros((2 * len(edges), 2), dtype=np.int64)
        step[: len(edges), column], step[len(edges) :, column] = 1, -1
        times.append(edges.T.reshape(-1))
        steps.append(step)
    moments = np.concatenate([*times, [end_ns]])
    changes = np.concatenate([*steps, np.zeros((1, 2), dtype=np.int64)])
    order = np.argsort(moments, kind="stable")
    resting = np.cumsum(changes[order], axis=0)[:-1] > 0
    widths = np.diff(moments[order])
    whole = max(1, end_ns - begin_ns)
    bid, ask = (float(widths[resting[:, column]].sum() / whole) for column in (0, 1))
    return bid, ask, float(widths[resting.all(axis=1)].sum() / whole)
