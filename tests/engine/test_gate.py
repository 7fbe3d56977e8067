"""The gate: closed at once, opened only by the engine, never forgetting a trip, never stuck."""

import sys
import threading

import pytest

from njord.domain.governance import GLOBAL, Scope, ScopeKind, TripSource
from njord.engine import gate as module
from njord.engine.gate import Clear, Gate, Trip
from njord.risk.kill_switch import ClearRefusal

KRAKEN, GATE = Scope(ScopeKind.VENUE, "KRAKEN"), Scope(ScopeKind.VENUE, "GATE")
MAKER = Scope(ScopeKind.STRATEGY, "maker")


def trip(scope=GLOBAL, flatten=False):
    return Trip(scope, TripSource.CLI, "ann", "drill", flatten)


def test_a_gate_is_open_until_it_is_told_otherwise():
    gate = Gate()
    assert gate.blocks("maker", "KRAKEN") is None
    assert (gate.taken(), gate.asked(), gate.answered()) == ([], [], [])
    assert gate.closed(GLOBAL) is False


@pytest.mark.parametrize(
    ("scope", "stopped"),
    [
        (GLOBAL, {("maker", "KRAKEN"), ("maker", "GATE"), ("taker", "KRAKEN"), ("taker", "GATE")}),
        (KRAKEN, {("maker", "KRAKEN"), ("taker", "KRAKEN")}),
        (MAKER, {("maker", "KRAKEN"), ("maker", "GATE")}),
    ],
)
@pytest.mark.parametrize("how", ["trip", "shut"])
def test_a_closed_scope_stops_what_is_in_it_and_nothing_else(scope, stopped, how):
    gate = Gate()
    gate.trip(trip(scope)) if how == "trip" else gate.shut(scope)

    assert gate.closed(scope) is True
    for strategy in ("maker", "taker"):
        for venue in ("KRAKEN", "GATE"):
            assert gate.blocks(strategy, venue) == (scope if (strategy, venue) in stopped else None)
    assert gate.taken() == ([trip(scope)] if how == "trip" else [])
    assert gate.taken() == []

    gate.open(scope)
    assert gate.blocks("maker", "KRAKEN") is None


def test_to_open_one_scope_leaves_the_others_closed():
    gate = Gate()
    gate.shut(KRAKEN)
    gate.shut(MAKER)
    gate.open(KRAKEN)
    assert gate.blocks("maker", "KRAKEN") == MAKER
    assert gate.blocks("taker", "KRAKEN") is None


def test_a_scope_with_a_trip_nobody_has_taken_in_is_not_opened():
    gate = Gate()
    gate.shut(GLOBAL)
    gate.trip(trip())  # While the engine was clearing what came before

    gate.open(GLOBAL)
    assert gate.blocks("maker", "KRAKEN") == GLOBAL

    assert gate.taken() == [trip()]
    gate.open(GLOBAL)
    assert gate.blocks("maker", "KRAKEN") is None


def test_a_clear_that_was_asked_for_before_a_trip_does_not_count():
    gate = Gate()
    gate.ask_clear(GLOBAL, ("ann",), "it is safe")
    gate.ask_clear(KRAKEN, ("ben",), "so is this")
    gate.trip(trip())

    assert gate.answered() == [(GLOBAL, ClearRefusal.TRIPPED_AGAIN)]
    assert gate.asked() == [Clear(KRAKEN, ("ben",), "so is this")]
    assert gate.asked() == []


def test_every_trip_is_told_in_order():
    gate = Gate()
    trips = [trip(KRAKEN), trip(), trip(flatten=True), trip()]
    for each in trips:
        gate.trip(each)
    assert gate.taken() == trips


def test_answers_are_told_once_in_order():
    gate = Gate()
    gate.answer(GLOBAL, None)
    gate.answer(MAKER, ClearRefusal.NO_REASON)
    assert gate.answered() == [(GLOBAL, None), (MAKER, ClearRefusal.NO_REASON)]
    assert gate.answered() == []


def test_too_many_scopes_close_everything(monkeypatch):
    monkeypatch.setattr(module, "SCOPES_MAX", 2)
    gate = Gate()
    gate.trip(trip(KRAKEN))
    gate.trip(trip(GATE))
    gate.trip(trip(KRAKEN))  # One that is there already needs no room
    assert gate.blocks("maker", "MEXC") is None
    gate.trip(trip(MAKER))
    assert gate.blocks("taker", "MEXC") == GLOBAL


def test_a_check_that_raises_closes_everything():
    gate = Gate()

    def check():
        raise ZeroDivisionError("no idea")

    gate.checks.append(check)
    assert gate.blocks("maker", "KRAKEN") == GLOBAL
    assert gate.taken() == [Trip(GLOBAL, TripSource.MONITOR, "gate", "ZeroDivisionError: no idea")]
    assert gate.blocks("maker", "KRAKEN") == GLOBAL
    assert gate.taken() == []  # It is closed already: nothing new to say
    gate.checks.clear()
    assert gate.blocks("maker", "KRAKEN") == GLOBAL


def test_every_check_is_asked_at_every_order():
    gate = Gate()
    asked = []
    gate.checks += [lambda: asked.append("first"), lambda: trip(MAKER), lambda: asked.append("last")]
    assert gate.blocks("taker", "KRAKEN") is None
    assert gate.blocks("maker", "KRAKEN") == MAKER
    assert asked == ["first", "last"] * 2
    assert gate.taken() == [trip(MAKER)]


def test_a_signal_that_comes_at_any_instruction_never_locks_it_up():
    # A handler runs in the middle of whatever the main thread does, locks held or not
    gate = Gate()
    interrupted = set()

    def interrupt(frame, event, _arg):
        place = (frame.f_code, frame.f_lineno)
        if (
            event == "line"
            and place not in interrupted
            and frame.f_code.co_filename.endswith(("gate.py", "threading.py"))
        ):
            interrupted.add(place)
            sys.settrace(None)
            gate.trip(trip())
            sys.settrace(interrupt)
        return interrupt

    def work():
        sys.settrace(interrupt)
        gate.trip(trip(KRAKEN))
        gate.shut(MAKER)
        gate.ask_clear(KRAKEN, ("ann",), "it is safe")
        gate.taken()
        gate.asked()
        gate.answered()
        gate.blocks("maker", "KRAKEN")
        gate.open(MAKER)
        sys.settrace(None)

    # Where it locked up, the thread would never end
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(20)

    assert not worker.is_alive()
    assert len(interrupted) > 15
    assert gate.blocks("maker", "KRAKEN") == GLOBAL
    gate.taken()
    assert gate.closed(MAKER) is False
