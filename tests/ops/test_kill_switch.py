"""The buttons of the kill switch: each stops, none is missed, nothing starts again but by the rule."""

import os
import signal
import time

import msgspec
import pytest

from njord.bus.memory import MemoryBus
from njord.bus.topics import KILL
from njord.domain.governance import GLOBAL, Cleared, Scope, ScopeKind, Tripped, TripSource
from njord.engine.gate import Clear, Gate, Trip
from njord.ledger import chain
from njord.ops import kill_switch as module
from njord.ops.kill_switch import (
    LOG,
    ClearFile,
    KillFolder,
    KillWatch,
    Logged,
    TripFile,
)
from njord.risk.kill_switch import ClearRefusal

KRAKEN = Scope(ScopeKind.VENUE, "KRAKEN")
MAKER = Scope(ScopeKind.STRATEGY, "maker")


@pytest.fixture
def folder(tmp_path):
    return KillFolder(tmp_path / "kill")


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def watch(gate, folder):
    return KillWatch(gate, folder, lambda: 77)


def log_of(folder):
    return [msgspec.json.decode(line, type=Logged) for line in chain.read(folder.path, LOG)]


def stopped(gate):
    return [(each.scope, each.source) for each in gate.taken()]


# The watcher, one look at a time


def test_a_file_is_seen_once_for_as_long_as_it_is_there(gate, folder, watch):
    watch.look()
    assert gate.taken() == []
    folder.trip(KRAKEN, TripFile(actor="ann", reason="drill", source=TripSource.CLI, flatten=True), 1)
    watch.look()
    assert gate.taken() == [Trip(KRAKEN, TripSource.CLI, "ann", "drill", flatten=True)]
    watch.look()
    assert gate.taken() == []
    (folder.path / "venue=KRAKEN.trip").unlink()
    watch.look()
    assert gate.closed(KRAKEN)  # To take a file away is no clear
    folder.trip(KRAKEN, TripFile(), 2)
    watch.look()
    assert stopped(gate) == [(KRAKEN, TripSource.FILE)]


def test_a_folder_that_is_gone_stops_everything_and_is_told_once(gate, folder, watch):
    folder.path.rmdir()
    for _ in range(3):
        watch.look()
    (trip,) = gate.taken()
    assert (trip.scope, trip.source, trip.actor) == (GLOBAL, TripSource.MONITOR, "kill-watch")
    assert trip.reason.startswith("FileNotFoundError: ")
    gate.open(GLOBAL)
    watch.look()
    assert stopped(gate) == [(GLOBAL, TripSource.MONITOR)]  # Cleared, and still gone


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_stops_everything(gate, folder, watch):
    folder.path.chmod(0)
    watch.look()
    folder.path.chmod(0o700)
    assert stopped(gate) == [(GLOBAL, TripSource.MONITOR)]


@pytest.mark.parametrize("what", ["_look_at_folder", "_look_at_bus", "_look_at_heartbeat"])
def test_whatever_breaks_in_looking_stops_everything(gate, watch, monkeypatch, what):
    def broken(_self):
        raise MemoryError("no more")

    monkeypatch.setattr(KillWatch, what, broken)
    watch.look()
    assert gate.taken() == [Trip(GLOBAL, TripSource.MONITOR, "kill-watch", "MemoryError: no more")]


def test_the_bus_stops_and_asks(gate, folder):
    bus = MemoryBus()
    watch = KillWatch(gate, folder, lambda: 77, bus=bus.subscribe(KILL))
    bus.publish(KILL, Tripped(MAKER, TripSource.CLI, "ann", "drill", True, 1, 2))
    bus.publish(KILL, Tripped(GLOBAL, TripSource.CLI, "ben", "drill", False, 1, 2))
    bus.publish(KILL, Cleared(MAKER, ("ann", "ben"), "it was a drill", 3, 4))
    bus.publish(KILL, Cleared(GLOBAL, ("ann",), "", 3, 4))  # Without a reason: counts for nothing
    watch.look()
    assert gate.taken() == [
        Trip(MAKER, TripSource.BUS, "ann", "drill", flatten=True),
        Trip(GLOBAL, TripSource.BUS, "ben", "drill", flatten=False),
    ]
    assert folder.asked() == {MAKER: ClearFile(actors=("ann", "ben"), reason="it was a drill")}
    assert log_of(folder)[0].time_ns == 4
    watch.look()
    assert gate.asked() == [Clear(MAKER, ("ann", "ben"), "it was a drill")]


def test_nonsense_on_the_bus_stops_everything(gate, folder):
    bus = MemoryBus()
    watch = KillWatch(gate, folder, lambda: 77, bus=bus.subscribe(KILL))
    bus.publish(KILL, Trip)
    watch.look()
    expected = "TypeError: ctl.kill: a type is no trip and no clear"
    assert gate.taken() == [Trip(GLOBAL, TripSource.MONITOR, "kill-watch", expected)]


def test_a_heartbeat_that_is_missed_stops_everything_before_the_second(gate, folder, tmp_path, monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    beat = tmp_path / "beat"
    beat.touch()
    watch = KillWatch(gate, folder, lambda: 77, heartbeat=beat, heartbeat_s=1.0)
    for second in range(5):
        os.utime(beat, ns=(second, second))
        watch.look()
        now[0] += 1.0
    assert gate.taken() == []
    now[0] += 0.89  # 1.89 since the last one
    watch.look()
    assert gate.taken() == []
    now[0] += 0.03
    watch.look()
    assert gate.taken() == [Trip(GLOBAL, TripSource.HEARTBEAT, "heartbeat", "beat was not touched for 1.92 s")]
    watch.look()
    assert gate.taken() == []
    os.utime(beat, ns=(9, 9))
    watch.look()
    assert gate.closed(GLOBAL)  # That it is there again clears nothing


def test_a_heartbeat_that_never_was_stops_everything(gate, folder, tmp_path):
    KillWatch(gate, folder, lambda: 77, heartbeat=tmp_path / "beat").look()
    assert stopped(gate) == [(GLOBAL, TripSource.MONITOR)]


def test_a_beat_is_a_second_unless_said_otherwise(gate, folder, tmp_path, monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    beat = tmp_path / "beat"
    beat.touch()
    watch = KillWatch(gate, folder, lambda: 77, heartbeat=beat)
    watch.look()
    now[0] += 1.89
    watch.look()
    assert not gate.closed(GLOBAL)
    now[0] += 0.02
    watch.look()
    assert gate.closed(GLOBAL)


def test_an_old_look_that_waits_for_nobody_is_made_anew(gate, folder, watch, monkeypatch):
    watch._thread.is_alive = lambda: True
    looks = []
    monkeypatch.setattr(watch, "look", lambda: looks.append(1))
    watch._looked_s = -1_000.0
    assert watch.alive() is None
    assert looks == [1]
    assert watch._looking.acquire(blocking=False)  # It let go of it
    watch._looking.release()


def test_the_watcher_has_a_name_and_keeps_no_process_alive(watch):
    assert watch._thread.name == "kill-watch"
    assert watch._thread.daemon


def test_the_reasons_of_a_folder_that_is_gone(gate, folder, watch):
    folder.path.rmdir()
    watch.look()
    (trip,) = gate.taken()
    assert trip.reason == f"FileNotFoundError: {folder.path}: the folder of the kill switch is gone"


def test_a_clear_that_is_a_folder_counts_for_nothing(folder):
    (folder.path / "global.clear").mkdir()
    (folder.path / "venue=KRAKEN.clear").write_text('{"actors":["ann"],"reason":"it was a drill"}')
    assert list(folder.asked()) == [KRAKEN]


def test_the_folder_is_made_with_all_above_it_and_found_again(tmp_path):
    path = tmp_path / "a" / "b" / "kill"
    KillFolder(path).trip(GLOBAL, TripFile(), 1)
    assert list(KillFolder(path).tripped()) == [GLOBAL]


def test_without_a_heartbeat_none_is_missed(gate, watch, monkeypatch):
    watch.look()
    monkeypatch.setattr(module.time, "monotonic", lambda: 10.0**9)
    watch.look()
    assert gate.taken() == []


# Clears, as the engine answers them


def test_a_clear_is_asked_once_and_its_files_go_when_it_is_granted(gate, folder, watch):
    folder.trip(GLOBAL, TripFile(), 1)
    watch.look()
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    watch.look()
    watch.look()
    assert gate.asked() == [Clear(GLOBAL, ("ann",), "it was a drill")]
    assert list(folder.tripped()) == [GLOBAL]

    gate.taken()
    gate.answer(GLOBAL, None)
    gate.open(GLOBAL)
    watch.look()
    assert (folder.tripped(), folder.asked()) == ({}, {})
    assert [(line.what, line.actor, line.time_ns) for line in log_of(folder)][-1] == ("cleared", "ann", 77)
    folder.trip(GLOBAL, TripFile(), 3)
    watch.look()
    assert stopped(gate) == [(GLOBAL, TripSource.FILE)]


def test_the_first_of_two_people_waits_for_the_second(gate, folder, watch):
    folder.trip(GLOBAL, TripFile(), 1)
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    watch.look()
    assert gate.asked() == [Clear(GLOBAL, ("ann",), "it was a drill")]
    gate.answer(GLOBAL, ClearRefusal.NEEDS_SECOND_PERSON)
    watch.look()
    assert gate.asked() == []  # The same is not asked again
    assert folder.asked()[GLOBAL].actors == ("ann",)

    folder.ask_clear(GLOBAL, "ben", "I agree", 3)
    watch.look()
    assert gate.asked() == [Clear(GLOBAL, ("ann", "ben"), "I agree")]
    gate.answer(GLOBAL, None)
    watch.look()
    assert (folder.tripped(), folder.asked()) == ({}, {})


@pytest.mark.parametrize("refusal", [each for each in ClearRefusal if each is not ClearRefusal.NEEDS_SECOND_PERSON])
def test_a_clear_that_is_refused_is_gone_and_the_trip_stays(gate, folder, watch, refusal):
    folder.trip(GLOBAL, TripFile(), 1)
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    watch.look()
    gate.asked()
    gate.answer(GLOBAL, refusal)
    watch.look()
    assert folder.asked() == {}
    assert list(folder.tripped()) == [GLOBAL]
    assert log_of(folder)[-1].what == "ask clear"
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 3)
    watch.look()
    assert len(gate.asked()) == 1  # It can be asked for anew


def test_a_trip_that_crosses_a_clear_is_not_taken_away_with_it(gate, folder, watch):
    folder.trip(GLOBAL, TripFile(), 1)
    watch.look()
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    watch.look()
    gate.taken()
    gate.answer(GLOBAL, None)
    gate.open(GLOBAL)
    os.utime(folder.path / "global.trip", ns=(5, 5))  # Somebody touches it before the watcher has heard of the answer
    watch.look()
    assert list(folder.tripped()) == [GLOBAL]
    assert stopped(gate) == [(GLOBAL, TripSource.FILE)]
    assert gate.closed(GLOBAL)
    watch.look()
    assert stopped(gate) == []


def test_a_trip_nobody_had_seen_stays_when_another_is_cleared(gate, folder, watch):
    gate.trip(Trip(GLOBAL, TripSource.SIGNAL, "signal", "x"))  # Not by a file
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    watch.look()
    gate.answer(GLOBAL, None)
    (folder.path / "global.trip").touch()
    watch.look()
    assert list(folder.tripped()) == [GLOBAL]
    assert not list(folder.path.glob(".*cleared"))


def test_to_touch_a_file_again_is_another_trip(gate, folder, watch):
    path = folder.path / "global.trip"
    path.touch()
    watch.look()
    os.utime(path, ns=(5, 5))
    watch.look()
    assert stopped(gate) == [(GLOBAL, TripSource.FILE)] * 2


def test_an_answer_to_nobody_changes_nothing(gate, folder, watch):
    folder.trip(GLOBAL, TripFile(), 1)
    watch.look()
    gate.answer(GLOBAL, None)
    watch.look()
    assert list(folder.tripped()) == [GLOBAL]


def test_who_asked_before_a_second_trip_has_to_ask_again(gate, folder, watch):
    folder.trip(GLOBAL, TripFile(), 1)
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    watch.look()
    gate.answer(GLOBAL, ClearRefusal.NEEDS_SECOND_PERSON)
    (folder.path / "global.trip").unlink()
    watch.look()
    (folder.path / "global.trip").touch()
    watch.look()
    assert folder.asked() == {}


# The thread


def test_what_is_stopped_already_is_so_before_anything_begins(gate, folder):
    (folder.path / "global.trip").touch()
    with KillWatch(gate, folder, lambda: 77):
        assert gate.blocks("maker", "KRAKEN") == GLOBAL
    assert gate.checks == []


def until(holds, seconds=5.0):
    give_up_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.002)


def test_the_thread_looks_by_itself(gate, folder):
    with KillWatch(gate, folder, lambda: 77):
        (folder.path / "strategy=maker.trip").touch()
        until(lambda: gate.closed(MAKER))
    assert stopped(gate) == [(MAKER, TripSource.FILE)]


def test_a_signal_stops_everything_and_the_handler_is_put_back(gate, folder):
    before = signal.getsignal(signal.SIGUSR1)
    with KillWatch(gate, folder, lambda: 77):
        os.kill(os.getpid(), signal.SIGUSR1)
        until(lambda: gate.closed(GLOBAL))
        assert gate.taken() == [
            Trip(GLOBAL, TripSource.SIGNAL, f"signal {int(signal.SIGUSR1)}", "a signal was sent to this process")
        ]
    assert signal.getsignal(signal.SIGUSR1) is before


def test_without_signals_the_handler_is_left_alone(gate, folder):
    before = signal.getsignal(signal.SIGUSR1)
    with KillWatch(gate, folder, lambda: 77, signals=False):
        assert signal.getsignal(signal.SIGUSR1) is before


def test_an_order_looks_itself_where_nobody_has_for_too_long(gate, folder, watch, monkeypatch):
    watch._thread.is_alive = lambda: True
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    watch.look()
    (folder.path / "global.trip").touch()
    gate.checks.append(watch.alive)
    now[0] += module.SILENCE_S_MAX - 0.001
    assert gate.blocks("maker", "KRAKEN") is None  # Looked at recently enough
    now[0] += 0.002
    assert gate.blocks("maker", "KRAKEN") == GLOBAL


def test_a_watcher_that_died_stops_everything(gate, watch, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    watch.look()
    assert watch.alive() is None
    now[0] += module.SILENCE_S_MAX + 0.001
    expected = Trip(GLOBAL, TripSource.MONITOR, "kill-watch", "nobody watches the kill switch any more")
    assert watch.alive() == expected


def test_a_look_that_never_ends_stops_everything(gate, watch, monkeypatch):
    monkeypatch.setattr(module, "STUCK_S_MAX", 0.02)
    watch._thread.is_alive = lambda: True
    watch._looked_s = -1_000.0
    watch._looking.acquire()
    expected = Trip(GLOBAL, TripSource.MONITOR, "kill-watch", "a look at the kill switch does not end")
    assert watch.alive() == expected
    watch._looking.release()
    assert watch.alive() is None


def test_what_came_during_a_look_counts_as_not_seen(gate, folder, watch, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    real = KillFolder.seen

    def slowly(self):
        found = real(self)
        now[0] += 1.0
        return found

    monkeypatch.setattr(KillFolder, "seen", slowly)
    watch.look()
    assert watch._looked_s == 100.0
