"""What caused what: names by which events can be found again. Nothing is sent without a decision on record."""

from njord.domain.event import Event, Report, TimerFired
from njord.domain.fill import Fill
from njord.domain.governance import ClockTick, Governance, OrderUnknown
from njord.domain.instruction import Instructed
from njord.domain.market import MarketEvent


class Bypass(AssertionError):
    """A command wants to reach a venue without a risk decision on record."""


def cause_of(event: Event) -> str:
    """Return an event's name: a market event by its instrument and time, a report by its order, a fill by its id."""
    kind = event.__class__
    if isinstance(event, Fill):
        return f"fill:{event.fill_id}"
    if isinstance(event, TimerFired):
        return f"timer:{event.strategy_id}:{event.name}"
    if kind in _GOVERNANCE:
        return f"{_TAGS[kind]}:{event.venue_time_ns}"
    # What is left is of an instrument or of an order, which a set of classes does not tell a type checker
    whose = event.instrument_id if kind in _MARKET else event.client_order_id  # type: ignore[union-attr]  # As above
    return f"{_TAGS[kind]}:{whose}:{event.venue_time_ns}"


_MARKET = frozenset(MarketEvent.__args__)
_GOVERNANCE = frozenset({*Governance.__args__, ClockTick})
_TAGS = {
    kind: kind.__struct_config__.tag
    for kind in (*MarketEvent.__args__, *Report.__args__, *Governance.__args__, ClockTick, OrderUnknown, Instructed)
}
