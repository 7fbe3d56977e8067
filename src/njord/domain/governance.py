"""Governance: what people and watchers decide about trading itself. Events like any other, so that a replay sees them.

A trip stops trading in a scope, a clear allows it again; profiles, allocations and models change with an approval on
record. ``ClockTick`` lets the engine notice that time passes where nothing else happens.
"""

import enum
from decimal import Decimal

import msgspec

from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.profile import RiskProfile


class ScopeKind(enum.StrEnum):
    """What a trip stops."""

    GLOBAL = "global"
    VENUE = "venue"
    STRATEGY = "strategy"


class Scope(msgspec.Struct, frozen=True, gc=False, order=True):
    """All trading, one venue's or one strategy's. Raises ValueError where a name is missing, or too many."""

    kind: ScopeKind = ScopeKind.GLOBAL
    name: str = ""

    def __post_init__(self) -> None:
        if (self.kind is ScopeKind.GLOBAL) != (self.name == ""):
            needs = "has no name" if self.kind is ScopeKind.GLOBAL else "needs a name"
            raise ValueError(f"scope {self.kind}: {needs}, was {self.name!r}")

    def __str__(self) -> str:
        return self.kind if self.kind is ScopeKind.GLOBAL else f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """Return a scope from ``global``, ``venue:KRAKEN`` or ``strategy:ema_cross``. Raises ValueError."""
        kind, _, name = text.partition(":")
        if kind not in ScopeKind.__members__.values():
            raise ValueError(f"scope {text!r}: must be global, venue:NAME or strategy:NAME")
        return cls(ScopeKind(kind), name)


GLOBAL = Scope()


class TripSource(enum.StrEnum):
    """Who pulled the switch. Closed list."""

    FILE = "file"
    BUS = "bus"
    SIGNAL = "signal"
    CLI = "cli"
    HEARTBEAT = "heartbeat"  # Whoever must say that all is well has not
    MONITOR = "monitor"  # A check itself failed: what cannot be judged is not allowed
    RISK = "risk"  # A limit whose breach stops trading
    JOURNAL = "journal"  # It cannot be recorded, so it must not be done
    LEDGER = "ledger"
    RECONCILIATION = "reconciliation"  # The venue's truth and ours cannot be brought together


class Tripped(msgspec.Struct, frozen=True, gc=False, tag="tripped"):
    """Trading in a scope stops now. ``flatten`` also asks for what is held there to be sold."""

    scope: Scope
    source: TripSource
    actor: str
    reason: str
    flatten: bool
    venue_time_ns: int
    local_time_ns: int


class Cleared(msgspec.Struct, frozen=True, gc=False, tag="cleared"):
    """Trading in a scope may go on. ``actors`` are who said so, ``reason`` why."""

    scope: Scope
    actors: tuple[str, ...]
    reason: str
    venue_time_ns: int
    local_time_ns: int


class ProfileChanged(msgspec.Struct, frozen=True, tag="profile_changed"):
    """From now on this profile holds. ``approval_id`` names the signed approval; empty where it only got tighter."""

    profile: RiskProfile
    actor: str
    approval_id: str
    venue_time_ns: int
    local_time_ns: int


class AllocationChanged(msgspec.Struct, frozen=True, tag="allocation_changed"):
    """From now on each strategy has this share of the equity to work with; one that is not named has none."""

    shares: dict[StrategyId, Decimal]
    actor: str
    approval_id: str
    reason: str
    venue_time_ns: int
    local_time_ns: int


class ModelActivated(msgspec.Struct, frozen=True, gc=False, tag="model_activated"):
    """From now on orders on this model's signals are allowed, or with ``active`` false no more."""

    model_id: str
    active: bool
    actor: str
    approval_id: str
    venue_time_ns: int
    local_time_ns: int


class Deposited(msgspec.Struct, frozen=True, gc=False, tag="deposited"):
    """Money was paid in, or with a negative amount out. ``deposit_id`` names the payment: it is booked once."""

    deposit_id: str
    asset: str
    amount_units: int
    venue_time_ns: int
    local_time_ns: int


class OrderUnknown(msgspec.Struct, frozen=True, gc=False, tag="order_unknown"):
    """We sent it and do not know what became of it: an error of the network is no rejection."""

    client_order_id: ClientOrderId
    instrument_id: InstrumentId
    venue_time_ns: int
    local_time_ns: int


class ClockTick(msgspec.Struct, frozen=True, gc=False, tag="tick"):
    """So much time has passed, whether or not anything else happened."""

    venue_time_ns: int
    local_time_ns: int


Governance = Tripped | Cleared | ProfileChanged | AllocationChanged | ModelActivated | Deposited
