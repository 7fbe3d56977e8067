"""Contracts that expire: whoever holds one is paid, once, whatever died meanwhile."""

from decimal import Decimal

import msgspec
import pytest
from tests.engine import test_house
from tests.engine.test_house import START, S, World

from njord.domain.command import Entry
from njord.domain.instrument import Grid, InstrumentKind
from njord.domain.limits import Refusal
from njord.domain.order import OrderStatus
from njord.engine.session_replay import replay
from njord.engine.simulation.house import Plan
from njord.ledger.rebuild import bare, rebuild
from njord.market.synthetic.listing import default_universe

ENDS_NS = START + 120 * S
PLAN = Plan(cash=Decimal(1_000_000), risk="market_making")
WHOLE = default_universe(START)
FUTURE = "ASGARD-H26.SIM"
CALL = next(
    each.instrument.instrument_id for each in WHOLE.listings
    if each.instrument.kind is InstrumentKind.OPTION and each.instrument.right == "call"
)  # fmt: skip
SOON = msgspec.structs.replace(WHOLE, listings=tuple(
    msgspec.structs.replace(each, instrument=msgspec.structs.replace(each.instrument, expiry_ns=ENDS_NS))
    if each.instrument.instrument_id in (FUTURE, CALL) else each for each in WHOLE.listings
))  # fmt: skip


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A market in which a future and a call are over in two minutes. Ann is long of both, Ben is short the future."""
    monkeypatch.setattr(test_house, "UNIVERSE", SOON)
    made = World(tmp_path)
    made.open("ann", PLAN)
    made.open("ben", PLAN)
    made.go(30)
    for account_id, order_id, side, name, lots in (
        ("ann", "f", "buy", FUTURE, 3), ("ann", "c", "buy", CALL, 5), ("ben", "f", "sell", FUTURE, 2),
    ):  # fmt: skip
        assert made.order(account_id, order_id, side, lots, name=name) is None
    made.go(5)
    assert made.held("ann") == {FUTURE: 3, CALL: 5}
    assert made.held("ben") == {FUTURE: -2}
    yield made
    made.drop()


def due(world, account_id):
    """What an account's holdings pay at what they settle at, in units: all of an option, the gain of a future."""
    portfolio = world.house.accounts[account_id].session.state.portfolio
    total = 0
    for event in world.market.expired():
        grid = Grid.of(SOON.listing(event.instrument_id).instrument)
        for holding in portfolio.holdings.values():
            if holding.instrument_id == event.instrument_id:
                total += grid.value_units(event.price_ticks, holding.lots)
                total -= holding.cost_units if event.instrument_id == FUTURE else 0
    return total


def settlements(world, account_id):
    """The entries of expiries that an account has on record."""
    return [
        command.entry_id.rpartition(":")[0] for record in world.ledger.records(account_id)
        for command in record.commands
        if isinstance(command, Entry) and command.entry_id.startswith("expiry:")
    ]  # fmt: skip


def pass_the_end(world):
    """Let the market pass the moment, and tell nobody yet. Return what each account had, and is due."""
    world.house.floor.advance(ENDS_NS + S)
    return {name: world.cash(name) + due(world, name) for name in ("ann", "ben")}


def check(world, expected):
    for account_id, cash in expected.items():
        account = world.house.accounts[account_id]
        assert world.held(account_id) == {}
        assert world.cash(account_id) == cash
        assert account.session.state.kill.tripped == {}
        assert account.stopped is None
        portfolio = account.session.state.portfolio
        assert portfolio.equity({}) == cash
        assert bare(rebuild(world.ledger.records(account_id))) == bare(portfolio.money)
    assert sorted(settlements(world, "ann")) == sorted([f"expiry:{FUTURE}", f"expiry:{CALL}"])
    assert settlements(world, "ben") == [f"expiry:{FUTURE}"]


def test_what_is_held_is_settled_in_cash_and_is_gone(world):
    expected = pass_the_end(world)
    world.go(40)  # Long enough to be held against the exchange's own account of it
    check(world, expected)
    world.stop(crash=False)
    for account_id in ("ann", "ben"):
        replayed = replay(world.root / "sessions" / account_id / f"{account_id}-000001")
        assert replayed.ok, replayed.first_divergence


@pytest.mark.parametrize("booked", [False, True])
@pytest.mark.parametrize("crash", [False, True])
def test_a_process_that_ends_at_that_moment_pays_once(world, crash, booked):
    expected = pass_the_end(world)
    if booked:
        world.go(2)
    world.stop(crash=crash)
    world.begin()
    world.go(40)
    check(world, expected)


def test_orders_for_it_are_cancelled_and_no_new_one_is_taken(world):
    bid = world.market.top(FUTURE)[0]
    assert world.order("ann", "resting", "buy", 1, limit=bid - 200, name=FUTURE) is None
    world.go(1)
    assert world.line("ann", "resting").status is OrderStatus.ACCEPTED
    pass_the_end(world)
    world.go(2)
    assert world.line("ann", "resting").status is OrderStatus.CANCELLED
    assert world.order("ann", "late", "buy", 1, limit=bid, name=FUTURE).reason is Refusal.HALTED
