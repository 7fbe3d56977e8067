"""Answers that may be a moment old: a cold cache, a warm one, a lost and a damaged one give the same."""

import threading

import msgspec
import pytest
import redis

from njord.bus.hot import ANSWER_BYTES_MAX, LIFE_MS, HotCache
from njord.bus.memory import MemoryBus
from njord.cli.clock import now_ns
from njord.ops.desk.desk import ASKABLE
from njord.ops.desk.hot import CHANGING, HOT, MARKET, Keeping, scope_of
from njord.ops.desk.remote import Answerer, Asker

pytestmark = pytest.mark.connects
ANN, BEN = scope_of("ann"), scope_of("ben")


@pytest.fixture
def cache(redis_space):
    made = HotCache(redis_space[0], prefix=redis_space[1], life_ms=60_000)  # A moment here is as long as a test
    yield made
    made.close()


class Trading:
    """Accounts with a number each. What is asked of them is counted."""

    def __init__(self):
        self.held: dict[str, int] = {}
        self.asked = 0
        self.began, self.go = threading.Event(), threading.Event()
        self.go.set()

    def portfolio(self, account_id: str) -> int:
        self.asked += 1
        found = self.held[account_id]
        self.began.set()
        assert self.go.wait(10)
        return found

    def orders(self, account_id: str) -> list[int]:
        return [self.held[account_id]]

    def place(self, account_id: str, lots: int) -> bool:
        self.held[account_id] = self.held.get(account_id, 0) + lots
        return True


METHODS = ("portfolio", "orders", "place")


@pytest.fixture
def desk(cache):
    """(the service, what a gateway sees of it, the platform's side of the cache)."""
    bus, service, keeping = MemoryBus(), Trading(), Keeping(cache)
    answerer = Answerer(bus, {"trading": (service, Trading, METHODS)}, now_ns, keeping)
    asker = Asker(bus, "one", now_ns, lambda: True, cache)
    far = asker.service("trading", Trading, METHODS)
    far.place("ann", 3)
    far.place("ben", 4)
    yield service, far, keeping
    asker.close()
    answerer.close()


def test_a_warm_answer_is_the_cold_one_and_asks_nobody(desk, cache):
    service, far, _ = desk
    cold = far.portfolio("ann")
    assert (cold, service.asked) == (3, 1)
    assert [far.portfolio("ann") for _ in range(5)] == [cold] * 5
    assert service.asked == 1
    cache.drop([ANN])
    assert (far.portfolio("ann"), service.asked) == (cold, 2)


def test_what_an_account_did_is_in_the_next_answer_about_it_and_about_no_other(desk):
    service, far, _ = desk
    assert (far.portfolio("ann"), far.portfolio("ben")) == (3, 4)
    for number in range(4, 20):
        far.place("ann", 1)
        assert far.portfolio("ann") == number
    asked = service.asked
    assert (far.portfolio("ben"), service.asked) == (4, asked)


def test_an_answer_that_was_overtaken_is_not_kept(desk):
    service, far, _ = desk
    service.go.clear()
    late = []
    asking = threading.Thread(target=lambda: late.append(far.portfolio("ann")))
    asking.start()
    assert service.began.wait(10)
    far.place("ann", 10)
    service.go.set()
    asking.join(10)
    assert late == [3]
    assert far.portfolio("ann") == 13


def test_a_fill_that_one_answer_shows_is_in_the_others(desk):
    service, far, keeping = desk
    assert far.portfolio("ann") == 3
    service.held["ann"] = 5  # The market's doing
    keeping.touched("ann")
    assert far.orders("ann") == [5]
    assert far.portfolio("ann") == 5


@pytest.mark.parametrize("body", [b"", b"{", b'"three"', b"[1]"])
def test_what_is_no_answer_is_asked_again(desk, cache, redis_space, body):
    _, far, _ = desk
    far.portfolio("ann")
    client = redis.Redis.from_url(redis_space[0])
    key = f"{redis_space[1]}:hot:{ANN}"
    for field in client.hkeys(key):
        client.hset(key, field, body)
    client.close()
    assert far.portfolio("ann") == 3


def test_a_cache_that_is_out_of_reach_only_costs_time(cache):
    gone = HotCache("redis://127.0.0.1:1/0", prefix="x")
    bus, service = MemoryBus(), Trading()
    answerer = Answerer(bus, {"trading": (service, Trading, METHODS)}, now_ns, Keeping(gone))
    asker = Asker(bus, "one", now_ns, lambda: True, gone)
    far = asker.service("trading", Trading, METHODS)
    assert far.place("ann", 3)
    assert [far.portfolio("ann") for _ in range(3)] == [3, 3, 3]
    assert (service.asked, gone.found) == (3, 0)
    asker.close()
    answerer.close()
    gone.close()


def test_a_platform_that_is_gone_is_not_answered_for(cache):
    asker = Asker(MemoryBus(), "one", now_ns, lambda: False, cache)
    cache.put(ANN, b'trading.portfolio:{"account_id":"ann"}', b"3")
    assert asker.kept("trading", "portfolio", b'{"account_id":"ann"}', "ann") is None
    asker.close()


def test_what_is_kept_is_gone_within_its_life_however_often_something_is_added(redis_space):
    client = redis.Redis.from_url(redis_space[0])
    cache = HotCache(redis_space[0], prefix=redis_space[1])
    cache.put(MARKET, b"one", b"1")
    for number in range(50):
        cache.put(MARKET, b"%d" % number, b"2")
        assert client.pttl(f"{redis_space[1]}:hot:{MARKET}") <= LIFE_MS
    cache.put(BEN, b"large", b"x" * (ANSWER_BYTES_MAX + 1))
    assert cache.get(BEN, b"large") is None
    cache.close()
    client.close()


def test_a_change_of_the_market_is_one_of_every_account(cache):
    keeping = Keeping(cache)
    for scope in (MARKET, ANN, BEN):
        keeping.answered(scope, b"q", lambda: b"1")
    keeping.changed(MARKET)
    assert [cache.get(scope, b"q") for scope in (MARKET, ANN, BEN)] == [None] * 3


def test_every_method_that_can_be_asked_for_is_one_or_the_other():
    """A new one must be thought about: what changes something and is not in the list would leave wrong answers."""
    only_looked_at_anew = {
        ("market", "health"), ("market", "known_scenarios"), ("market", "add_scenario"), ("trading", "accounts"),
        ("trading", "orders"), ("trading", "fills"), ("trading", "queue_ahead"), ("strategies", "strategy_kinds"),
        ("strategies", "strategies"), ("strategies", "notes"), ("profiles", "offered"), ("profiles", "history"),
        ("profiles", "preview"), ("audit", "sessions"), ("audit", "timeline"), ("audit", "why"), ("audit", "verify"),
    }  # fmt: skip
    every = [(service, method) for service, methods in ASKABLE.items() for method in methods]
    known = [(service, method) for kinds in (HOT, CHANGING) for service, methods in kinds.items() for method in methods]
    assert sorted([*known, *only_looked_at_anew]) == sorted(every)


def test_numbers_travel_as_they_are(cache):
    """Money is larger than what a float holds exactly."""
    keeping = Keeping(cache)
    worth = 123_456_789_012_345_678_901_234_567
    keeping.answered(ANN, b"q", lambda: msgspec.json.encode({"nav": worth}))
    assert msgspec.json.decode(cache.get(ANN, b"q"))["nav"] == worth
