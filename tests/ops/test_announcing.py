"""What a platform tells a bus: all of the market, each account once and as its ledger has it, and of nobody else."""

import time

import pytest

from njord.bus.memory import MemoryBus
from njord.bus.topics import KILL
from njord.cli.clock import now_ns
from njord.domain.fill import Fill
from njord.domain.governance import GLOBAL, Cleared, Tripped, TripSource
from njord.engine.garbage import collected_seldom
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ops.announcing import Announcing, messages
from njord.ops.desk.desk import Desk
from njord.ops.desk.values import Ticket
from njord.ops.platform import Platform

SHARES = {"ann": "BRAGE.SIM", "ben": "IDUN.SIM"}


class House:
    """A platform on a bus, that can be ended in order or left lying as a crash leaves it."""

    def __init__(self, root, bus):
        self.root, self.bus = root, bus
        path = root / "ledger.sqlite"
        url = f"sqlite:///{path}"
        if not path.exists():
            migrated(url).dispose()
        self.ledger, self.mirror = SqlLedger.open(url), SqlLedger.open(url)
        self.heard = []
        self.platform = Platform(
            root / "platform", self.ledger, root / "kill", seed=3, wall_ns=now_ns, speed=5.0, bus=bus
        )
        self.desk = Desk.of(self.platform, self.ledger, root, now_ns)
        self.announcing = Announcing(self.platform, bus, self.mirror)
        self.platform.market_listeners.append(self.heard.extend)
        self.platform.start()

    def trade(self, key):
        for account_id, share in SHARES.items():
            self.desk.trading.open_account(account_id)
            until(lambda share=share: quoted(self.platform, share))
            ticket = Ticket(order_key=key, instrument_id=share, side="buy", quantity="3")
            until(lambda ticket=ticket, account_id=account_id: placed(self.desk, account_id, ticket))

    def close(self):
        self.platform.stop()
        self.announcing.close()
        self.ledger.close()
        self.mirror.close()

    def told(self, account_id):
        return [
            each for each in self.bus.newest("accounts", 100_000) if each.correlation_id.startswith(f"{account_id}/")
        ]

    def recorded(self, account_id):
        return [each for record in self.ledger.records(account_id) for each in messages(record)]


def placed(desk, account_id, ticket):
    order = desk.trading.place(account_id, account_id, ticket).order
    return order is not None and order.status == "filled"


def quoted(platform, share):
    quote = platform.house.floor.quotes.get(share)
    return quote is not None and quote.bid_lots > 10 and quote.ask_lots > 10


def until(ready):
    for _ in range(400):
        if ready():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


@pytest.fixture
def house(tmp_path):
    with collected_seldom():
        made = House(tmp_path, MemoryBus())
        yield made
        if made.ledger is not None:
            made.close()


@pytest.mark.slow
def test_the_market_accounts_and_exposures_are_told_and_nobody_hears_of_another(house):
    house.trade("a")
    until(lambda: len({each.body.account_id for each in house.bus.newest("risk", 100) if each.body.lots}) == 2)
    house.close()

    assert [each.body for each in house.bus.newest("md", 200_000)][-len(house.heard) :] == house.heard
    exposures = [each.body for each in house.bus.newest("risk", 1_000)]
    for account_id, share in SHARES.items():
        mine = [each for each in exposures if each.account_id == account_id]
        assert {name for each in mine for name in each.lots} == {share}
        assert all(name in share for each in mine for name in each.delta)
        told = house.told(account_id)
        assert [each.body for each in told if isinstance(each.body, Fill)]
        fills = [each for each in told if each.topic == "fills.new"]
        assert {each.body.instrument_id for each in fills} == {share}
        assert {each.topic for each in told} >= {"strat.intent", "orders.accepted", "fills.new", "ledger.entries"}
    house.ledger = SqlLedger.open(f"sqlite:///{house.root / 'ledger.sqlite'}")
    for account_id in SHARES:
        assert [each.body for each in house.told(account_id)] == house.recorded(account_id)
    house.ledger.close()
    house.ledger = None


@pytest.mark.slow
def test_what_was_not_told_before_the_end_is_told_at_the_next_start_once(tmp_path):
    bus = MemoryBus()
    with collected_seldom():
        first = House(tmp_path, bus)
        first.trade("a")
        first.announcing._ending.set()  # As where only the announcing died: the platform goes on
        first.announcing._thread.join()
        before = len(bus.newest("accounts", 100_000))
        first.trade("b")
        first.announcing.close = lambda: None
        first.close()
        assert len(bus.newest("accounts", 100_000)) == before

        second = House(tmp_path, bus)
        second.trade("c")
        second.close()
        ledger = SqlLedger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        for account_id in SHARES:
            recorded = [each for record in ledger.records(account_id) for each in messages(record)]
            assert [each.body for each in second.told(account_id)] == recorded
        ledger.close()


@pytest.mark.slow
def test_one_account_is_stopped_and_cleared_by_bus_and_all_of_them_too(house):
    house.trade("a")
    state = {name: house.platform.house.accounts[name].session.state for name in SHARES}
    house.bus.publish(f"{KILL}.ann", Tripped(GLOBAL, TripSource.CLI, "watcher", "too much", False, 1, 1))
    house.bus.publish(f"{KILL}.nobody", Tripped(GLOBAL, TripSource.CLI, "watcher", "too much", False, 1, 1))
    until(lambda: state["ann"].kill.tripped)
    assert not state["ben"].kill.tripped
    (trip,) = state["ann"].kill.tripped.values()
    assert (trip.source, trip.actor, trip.reason) == (TripSource.BUS, "watcher", "too much")
    house.bus.publish(f"{KILL}.ann", Cleared(GLOBAL, ("otto",), "it was looked into", 1, 1))
    until(lambda: not state["ann"].kill.tripped)
    house.bus.publish(KILL, Tripped(GLOBAL, TripSource.CLI, "otto", "everything", False, 1, 1))
    until(lambda: state["ann"].kill.tripped and state["ben"].kill.tripped)
    assert house.announcing.failure is None
