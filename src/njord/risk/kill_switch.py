"""The kill switch: which scopes are stopped, and the rule by which they may start again. Pure; watchers are in ``ops``.

Invariants:
1. a trip always takes effect, whoever sends it and however often;
2. a scope is only cleared with a reason and, where the profile says so, by two people; other scopes stay as they are;
3. what a scope stops is asked in one place, ``blocks``, and the widest scope wins.
"""

import enum

import msgspec

from njord.domain.governance import GLOBAL, Cleared, Scope, ScopeKind, Tripped
from njord.domain.ids import StrategyId, VenueId

SCOPES_MAX = 1_000
REASON_CHARS_MIN = 3


class ClearRefusal(enum.StrEnum):
    """Why a scope stays stopped. Closed list; the first in this order wins."""

    NOT_TRIPPED = "not_tripped"
    NO_REASON = "no_reason"
    NO_ACTOR = "no_actor"
    NEEDS_SECOND_PERSON = "needs_second_person"
    TRIPPED_AGAIN = "tripped_again"  # After the clear was asked for


class KillSwitch:
    """What is stopped now. One for each account; the engine asks it before every order."""

    __slots__ = ("tripped",)

    def __init__(self, tripped: tuple[Tripped, ...] = ()) -> None:
        self.tripped: dict[Scope, Tripped] = {trip.scope: trip for trip in tripped}

    def trip(self, event: Tripped) -> bool:
        """Stop a scope. Return whether that is news. Beyond SCOPES_MAX scopes everything is stopped."""
        scope = event.scope
        if scope not in self.tripped and len(self.tripped) >= SCOPES_MAX:
            scope = GLOBAL
        if scope in self.tripped:
            return False
        # Under its own scope, also where that is another one than was asked for: it is made again from its values
        self.tripped[scope] = event if scope == event.scope else msgspec.structs.replace(event, scope=scope)
        return True

    def clear(self, event: Cleared, *, needs_two: bool) -> ClearRefusal | None:
        """Let a scope start again. Return why not, or None."""
        reason = clear_refusal(event, self.tripped, needs_two=needs_two)
        if reason is None:
            del self.tripped[event.scope]
        return reason

    def blocks(self, strategy_id: StrategyId, venue: VenueId) -> Scope | None:
        """Return the scope that stops this strategy at this venue, or None."""
        if not self.tripped:
            return None
        for scope in (GLOBAL, Scope(ScopeKind.VENUE, venue), Scope(ScopeKind.STRATEGY, strategy_id)):
            if scope in self.tripped:
                return scope
        return None


def clear_refusal(event: Cleared, tripped: dict[Scope, Tripped], *, needs_two: bool) -> ClearRefusal | None:
    """Return why a clear does not count, or None if it does."""
    if event.scope not in tripped:
        return ClearRefusal.NOT_TRIPPED
    if len(event.reason.strip()) < REASON_CHARS_MIN:
        return ClearRefusal.NO_REASON
    actors = {actor.strip().casefold() for actor in event.actors if actor.strip()}
    if not actors:
        return ClearRefusal.NO_ACTOR
    if needs_two and len(actors) < 2:
        return ClearRefusal.NEEDS_SECOND_PERSON
    return None


def covers(scope: Scope, strategy_id: StrategyId, venue: VenueId) -> bool:
    """Return whether a scope stops this strategy at this venue."""
    if scope.kind is ScopeKind.GLOBAL:
        return True
    return scope.name == (venue if scope.kind is ScopeKind.VENUE else strategy_id)
