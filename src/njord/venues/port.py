"""The port of venues: orders go in, events come out, and the venue can be asked for its own truth.

Adapters: ``simulated.exchange`` in this process, ``simulated.remote`` in another one; one contract suite for both.
"""

from typing import Protocol

import msgspec

from njord.domain.command import OrderCommand
from njord.domain.event import Event
from njord.domain.fill import Fill
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.order import OrderStatus, Rejection, Side


class VenueError(OSError):
    """Trouble between us and a venue, or at it."""


class Disconnected(VenueError):
    """The connection broke. What was being sent may or may not have arrived: nobody knows until the venue is asked."""


class NotTaken(VenueError):
    """It certainly never got there: there was no connection to begin with."""


class RateLimited(NotTaken):
    """The venue wants us to wait, and did not take it."""


class VenueOrder(msgspec.Struct, frozen=True, gc=False):
    """One of our orders as the venue knows it. SUBMITTED: received, and not yet looked at."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    side: Side
    status: OrderStatus
    quantity_lots: int
    filled_lots: int
    limit_ticks: int | None
    reason: Rejection | None = None  # Why it ended, where it did not by being filled


class Truth(msgspec.Struct, frozen=True):
    """What the venue says of our account at one moment of its own time."""

    time_ns: int
    open_orders: tuple[VenueOrder, ...]
    asked_orders: tuple[VenueOrder | None, ...]  # Those that were asked for, None where it never heard of one
    fills: tuple[Fill, ...]  # From the one asked for on, in the venue's order
    fill_count: int  # Of all fills so far: what to ask from next time
    positions: dict[InstrumentId, int]  # In lots; an instrument that is not named is flat


class Venue(Protocol):
    """One account at one venue. Every method raises VenueError when the venue cannot be reached."""

    def send(self, command: OrderCommand) -> None:
        """Hand a command over. Returning means that it left, not that it arrived."""

    def receive(self, timeout_s: float) -> list[Event]:
        """Return what has come since the last call, in order, waiting at most so long for the first of it."""

    def truth(self, asked: tuple[ClientOrderId, ...], fills_from: int) -> Truth:
        """Ask for open orders, certain orders, fills from a count on, and positions, all of one moment."""

    def cancel_all(self) -> None:
        """Ask for the cancellation of every open order, ours or not, whatever is on record."""

    @property
    def ended(self) -> bool:
        """Whether nothing will ever come any more: recorded data is over, or the venue closed."""

    def close(self) -> None: ...
