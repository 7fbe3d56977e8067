"""Backups: consistent while others write, complete or refused, and the same in either database."""

import gzip
import json
import threading

import pytest
import sqlalchemy as sa

from njord.ledger.port import BreakKind
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ledger.sql.validation import violations
from njord.ops.backup import BadBackup, backup, checked, missing_since, restore

from ..ledger.databases import DATABASES, database_url, unguarded  # noqa: TID252 - tests are no package
from ..ledger.records import ACCOUNT, deposit, fills, record, story  # noqa: TID252


@pytest.fixture(params=DATABASES)
def ledger(request, tmp_path):
    made = SqlLedger(migrated(database_url(request, tmp_path)))
    yield made
    made.close()


@pytest.fixture
def other(tmp_path):
    made = SqlLedger(migrated(f"sqlite:///{tmp_path / 'other'}"))
    yield made
    made.close()


def test_restored_it_is_the_same_in_the_other_database_and_goes_on(ledger, other, tmp_path):
    ledger.commit(story())
    ledger.commit(fills(2_500, "bulk"))
    file = tmp_path / "b.gz"

    written = backup(ledger, file)
    assert restore(other, file) == checked(file) == written

    for account in (ACCOUNT, "bulk"):
        assert other.head(account) == ledger.head(account) == written.accounts[account]
        assert list(other.records(account)) == list(ledger.records(account))
    assert other.verify() == violations(other.engine) == []
    assert other.commit([record(99)]) == ledger.commit([record(99)])


def test_and_back_into_the_first(ledger, other, tmp_path):
    other.commit(story())
    backup(other, tmp_path / "b.gz")
    restore(ledger, tmp_path / "b.gz")
    assert ledger.verify() == []
    assert ledger.head(ACCOUNT) == other.head(ACCOUNT)


def test_a_backup_is_consistent_while_a_writer_runs(ledger, other, tmp_path):
    ledger.commit([deposit(0)])
    stop, going = threading.Event(), threading.Event()
    failed = []

    def write():
        writer = SqlLedger(migrated(ledger.engine.url.render_as_string(hide_password=False)))
        sequence = 0
        while not stop.is_set() and sequence < 5_000:
            sequence += 1
            try:
                writer.commit([record(2 * sequence), deposit(2 * sequence + 1)])
            except Exception as error:  # noqa: BLE001 - seen below
                failed.append(error)
                break
            going.set()
        writer.close()

    writing = threading.Thread(target=write)
    writing.start()
    going.wait(30)
    manifests = [backup(ledger, tmp_path / f"{number}.gz") for number in range(5)]
    stop.set()
    writing.join()

    assert failed == []
    positions = [manifest.accounts[ACCOUNT].position for manifest in manifests]
    assert positions == sorted(positions)
    assert ledger.head(ACCOUNT).position > positions[0]
    assert all(position % 2 for position in positions)  # A pair that was committed together is there together
    restore(other, tmp_path / "4.gz")
    assert other.verify() == []


def test_a_reader_in_the_middle_holds_up_no_writer_not_even_into_a_new_week(ledger):
    ledger.commit(story())
    with ledger.snapshot() as stream:
        seen = [next(stream)]
        if ledger.engine.dialect.name == "postgresql":
            assert ledger.verify() == []  # Reads of all tables end, those of the snapshot go on
        head = ledger.commit([record(99, time_ns=1_900_000_000 * 10**9)])
        seen += stream
    assert len(seen) == len(story())
    assert head.position == len(story()) + 1


def test_cut_off_anywhere_it_is_refused_and_nothing_is_restored(ledger, other, tmp_path):
    ledger.commit(story())
    file = tmp_path / "b.gz"
    backup(ledger, file)
    whole = file.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        file.write_bytes(whole[:length])
        with pytest.raises(BadBackup):
            restore(other, file)
    assert other.accounts() == []


def lines(file):
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda ls: ls[:-1],
        lambda ls: ls[:3] + ls[4:],
        lambda ls: [*ls[:3], ls[4], ls[3], *ls[5:]],
        lambda ls: [*ls, b"{}\n"],
        lambda ls: [ls[0].replace(b"1", b"2"), *ls[1:]],
        lambda ls: [b'["other",1]\n', *ls[1:]],
        lambda ls: [*ls[:2], ls[2].replace(b"careful", b"carefuL"), *ls[3:]],
        lambda ls: [*ls[:2], b"[1,2\n", *ls[3:]],
        lambda _: [b"\xff\n"],
    ],
)
def test_changed_it_is_refused(tmp_path, other, change):
    other.commit(story())
    file = tmp_path / "b.gz"
    backup(other, file)
    file.write_bytes(gzip.compress(b"".join(change(lines(file)))))
    with pytest.raises(BadBackup):
        checked(file)


def test_a_backup_made_up_to_fit_its_hash_still_fails_by_its_chain(tmp_path, other, ledger):
    import hashlib

    ledger.commit(story())
    file = tmp_path / "b.gz"
    backup(ledger, file)
    changed = [line.replace(b"1000000000000000000000000", b"2000000000000000000000000") for line in lines(file)]
    manifest = json.loads(changed[-1])
    manifest["sha256"] = hashlib.sha256(b"".join(changed[:-1])).hexdigest()
    file.write_bytes(gzip.compress(b"".join([*changed[:-1], json.dumps(manifest).encode() + b"\n"])))
    with pytest.raises(BadBackup, match="another chain"):
        restore(other, file)


def test_a_restore_that_was_interrupted_goes_on(tmp_path, other, ledger):
    ledger.commit(story())
    ledger.commit(fills(2_500, "bulk"))
    file = tmp_path / "b.gz"
    backup(ledger, file)
    done = []

    def interrupt(steps):
        done.append(steps)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(other, file, interrupt)
    assert 0 < other.head("bulk").position < ledger.head("bulk").position

    restore(other, file)
    assert other.head("bulk") == ledger.head("bulk")
    assert other.verify() == []


def test_a_ledger_with_anything_else_in_it_is_not_restored_into(tmp_path, other, ledger):
    ledger.commit(story()[:5])
    file = tmp_path / "b.gz"
    backup(ledger, file)
    other.commit([deposit(0, amount=1)])
    with pytest.raises(ValueError, match="another history"):
        restore(other, file)
    with pytest.raises(ValueError, match="is there already"):
        backup(other, file)
    ledger.commit(story())
    with pytest.raises(ValueError, match="that are not in"):
        restore(ledger, file)


def test_an_end_cut_off_is_noticed_by_a_backup(ledger, tmp_path):
    ledger.commit([record(number) for number in range(1, 6)])
    file = tmp_path / "b.gz"
    backup(ledger, file)
    assert missing_since(ledger, file) == []
    with unguarded(ledger.engine) as connection:
        connection.execute(sa.text("DELETE FROM steps WHERE step = 5"))
        connection.commit()
    assert ledger.verify() == []  # Nothing in it can show that
    (found,) = missing_since(ledger, file)
    assert (found.kind, found.position) == (BreakKind.MISSING, 5)
