"""The tape: everything once, in order, durable before it is acknowledged, whatever happens to whoever writes it."""

import errno
import gzip
import hashlib
import os

import pytest

from njord.bus.codec import Envelope, canonical
from njord.bus.memory import MemoryBus
from njord.domain.market import Aggressor, BookUpdate, DealerQuote, Quote, Trade
from njord.ledger import chain
from njord.ledger.chain import Broken, Unwritable
from njord.ledger.held_folder import InUse
from njord.ops.roles.recorder import HOUR_NS, Recorder, contents, hours, read

NAME = "A.SIM"
BEGAN_NS = 1_795_600_800_000_000_000  # 2026-11-25T10:00


def tick(number, at_ns=BEGAN_NS):
    ns = at_ns + number * 1_000_000
    kind = number % 4
    if kind == 0:
        body = Quote(NAME, ns, ns, 1.0, 1.01, 5.0, 6.0, 100 + number, 101 + number, 5, 6)
    elif kind == 1:
        body = Trade(NAME, ns, ns, 1.0, 3.0, 100, 3, Aggressor.BUYER)
    elif kind == 2:
        body = BookUpdate(NAME, ns, ns, number, False, ((100, 5),), ((101, 6),))
    else:
        body = DealerQuote(f"q{number}", "ann", NAME, ns, ns, 100, 5, 101, 6, ns + 1)
    return Envelope(f"md.x.{NAME}", number, "", "", body)


def ticks(first, last, at_ns=BEGAN_NS):
    return [tick(number, at_ns) for number in range(first, last + 1)]


def test_what_is_recorded_is_what_was_published(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.record(ticks(1, 3_000))
    recorder.record(ticks(3_001, 3_010))
    recorder.close()
    assert list(read(tmp_path)) == ticks(1, 3_010)
    published = hashlib.sha256(b"".join(canonical(each) + b"\n" for each in ticks(1, 3_010))).hexdigest()
    assert contents(tmp_path).digest == published
    assert (contents(tmp_path).messages, contents(tmp_path).missing) == (3_010, 0)


def test_what_comes_again_is_recorded_once_and_holes_are_counted(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.record(ticks(1, 10))
    recorder.close()
    again = Recorder(tmp_path)
    assert again.last == 10
    again.record(ticks(4, 12))
    again.record(ticks(12, 12))
    again.record(ticks(20, 22))
    again.close()
    assert [each.sequence for each in read(tmp_path)] == [*range(1, 13), 20, 21, 22]
    assert (contents(tmp_path).messages, contents(tmp_path).missing) == (15, 7)


def test_hours_that_are_over_are_compressed_and_read_like_the_others(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.record([*ticks(1, 5), *ticks(6, 9, BEGAN_NS + HOUR_NS), *ticks(10, 11)])  # The last two come late
    recorder.record(ticks(12, 12, BEGAN_NS + 3 * HOUR_NS))
    recorder.close()
    assert hours(tmp_path) == ["2026-11-25T10", "2026-11-25T11", "2026-11-25T13"]
    assert [path.suffix for hour in hours(tmp_path) for path in sorted((tmp_path / hour).iterdir())] == [
        ".gz", ".gz", ".ndjson",
    ]  # fmt: skip
    assert [each.sequence for each in read(tmp_path)] == list(range(1, 13))
    again = Recorder(tmp_path)
    assert again.last == 12
    again.record(ticks(13, 13, BEGAN_NS + 2 * HOUR_NS))  # Hours do not go back
    again.close()
    assert hours(tmp_path)[-1] == "2026-11-25T13"
    assert (contents(tmp_path).messages, contents(tmp_path).missing) == (13, 0)


@pytest.mark.parametrize("cut", [1, 7, 50, 200])
def test_a_line_that_was_cut_off_counts_for_nothing_and_comes_again(tmp_path, cut):
    recorder = Recorder(tmp_path)
    recorder.record(ticks(1, 5))
    recorder.record(ticks(6, 9))
    recorder.close()
    path = tmp_path / "2026-11-25T10" / "tape-000001.ndjson"
    os.truncate(path, path.stat().st_size - cut)
    again = Recorder(tmp_path)
    assert again.last == 5
    again.record(ticks(6, 9))
    again.close()
    assert list(read(tmp_path)) == ticks(1, 9)


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_changed_is_found_and_named(tmp_path, packed):
    recorder = Recorder(tmp_path)
    recorder.record(ticks(1, 50))
    recorder.record(ticks(51, 60, BEGAN_NS + HOUR_NS * packed))
    recorder.close()
    path = tmp_path / "2026-11-25T10" / ("tape-000001.ndjson" + ".gz" * packed)
    data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    changed = data.replace(b'"price_ticks":100,', b'"price_ticks":999,', 1)
    assert changed != data
    path.write_bytes(gzip.compress(changed) if packed else changed)
    with pytest.raises(Broken, match="tape-000001"):
        list(read(tmp_path))


def test_one_folder_has_one_recorder(tmp_path):
    recorder = Recorder(tmp_path)
    with pytest.raises(InUse, match=f"in use by process {os.getpid()}"):
        Recorder(tmp_path)
    recorder.close()
    Recorder(tmp_path).close()


def test_a_full_disk_acknowledges_nothing_and_loses_nothing(tmp_path, monkeypatch):
    bus = MemoryBus()
    bus.append("md", ticks(1, 20))
    member = bus.join("md", "recorder", "recorder")
    recorder = Recorder(tmp_path)
    first = member.read(messages_max=5)
    recorder.record(first)
    member.acknowledge(first)

    def full(_file, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(chain, "_write_all", full)
        with pytest.raises(Unwritable):
            recorder.record(member.read())
        with pytest.raises(Unwritable):
            recorder.close()
    assert member.behind() == 15
    # It ends with that, and is started again when there is room
    again, reading = Recorder(tmp_path), bus.join("md", "recorder", "recorder")
    envelopes = reading.read()
    again.record(envelopes)
    reading.acknowledge(envelopes)
    again.close()
    assert list(read(tmp_path)) == ticks(1, 20)
    assert reading.behind() == 0
