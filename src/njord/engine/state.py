"""All the engine knows. One owner, one thread: only ``step`` changes it, and only because of an event."""

import dataclasses
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from njord.domain.command import CancelOrder, Command, Refused, ReplaceOrder, SetTimer, StrategyNote
from njord.domain.governance import Scope
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.instrument import Grid, Instrument
from njord.domain.market import MarketEvent
from njord.domain.order import NewOrder
from njord.domain.profile import RiskProfile, VenueProfile, Vigilance
from njord.engine.exposures import Exposures
from njord.engine.watch import Watch
from njord.execution.oms import REMEMBERED_MAX, Orders
from njord.ledger.lots import ClosedLot
from njord.ledger.portfolio import Portfolio
from njord.market.book import Book
from njord.risk.checks import Limits
from njord.risk.compliance import VenueRules
from njord.risk.kill_switch import KillSwitch
from njord.risk.rate import OrderRate
from njord.risk.sizing import Sizer
from njord.risk.surveillance import Surveillance
from njord.strategies.port import Desk, Memory, Strategy

# Why a strategy is stopped that has orders or holdings, and no place in the config
NO_STRATEGY = "this strategy is not in the config any more"
NEVER_NS = 2**63 - 1

Intent = NewOrder | CancelOrder | ReplaceOrder | SetTimer | StrategyNote | Refused
Listener = tuple[Callable[[Any, Desk], None], Desk, "Slot"]


@dataclasses.dataclass(slots=True)
class Slot:
    """One strategy at work."""

    strategy_id: StrategyId
    strategy: Strategy
    desk: Desk
    stopped: str | None = None  # Why it was stopped
    model_id: str | None = None  # The model its signals come from, which must be active
    # Of its own fills, orders and timers
    callbacks: dict[str, Callable[[Any, Desk], None]] = dataclasses.field(default_factory=dict)
    order_ids: dict[ClientOrderId, None] = dataclasses.field(default_factory=dict)  # Its open orders, oldest first


class State:
    """What the engine knows: the market as last seen, our orders, our money, who listens to what."""

    def __init__(
        self, instruments: Mapping[InstrumentId, Instrument], portfolio: Portfolio, profile: RiskProfile,
        taker_fee: tuple[int, int] = (0, 1),
    ) -> None:  # fmt: skip
        self.sequence = 0
        self.memories: dict[StrategyId, Memory] = {}  # What strategies were told by those they replace
        self.order_prefix = ""  # Of order ids, so that those of two sessions differ
        self.time_ns = 0
        self.cause = "start"
        self.instruments = dict(instruments)
        self.grids = {name: Grid.of(instrument) for name, instrument in instruments.items()}
        self.venues = {name: instrument.venue for name, instrument in instruments.items()}
        self.last_price: dict[InstrumentId, float] = {}
        self.books: dict[InstrumentId, Book] = {}
        self.quoted: set[InstrumentId] = set()  # Those with quotes or a book, whose mid is their price
        self.halted_instruments: set[InstrumentId] = set()
        self.books_shared = False  # With the simulated venue, which then applies the updates
        self.orders = Orders()
        self.portfolio = portfolio
        self.profile = profile
        self.limits = Limits.of(profile)
        self.taker_fee = taker_fee
        self.exposures = Exposures(self.instruments, self.grids, portfolio, self.orders, self.last_price)
        self.kill = KillSwitch()
        self.venue_rules: VenueRules | None = None  # None: anywhere
        self.rate = _rate(profile)
        self.flow: Surveillance | None = None  # Of our own orders, in sessions whose profile wants it
        self.watch: Watch | None = None  # Of losses, VaR and breakers; None where the profile has none of them
        self.watch_due_ns = NEVER_NS
        self.on_record = False  # Whether the figures of every decision, and marks of the account, are recorded
        self.reductions: dict[tuple[StrategyId, InstrumentId], int] = {}  # Lots a severe loss still wants traded
        self.cancel_asked_ns: dict[ClientOrderId, int] = {}  # Of orders a trip wants gone, by when it last said so
        self.flattening: dict[Scope, None] = {}  # Trips that also want what is held there sold
        self.protective: dict[ClientOrderId, None] = {}  # Open orders of the risk engine itself: a trip lets them by
        self.shares: dict[StrategyId, Decimal] = {}  # Of the equity, where capital is allocated
        self.shares_before_trip: dict[StrategyId, Decimal] = {}
        self.models: set[str] = set()  # Those whose signals may be traded
        self.approvals_used: dict[str, None] = {}  # An approval counts once
        self.sizers: dict[tuple[StrategyId, InstrumentId], Sizer] = {}
        self.slots: dict[StrategyId, Slot] = {}
        self.listeners: dict[type, dict[InstrumentId, tuple[Listener, ...]]] = {
            kind: {} for kind in MarketEvent.__args__
        }
        self.intents: list[Intent] = []
        self.commands: list[Command] = []
        self.closed: list[ClosedLot] = []
        self.suppressed = 0  # Events no strategy saw because the book or quote could not be believed

    def go_on_record(self) -> None:
        """Be the state of a session: with money, and perhaps without an end."""
        self.on_record = True
        self.orders.remember_at_most(REMEMBERED_MAX)

    @property
    def venue_profile(self) -> VenueProfile | None:
        """Where we may trade; None: anywhere."""
        return None if self.venue_rules is None else self.venue_rules.profile

    @venue_profile.setter
    def venue_profile(self, profile: VenueProfile | None) -> None:
        self.venue_rules = None if profile is None else VenueRules(profile)

    def last_ticks(self) -> dict[InstrumentId, int]:
        """Return the last price of each instrument that has one, on its grid."""
        return {name: self.grids[name].nearest_ticks(price) for name, price in self.last_price.items()}

    def equity_units(self) -> int:
        """Return net asset value in units of the account's currency."""
        return self.portfolio.equity(self.last_ticks())

    def sized(self, strategy_id: StrategyId, name: InstrumentId, whole: float) -> float:
        """Return the quantity that a target of ``whole`` positions means, where the strategy's positions are sized."""
        sizer = self.sizers.get((strategy_id, name))
        if sizer is None or whole == 0:
            return whole
        ticks = self.last_ticks()
        lot_units = self.exposures.value(name, ticks[name], 1)
        lots = self.portfolio.equity(ticks) * sizer.equity_share() / lot_units if lot_units else 0.0
        return whole * lots * self.grids[name].lot_numerator / self.grids[name].lot_denominator

    def adopt(self, profile: RiskProfile) -> None:
        """Judge by another profile from now on."""
        before = self.rate
        self.profile = profile
        self.limits = Limits.of(profile)
        self.rate = _rate(profile)
        looked_at = self.on_record and profile.surveillance is not Vigilance.OFF
        self.flow = (self.flow or Surveillance()) if looked_at else None
        if self.rate is not None and before is not None:
            self.rate.go_on_from(before, self.time_ns)  # Or to change anything would fill it up

    def begin_rate(self) -> None:
        """Let no order's token be left from before what is on record: a restart must not fill it up either."""
        self.rate = _rate(self.profile)
        if self.rate is not None and self.time_ns:
            self.rate.empty(self.time_ns)


def _rate(profile: RiskProfile) -> OrderRate | None:
    return None if profile.orders_per_s_max is None else OrderRate(profile.orders_per_s_max, profile.orders_burst)
