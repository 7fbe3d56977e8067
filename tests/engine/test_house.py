"""Accounts on one simulated exchange: what is theirs survives anything, and nothing is made or lost between them."""

import collections
import random
from decimal import Decimal

import msgspec
import pytest

from njord.domain.command import CancelOrder, ReplaceOrder
from njord.domain.governance import GLOBAL, TripSource
from njord.domain.instruction import BY_HAND
from njord.domain.instrument import Grid
from njord.domain.limits import Refusal
from njord.domain.order import NewOrder, OrderStatus, OrderType, Side, TimeInForce
from njord.engine.config import StrategySpec
from njord.engine.gate import Trip
from njord.engine.marketplace import Marketplace
from njord.engine.session_replay import replay
from njord.engine.simulation.house import House, Plan, UnknownAccount
from njord.ledger.memory import MemoryLedger
from njord.market.synthetic.listing import default_universe

S = 10**9
START = 1_767_600_000 * S
SHARE, BOND = "BRAGE.SIM", "NGB-10Y.SIM"
PLAN = Plan(cash=Decimal(1_000_000))
UNIVERSE = default_universe(START)


def worth(fill):
    grid = Grid.of(UNIVERSE.listing(fill.instrument_id).instrument)
    return grid.value_units(fill.price_ticks, fill.quantity_lots)


class World:
    """A house that can be closed, or dropped as a crash would, and opened again over the same files."""

    def __init__(self, root):
        self.root, self.ledger = root, MemoryLedger()
        self.snapshot = None
        self.plans = {}
        self.begin()

    def begin(self):
        self.market = Marketplace(UNIVERSE, 7, fill_prefix=f"{len(list(self.root.glob('exchange/*')))}-")
        if self.snapshot is not None:
            self.market.restore(self.snapshot)
        self.house = House(self.market, self.ledger, self.root, wait=lambda _s: None)
        for account_id, plan in self.plans.items():
            self.house.open(account_id, plan)
        self.house.begin()

    def open(self, account_id, plan=PLAN):
        self.plans[account_id] = plan
        return self.house.open(account_id, plan)

    def go(self, seconds=1.0):
        steps = round(seconds * 10)
        for _ in range(steps):
            self.house.turn(self.house.now_ns + S // 10)

    def order(self, account_id, order_id, side, lots, limit=None, name=SHARE, tif="gtc", **more):
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        made = NewOrder(order_id, BY_HAND, name, Side(side), kind, lots, limit, None, TimeInForce(tif), **more)
        return self.house.instruct(account_id, made, account_id)

    def stop(self, *, crash):
        if not crash:
            self.house.close()
        else:  # Nobody says goodbye: only what is on disk is left, and neither locks nor files of a process that died
            self.drop()
        self.snapshot = self.market.agents_only()

    def drop(self):
        for account in self.house.accounts.values():
            account.session._recorder._journal._chain._drop_file()
            account.folder.release()
        if self.house.record._chain is not None:
            self.house.record._chain._drop_file()

    def line(self, account_id, order_id):
        return self.house.accounts[account_id].blotter.orders[order_id]

    def held(self, account_id):
        lots = self.house.accounts[account_id].session.state.portfolio.lots
        return {name: n for name, n in lots.items() if n}

    def cash(self, account_id):
        return self.house.accounts[account_id].session.state.portfolio.cash["USD"]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.open("ann")
    world.open("bob")
    world.go(3)
    yield world
    world.drop()


@pytest.mark.parametrize("crash", [False, True])
def test_the_same_book_after_everything_was_started_again(world, crash):
    bid = world.market.top(SHARE)[0]
    assert world.order("ann", "m", "buy", 10) is None
    assert world.order("ann", "l", "buy", 5, bid - 300) is None
    quote = world.market.board.quotes(BOND, world.house.now_ns)[0]
    assert world.order("ann", "q", "buy", 2, quote.ask_ticks, BOND, "fok", quote_id=quote.quote_id) is None
    world.go()
    before = world.held("ann"), world.cash("ann"), world.line("ann", "l").status
    assert before[0] == {SHARE: 10, BOND: 2}
    assert before[2] is OrderStatus.ACCEPTED
    number = world.house.accounts["ann"].blotter.number
    world.stop(crash=crash)
    world.begin()
    world.go(2)
    assert (world.held("ann"), world.cash("ann"), world.line("ann", "l").status) == before
    assert world.house.accounts["ann"].blotter.number >= number
    assert [w.order.client_order_id for w in world.market.crossing.working("ann")] == ["l"]
    assert not world.house.accounts["ann"].session.discrepancies
    world.house.instruct("ann", CancelOrder("l", BY_HAND, SHARE), "ann")
    world.go()
    assert world.line("ann", "l").status is OrderStatus.CANCELLED


def test_what_only_the_journal_had_when_it_died_is_in_the_blotter_too(world, monkeypatch):
    class Died(BaseException):
        pass

    def died(_records):
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger, "commit", died)
        with pytest.raises(Died):
            world.order("ann", "m", "buy", 10)
    number = world.house.accounts["ann"].blotter.number
    world.stop(crash=True)
    world.begin()
    assert world.line("ann", "m").quantity_lots == 10
    assert world.house.accounts["ann"].blotter.number > number
    world.go(2)
    assert world.line("ann", "m").status in (OrderStatus.UNKNOWN, OrderStatus.REJECTED, OrderStatus.FILLED)


@pytest.mark.parametrize("crash", [False, True])
def test_a_stop_limit_that_was_triggered_does_not_sleep_again(world, crash):
    bid, _, ask, _ = world.market.top(SHARE)
    above = max(ask, world.market.crossing.last_ticks(SHARE)) + 1
    stop = NewOrder("s", BY_HAND, SHARE, Side.BUY, OrderType.STOP_LIMIT, 5, bid - 300, above, TimeInForce.GTC)
    assert world.house.instruct("ann", stop, "ann") is None
    assert world.market.crossing.ahead_lots("ann", "s") is None
    assert world.order("bob", "up", "buy", 6_000, above + 20, tif="ioc") is None  # It trades through the stop
    world.go(0.5)
    assert world.market.crossing.ahead_lots("ann", "s") is not None
    for _ in range(120):  # The price comes back: by it alone the stop would sleep
        world.go(0.5)
        if world.market.crossing.last_ticks(SHARE) < above:
            break
    else:
        raise AssertionError("the price stays above the stop")
    for _ in range(2):  # And not at the start after the next, either
        world.stop(crash=crash)
        world.begin()
        assert world.market.crossing.ahead_lots("ann", "s") is not None, "it sleeps again"
    assert world.line("ann", "s").status is OrderStatus.ACCEPTED


def test_two_users_cross_each_other(world):
    bid, _, ask, _ = world.market.top(SHARE)
    assert ask - bid >= 1
    world.order("bob", "first", "buy", 7)
    world.go()
    price = max(world.market.top(SHARE)[0] + 1, world.market.top(SHARE)[2] - 1)
    before = world.held("ann").get(SHARE, 0), world.held("bob")[SHARE]
    world.order("bob", "s", "sell", 7, price)
    world.order("ann", "b", "buy", 7, price)
    world.go(0.5)
    both = world.line("bob", "s"), world.line("ann", "b")
    assert [each.status for each in both] == [OrderStatus.FILLED] * 2
    assert (world.held("ann")[SHARE], world.held("bob").get(SHARE, 0)) == (before[0] + 7, before[1] - 7)


def test_what_the_risk_engine_refuses_never_gets_to_the_exchange(world):
    assert world.order("ann", "too much", "buy", 10**7).reason in (Refusal.LEVERAGE_TOO_HIGH, Refusal.INSUFFICIENT_CASH)
    assert world.order("ann", "short", "sell", 1).reason is Refusal.SHORT_NOT_ALLOWED
    assert world.line("ann", "short").status is OrderStatus.REFUSED
    assert world.market.crossing.working("ann") == []
    again = world.order("ann", "short", "sell", 1)
    assert again is not None
    with pytest.raises(UnknownAccount):
        world.order("eve", "x", "buy", 1)


def test_orders_are_moved_and_cancelled_by_their_owner_alone(world):
    bid = world.market.top(SHARE)[0]
    world.order("ann", "l", "buy", 5, bid - 300)
    world.go(0.2)
    refused = world.house.instruct("bob", CancelOrder("l", BY_HAND, SHARE), "bob")
    assert refused.reason is Refusal.ORDER_UNKNOWN
    world.house.instruct("ann", ReplaceOrder("l", BY_HAND, SHARE, 4, bid - 200), "ann")
    world.go(0.2)
    line = world.line("ann", "l")
    assert (line.quantity_lots, line.limit_ticks, line.status) == (4, bid - 200, OrderStatus.ACCEPTED)


def test_a_trip_stops_all_and_a_clear_lets_them_go_on(world):
    bid = world.market.top(SHARE)[0]
    world.order("ann", "l", "buy", 5, bid - 300)
    world.go(0.2)
    world.house.trip(Trip(GLOBAL, TripSource.CLI, "operator", "a drill"))
    world.go(0.3)
    assert world.line("ann", "l").status is OrderStatus.CANCELLED
    assert world.order("bob", "no", "buy", 1).reason is Refusal.HALTED
    late = world.open("cat")
    world.go(0.2)
    assert world.order("cat", "no", "buy", 1).reason is Refusal.HALTED
    assert late.gate.closed(GLOBAL)
    world.house.clear(GLOBAL, ("operator",), "it was one")
    world.go(0.3)
    for account_id in ("ann", "bob", "cat"):
        assert world.order(account_id, "yes", "buy", 1) is None


def test_strategies_trade_beside_users_and_their_session_replays_equal(world, tmp_path):
    maker = StrategySpec(
        name="adaptive_maker", params={"quantity": 20.0, "position_max": 200.0, "learn_s": 5.0}, instruments=[SHARE]
    )
    cross = StrategySpec(name="ema_cross", params={"fast": 2, "slow": 3, "quantity": 10.0}, instruments=["IDUN.SIM"])
    account = world.open("desk", Plan(cash=Decimal(10_000_000), risk="market_making", strategies=(maker, cross)))
    world.go(120)
    by = collections.Counter(line.strategy_id for line in account.blotter.orders.values())
    assert by["adaptive_maker"] > 20
    assert by["ema_cross"] >= 1
    assert account.blotter.fills
    assert account.blotter.notes  # Why it quoted what it quoted
    assert account.stopped is None
    portfolio = account.session.state.portfolio
    assert sum(account.blotter.realised.values()) == sum(portfolio.realised.values())
    world.stop(crash=False)
    for account_id in ("desk", "ann"):
        replayed = replay(tmp_path / "sessions" / account_id / f"{account_id}-000001")
        assert replayed.ok, replayed.first_divergence
        assert replayed.complete


MAKER = StrategySpec(
    name="adaptive_maker", instruments=[SHARE],
    params={"quantity": 50.0, "position_max": 500.0, "gamma": 0.001, "learn_s": 20.0},
)  # fmt: skip
CROSS = StrategySpec(name="ema_cross", instruments=["IDUN.SIM"], params={"fast": 2, "slow": 4, "quantity": 10.0})


def changed(spec, **params):
    return msgspec.structs.replace(spec, params={**spec.params, **params})


def test_a_strategy_is_swapped_under_load_and_its_successor_knows_what_it_knew(world, tmp_path):
    plan = Plan(cash=Decimal(10_000_000), risk="market_making", strategies=(MAKER, CROSS))
    account = world.open("swap", plan)
    world.go(50)
    slots = account.session.state.slots
    sigma = float(slots["adaptive_maker"].strategy.state[0].sigma)
    averages = [each.state() for each in slots["ema_cross"].strategy.averages["IDUN.SIM"]]
    assert sigma > 0
    assert averages[1][2] == 0  # Ready
    before, fills = world.house.now_ns, len(account.blotter.fills)
    # Wider, and another fast average; in another order, and with a stranger of the same name on something else
    other = msgspec.structs.replace(CROSS, instruments=["SKALD.SIM"])
    swapped = msgspec.structs.replace(plan, strategies=(other, changed(CROSS, fast=3), changed(MAKER, width=2.0)))
    account = world.house.reopen("swap", swapped)
    world.plans["swap"] = swapped
    slots = account.session.state.slots
    maker, crosses = slots["adaptive_maker"].strategy, (slots["ema_cross"].strategy, slots["ema_cross_2"].strategy)
    assert float(maker.state[0].sigma) == sigma
    assert maker.width == 2.0
    assert crosses[1].averages["IDUN.SIM"][0].state()[2] == 3  # Of another period: it begins anew
    assert crosses[1].averages["IDUN.SIM"][1].state() == averages[1]
    assert crosses[0].averages["SKALD.SIM"][1].state()[2] == 4
    # The market did not wait, nothing is lost, and it quotes at once: it need not learn again
    assert world.house.now_ns - before < S
    world.go(3)
    orders = [order for order in account.blotter.orders.values() if order.strategy_id == "adaptive_maker"]
    assert any(order.created_ns > before and order.quantity_lots for order in orders)
    assert len(account.blotter.fills) >= fills
    assert not account.session.discrepancies
    world.go(5)
    world.stop(crash=False)
    for folder in sorted((tmp_path / "sessions" / "swap").glob("swap-*")):
        replayed = replay(folder)
        assert replayed.ok, replayed.first_divergence
    world.begin()


def test_changes_are_numbered_without_gaps_and_can_be_resumed(world):
    blotter = world.house.accounts["ann"].blotter
    world.order("ann", "m", "buy", 10)
    world.go(0.3)
    numbers = [number for number, _ in blotter.since(0)]
    assert numbers == list(range(1, blotter.number + 1))
    assert blotter.since(numbers[1])[0][0] == 3
    assert blotter.since(blotter.number) == []
    assert blotter.since(blotter.number + 5) is None


def test_between_many_accounts_nothing_is_made_or_lost(tmp_path):
    world, dice = World(tmp_path), random.Random(3)
    owners = [f"u{number}" for number in range(12)]
    for owner in owners:
        world.open(owner, Plan(cash=Decimal(10_000_000), risk="market_making"))
    world.go(1)
    names = [SHARE, "IDUN.SIM", BOND]
    for number in range(400):
        owner, name = dice.choice(owners), dice.choice(names)
        bid, _, ask, _ = world.market.top(name)
        limit = None if dice.random() < 0.3 else dice.randint(bid - 3, ask + 3)
        tif = "ioc" if name == BOND and limit is not None else "gtc"
        world.order(owner, f"o{number}", dice.choice(["buy", "sell"]), dice.randint(1, 20), limit, name, tif)
        if number % 5 == 0:
            world.go(0.1)
    world.go(0.5)
    totals = collections.Counter()
    for held in world.market.crossing.positions.values():
        totals.update(held)
    assert not any(totals.values())
    for owner in owners:
        account = world.house.accounts[owner]
        assert account.stopped is None
        known = {n: v for n, v in world.market.crossing.positions.get(owner, {}).items() if v}
        assert world.held(owner) == known
        paid = sum(
            -line.fill.side.sign * worth(line.fill) for line in account.blotter.fills
        )  # fmt: skip
        assert world.cash(owner) == 10_000_000 * 10**18 + paid
    assert sum(len(world.house.accounts[owner].blotter.fills) for owner in owners) > 200
    world.stop(crash=False)
