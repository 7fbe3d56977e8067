"""The backtest: market events from the past, a simulated venue, and the data's own clock.

Two viewpoints, as in life: the venue sees the market at venue time, the engine when the news has travelled. All that
is under way (orders to the venue, reports and news to us, timers) waits in one queue ordered by its moment, then by
what it is, then by when it was sent. An order that arrives at the very moment of a market event comes after it.
"""

import collections
import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from njord.bus.memory import MemoryBus
from njord.bus.topics import topic_of
from njord.domain.command import (
    CancelOrder,
    Command,
    Entry,
    Refused,
    ReplaceOrder,
    Restricted,
    SetTimer,
    StrategyStopped,
)
from njord.domain.event import Event, OrderRejected, Report, TimerFired
from njord.domain.fill import Fill
from njord.domain.ids import InstrumentId
from njord.domain.market import Bar, MarketEvent, Split, TradingStatus
from njord.domain.order import NewOrder
from njord.engine import step as engine
from njord.engine.causes import Bypass, cause_of
from njord.engine.equity import EquityCurve
from njord.engine.garbage import collected_seldom
from njord.engine.state import State
from njord.ledger.journal import Journal
from njord.market.feed import Window
from njord.venues.simulated.latency import Line
from njord.venues.simulated.venue import SimulatedVenue

# A strategy that answers every answer without end would never let the clock move on
REACTIONS_PER_EVENT_MAX = 10_000
RESTRICTED_MAX = 1_000

_REPORT, _NEWS, _ARRIVAL, _TIMER = range(4)


class Backtest:
    """One run. ``run`` feeds it windows of market events until there are no more."""

    def __init__(
        self,
        state: State,
        venues: Mapping[InstrumentId, SimulatedVenue],
        order_lines: Mapping[InstrumentId, Line],
        journal: Journal,
        curve: EquityCurve,
        bus: MemoryBus | None = None,
    ) -> None:
        self.state = state
        self.journal = journal
        self.curve = curve
        self.events = 0
        self.fills: list[Fill] = []
        self.orders = 0
        self.refused: dict[str, int] = {}
        self.stopped: list[StrategyStopped] = []
        self.restricted: list[tuple[int, Restricted]] = []  # When, and what: the first RESTRICTED_MAX
        self.first_ns: int | None = None
        self._bus = bus
        self._venues = venues
        self._order_lines = order_lines
        self._matching = _matching(venues)
        self._pending: list[tuple[int, int, int, Any]] = []
        self._sent = itertools.count()
        # What happens without delay: orders arriving at a venue and reports reaching us, in the order they came up
        self._now: collections.deque[tuple[int, Any]] = collections.deque()
        self._market_ns = 0
        self._reactions = 0

    def run(self, windows: Iterable[Window], progress: Callable[[int, int], None] | None = None) -> None:
        """Run to the end of the data. ``progress`` is told events and time after each window."""
        with collected_seldom():
            self._run(windows, progress)

    def _run(self, windows: Iterable[Window], progress: Callable[[int, int], None] | None) -> None:
        self._record("start", engine.start(self.state))
        self._settle()
        for window in windows:
            if self.first_ns is None:
                self.first_ns = int(window.times_ns[0])
                self.curve.start(self.first_ns)
            self._window(window.events)
            self.events += len(window.events)
            self.curve.add(window)
            if progress is not None:
                progress(self.events, self._market_ns)
        self._until(self._market_ns + 1)
        self._record("stop", engine.finish(self.state))
        self._settle()
        self.journal.flush()

    def _window(self, events: list[MarketEvent]) -> None:
        # The hot loop. Everything that is looked up per event is looked up once here
        state, pending, matching = self.state, self._pending, self._matching
        step, record, settle = engine.step, self._record, self._settle
        matcher: Any = None
        last_name: InstrumentId | None = None
        last_kind: type | None = None
        for event in events:
            time_ns = event.venue_time_ns
            if pending and pending[0][0] < time_ns:
                self._until(time_ns)
            self._market_ns = time_ns
            self._reactions = 0
            kind, name = event.__class__, event.instrument_id
            if name is not last_name or kind is not last_kind:  # Events of one feed tend to come together
                matcher, last_name, last_kind = matching[kind].get(name), name, kind
            if matcher is not None:
                if matcher.orders or kind is not Bar:
                    matcher.on_event(event)
                    if matcher.blotter.reports:
                        self._deliver(matcher.blotter.drain())
                        self._settle()
                        if pending and pending[0][0] <= time_ns:
                            self._reports_until(time_ns)
                matcher.last = event
            elif kind in _STATUS:
                self._status(event)
            # News that was sent before and comes at this moment is heard before what takes no time
            late = pending and pending[0][0] <= time_ns and self._news_is_due(time_ns)
            if late or event.local_time_ns > time_ns:
                heapq.heappush(pending, (event.local_time_ns, _NEWS, next(self._sent), event))
                continue
            commands = step(state, event)
            if commands:
                record(event, commands)
                settle()

    def _until(self, before_ns: int) -> None:
        # Everything under way that is due before a moment
        pending = self._pending
        while pending and pending[0][0] < before_ns:
            due_ns, what, _, item = heapq.heappop(pending)
            self._due(due_ns, what, item)

    def _news_is_due(self, time_ns: int) -> bool:
        return any(due_ns <= time_ns and what == _NEWS for due_ns, what, _, _ in self._pending)

    def _reports_until(self, time_ns: int) -> None:
        pending = self._pending
        while pending and pending[0][0] <= time_ns and pending[0][1] == _REPORT:
            due_ns, what, _, item = heapq.heappop(pending)
            self._due(due_ns, what, item)

    def _due(self, due_ns: int, what: int, item: Any) -> None:
        self._reactions = 0
        if what == _ARRIVAL:
            self._arrive(item, due_ns)
        else:
            self._step(item)
        self._settle()

    def _settle(self) -> None:
        # One after the other, never one within the other: however long a chain of reactions is, the stack is not
        now = self._now
        while now:
            what, item = now.popleft()
            if what == _ARRIVAL:
                self._arrive(item, max(self._market_ns, self.state.time_ns))
            else:
                self._step(item)
            self._reactions += 1
            if self._reactions > REACTIONS_PER_EVENT_MAX:
                now.clear()
                raise EndlessReaction(f"more than {REACTIONS_PER_EVENT_MAX} reactions to one event, last to {item}")

    def _step(self, event: Any) -> None:
        late_ns = self.state.time_ns
        if event.local_time_ns < late_ns:
            # What a bar tells of its open comes after other feeds have moved the clock on
            event = msgspec.structs.replace(event, local_time_ns=late_ns)
        kind = event.__class__
        if kind is Fill:
            self.fills.append(event)
            if self._bus is not None:
                self._publish_fill(event)
        elif isinstance(event, OrderRejected):
            self.refused[event.reason] = self.refused.get(event.reason, 0) + 1
        commands = engine.step(self.state, event)
        if commands:
            self._record(event, commands)

    def _deliver(self, reports: list[Report]) -> None:
        market_ns = self._market_ns
        for report in reports:
            if report.local_time_ns > market_ns:
                heapq.heappush(self._pending, (report.local_time_ns, _REPORT, next(self._sent), report))
            else:
                self._now.append((_REPORT, report))

    def _record(self, cause: Event | str, commands: Sequence[Command]) -> None:
        """Write down what was decided; only then do it."""
        if not commands:
            return
        state = self.state
        name = cause if isinstance(cause, str) else cause_of(cause)
        self.journal.append(state.sequence, state.time_ns, name, commands)
        if self._bus is not None:
            self._publish(name, commands)
        for command in commands:
            self._obey(command)

    def _publish(self, cause: str, commands: Sequence[Command]) -> None:
        # For whoever watches a run: what was decided, and what each fill was, by topic
        assert self._bus is not None
        correlation = f"{self._market_ns}"
        for command in commands:
            topic = topic_of(command)
            self._bus.publish(topic, command, correlation_id=correlation, causation_id=cause)

    def _publish_fill(self, fill: Fill) -> None:
        assert self._bus is not None
        correlation = str(self._market_ns)
        self._bus.publish("fills.new", fill, correlation_id=correlation, causation_id=fill.client_order_id)

    def _obey(self, command: Command) -> None:
        kind = command.__class__
        if kind is Entry:
            # Between two market events it is our clock that has moved on; within one it is the market's
            self.curve.changed(max(self._market_ns, self.state.time_ns), command)  # type: ignore[arg-type]
        elif kind is NewOrder or kind is CancelOrder or kind is ReplaceOrder:
            self._send(command)  # type: ignore[arg-type]
        elif isinstance(command, SetTimer):
            time_ns = max(command.time_ns, self.state.time_ns)
            timer = TimerFired(command.strategy_id, command.name, command.time_ns, time_ns)
            heapq.heappush(self._pending, (time_ns, _TIMER, next(self._sent), timer))
        elif isinstance(command, Refused):
            self.refused[command.reason] = self.refused.get(command.reason, 0) + 1
        elif isinstance(command, StrategyStopped):
            self.stopped.append(command)
        elif isinstance(command, Restricted) and len(self.restricted) < RESTRICTED_MAX:
            self.restricted.append((self.state.time_ns, command))

    def _send(self, command: NewOrder | CancelOrder | ReplaceOrder) -> None:
        if isinstance(command, NewOrder):
            if not self.state.orders.approved(command):
                raise Bypass(f"order {command.client_order_id} was never approved")
            self.orders += 1
        now_ns = max(self._market_ns, self.state.time_ns)
        due_ns = self._order_lines[command.instrument_id].arrives_ns(now_ns)
        if due_ns > now_ns:
            heapq.heappush(self._pending, (due_ns, _ARRIVAL, next(self._sent), command))
        else:
            self._now.append((_ARRIVAL, command))

    def _arrive(self, command: NewOrder | CancelOrder | ReplaceOrder, time_ns: int) -> None:
        venue = self._venues[command.instrument_id]
        if isinstance(command, NewOrder):
            reports = venue.submit(command, time_ns)
        elif isinstance(command, CancelOrder):
            reports = venue.cancel(command, time_ns)
        else:
            reports = venue.replace(command, time_ns)
        self._deliver(reports)

    def _status(self, event: MarketEvent) -> None:
        venue = self._venues.get(event.instrument_id)
        if venue is not None:
            venue.on_status(event)
            self._deliver(venue.reports_of(event.instrument_id))
            self._settle()
        if isinstance(event, Split):
            self.curve.split(event)


class EndlessReaction(RuntimeError):
    """A strategy keeps reacting to the reactions to its own orders."""


_STATUS = (TradingStatus, Split)


def _matching(venues: Mapping[InstrumentId, SimulatedVenue]) -> dict[type, dict[InstrumentId, Any]]:
    found: dict[type, dict[InstrumentId, Any]] = {kind: {} for kind in MarketEvent.__args__}
    for venue in dict.fromkeys(venues.values()):
        for kind, matchers in venue.listening.items():
            found[kind].update(matchers)
    return found
