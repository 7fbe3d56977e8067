"""A session: the engine run with money, so that nothing it does can get lost. Paper and live are sessions.

For each batch of events, in this order and never another:

1. the engine decides (``step``);
2. the journal has events and commands, on disk where anything but prices changed;
3. the ledger has them, in one transaction;
4. only then orders leave, past the gate of the kill switch.

So after a crash anywhere an order is either not on record and never left, or on record and, until the venue has
answered, unknown: it goes to reconciliation, never to a blind second try. ``engine.recorder`` says what happens when
journal or ledger cannot be written.
"""

import collections
import contextlib
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence

import msgspec

from njord.domain.clock import NS_PER_MS, NS_PER_S
from njord.domain.command import (
    CancelOrder,
    Cause,
    Command,
    Level,
    OrderCommand,
    ReplaceOrder,
    Restricted,
    SetTimer,
    Snapshot,
)
from njord.domain.event import CancelRejected, Event, OrderRejected, Report, TimerFired
from njord.domain.fill import Fill
from njord.domain.governance import GLOBAL, Cleared, ClockTick, OrderUnknown, Tripped, TripSource
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.instruction import BY_HAND
from njord.domain.market import RESTATING
from njord.domain.order import NewOrder, OrderStatus, Rejection
from njord.engine import step as engine
from njord.engine.causes import Bypass, cause_of
from njord.engine.gate import Gate, Trip
from njord.engine.recorder import RETRY_S, UNRECORDED_MAX, Recorder, Stopped
from njord.engine.session_journal import UNKEPT, SessionJournal, Step
from njord.engine.state import State
from njord.ledger.port import Ledger
from njord.ledger.reconcile import Answer, Book, Discrepancy, reconcile
from njord.ledger.record import OpenedLot
from njord.risk.kill_switch import clear_refusal
from njord.venues.port import NotTaken, Truth, Venue, VenueError

# Steps that may wait to be handed to the system while only prices change
WAITING_MAX = 1_024
TICK_NS = 50 * NS_PER_MS
# How often a healthy venue is asked for its truth all the same: streams lose messages and do not say so
TRUTH_EVERY_NS = 60 * NS_PER_S
TRUTH_WHILE_UNKNOWN_NS = NS_PER_S
# After this long an order that left must have arrived; until then a venue that never heard of it proves nothing
ARRIVAL_NS_MAX = 10 * NS_PER_S
# So often in a row a venue may answer with what was true before its last report, until all trading stops
STALE_TRUTHS_MAX = 10
# Marks of the account that may wait to be recorded together
MARKS_WAITING_MAX = 64
REACTIONS_MAX = 10_000
CLOSING_TURNS_MAX = 40
DISCREPANCIES_SHOWN = 5
NOBODY = StrategyId("")
_REPORTS = frozenset(Report.__args__)


class Session:
    """One account at work at one venue. See the module for what is promised. ``observed`` is told of each step that
    decided something, or whose event was more than a price.

    ``clock`` gives nanoseconds UTC, ``wait`` passes some seconds; ``reached`` is told of each point between two durable
    steps, which is where tests crash; ``observed`` of every step that decided something or was no mere price.
    """

    def __init__(
        self,
        *,
        account_id: str,
        session_id: str,
        state: State,
        venue: Venue,
        journal: SessionJournal,
        ledger: Ledger,
        gate: Gate,
        clock: Callable[[], int],
        wait: Callable[[float], None],
        reached: Callable[[str], None] = lambda _point: None,
        observed: Callable[[Step], None] = lambda _step: None,
        tick_ns: int = TICK_NS,
    ) -> None:
        self.account_id, self.session_id = account_id, session_id
        self.state = state
        self.gate = gate
        self.events = 0
        self.orders_sent = 0
        self.fills = 0
        self.discrepancies: tuple[Discrepancy, ...] = ()
        self._venue = venue
        self._clock = clock
        self._wait = wait
        self._reached = reached
        self._observed = observed
        self._recorder = Recorder(
            journal, ledger, account_id=account_id, session_id=session_id, gate=gate, wait=wait,
            stuck=self._cancel_everything, reached=reached,
        )  # fmt: skip
        self._tick_ns = tick_ns
        self._next_tick_ns = 0
        self._next_truth_ns = 0
        self._timers: list[tuple[int, int, TimerFired]] = []
        self._set = itertools.count()
        self._outgoing: list[OrderCommand] = []
        self._local: collections.deque[Event] = collections.deque()  # What this side has to say of its own orders
        self._left_ns: dict[ClientOrderId, int] = {}  # When open orders left
        self._cancels: dict[ClientOrderId, CancelOrder] = {}  # Asked for, and not answered yet
        self._fills_from = 0
        self._connected = True
        self._heard_ns = 0  # The latest of the venue's own times that a report had
        self._stale_truths = 0  # In a row
        self._urgent = False  # Whether something waits to be recorded that must not wait

    @property
    def ended(self) -> bool:
        """Whether the venue has nothing more to say."""
        return self._venue.ended

    def start(self) -> None:
        """Bring what is open together with the venue's truth, then tell the strategies that it begins."""
        now_ns = self._now_ns()
        for scope in self.state.kill.tripped:
            self.gate.shut(scope)
        for order_id, tracked in self.state.orders.open.items():
            self._left_ns[order_id] = now_ns
            if tracked.status is not OrderStatus.UNKNOWN:
                self._local.append(OrderUnknown(order_id, tracked.instrument_id, now_ns, now_ns))
        self.handle(())
        self.reconcile()
        self._told("start", engine.start)

    def run(self, *, events_max: int | None = None) -> None:
        """Go on until the venue has nothing more to say, or so many events were taken in."""
        while not self._venue.ended and (events_max is None or self.events < events_max):
            self.turn()

    def turn(self, timeout_s: float = TICK_NS / NS_PER_S) -> None:
        """Take in what there is, waiting a moment for it, and do what follows."""
        received: Sequence[Event] = ()
        if self._recorder.unrecorded >= UNRECORDED_MAX:
            self._wait(RETRY_S)  # Until the ledger has caught up, what comes waits where it is
        else:
            try:
                received = self._venue.receive(timeout_s)
            except VenueError:
                self._lose_connection()
                self._wait(timeout_s)  # It fails at once, and will for a while
        for event in received:
            if type(event) in _REPORTS:
                self._heard_ns = max(self._heard_ns, event.venue_time_ns)
        self.handle(received)
        if not self._connected or self._now_ns() >= self._next_truth_ns:
            self.reconcile()

    def finish(self) -> str:
        """End in order: strategies are told, what they want is done, the journal is closed. Return the digest."""
        self._told("stop", engine.finish)
        for _ in range(CLOSING_TURNS_MAX):  # What is being cancelled is waited for, but not for ever
            if all(tracked.order.strategy_id == BY_HAND for tracked in self.state.orders.open.values()):
                break
            self.turn()
        self._recorder.close(self.state.sequence)
        return self._recorder.digest

    def handle(self, events: Sequence[Event]) -> None:
        """Let the engine decide on some events and on what has become due, record it, then act on it."""
        for event in events:
            self._take_in(event)
        now_ns = self._now_ns()
        if now_ns >= self._next_tick_ns:
            self._take_in(ClockTick(now_ns, now_ns))
        for trip in self.gate.taken():
            self._take_in(Tripped(trip.scope, trip.source, trip.actor, trip.reason, trip.flatten, now_ns, now_ns))
        for clear in self.gate.asked():
            event = Cleared(clear.scope, clear.actors, clear.reason, now_ns, now_ns)
            needs_two = self.state.profile.clear_needs_two
            refusal = clear_refusal(event, self.state.kill.tripped, needs_two=needs_two)
            self._take_in(event)
            self.gate.answer(clear.scope, refusal)
        self._settle()

    def reconcile(self) -> None:
        """Hold our account against the venue's truth. What cannot be brought together stops all trading."""
        asked = tuple(self.state.orders.open)
        try:
            truth = self._venue.truth(asked, self._fills_from)
            if truth.fill_count < self._fills_from:  # Another count than last time: it began anew
                truth = self._venue.truth(asked, 0)
        except VenueError:
            self._lose_connection()
            return
        now_ns = self._now_ns()
        if self._stale(truth, now_ns):
            return
        orders = self.state.orders
        self._left_ns = {order_id: self._left_ns.get(order_id, now_ns) for order_id in asked}
        known_ns = min(now_ns, truth.time_ns)  # An old truth does not say what has arrived since
        book = Book(
            orders.open, orders.ended, orders.known, orders.applied, self._alive(self.state.portfolio.lots),
            lambda order_id: known_ns - self._left_ns[order_id] >= ARRIVAL_NS_MAX,
        )  # fmt: skip
        theirs = dict(zip(asked, truth.asked_orders, strict=True))
        found = reconcile(book, Answer(theirs, truth.open_orders, truth.fills, self._alive(truth.positions)), now_ns)
        self._local.extend(found.events)
        if found.discrepancies:
            self.discrepancies = found.discrepancies
            shown = "; ".join(str(each) for each in found.discrepancies[:DISCREPANCIES_SHOWN])
            self.gate.trip(Trip(GLOBAL, TripSource.RECONCILIATION, "reconcile", shown))
        # Nobody here waits for them, so they go; that we asked is in the reason of the trip
        self._outgoing.extend(CancelOrder(order_id, NOBODY, name) for order_id, name in found.risen)
        self._fills_from = truth.fill_count
        self._cancels = {order_id: cancel for order_id, cancel in self._cancels.items() if order_id in orders.open}
        if not self._connected:
            self._connected = True
            self._outgoing.extend(self._cancels.values())
        self._settle()
        unknown = any(tracked.status is OrderStatus.UNKNOWN for tracked in orders.open.values())
        self._next_truth_ns = now_ns + (TRUTH_WHILE_UNKNOWN_NS if unknown else TRUTH_EVERY_NS)

    def _alive(self, positions: Mapping[InstrumentId, int]) -> dict[InstrumentId, int]:
        # What has expired is settled, by either side at its own moment
        instruments, now_ns = self.state.instruments, self._now_ns()
        return {
            name: lots for name, lots in positions.items()
            if name not in instruments or (ends_ns := instruments[name].expiry_ns) is None or ends_ns > now_ns
        }  # fmt: skip

    def _stale(self, truth: Truth, now_ns: int) -> bool:
        # What it says was true before something we know of: it is asked again, and not for ever
        if truth.time_ns >= self._heard_ns:
            self._stale_truths = 0
            return False
        self._stale_truths += 1
        self._next_truth_ns = now_ns + TRUTH_WHILE_UNKNOWN_NS
        if self._stale_truths == STALE_TRUTHS_MAX:
            why = f"the venue's truth is of {truth.time_ns}, its own last report of {self._heard_ns}"
            self.gate.trip(Trip(GLOBAL, TripSource.RECONCILIATION, "reconcile", why))
        return True

    def _told(self, cause: str, tell: Callable[[State], Sequence[Command]]) -> None:
        self.state.sequence += 1
        self.state.time_ns = max(self.state.time_ns, self._now_ns())
        self._take(cause, None, tell(self.state))
        self._settle()

    def _take_in(self, event: Event) -> None:
        time_ns = event.local_time_ns
        while self._timers and self._timers[0][0] <= time_ns:
            self._step(heapq.heappop(self._timers)[2])
        if time_ns >= self._next_tick_ns:
            self._next_tick_ns = time_ns + self._tick_ns
            if type(event) is not ClockTick:
                self._step(ClockTick(time_ns, time_ns))
        self._step(event)
        self.events += 1

    def _step(self, event: Event) -> None:
        if event.local_time_ns < self.state.time_ns:
            event = msgspec.structs.replace(event, local_time_ns=self.state.time_ns)
        try:
            commands = engine.step(self.state, event)
        except Exception as error:  # whatever it is, nobody knows any more what holds
            # Our code is wrong, or the world contradicts itself. What is on record stays; what is at the venue goes
            why = f"{cause_of(event)}: {type(error).__name__}: {error}"
            self.gate.trip(Trip(GLOBAL, TripSource.MONITOR, "engine", why))
            self._cancel_everything()
            raise Stopped(why) from error
        self._take(cause_of(event), event, commands)

    def _take(self, cause: str, event: Event | None, commands: Sequence[Command]) -> None:
        state = self.state
        opened: tuple[OpenedLot, ...] = ()
        closed = tuple(state.closed)
        state.closed.clear()
        if isinstance(event, Fill) and commands:  # One that was booked before causes nothing
            self.fills += 1
            opened = _opened_by(state, event)
        elif isinstance(event, RESTATING):
            opened = _all_lots(state, event.instrument_id)
        for command in commands:
            self._note(command)
        # A mark of the account alone can wait for company; whatever else there is to record cannot
        if any(type(command) is not Snapshot for command in commands) or (
            event is not None and type(event) not in UNKEPT
        ):
            self._urgent = True
        step = Step(state.sequence, state.time_ns, cause, event, tuple(commands), opened, closed)
        self._recorder.add(step)
        if commands or type(event) not in UNKEPT:
            self._observed(step)

    def _note(self, command: Command) -> None:
        if isinstance(command, (NewOrder, CancelOrder, ReplaceOrder)):
            self._outgoing.append(command)
        elif isinstance(command, SetTimer):
            time_ns = max(command.time_ns, self.state.time_ns)
            timer = TimerFired(command.strategy_id, command.name, command.time_ns, time_ns)
            heapq.heappush(self._timers, (time_ns, next(self._set), timer))
        elif isinstance(command, Restricted) and command.cause is Cause.TRIPPED:
            (self.gate.shut if command.level is Level.HALTED else self.gate.open)(command.scope)

    def _settle(self) -> None:
        # Record and act, until acting gives rise to nothing new
        for _ in range(REACTIONS_MAX):
            while self._local:
                self._step(self._local.popleft())
            current = True
            late = self._recorder.waiting >= WAITING_MAX or self._recorder.unrecorded >= MARKS_WAITING_MAX
            if self._outgoing or self._urgent or late:
                current = self._recorder.flush()
                self._urgent = not current
            outgoing, self._outgoing = self._outgoing, []
            for command in outgoing:
                self._send(command, current=current)
            if not self._local:
                return
        raise Stopped(f"more than {REACTIONS_MAX} rounds of reactions to one batch of events")

    def _send(self, command: OrderCommand, *, current: bool) -> None:
        order_id, now_ns = command.client_order_id, self.state.time_ns
        if isinstance(command, NewOrder) and not self.state.orders.approved(command):
            if order_id not in self.state.orders.open:
                return  # It ended while it was waiting to leave: of an order that is over nothing is sent
            raise Bypass(f"order {order_id} was never approved")
        if isinstance(command, CancelOrder):
            self._cancels[order_id] = command
        elif not current or not self._may_leave(command):
            self._local.append(_not_sent(command, now_ns))
            return
        try:
            self._venue.send(command)
        except NotTaken:
            if not isinstance(command, CancelOrder):
                self._local.append(_not_sent(command, now_ns))
            self._connected = False
            return
        except VenueError:
            self._left_ns[order_id] = now_ns
            self._lose_connection()
            return
        self._reached("sent")
        if isinstance(command, NewOrder):
            self.orders_sent += 1
            self._left_ns[order_id] = now_ns

    def _may_leave(self, command: NewOrder | ReplaceOrder) -> bool:
        if command.client_order_id in self.state.protective:
            return True
        venue = self.state.instruments[command.instrument_id].venue
        return self.gate.blocks(command.strategy_id, venue) is None

    def _lose_connection(self) -> None:
        self._connected = False
        now_ns = self._now_ns()
        for order_id, tracked in self.state.orders.open.items():
            if tracked.status is OrderStatus.SUBMITTED:
                self._local.append(OrderUnknown(order_id, tracked.instrument_id, now_ns, now_ns))

    def _cancel_everything(self) -> None:
        with contextlib.suppress(VenueError):  # There is nobody left to tell; reconciliation will find what is there
            self._venue.cancel_all()

    def _now_ns(self) -> int:
        return max(self._clock(), self.state.time_ns)


def _not_sent(command: NewOrder | ReplaceOrder, now_ns: int) -> OrderRejected | CancelRejected:
    kind = OrderRejected if isinstance(command, NewOrder) else CancelRejected
    return kind(command.client_order_id, command.instrument_id, Rejection.NOT_SENT, now_ns, now_ns)


def _opened_by(state: State, fill: Fill) -> tuple[OpenedLot, ...]:
    for (strategy_id, name), holding in state.portfolio.holdings.items():
        newest = holding.newest if name == fill.instrument_id else None
        if newest is not None and newest.fill_id == fill.fill_id:
            return (OpenedLot(strategy_id, name, msgspec.structs.replace(newest)),)
    return ()


def _all_lots(state: State, instrument_id: InstrumentId) -> tuple[OpenedLot, ...]:
    return tuple(
        OpenedLot(strategy_id, name, msgspec.structs.replace(lot))
        for (strategy_id, name), holding in state.portfolio.holdings.items()
        if name == instrument_id
        for lot in holding.open_lots
    )
