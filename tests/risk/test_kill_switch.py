"""The kill switch: a trip always takes effect, a clear only by its rule, and the widest scope wins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.governance import GLOBAL, Cleared, Scope, ScopeKind, Tripped, TripSource
from njord.risk import kill_switch as module
from njord.risk.kill_switch import ClearRefusal, KillSwitch, clear_refusal, covers

KRAKEN, GATE = Scope(ScopeKind.VENUE, "KRAKEN"), Scope(ScopeKind.VENUE, "GATE")
MAKER = Scope(ScopeKind.STRATEGY, "maker")


def trip(scope=GLOBAL, reason="drill"):
    return Tripped(scope, TripSource.CLI, "ann", reason, False, 1, 2)


def clear(scope=GLOBAL, actors=("ann", "ben"), reason="drill is over"):
    return Cleared(scope, actors, reason, 3, 4)


def test_nothing_is_stopped_at_first():
    switch = KillSwitch()
    assert switch.tripped == {}
    assert switch.blocks("maker", "KRAKEN") is None


@pytest.mark.parametrize(
    ("scope", "maker_kraken", "maker_gate", "taker_kraken", "taker_gate"),
    [
        (GLOBAL, True, True, True, True),
        (KRAKEN, True, False, True, False),
        (MAKER, True, True, False, False),
    ],
)
def test_a_trip_stops_its_scope_and_leaves_the_others(scope, maker_kraken, maker_gate, taker_kraken, taker_gate):
    switch = KillSwitch()
    assert switch.trip(trip(scope)) is True

    for strategy, venue, stopped in (("maker", "KRAKEN", maker_kraken), ("maker", "GATE", maker_gate),
                                     ("taker", "KRAKEN", taker_kraken), ("taker", "GATE", taker_gate)):  # fmt: skip
        assert switch.blocks(strategy, venue) == (scope if stopped else None)
        assert covers(scope, strategy, venue) is stopped


def test_a_strategy_and_a_venue_of_one_name_are_two_scopes():
    switch = KillSwitch()
    switch.trip(trip(Scope(ScopeKind.VENUE, "maker")))
    assert switch.blocks("maker", "KRAKEN") is None
    assert not covers(Scope(ScopeKind.VENUE, "maker"), "maker", "KRAKEN")


def test_the_widest_scope_is_named():
    switch = KillSwitch((trip(MAKER), trip(KRAKEN)))
    assert switch.blocks("maker", "KRAKEN") == KRAKEN
    assert switch.blocks("maker", "GATE") == MAKER
    switch.trip(trip())
    assert switch.blocks("maker", "KRAKEN") == GLOBAL


def test_a_second_trip_is_no_news_and_the_first_stays_on_record():
    switch = KillSwitch()
    assert switch.trip(trip(reason="first"))
    assert switch.trip(trip(reason="second")) is False
    assert switch.tripped[GLOBAL].reason == "first"
    assert switch.trip(trip(MAKER)) is True


def test_too_many_scopes_stop_everything(monkeypatch):
    monkeypatch.setattr(module, "SCOPES_MAX", 2)
    switch = KillSwitch()
    assert switch.trip(trip(KRAKEN))
    assert switch.trip(trip(GATE))
    assert switch.blocks("maker", "MEXC") is None
    assert switch.trip(trip(GATE)) is False  # One that is there already needs no room

    assert switch.trip(trip(MAKER)) is True
    assert switch.blocks("other", "MEXC") == GLOBAL
    assert switch.trip(trip(Scope(ScopeKind.VENUE, "MEXC"))) is False
    assert list(switch.tripped) == [KRAKEN, GATE, GLOBAL]
    assert switch.tripped[GLOBAL] == trip(GLOBAL)  # Under the scope it stops, so that it can be made again
    assert KillSwitch(tuple(switch.tripped.values())).tripped == switch.tripped


@pytest.mark.parametrize(
    ("change", "needs_two", "expected"),
    [
        ({}, True, None),
        ({"actors": ("ann",)}, False, None),
        ({"actors": ("ann",)}, True, ClearRefusal.NEEDS_SECOND_PERSON),
        ({"actors": ("ann", "ann")}, True, ClearRefusal.NEEDS_SECOND_PERSON),
        ({"actors": ("ann", " Ann ")}, True, ClearRefusal.NEEDS_SECOND_PERSON),
        ({"actors": ("ann", "  ")}, True, ClearRefusal.NEEDS_SECOND_PERSON),
        ({"actors": ()}, False, ClearRefusal.NO_ACTOR),
        ({"actors": (" ",)}, False, ClearRefusal.NO_ACTOR),
        ({"actors": ()}, True, ClearRefusal.NO_ACTOR),
        ({"reason": ""}, False, ClearRefusal.NO_REASON),
        ({"reason": " ok "}, False, ClearRefusal.NO_REASON),
        ({"reason": "yes"}, False, None),
        ({"reason": "", "actors": ()}, True, ClearRefusal.NO_REASON),
        ({"scope": MAKER}, False, ClearRefusal.NOT_TRIPPED),
        ({"scope": MAKER, "reason": ""}, False, ClearRefusal.NOT_TRIPPED),
    ],
)
def test_a_clear_only_counts_by_its_rule(change, needs_two, expected):
    switch = KillSwitch((trip(),))
    event = clear(**change)

    assert clear_refusal(event, switch.tripped, needs_two=needs_two) is expected
    assert switch.clear(event, needs_two=needs_two) is expected
    assert (switch.blocks("maker", "KRAKEN") is None) == (expected is None)


def test_to_clear_one_scope_leaves_the_others():
    switch = KillSwitch((trip(), trip(KRAKEN), trip(MAKER)))
    assert switch.clear(clear(GLOBAL), needs_two=True) is None
    assert switch.blocks("taker", "KRAKEN") == KRAKEN
    assert switch.blocks("maker", "GATE") == MAKER
    assert switch.blocks("taker", "GATE") is None
    assert switch.clear(clear(GLOBAL), needs_two=True) is ClearRefusal.NOT_TRIPPED


SCOPES = st.sampled_from([GLOBAL, KRAKEN, GATE, MAKER])


@given(st.lists(st.tuples(SCOPES, st.booleans()), max_size=30))
def test_what_is_stopped_is_what_was_tripped_and_not_cleared_since(steps):
    switch, stopped = KillSwitch(), set()
    for scope, trips in steps:
        if trips:
            assert switch.trip(trip(scope)) == (scope not in stopped)
            stopped.add(scope)
        else:
            assert (switch.clear(clear(scope), needs_two=True) is None) == (scope in stopped)
            stopped.discard(scope)
        for strategy in ("maker", "taker"):
            for venue in ("KRAKEN", "GATE", "MEXC"):
                expected = any(covers(each, strategy, venue) for each in stopped)
                assert (switch.blocks(strategy, venue) is not None) == expected
