"""The folder of the kill switch: what is in it stops, whatever it is, and its log shows what was done."""

import os
import threading

import msgspec
import pytest

from njord.domain.governance import GLOBAL, Scope, ScopeKind, TripSource
from njord.engine.gate import Gate
from njord.ledger import chain
from njord.ops.kill_switch import (
    LOG,
    ClearFile,
    KillFolder,
    KillWatch,
    Logged,
    TripFile,
)

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


@pytest.mark.parametrize(
    ("name", "content", "scope", "trip"),
    [
        ("global.trip", "", GLOBAL, TripFile()),
        ("global.trip", "  \n", GLOBAL, TripFile()),
        ("venue=KRAKEN.trip", "", KRAKEN, TripFile()),
        ("strategy=maker.trip", "", MAKER, TripFile()),
        ("strategy=a.b.trip", "", Scope(ScopeKind.STRATEGY, "a.b"), TripFile()),
        ("global.trip", "the market\nis  mad", GLOBAL, TripFile(reason="the market is mad")),
        ("global.trip", '{"actor":"ann","reason":"drill","source":"cli","flatten":true}', GLOBAL,
         TripFile(actor="ann", reason="drill", source=TripSource.CLI, flatten=True)),
        ("global.trip", '{"actor":7}', GLOBAL, TripFile(reason='{"actor":7}')),
        ("global.trip", b"\xff\xfe", GLOBAL, TripFile(reason="\ufffd\ufffd")),
        ("global.trip", "x" * 2_000, GLOBAL, TripFile(reason="x" * 1_000)),
    ],
)  # fmt: skip
def test_a_file_stops_its_scope_whatever_is_in_it(folder, name, content, scope, trip):
    (folder.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert folder.tripped() == {scope: trip}


@pytest.mark.parametrize("name", ["globl.trip", ".trip", "venue=.trip", "venue.trip", "global=x.trip", "desk=1.trip"])
def test_a_file_that_names_no_scope_stops_everything(folder, name):
    (folder.path / name).touch()
    found = folder.tripped()
    assert list(found) == [GLOBAL]
    assert found[GLOBAL].source is TripSource.MONITOR
    assert found[GLOBAL].reason.startswith(f"{name}: ")


def test_a_file_that_cannot_be_read_stops_everything(folder):
    (folder.path / "venue=KRAKEN.trip").mkdir()
    assert list(folder.tripped()) == [GLOBAL]


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(folder):
    os.mkfifo(folder.path / "venue=KRAKEN.trip")
    assert folder.tripped() == {KRAKEN: TripFile()}


def test_several_scopes_and_other_files_beside_them(folder):
    for name in ("global.trip", "venue=KRAKEN.trip", "notes.txt", "global.trip.bak"):
        (folder.path / name).touch()
    assert set(folder.tripped()) == {GLOBAL, KRAKEN}


def test_a_trip_by_name_is_there_whole_and_logged(folder):
    trip = TripFile(actor="ann", reason="drill", source=TripSource.CLI, flatten=True)
    folder.trip(MAKER, trip, 5)
    assert folder.tripped() == {MAKER: trip}
    (line,) = log_of(folder)
    assert (line.what, line.scope, line.actor, line.reason, line.time_ns) == (
        "trip",
        "strategy:maker",
        "ann",
        "drill",
        5,
    )
    assert line.user
    assert not list(folder.path.glob(".strategy*"))  # Nothing half written is left


def test_a_full_disk_has_room_for_a_trip(folder, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(KillFolder, "_write", full)
    folder.trip(GLOBAL, TripFile(), 5)
    assert folder.tripped() == {GLOBAL: TripFile()}


def test_the_folder_is_for_its_owner_alone(folder):
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_clears_add_up_and_are_logged(folder):
    assert folder.ask_clear(GLOBAL, "ann", "it was a drill", 1) == ClearFile(actors=("ann",), reason="it was a drill")
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    asked = folder.ask_clear(GLOBAL, "ben", "I agree", 3)
    assert asked == ClearFile(actors=("ann", "ben"), reason="I agree")
    assert folder.asked() == {GLOBAL: asked}
    assert [(line.what, line.actor, line.time_ns) for line in log_of(folder)] == [
        ("ask clear", "ann", 1), ("ask clear", "ann", 2), ("ask clear", "ben", 3),
    ]  # fmt: skip
    folder.refused(GLOBAL)
    assert folder.asked() == {}


def test_a_clear_that_was_made_before_a_trip_is_gone_with_it(folder):
    folder.ask_clear(GLOBAL, "ann", "it was a drill", 1)
    folder.ask_clear(KRAKEN, "ann", "it was a drill", 1)
    folder.trip(GLOBAL, TripFile(), 2)
    assert list(folder.asked()) == [KRAKEN]


@pytest.mark.parametrize(
    ("actor", "reason", "message"),
    [("ann", "", "at least 3 characters"), ("ann", "  ok  ", "reason"), ("", "it is safe", "needs the name"),
     ("  ", "it is safe", "by:")],
)  # fmt: skip
def test_a_clear_needs_a_name_and_a_reason(folder, actor, reason, message):
    with pytest.raises(ValueError, match=message):
        folder.ask_clear(GLOBAL, actor, reason, 1)
    assert folder.asked() == {}
    assert not list(folder.path.glob("*.clear"))


@pytest.mark.parametrize(("name", "content"), [("global.clear", ""), ("globl.clear", "{}"), ("global.clear", "yes")])
def test_a_clear_that_cannot_be_read_counts_for_nothing(folder, name, content):
    (folder.path / name).write_text(content)
    assert folder.asked() == {}


def test_cleared_takes_both_files_away_and_says_so(folder):
    folder.trip(GLOBAL, TripFile(), 1)
    folder.trip(KRAKEN, TripFile(), 1)
    asked = folder.ask_clear(GLOBAL, "ann", "it was a drill", 2)
    folder.cleared(GLOBAL, asked, 3, folder.seen()[GLOBAL])
    assert list(folder.tripped()) == [KRAKEN]
    assert folder.asked() == {}
    last = log_of(folder)[-1]
    assert (last.what, last.actor, last.reason, last.time_ns) == ("cleared", "ann", "it was a drill", 3)


def test_the_log_shows_what_was_changed_in_it(folder):
    for _ in range(3):
        folder.trip(GLOBAL, TripFile(actor="ann"), 1)
    (path,) = chain.segments(folder.path, LOG)
    path.write_bytes(path.read_bytes().replace(b'"ann"', b'"ben"', 1))
    with pytest.raises(chain.Broken, match=r"kill-000001\.ndjson line 2"):
        log_of(folder)


def test_several_people_write_one_log(folder):
    threads = [
        threading.Thread(target=lambda name=f"p{number}": KillFolder(folder.path).ask_clear(GLOBAL, name, "safe", 1))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line.actor for line in log_of(folder)) == [f"p{number}" for number in range(8)]
