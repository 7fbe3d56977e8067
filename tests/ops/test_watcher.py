"""The risk watcher: who breaks a limit is stopped once, whatever comes twice and whoever dies between."""

import dataclasses
import random
import threading

import pytest

from njord.bus.following import Standing, follow
from njord.bus.memory import MemoryBus
from njord.bus.port import BusUnavailable
from njord.domain.clock import NS_PER_S
from njord.domain.exposure import Exposure
from njord.domain.governance import GLOBAL, Tripped
from njord.ops.roles.watcher import Limits, Watcher

UNIT = 10**18


def exposure(account, second, nav, leverage=0.5):
    return Exposure(
        account_id=account, time_ns=second * NS_PER_S, currency="USD", nav_units=nav * UNIT, cash_units={}, lots={},
        gross_units=int(abs(nav) * leverage * UNIT) or int(leverage > 0), leverage=leverage, delta={}, vega={},
        dv01=(), value_at_risk=None,
    )  # fmt: skip


@dataclasses.dataclass
class Desk:
    bus: MemoryBus

    def say(self, *exposures):
        for each in exposures:
            self.bus.publish("risk.exposure", each)

    def trips(self):
        return [(each.topic.removeprefix("ctl.kill."), each.body) for each in self.bus.newest("ctl", 1_000)]

    def watched(self, limits=Limits(leverage=2.0, loss_share=0.2, window_s=60.0)):  # noqa: B008 - frozen
        watcher, member = Watcher(self.bus, limits), self.bus.join("risk", "watcher", "watcher")
        while envelopes := member.read():
            watcher.watch(envelopes)
            member.acknowledge(envelopes)
        return watcher


@pytest.fixture
def desk():
    return Desk(MemoryBus())


@pytest.mark.parametrize(("navs", "stopped"), [
    ([100, 99, 81], None), ([100, 99, 79], 3), ([100, 79, 79, 78], 2), ([100, 150, 119], 3), ([100, 50, 100, 50], 2),
])  # fmt: skip
def test_a_loss_within_the_window_stops_the_account_once(desk, navs, stopped):
    desk.say(*(exposure("ann", second, nav) for second, nav in enumerate(navs)))
    desk.watched()
    causes = [int(each.causation_id) for each in desk.bus.newest("ctl", 10)]
    # The last case breaches, comes back within its limits, and breaches again
    assert causes == ([] if stopped is None else [2, 4] if navs[-2:] == [100, 50] else [stopped])


def test_what_was_lost_before_the_window_counts_no_more(desk):
    desk.say(exposure("ann", 0, 100), exposure("ann", 61, 75), exposure("ann", 62, 74))
    desk.watched()
    assert desk.trips() == []


@pytest.mark.parametrize(
    ("nav", "leverage", "stopped"), [(100, 2.0, False), (100, 2.1, True), (-1, 0.1, True), (0, 0.0, False)]
)
def test_leverage_stops_the_account_and_no_other(desk, nav, leverage, stopped):
    desk.say(exposure("ben", 1, 100), exposure("ann", 1, nav, leverage), exposure("ben", 2, 100))
    desk.watched()
    assert [account for account, _ in desk.trips()] == (["ann"] if stopped else [])
    for _, trip in desk.trips():
        assert isinstance(trip, Tripped)
        assert (trip.scope, trip.actor) == (GLOBAL, "risk-watcher")
        assert "2 is the limit" in trip.reason


@pytest.mark.parametrize("seed", range(20))
def test_killed_anywhere_and_told_twice_it_stops_each_breach_once(desk, seed):
    # Killed: before the trip, between trip and acknowledgement, after it; and messages come again
    dice = random.Random(seed)
    breaches = set()
    for second in range(60):
        account = dice.choice(["ann", "ben"])
        desk.say(exposure(account, second, 100, dice.choice([1.0, 1.0, 3.0])))
    over = {}
    for each in desk.bus.newest("risk", 100):
        now = each.body.leverage > 2.0
        if now and not over.get(each.body.account_id):
            breaches.add(str(each.sequence))
        over[each.body.account_id] = now
    while True:
        watcher, member = Watcher(desk.bus, Limits(leverage=2.0)), desk.bus.join("risk", "watcher", "watcher")
        alive = True
        while alive and (envelopes := member.read(messages_max=dice.randint(1, 5))):
            watcher.watch(envelopes[: dice.randint(1, len(envelopes))])
            if alive := dice.random() < 0.6:
                watcher.watch(envelopes)
                member.acknowledge(envelopes)
        if alive:
            break
    causes = [each.causation_id for each in desk.bus.newest("ctl", 1_000)]
    assert len(causes) == len(set(causes))
    assert set(causes) == breaches


def test_a_bus_that_is_gone_for_a_while_costs_no_trip(desk, monkeypatch):
    desk.say(exposure("ann", 1, 100, 3.0))
    real, failing = desk.bus.publish, [True, True]

    def publish(topic, body, **more):
        if topic.startswith("ctl") and failing and failing.pop():
            raise BusUnavailable("gone")
        return real(topic, body, **more)

    monkeypatch.setattr(desk.bus, "publish", publish)
    watcher, ending, standing = Watcher(desk.bus, Limits(leverage=2.0)), threading.Event(), Standing()

    def effect(envelopes):
        watcher.watch(envelopes)
        ending.set()

    follow(desk.bus, "risk", "watcher", effect, ending, standing)
    assert [account for account, _ in desk.trips()] == ["ann"]
    assert (standing.handled, standing.trouble) == (1, None)


@pytest.mark.parametrize("wrong", [{"leverage": 0.0}, {"loss_share": -1.0}, {"window_s": 0.0}])
def test_limits_that_are_none_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name}: must be above 0"):
        Limits(**wrong)
