"""A simulated exchange as a client sees one: it has a market of its own, takes orders, and knows our account's truth.

Time moves only as its events are received. Two viewpoints, as in life: the exchange sees the market at venue time, the
client when the news has travelled. What is under way waits in one queue ordered by its moment, then by what it is, then
by when it was sent.
"""

import heapq
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from njord.domain.command import CancelOrder, OrderCommand, ReplaceOrder
from njord.domain.event import (
    CancelRejected,
    Event,
    OrderRejected,
    Report,
)
from njord.domain.ids import ClientOrderId, InstrumentId
from njord.domain.market import RESTATING, MarketEvent, TradingStatus
from njord.domain.order import NewOrder, Rejection
from njord.market.feed import Window
from njord.venues.port import Truth
from njord.venues.simulated.account_truth import AccountTruth
from njord.venues.simulated.latency import Line
from njord.venues.simulated.venue import SimulatedVenue

# What one call of ``receive`` returns at most
RECEIVED_MAX = 256
_REPORT, _NEWS, _ARRIVAL = range(3)


class Exchange:
    """All instruments of one run's simulated venues, as one venue. See ``venues.port.Venue``."""

    def __init__(
        self, venues: Mapping[InstrumentId, SimulatedVenue], order_lines: Mapping[InstrumentId, Line],
        windows: Iterable[Window], *, received_max: int = 1,
    ) -> None:  # fmt: skip
        self.now_ns = 0
        self.ended = False
        self.account = AccountTruth()
        self._venues = venues
        self._lines = order_lines
        self._events = itertools.chain.from_iterable(window.events for window in windows)
        self._next: MarketEvent | None = next(self._events, None)
        self._pending: list[tuple[int, int, int, Any]] = []
        self._sent = itertools.count()
        self._received_max = received_max
        self._matching: dict[type, dict[InstrumentId, Any]] = {}
        for venue in dict.fromkeys(venues.values()):
            for kind, matchers in venue.listening.items():
                self._matching.setdefault(kind, {}).update(matchers)

    def send(self, command: OrderCommand) -> None:
        """Take a command: from here on the exchange has it, and it reaches the market when it has travelled."""
        if isinstance(command, NewOrder):
            self.account.received(command)
        line = self._lines.get(command.instrument_id)
        if line is None:  # What comes over a wire may name anything, and must not take the others' exchange down
            self._reported([_unlisted(command, self.now_ns)])
            return
        self._push(line.arrives_ns(self.now_ns), _ARRIVAL, command)

    def receive(self, timeout_s: float = 0.0) -> list[Event]:
        """Return what reaches the client next: one event, so that it can react to each before time moves on.

        With a larger ``received_max`` up to so many. Nothing is ever waited for: time is moved on instead.
        """
        found: list[Event] = []
        while len(found) < self._received_max:
            event = self._advance()
            if event is None:
                break
            found.append(event)
        return found

    def until(self, time_ns: int) -> list[Event]:
        """Let time reach a moment, and return what reaches the client by then: for who keeps a clock of their own.

        At most RECEIVED_MAX events; while there are more, time has not got there yet.
        """
        found: list[Event] = []
        while len(found) < RECEIVED_MAX:
            event = self._advance(time_ns)
            if event is None:
                self.now_ns = max(self.now_ns, time_ns)
                break
            found.append(event)
        return found

    @property
    def next_ns(self) -> int | None:
        """When something happens next; None when nothing will."""
        times = [self._pending[0][0]] if self._pending else []
        if self._next is not None:
            times.append(self._next.venue_time_ns)
        return min(times, default=None)

    def truth(self, asked: tuple[ClientOrderId, ...] = (), fills_from: int = 0) -> Truth:
        """Return what the exchange knows of the account now."""
        return self.account.truth(self.now_ns, asked, fills_from)

    def cancel_all(self) -> None:
        """Ask for the cancellation of every open order."""
        for order in self.account.open_orders:
            self.send(CancelOrder(order.client_order_id, _NOBODY, order.instrument_id))

    def seed(self, positions: Mapping[InstrumentId, int]) -> None:
        """Let a new account begin with what its owner's ledger says it has."""
        assert not self.account.orders, "the account has traded already"
        for name, lots in positions.items():
            if name not in self._venues:
                raise ValueError(f"the account holds {lots} lots of {name}, which is not traded here")
        for name, lots in positions.items():
            self.account.positions[name] = lots
            self._venues[name].seed(name, lots)

    def close(self) -> None:
        """Nothing to let go of."""

    def _advance(self, until_ns: int | None = None) -> Event | None:
        pending = self._pending
        while True:
            event = self._next
            next_ns = None if until_ns is None else self.next_ns
            if until_ns is not None and next_ns is not None and next_ns > until_ns:
                return None
            if pending and (event is None or pending[0][0] < event.venue_time_ns):
                due_ns, what, _, item = heapq.heappop(pending)
                self.now_ns = max(self.now_ns, due_ns)
                if what != _ARRIVAL:
                    return _at_least(item, due_ns)
                self._arrive(item)
            elif event is None:
                self.ended = True
                return None
            else:
                self._next = next(self._events, None)
                self.now_ns = max(self.now_ns, event.venue_time_ns)
                self._market(event)
                self._push(max(event.local_time_ns, self.now_ns), _NEWS, event)
                if pending[0][0] <= self.now_ns and pending[0][1] != _ARRIVAL:
                    due_ns, what, _, item = heapq.heappop(pending)
                    return _at_least(item, due_ns)

    def _market(self, event: MarketEvent) -> None:
        matcher = self._matching.get(event.__class__, {}).get(event.instrument_id)
        if matcher is not None:
            matcher.on_event(event)
            self._reported(matcher.blotter.drain())
            matcher.last = event
        elif isinstance(event, (TradingStatus, *RESTATING)):
            venue = self._venues[event.instrument_id]
            venue.on_status(event)
            self._reported(venue.reports_of(event.instrument_id))
            if isinstance(event, RESTATING):
                self.account.positions[event.instrument_id] = venue.position_lots(event.instrument_id)

    def _arrive(self, command: OrderCommand) -> None:
        venue = self._venues[command.instrument_id]
        if isinstance(command, NewOrder):
            reports = venue.submit(command, self.now_ns)
        elif isinstance(command, CancelOrder):
            reports = venue.cancel(command, self.now_ns)
        else:
            assert isinstance(command, ReplaceOrder), command
            reports = venue.replace(command, self.now_ns)
        self._reported(reports)

    def _reported(self, reports: list[Report]) -> None:
        for report in reports:
            self.account.reported(report)
            self._push(max(report.local_time_ns, self.now_ns), _REPORT, report)

    def _push(self, due_ns: int, what: int, item: Any) -> None:
        heapq.heappush(self._pending, (due_ns, what, next(self._sent), item))


_NOBODY: Any = ""


def _unlisted(command: OrderCommand, time_ns: int) -> OrderRejected | CancelRejected:
    kind = OrderRejected if isinstance(command, NewOrder) else CancelRejected
    return kind(command.client_order_id, command.instrument_id, Rejection.INSTRUMENT_UNKNOWN, time_ns, time_ns)


def _at_least(event: Event, time_ns: int) -> Event:
    return event if event.local_time_ns >= time_ns else msgspec.structs.replace(event, local_time_ns=time_ns)
