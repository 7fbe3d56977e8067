"""The journal: what was written reads back, its digest is that of its bytes, and damage is named."""

import hashlib

import pytest

from njord.domain.command import Entry, Posting, SetTimer
from njord.ledger.journal import Broken, Journal, digest, read

TIMER = SetTimer("a", "x", 5)
ENTRY = Entry("e", "c", 1, (Posting("cash", "USD", 10**30), Posting("capital", "USD", -(10**30))))


def test_what_was_written_reads_back(tmp_path):
    path = tmp_path / "journal.ndjson"
    journal = Journal(path)
    journal.append(1, 10, "bar:x", [TIMER, ENTRY])
    journal.append(2, 20, "fill:y", [TIMER])
    taken = journal.digest
    journal.close()

    records = list(read(path))
    assert [(r.sequence, r.time_ns, r.cause, r.command) for r in records] == [
        (1, 10, "bar:x", TIMER), (1, 10, "bar:x", ENTRY), (2, 20, "fill:y", TIMER),
    ]  # fmt: skip
    assert taken == digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_in_memory_and_on_disk_agree_however_often_the_digest_is_asked_for(tmp_path):
    one, other = Journal(), Journal(tmp_path / "j")
    for number in range(3_000):
        one.append(number, number, "x", [TIMER])
        other.append(number, number, "x", [TIMER])
        if number % 700 == 0:
            assert one.digest == other.digest
    assert one.digest == other.digest
    assert one.records == other.records == 3_000
    assert sum(1 for _ in one.lines()) == 3_000


def test_order_and_content_are_in_the_digest():
    def of(*records):
        journal = Journal()
        for record in records:
            journal.append(*record)
        return journal.digest

    first, second = (1, 1, "a", [TIMER]), (2, 2, "b", [ENTRY])
    assert of(first, second) != of(second, first)
    assert of(first) != of(first, second)
    assert of(first) != of((1, 1, "a", [SetTimer("a", "x", 6)]))


def test_a_line_that_is_none_is_named(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b'[1,1,"x",{"type":"set_timer","strategy_id":"a","name":"x","time_ns":5}]\n[broken\n')
    with pytest.raises(Broken, match="line 2"):
        list(read(path))
