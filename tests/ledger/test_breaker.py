"""The database goes away and comes back: the breaker opens, nothing is lost, nothing is written twice."""

import contextlib
import select
import socket
import threading

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from njord.ledger.memory import MemoryLedger
from njord.ledger.port import LedgerUnavailable
from njord.ledger.sql.breaker import Breaker
from njord.ledger.sql.connecting import connected, parsed
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger

from .records import ACCOUNT, deposit, fills


def test_it_opens_after_so_many_failures_and_lets_one_attempt_through_after_its_time():
    breaker = Breaker(failures_max=3, open_s=5.0)
    breaker.failed(1.0)
    breaker.failed(2.0)
    assert breaker.open_for_s(2.0) == 0
    breaker.failed(3.0)
    assert breaker.open_for_s(3.0) == 5.0
    assert breaker.open_for_s(7.5) == 0.5
    assert breaker.open_for_s(8.0) == 0
    breaker.failed(8.5)
    assert breaker.open_for_s(9.0) == 4.5  # The attempt failed: as long again
    breaker.succeeded()
    assert breaker.open_for_s(9.0) == 0
    breaker.failed(10.0)
    assert breaker.open_for_s(10.0) == 0  # It counts from nothing


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), max_size=50))
def test_it_is_never_open_longer_than_its_time(happened):
    breaker, now = Breaker(failures_max=2, open_s=3.0), 0.0
    for worked, passed in happened:
        now += passed
        breaker.succeeded() if worked else breaker.failed(now)
        assert 0 <= breaker.open_for_s(now) <= 3.0
    assert breaker.open_for_s(now + 3.0) == 0


@pytest.mark.parametrize("bad", [{"failures_max": 0}, {"open_s": 0}])
def test_a_breaker_without_bounds_is_refused(bad):
    with pytest.raises(ValueError, match="must be > 0"):
        Breaker(**bad)


class Proxy:
    """A wire to the database that can be cut."""

    def __init__(self, host, port):
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self.up = True
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self.up:
                    client.close()
                    continue
                server = socket.create_connection(self._to)
                self._open += [client, server]
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client, server):
        with contextlib.suppress(OSError, ValueError):
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)

    def cut(self):
        self.up = False
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def close(self):
        self.cut()
        self._listener.close()


@pytest.mark.connects
def test_while_postgresql_is_out_of_reach_nothing_is_lost_and_then_it_goes_on(postgres_url):
    migrated(postgres_url).dispose()
    real = parsed(postgres_url)
    proxy = Proxy(real.host, real.port or 5432)
    clock = [0.0]
    through = connected(real.set(host="127.0.0.1", port=proxy.port))
    ledger = SqlLedger(through, breaker=Breaker(failures_max=2, open_s=30.0), clock_s=lambda: clock[0])
    records = fills(40)
    waiting = list(records)
    refused = attempts = 0
    connections = []
    sa.event.listen(through, "do_connect", lambda *_: connections.append(1))
    for tick in range(200):
        clock[0] = float(tick)
        if tick == 5:
            proxy.cut()
        if tick == 40:
            proxy.up = True
        if not waiting:
            break
        try:
            ledger.commit(waiting[:2])
        except LedgerUnavailable as error:
            refused += 1
            attempts += "left alone" not in str(error)
        else:
            del waiting[:2]
    assert not waiting
    assert refused > 30
    assert attempts <= 4  # The others were answered by the breaker, at once
    plain = MemoryLedger()
    plain.commit(records)
    assert ledger.head(ACCOUNT) == plain.head(ACCOUNT)
    assert ledger.verify() == []
    ledger.close()
    proxy.close()


@pytest.mark.connects
def test_a_commit_whose_answer_is_lost_is_not_written_twice(postgres_url):
    migrated(postgres_url).dispose()
    real = parsed(postgres_url)
    proxy = Proxy(real.host, real.port or 5432)
    ledger = SqlLedger(connected(real.set(host="127.0.0.1", port=proxy.port)))
    ledger.commit([deposit(0)])

    def cut_after(connection):
        driver = connection.connection.driver_connection
        driver.commit()  # It arrives; that it did is never heard, since the COMMIT that follows gets no answer
        driver.execute("SELECT 1")
        proxy.cut()

    sa.event.listen(ledger.engine, "commit", cut_after, once=True)
    with pytest.raises(LedgerUnavailable):
        ledger.commit([deposit(1)])
    proxy.up = True

    assert ledger.commit([deposit(1)]).position == 2
    assert ledger.verify() == []
    ledger.close()
    proxy.close()


def test_on_a_full_disk_nothing_is_written_and_nothing_lost(tmp_path):
    ledger = SqlLedger(migrated(f"sqlite:///{tmp_path / 'l'}"))
    full = [True]

    def limit(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2 if full[0] else 2**30}")

    sa.event.listen(ledger.engine, "begin", limit)
    records = fills(400)
    with pytest.raises(LedgerUnavailable, match="full"):
        ledger.commit(records)
    full[0] = False
    assert ledger.head(ACCOUNT).position == 0
    assert ledger.commit(records).position == len(records)
    assert ledger.verify() == []
    ledger.close()


def test_a_sqlite_file_that_another_holds_is_unavailable_and_then_not(tmp_path, monkeypatch):
    monkeypatch.setattr("njord.ledger.sql.connecting.BUSY_MS_MAX", 50)
    ledger = SqlLedger(migrated(f"sqlite:///{tmp_path / 'l'}"))
    with ledger.engine.connect() as other:
        raw = other.connection.driver_connection
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            ledger.commit([deposit()])
        raw.execute("ROLLBACK")
    assert ledger.commit([deposit()]).position == 1
    ledger.close()
