"""What people decide about trading itself: trips and allocations, models, profiles, payments, venues."""

from decimal import Decimal

import pytest

from njord.domain.command import Level, Reallocated, Refused, Restricted
from njord.domain.governance import (
    GLOBAL,
    AllocationChanged,
    Cleared,
    Deposited,
    ModelActivated,
    ProfileChanged,
    Scope,
    ScopeKind,
    Tripped,
    TripSource,
)
from njord.domain.limits import Refusal
from njord.domain.market import Bar
from njord.domain.order import NewOrder
from njord.domain.profile import RiskProfile, VenueAccess, VenueProfile
from njord.engine.assemble import parts_of
from njord.engine.step import start, step
from njord.strategies.port import Strategy

from ..simulation.world import HOUR_NS, NAMES, START_NS, config, market  # noqa: TID252 - tests are no package


class Buyer(Strategy):
    """Wants one lot's worth of the first instrument at every bar, or to sell it where told to."""

    def __init__(self):
        self.sells = False

    def on_bar(self, bar, desk):
        if bar.instrument_id == NAMES[0]:
            (desk.sell if self.sells else desk.buy)(1, instrument=NAMES[0])


class Desk:
    """An engine with two strategies, fed one event at a time."""

    def __init__(self, **changes):
        self.strategies = [("a", Buyer()), ("b", Buyer())]
        made = parts_of(config(RiskProfile(name="plain"), strategies=2), market(5), given=self.strategies)
        self.state = made.state
        self.state.go_on_record()
        for name, value in changes.items():
            setattr(self.state, name, value)
        self.now_ns = START_NS
        start(self.state)
        self.tell(Deposited("opening", "USD", 10**24, *self.times()))

    def times(self):
        return self.now_ns, self.now_ns

    def tell(self, event):
        return step(self.state, event)

    def bar(self):
        self.now_ns += HOUR_NS
        return self.tell(Bar(NAMES[0], HOUR_NS, *self.times(), 100.0, 101.0, 99.0, 100.0, 5.0))

    def trip(self, scope=GLOBAL):
        return self.tell(Tripped(scope, TripSource.CLI, "ann", "a test", False, *self.times()))

    def clear(self, scope=GLOBAL, actors=("ann",)):
        return self.tell(Cleared(scope, actors, "it was a test", *self.times()))


def orders(commands):
    return [command.strategy_id for command in commands if isinstance(command, NewOrder)]


def refusals(commands):
    return {command.strategy_id: command.reason for command in commands if isinstance(command, Refused)}


def reallocations(commands):
    return [(c.strategy_id, c.before, c.after) for c in commands if isinstance(c, Reallocated)]


def test_a_trip_takes_allocations_away_and_a_clear_gives_them_back_each_on_record():
    desk = Desk()
    shares = {"a": Decimal("0.6"), "b": Decimal("0.4")}
    assert reallocations(desk.tell(AllocationChanged(shares, "ann", "", "at first", *desk.times()))) == [
        ("a", 0, Decimal("0.6")), ("b", 0, Decimal("0.4")),
    ]  # fmt: skip

    assert reallocations(desk.trip()) == [("a", Decimal("0.6"), 0), ("b", Decimal("0.4"), 0)]
    assert refusals(desk.bar()) == {"a": Refusal.HALTED, "b": Refusal.HALTED}
    # What is decided meanwhile holds once it is cleared
    assert desk.tell(AllocationChanged({"a": Decimal("0.5")}, "ann", "", "less", *desk.times())) == ()
    assert reallocations(desk.clear()) == [("a", 0, Decimal("0.5"))]
    assert desk.state.shares == {"a": Decimal("0.5"), "b": 0}


def test_a_strategy_without_capital_may_only_get_out():
    desk = Desk()
    desk.tell(AllocationChanged({"a": Decimal(1)}, "ann", "", "only a", *desk.times()))
    desk.tell(AllocationChanged({"a": Decimal(1), "b": Decimal(0)}, "ann", "", "none for b", *desk.times()))

    assert refusals(desk.bar()) == {"b": Refusal.REDUCE_ONLY}


def test_a_scoped_trip_leaves_the_others_running():
    desk = Desk()
    desk.trip(Scope(ScopeKind.STRATEGY, "a"))

    commands = desk.bar()
    assert refusals(commands) == {"a": Refusal.HALTED}
    assert orders(commands) == ["b"]

    desk.trip(Scope(ScopeKind.VENUE, "SIM"))
    assert orders(desk.bar()) == []
    desk.clear(Scope(ScopeKind.VENUE, "SIM"))
    assert orders(desk.bar()) == ["b"]


def test_a_clear_needs_two_people_where_the_profile_says_so():
    desk = Desk()
    desk.tell(ProfileChanged(RiskProfile(name="two", clear_needs_two=True), "ann", "", *desk.times()))
    desk.trip()

    [refused] = [c for c in desk.clear() if isinstance(c, Restricted)]
    assert (refused.level, refused.detail) == (Level.HALTED, "not cleared: needs_second_person")
    [cleared] = [c for c in desk.clear(actors=("ann", "bob")) if isinstance(c, Restricted)]
    assert cleared.level is Level.NORMAL
    assert len(orders(desk.bar())) == 2


def test_no_order_on_a_model_that_is_not_active():
    desk = Desk()
    desk.state.slots["a"].model_id = "m1"

    assert refusals(desk.bar()) == {"a": Refusal.MODEL_NOT_ACTIVE}
    desk.tell(ModelActivated("m1", True, "ann", "approval-1", *desk.times()))
    assert refusals(desk.bar()) == {}
    desk.tell(ModelActivated("m1", False, "ann", "", *desk.times()))
    assert refusals(desk.bar()) == {"a": Refusal.MODEL_NOT_ACTIVE}
    assert list(desk.state.approvals_used) == ["approval-1"]


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        (VenueAccess.ALLOW, None),
        (VenueAccess.DATA_ONLY, Refusal.VENUE_DATA_ONLY),
        (VenueAccess.DENY, Refusal.VENUE_NOT_ALLOWED),
        (None, Refusal.VENUE_NOT_ALLOWED),  # Who is not named is denied
    ],
)
def test_a_venue_that_is_not_allowed_gets_no_order(access, reason):
    named = {} if access is None else {"SIM": access}
    desk = Desk(venue_profile=VenueProfile(name="mine", venues=named))

    assert refusals(desk.bar()) == ({} if reason is None else {"a": reason, "b": reason})


def test_money_paid_in_is_no_gain_and_paid_out_no_loss():
    profile = RiskProfile(name="watched", daily_loss_max=Decimal("0.01"))
    desk = Desk()
    desk.tell(ProfileChanged(profile, "ann", "", *desk.times()))
    desk.bar()
    marks = desk.state.watch.marks
    assert marks.peak_units == marks.day_units == 10**24

    desk.tell(Deposited("more", "USD", 10**24, *desk.times()))
    assert desk.state.watch.marks.peak_units == 2 * 10**24
    commands = [*desk.tell(Deposited("out", "USD", -(10**24) // 2, *desk.times())), *desk.bar()]

    assert not [c for c in commands if isinstance(c, Restricted)]
    assert desk.state.watch.marks.day_units == 15 * 10**23
