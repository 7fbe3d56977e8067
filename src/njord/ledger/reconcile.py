"""Reconciliation: our account's orders and fills held against the venue's truth. Pure: two accounts in, events out.

Invariants:
1. applying the events to our account and asking again gives no further events: it converges in one pass;
2. no order is dropped: what the venue has never heard of stays as it is until it must have arrived, and what it says it
   lost is a discrepancy, never an end;
3. no fill is invented: each comes with the venue's own id, and lots that no fill accounts for are a discrepancy, as
   are fills an order has no room for;
4. with any discrepancy nobody may trade until a person has looked.

Ids of events are those of the venue's fills and our orders, so a restart finds the same ones instead of new ones.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from njord.domain.event import OrderAccepted, OrderCancelled, OrderExpired, OrderRejected, OrderReplaced, Report
from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId, FillId, InstrumentId
from njord.domain.order import OrderStatus, Rejection, Side

DISCREPANCIES_MAX = 1_000


class DiscrepancyKind(enum.StrEnum):
    """What cannot be brought together. Closed list."""

    FOREIGN_ORDER = "foreign_order"  # The venue has an open order that is not on record here
    FOREIGN_FILL = "foreign_fill"  # It filled one
    LOST_ORDER = "lost_order"  # It once accepted an order it has never heard of now
    MISSING_FILLS = "missing_fills"  # It says more was filled than its fills come to
    TOO_MANY_FILLS = "too_many_fills"  # We have fills of an order that it has not
    OVERFILL = "overfill"  # It filled more of an order than there was
    RISEN_ORDER = "risen_order"  # It has an order open that is over here
    STATUS = "status"  # What it says became of an order cannot be
    POSITION = "position"  # What its fills come to is not what it says is held


class Discrepancy(msgspec.Struct, frozen=True):
    """One thing that needs a person, and both sides of it."""

    kind: DiscrepancyKind
    subject: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: ours {self.ours}, the venue's {self.theirs}"


class Ours(Protocol):
    """One of our open orders, as we know it."""

    @property
    def client_order_id(self) -> ClientOrderId: ...
    @property
    def instrument_id(self) -> InstrumentId: ...
    @property
    def side(self) -> Side: ...
    @property
    def status(self) -> OrderStatus: ...
    @property
    def quantity_lots(self) -> int: ...
    @property
    def filled_lots(self) -> int: ...
    @property
    def limit_ticks(self) -> int | None: ...


class Theirs(Protocol):
    """One order as the venue knows it."""

    @property
    def client_order_id(self) -> ClientOrderId: ...
    @property
    def instrument_id(self) -> InstrumentId: ...
    @property
    def status(self) -> OrderStatus: ...
    @property
    def quantity_lots(self) -> int: ...
    @property
    def filled_lots(self) -> int: ...
    @property
    def limit_ticks(self) -> int | None: ...
    @property
    def reason(self) -> Rejection | None: ...


class Book(msgspec.Struct, frozen=True):
    """Our side: open orders, those that ended with something left, what else was ever ours, fills, what is held."""

    open_orders: Mapping[ClientOrderId, Ours]
    ended_orders: Mapping[ClientOrderId, Ours]
    known: Callable[[ClientOrderId], bool]
    booked: Callable[[FillId], bool]
    positions: Mapping[InstrumentId, int]
    arrived: Callable[[ClientOrderId], bool]  # Whether so long has passed that it must have arrived, if it left at all


class Answer(msgspec.Struct, frozen=True):
    """The venue's side, of one moment: each order of ours it was asked about, all open orders, fills, positions."""

    orders: Mapping[ClientOrderId, Theirs | None]
    open_orders: tuple[Theirs, ...]
    fills: tuple[Fill, ...]
    positions: Mapping[InstrumentId, int]


class Reconciliation(msgspec.Struct, frozen=True):
    """What must be applied to our account, in order, and what cannot be brought together.

    ``risen`` are orders of ours that are over here and open there: they are untracked until they are gone.
    """

    events: tuple[Report, ...]
    discrepancies: tuple[Discrepancy, ...]
    risen: tuple[tuple[ClientOrderId, InstrumentId], ...] = ()


def reconcile(book: Book, answer: Answer, time_ns: int) -> Reconciliation:
    """Return what makes our account equal to the venue's. ``time_ns`` is when the answer came."""
    events: list[Report] = []
    found: list[Discrepancy] = []
    positions = dict(book.positions)
    fills = _new_fills(book, answer, positions, found)
    filled = {order_id: ours.filled_lots for order_id, ours in book.open_orders.items()}
    for fill in fills:
        if fill.client_order_id in filled:
            filled[fill.client_order_id] += fill.quantity_lots
    # What an order is for comes first: fills may need the room a replacement made
    for order_id, ours in book.open_orders.items():
        theirs = answer.orders.get(order_id)
        if theirs is not None and theirs.filled_lots == filled[order_id]:
            events += _replaced(ours, theirs, time_ns)
    events += [
        fill if fill.local_time_ns >= time_ns else msgspec.structs.replace(fill, local_time_ns=time_ns)
        for fill in fills
    ]
    for order_id, ours in book.open_orders.items():
        theirs = answer.orders.get(order_id)
        if theirs is None:
            _unheard_of(ours, filled[order_id], book, events, found, time_ns)
        else:
            _held_against(ours, theirs, filled[order_id], events, found, time_ns)
    risen = _strangers(book, answer, found)
    for name in [*positions, *(name for name in answer.positions if name not in positions)]:
        ours_lots, theirs_lots = positions.get(name, 0), answer.positions.get(name, 0)
        if ours_lots != theirs_lots:
            found.append(Discrepancy(DiscrepancyKind.POSITION, name, f"{ours_lots} lots", f"{theirs_lots} lots"))
    return Reconciliation(tuple(events), tuple(found[:DISCREPANCIES_MAX]), risen)


def _new_fills(book: Book, answer: Answer, positions: dict[InstrumentId, int], found: list[Discrepancy]) -> list[Fill]:
    # Fills that are not booked yet and can be; ``positions`` are moved by all of them, also by those that cannot
    fills: list[Fill] = []
    room = {order_id: each.quantity_lots - each.filled_lots for order_id, each in book.ended_orders.items()}
    for order_id, ours in book.open_orders.items():
        theirs = answer.orders.get(order_id)
        quantity_lots = ours.quantity_lots if theirs is None else max(ours.quantity_lots, theirs.quantity_lots)
        room[order_id] = quantity_lots - ours.filled_lots
    seen: set[FillId] = set()
    for fill in answer.fills:
        order_id = fill.client_order_id
        if fill.fill_id in seen or book.booked(fill.fill_id):
            continue
        seen.add(fill.fill_id)
        positions[fill.instrument_id] = positions.get(fill.instrument_id, 0) + fill.side.sign * fill.quantity_lots
        what = f"{fill.side} {fill.quantity_lots} lots of {fill.instrument_id} for {order_id}"
        if not book.known(order_id):
            found.append(Discrepancy(DiscrepancyKind.FOREIGN_FILL, fill.fill_id, "none", what))
        elif room.get(order_id, 0) < fill.quantity_lots:
            left = f"{room.get(order_id, 0)} lots left"
            found.append(Discrepancy(DiscrepancyKind.OVERFILL, fill.fill_id, left, what))
        else:
            room[order_id] -= fill.quantity_lots
            fills.append(fill)
    return fills


def _strangers(book: Book, answer: Answer, found: list[Discrepancy]) -> tuple[tuple[ClientOrderId, InstrumentId], ...]:
    risen: list[tuple[ClientOrderId, InstrumentId]] = []
    for order in answer.open_orders:
        order_id = order.client_order_id
        if order_id in book.open_orders:
            continue
        what = f"{order.status}, {order.quantity_lots} lots of {order.instrument_id}"
        if book.known(order_id):
            risen.append((order_id, order.instrument_id))
            found.append(Discrepancy(DiscrepancyKind.RISEN_ORDER, order_id, "over", what))
        else:
            found.append(Discrepancy(DiscrepancyKind.FOREIGN_ORDER, order_id, "none", what))
    return tuple(risen)


def _replaced(ours: Ours, theirs: Theirs, time_ns: int) -> list[Report]:
    if (theirs.quantity_lots, theirs.limit_ticks) == (ours.quantity_lots, ours.limit_ticks):
        return []
    order_id, name = ours.client_order_id, ours.instrument_id
    return [OrderReplaced(order_id, name, theirs.quantity_lots, theirs.limit_ticks, time_ns, time_ns)]


def _unheard_of(
    ours: Ours, filled_lots: int, book: Book, events: list[Report], found: list[Discrepancy], time_ns: int
) -> None:
    order_id = ours.client_order_id
    if ours.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN) and filled_lots == 0:
        if book.arrived(order_id):
            events.append(OrderRejected(order_id, ours.instrument_id, Rejection.NEVER_ARRIVED, time_ns, time_ns))
        return
    what = f"{ours.status}, {filled_lots} of {ours.quantity_lots} lots filled"
    found.append(Discrepancy(DiscrepancyKind.LOST_ORDER, order_id, what, "never heard of it"))


def _held_against(
    ours: Ours, theirs: Theirs, filled_lots: int, events: list[Report], found: list[Discrepancy], time_ns: int
) -> None:
    order_id, name = ours.client_order_id, ours.instrument_id
    if filled_lots != theirs.filled_lots:
        kind = DiscrepancyKind.MISSING_FILLS if filled_lots < theirs.filled_lots else DiscrepancyKind.TOO_MANY_FILLS
        what = f"{filled_lots} lots by its fills"
        found.append(Discrepancy(kind, order_id, what, f"{theirs.filled_lots} lots by its order"))
        return
    if theirs.status is OrderStatus.SUBMITTED:
        return  # It has it, and has not looked at it yet
    fresh = ours.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)
    over = theirs.status is OrderStatus.FILLED and filled_lots < theirs.quantity_lots
    if over or (theirs.status is OrderStatus.REJECTED and (filled_lots or not fresh)):
        what = f"{theirs.status}, {theirs.filled_lots} of {theirs.quantity_lots} lots filled"
        found.append(Discrepancy(DiscrepancyKind.STATUS, order_id, f"{ours.status}, {filled_lots} lots", what))
        return
    if theirs.status is OrderStatus.REJECTED:
        events.append(OrderRejected(order_id, name, theirs.reason or Rejection.ORDER_UNKNOWN, time_ns, time_ns))
        return
    if fresh and filled_lots < theirs.quantity_lots:
        events.append(OrderAccepted(order_id, name, time_ns, time_ns))
    if theirs.status is OrderStatus.CANCELLED:
        events.append(OrderCancelled(order_id, name, theirs.reason or Rejection.REQUESTED, time_ns, time_ns))
    elif theirs.status is OrderStatus.EXPIRED:
        events.append(OrderExpired(order_id, name, time_ns, time_ns))
