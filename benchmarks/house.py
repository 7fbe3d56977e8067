"""A thousand accounts and a hundred thousand orders on one exchange: is anything made, lost or forgotten?

    python benchmarks/house.py --users 1000 --orders 100000

After the last order, of each instrument what all hold sums to zero; each account's cash is what it was given less what
its fills cost; each open order of an account works at the exchange and the other way round. ``--folder`` on a disk in
memory leaves the disk out of the figures. The ledger is in memory.
"""

import argparse
import collections
import json
import random
import resource
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from njord.domain.command import CancelOrder
from njord.domain.instruction import BY_HAND
from njord.domain.instrument import Grid
from njord.domain.order import NewOrder, OrderType, Side, TimeInForce
from njord.engine.garbage import collected_seldom
from njord.engine.marketplace import Marketplace
from njord.engine.simulation.appraisal import Appraiser
from njord.engine.simulation.house import House, Plan
from njord.ledger.memory import MemoryLedger
from njord.market.synthetic.listing import default_universe

S = 10**9
START = 1_767_600_000 * S
CASH = 1_000_000


def wanted(dice, market, names, number):
    """Return a random order near the market: half of them cross it, so that many trade with each other."""
    name = dice.choice(names)
    bid, _, ask, _ = market.top(name)
    side = dice.choice((Side.BUY, Side.SELL))
    limit = None if dice.random() < 0.2 or not bid or not ask else max(1, dice.randint(bid - 4, ask + 4))
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    over = name in market.board
    tif = TimeInForce.IOC if over or limit is None else TimeInForce.GTC
    return NewOrder(f"o{number}", BY_HAND, name, side, kind, dice.randint(1, 5), limit, None, tif)


def measured(users, orders, folder, seed=11):
    """Return the figures of one run. Raises AssertionError where anything does not add up."""
    dice, universe = random.Random(seed), default_universe(START)
    market = Marketplace(universe, seed)
    grids = {each.instrument.instrument_id: Grid.of(each.instrument) for each in universe.listings}
    house = House(market, MemoryLedger(), folder, wait=lambda _s: None)
    began_s = time.process_time()
    owners = [f"u{number}" for number in range(users)]
    for owner in owners:
        house.open(owner, Plan(cash=Decimal(CASH), risk="market_making"))
    house.begin()
    opened_s = time.process_time() - began_s
    for _ in range(10):
        house.turn(house.now_ns + S // 10)
    names = [each.instrument.instrument_id for each in universe.listings if each.liquidity != "medium"]
    began_s, refused, working = time.process_time(), collections.Counter(), []
    for number in range(orders):
        owner = dice.choice(owners)
        made = wanted(dice, market, names, number)
        answer = house.instruct(owner, made, owner)
        if answer is not None:
            refused[str(answer.reason)] += 1
        elif made.time_in_force is TimeInForce.GTC:
            working.append((owner, made))
        if number % 50 == 49:
            house.turn(house.now_ns + S // 10)
        if len(working) > 2_000:
            owner, old = working.pop(dice.randrange(len(working)))
            house.instruct(owner, CancelOrder(old.client_order_id, BY_HAND, old.instrument_id), owner)
    for _ in range(5):
        house.turn(house.now_ns + S // 10)
    orders_s = time.process_time() - began_s
    totals, fills, with_each_other = collections.Counter(), 0, 0
    for held in market.crossing.positions.values():
        totals.update(held)
    assert not any(totals.values()), {name: lots for name, lots in totals.items() if lots}
    trades = collections.Counter()
    for owner in owners:
        account = house.accounts[owner]
        state = account.session.state
        assert account.stopped is None, account.stopped
        truth = house.record.accounts.account(owner).truth
        assert {n: v for n, v in state.portfolio.lots.items() if v} == {n: v for n, v in truth.positions.items() if v}
        assert sorted(state.orders.open) == sorted(w.order.client_order_id for w in market.crossing.working(owner))
        paid = sum(_paid(grids, fill) for fill in truth.fills)
        assert state.equity_units() == CASH * 10**18 + paid + _worth(state, grids), owner
        fills += len(truth.fills)
        trades.update(fill.causation_id for fill in truth.fills)
    with_each_other = sum(count == 2 for count in trades.values())
    appraiser = Appraiser(market.world)
    began_s = time.process_time()
    appraiser.look(house.now_ns)
    looked_s = time.process_time() - began_s
    views = appraiser.portfolios(list(house.accounts.values()))
    appraised_s = time.process_time() - began_s - looked_s
    assert len(views) == users
    house.close()
    return {
        "users": users, "orders": orders, "fills": fills, "trades_between_users": with_each_other,
        "refused": dict(refused), "open_ms_per_account": round(1e3 * opened_s / users, 2),
        "cpu_us_per_order": round(1e6 * orders_s / orders, 1), "virtual_s": (house.now_ns - START) / S,
        "appraisal_ms": {"look": round(1e3 * looked_s, 1), "all accounts": round(1e3 * appraised_s, 1)},
        "resident_max_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "lost_or_made": 0,
    }  # fmt: skip


def _paid(grids, fill):
    # What a fill cost in cash is worth what it bought: of margined contracts nothing was paid, and only gains count
    return -fill.side.sign * grids[fill.instrument_id].value_units(fill.price_ticks, fill.quantity_lots)


def _worth(state, grids):
    ticks = state.last_ticks()
    return sum(grids[name].value_units(ticks[name], lots) for name, lots in state.portfolio.lots.items() if lots)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, collected_seldom():
        print(json.dumps(measured(given.users, given.orders, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
