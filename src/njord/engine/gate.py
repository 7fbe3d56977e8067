"""The gate before the venue: the last look at the kill switch, at the moment an order leaves.

Watchers run in threads of their own and close it at once; the engine hears of it as an event and then knows as well. A
gate that cannot tell whether it is open is closed.
"""

import collections
import contextlib
import threading
from collections.abc import Callable
from typing import NamedTuple

from njord.domain.governance import GLOBAL, Scope, TripSource
from njord.domain.ids import StrategyId, VenueId
from njord.risk.kill_switch import SCOPES_MAX, ClearRefusal, covers

# Trips that the engine has not taken in yet. What is beyond it is already covered: the gate itself forgets nothing
WAITING_MAX = 10_000


class Trip(NamedTuple):
    """One pull of the switch, as a watcher reports it."""

    scope: Scope
    source: TripSource
    actor: str
    reason: str
    flatten: bool = False


class Clear(NamedTuple):
    """People ask that a scope may start again."""

    scope: Scope
    actors: tuple[str, ...]
    reason: str


class Gate:
    """Open, or closed in some scopes. Safe to use from any thread, and from a signal handler."""

    def __init__(self) -> None:
        self._closed: dict[Scope, None] = {}
        # Re-entrant, since a signal handler may interrupt whoever holds it. So nothing else here may lock, and nothing
        # that is held may be read, changed and put back: each change is one that cannot be interrupted
        self._lock = threading.RLock()
        self._waiting: collections.deque[Trip] = collections.deque(maxlen=WAITING_MAX)
        self._asked: collections.deque[Clear] = collections.deque(maxlen=WAITING_MAX)
        self._answers: collections.deque[tuple[Scope, ClearRefusal | None]] = collections.deque(maxlen=WAITING_MAX)
        self.checks: list[Callable[[], Trip | None]] = []  # Asked at every order, besides the watchers' own rhythm

    def trip(self, trip: Trip) -> None:
        """Close a scope, at once and for whoever asks next. Beyond SCOPES_MAX scopes everything is closed.

        Whoever asked before that it may start again did not know of this, and has to ask anew.
        """
        with self._lock:
            room = trip.scope in self._closed or len(self._closed) < SCOPES_MAX
            self._closed[trip.scope if room else GLOBAL] = None
            self._waiting.append(trip)
            for clear in [each for each in self._asked if each.scope == trip.scope]:
                with contextlib.suppress(ValueError):  # A signal's trip was faster
                    self._asked.remove(clear)
                    self._answers.append((clear.scope, ClearRefusal.TRIPPED_AGAIN))

    def closed(self, scope: Scope) -> bool:
        """Return whether this very scope is closed."""
        return scope in self._closed

    def shut(self, scope: Scope) -> None:
        """Close a scope the engine itself has stopped, or had stopped before a restart."""
        with self._lock:
            self._closed[scope] = None

    def open(self, scope: Scope) -> None:
        """Open a scope again: the engine has it on record that it was cleared. Not where a trip of it waits."""
        with self._lock:
            # In this order: a signal's trip may come between any two of these, and must not be undone
            self._closed.pop(scope, None)
            if any(trip.scope == scope for trip in list(self._waiting)):
                self._closed[scope] = None

    def taken(self) -> list[Trip]:
        """Return the trips the engine has not taken in yet, and forget them."""
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found

    def ask_clear(self, scope: Scope, actors: tuple[str, ...], reason: str) -> None:
        """Ask the engine to clear a scope: it decides, by its profile."""
        with self._lock:
            self._asked.append(Clear(scope, actors, reason))

    def asked(self) -> list[Clear]:
        """Return the clears that were asked for, and forget them."""
        with self._lock:
            found = list(self._asked)
            self._asked.clear()
        return found

    def answer(self, scope: Scope, refusal: ClearRefusal | None) -> None:
        """Say whether a scope was cleared, or why not."""
        self._answers.append((scope, refusal))

    def answered(self) -> list[tuple[Scope, ClearRefusal | None]]:
        """Return what was decided of clears, and forget it."""
        found = []
        while self._answers:
            found.append(self._answers.popleft())
        return found

    def blocks(self, strategy_id: StrategyId, venue: VenueId) -> Scope | None:
        """Return the scope that keeps an order from leaving, or None. A check that fails closes everything."""
        for check in self.checks:
            try:
                trip = check()
            except Exception as error:  # noqa: BLE001 - whatever it is, it cannot be judged any more
                trip = Trip(GLOBAL, TripSource.MONITOR, "gate", f"{type(error).__name__}: {error}")
            if trip is not None and trip.scope not in self._closed:
                self.trip(trip)
        for scope in list(self._closed):
            if covers(scope, strategy_id, venue):
                return scope
        return None
