"""Ledgers and journals that cannot be written, or say what cannot be: trading stops, nothing is dropped, it goes on."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from njord.domain.command import NewOrder
from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.order import TERMINAL, Side
from njord.engine import recorder, session_journal
from njord.engine import session as sessions_module
from njord.engine.opening import AccountFolder
from njord.engine.recorder import Stopped
from njord.engine.restore import Irreconcilable
from njord.engine.session_journal import Steps, record_of
from njord.ledger.chain import Broken, segments
from njord.ledger.held_folder import InUse
from njord.ledger.memory import MemoryLedger
from njord.ledger.port import LedgerRefused, LedgerUnavailable
from njord.ledger.sql.breaker import Breaker
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger

from .test_crash import Crash, crashing_after, live
from .world import World

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TESTS = Path(__file__).parents[1]


def on_record(world, number=1):
    """What the journal of a session has for the ledger."""
    folder = world.root / "sessions" / "demo" / f"demo-{number:06d}"
    found = [
        record_of(step, "demo", folder.name)
        for line in session_journal.read(folder) if isinstance(line, Steps) for step in line.steps
    ]  # fmt: skip
    return [each for each in found if each is not None]


def check_all_recorded(world):
    assert list(world.ledger.records("demo")) == on_record(world)
    assert world.ledger.verify() == []


def test_while_the_ledger_is_down_no_order_leaves_nothing_is_lost_and_it_goes_on_by_itself(tmp_path):
    second, down, attempts = [0.0], [False], []

    def begin(_connection):
        attempts.append(second[0])
        if down[0]:
            raise sa.exc.OperationalError("BEGIN", {}, OSError("out of reach"))

    engine = migrated(f"sqlite:///{tmp_path / 'l.sqlite'}")
    ledger = SqlLedger(engine, breaker=Breaker(failures_max=3, open_s=5.0), clock_s=lambda: second[0])
    sa.event.listen(engine, "begin", begin)
    world = World(tmp_path, ledger)
    session = world.open()
    sent, waiting = [], []
    for number in range(90):  # A turn a second, and thirty of them without a ledger
        second[0] = float(number)
        down[0] = 20 <= number < 50
        session.turn()
        sent.append(session.orders_sent)
        waiting.append(session._recorder.unrecorded)

    assert sent[19] == sent[49] > 0
    assert sent[89] > sent[60] > sent[49]
    assert waiting[49] > waiting[21] > 0
    assert waiting[60] == 0
    assert len([each for each in attempts if 20 <= each < 50]) < 12  # The breaker answered the others
    session.run()
    session.finish()
    check_all_recorded(world)
    world.check(session.state)
    ledger.close()
    world.account.release()


class Down(MemoryLedger):
    down = False
    refuses_at = 10**9

    def commit(self, records):
        if self.down:
            raise LedgerUnavailable("out of reach")
        if self.head("demo").position + len(records) >= self.refuses_at:
            raise LedgerRefused("account demo step 40: fills ordinal 0: a limit")
        return super().commit(records)


def test_at_the_bound_of_what_may_wait_nothing_more_is_taken_in(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions_module, "UNRECORDED_MAX", 25)
    monkeypatch.setattr(recorder, "COMMIT_MAX", 7)
    world = World(tmp_path, Down())
    waits, taken = [], []

    def wait(_s):
        waits.append(world.exchange.now_ns)
        taken.append(session.events)
        world.ledger.down = len(waits) < 10

    session = world.open(wait=wait)
    world.ledger.down = True
    session.run()

    assert len(waits) == 10
    assert len(set(waits)) == len(set(taken)) == 1  # What is to come stayed where it was
    assert session._recorder.unrecorded == 0
    session.finish()
    check_all_recorded(world)
    world.account.release()


def open_at(exchange):
    return [each for each in exchange.account.orders.values() if each.status not in TERMINAL]


def test_a_ledger_that_refuses_a_record_stops_this_session_and_the_next_in_one_line(tmp_path):
    world = World(tmp_path, Down())
    session = world.open()
    world.ledger.refuses_at = 60

    with pytest.raises(Stopped, match="the ledger refused a record: account demo step 40") as stopped:
        session.run()

    assert "\n" not in str(stopped.value)
    world.exchange.until(world.exchange.now_ns + 10**9)
    assert open_at(world.exchange) == []
    assert session.gate.blocks("busy", "SIM") is not None
    world.account.release()
    with pytest.raises(LedgerRefused, match="a limit"):
        world.open()
    world.ledger.refuses_at = 10**9
    assert live(world, lambda _point: None) is not None
    assert world.ledger.verify() == []
    world.account.release()


def test_a_world_that_contradicts_itself_stops_the_session_and_leaves_nothing_working(tmp_path):
    world = World(tmp_path, MemoryLedger())
    session = world.open()
    session.run(events_max=40)
    assert open_at(world.exchange)
    impossible = Fill(
        "x-1", "nobody", "BTC/USD.SIM", Side.BUY, 100, 1, 0, "USD", Liquidity.MAKER, FillReason.VENUE, "",
        session.state.time_ns, session.state.time_ns,
    )  # fmt: skip

    with pytest.raises(Stopped, match="fill:x-1: IllegalTransition: order nobody"):
        session.handle([impossible])

    world.exchange.until(world.exchange.now_ns + 10**9)
    assert open_at(world.exchange) == []
    assert session.gate.blocks("busy", "SIM") is not None
    world.account.release()
    again = live(world, lambda _point: None)
    world.check(again.state)
    world.account.release()


def test_two_sessions_on_one_account_are_refused_in_one_line(tmp_path):
    world = World(tmp_path, MemoryLedger())
    world.open()
    with pytest.raises(InUse, match=rf"^account demo: in use by process {os.getpid()}$"):
        AccountFolder(tmp_path / "sessions", "demo")
    world.account.release()
    AccountFolder(tmp_path / "sessions", "demo").release()


@pytest.mark.parametrize("kept", [0, 1, 20])
def test_a_ledger_restored_from_an_older_backup_is_brought_forward_by_the_journals(tmp_path, kept):
    world = World(tmp_path, MemoryLedger())
    live(world, crashing_after(60))
    gc.collect()
    world.account.release()
    live(world, crashing_after(30))
    gc.collect()
    world.account.release()
    now = world.ledger
    older = MemoryLedger()
    if kept:
        older.commit(list(now.records("demo"))[:kept])
    world.ledger = older

    again = world.open()

    whole = on_record(world, 1) + on_record(world, 2)
    assert list(older.records("demo"))[: len(whole)] == whole
    assert len(whole) >= now.head("demo").position > kept
    again.run()
    again.finish()
    world.check(again.state)
    world.account.release()


def crashed_at(world, point, count):
    left = [count]

    def reached(where):
        left[0] -= where == point
        if left[0] == 0:
            raise Crash(point)

    assert live(world, reached) is None
    gc.collect()
    world.account.release()
    return segments(world.root / "sessions" / "demo" / "demo-000001", "journal")[-1]


def test_a_journal_cut_off_in_a_line_nobody_had_acted_on_is_taken_up_at_any_byte(tmp_path):
    world = World(tmp_path / "whole", MemoryLedger())
    path = crashed_at(world, "journal durable", 30)
    data = path.read_bytes()
    last = data.rstrip(b"\n").rfind(b"\n") + 1
    records = list(world.ledger.records("demo"))
    whole = on_record(world)
    for cut in range(last, len(data) + 1):
        path.write_bytes(data[:cut])
        found = on_record(world)
        assert found == (whole if cut == len(data) else records), cut
    for cut in [*range(last, len(data), max(1, (len(data) - last) // 8)), len(data)]:
        again = World(tmp_path / str(cut), MemoryLedger())
        again.ledger.commit(records)
        folder = again.root / "sessions" / "demo" / "demo-000001"
        folder.mkdir(parents=True)
        (folder / path.name).write_bytes(data[:cut])
        again.exchange = None
        session = again.open()
        expected = len(whole) if cut == len(data) else len(records)
        assert list(again.ledger.records("demo"))[:expected] == whole[:expected]
        assert [each.session_id for each in again.ledger.records("demo")][expected : expected + 1] != ["demo-000001"]
        session.run(events_max=5)
        again.account.release()


def test_a_journal_that_ends_before_the_ledger_is_refused(tmp_path):
    world = World(tmp_path, MemoryLedger())
    path = crashed_at(world, "ledger committed", 30)
    data = path.read_bytes()
    path.write_bytes(data[: data.rstrip(b"\n").rfind(b"\n") + 1])
    with pytest.raises(Irreconcilable, match=r"account demo: the ledger ends at step \d+ .* its journal at \d+"):
        world.open()


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_journal_that_was_tampered_with_is_refused_with_the_line(tmp_path, at):
    world = World(tmp_path, MemoryLedger())
    path = crashed_at(world, "ledger committed", 30)
    lines = path.read_bytes().splitlines(keepends=True)
    number = int(len(lines) * at)
    changed = bytearray(lines[number])
    changed[90] ^= 1
    lines[number] = bytes(changed)
    path.write_bytes(b"".join(lines))
    with pytest.raises(Broken, match=rf"journal-000001.ndjson line {number + 1}: ") as refused:
        world.open()
    assert "\n" not in str(refused.value)


FULL_DISK = """
import json, os, resource, signal, sys, warnings
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from simulation.world import World
from njord.ledger.memory import MemoryLedger
how, root = sys.argv[2], Path(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
world = World(root, MemoryLedger())
waits, sent = [], []
filler = root / "filler"

def wait(_s):
    waits.append(session._recorder.waiting)
    sent.append(session.orders_sent)
    if len(waits) == 5:
        if how == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        else:
            filler.unlink()

session = world.open(wait=wait)
session.run(events_max=60)
before = session.orders_sent
known = world.exchange.account.orders.values
open_before = len([o for o in known() if not o.reason and o.status in ("accepted", "submitted")])
if how == "limit":
    size = max(p.stat().st_size for p in root.rglob("journal-*.ndjson"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 150, resource.RLIM_INFINITY))
else:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
session.run()
session.finish()
left = [o for o in known() if o.status not in ("filled", "cancelled", "rejected", "expired")]
from simulation.test_outages import on_record
print(json.dumps({
    "waits": len(waits), "sent": [before, *sent, session.orders_sent], "tripped": [
        [str(t.source), t.reason] for t in session.state.kill.tripped.values()],
    "same": list(world.ledger.records("demo")) == on_record(world), "breaks": len(world.ledger.verify()),
    "left": len(left), "open_before": open_before,
    "fills": [session.fills, len(world.exchange.account.fills)],
}))
os._exit(0)
"""


def check_full(done, said):
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["waits"] == 5
    assert len(set(found["sent"])) == 1, "an order left that was not on record, or after it could not be recorded"
    assert found["sent"][0] > 0
    [[source, reason]] = found["tripped"]
    assert source == "journal"
    assert said in reason
    assert found["same"]
    assert found["breaks"] == 0
    assert found["left"] == 0  # What was working was cancelled at once
    assert found["open_before"] > 0
    assert found["fills"][0] == found["fills"][1]


def run_full(how, root):
    words = [sys.executable, "-c", FULL_DISK, str(TESTS), how, str(root)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_a_disk_that_takes_no_more_stops_trading_and_drops_nothing(tmp_path):
    check_full(run_full("limit", tmp_path), "File too large")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs to be root")
def test_a_small_disk_that_is_really_full_stops_trading_and_drops_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        check_full(run_full("disk", disk), "No space left")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_orders_that_could_not_be_recorded_in_time_are_on_record_as_never_sent(tmp_path):
    world = World(tmp_path, Down())
    session = world.open()
    session.run(events_max=30)
    world.ledger.down = True
    sent = set(world.exchange.account.orders)
    for _ in range(40):
        session.turn()
    wanted = {
        command.client_order_id
        for record in session._recorder._records for command in record.commands if isinstance(command, NewOrder)
    }  # fmt: skip
    assert wanted
    assert set(world.exchange.account.orders) == sent
    world.ledger.down = False
    session.run()
    session.finish()
    assert not wanted & set(world.exchange.account.orders)
    assert {str(session.state.orders.done[each]) for each in wanted} == {"rejected"}
    check_all_recorded(world)
    world.account.release()
