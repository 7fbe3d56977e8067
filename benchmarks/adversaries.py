"""What spoofers, quote stuffers and snipers cost an adaptive market maker: gains with and without them, by seed.

    python benchmarks/adversaries.py --minutes 20 --seeds 5 --share 0.5

A house on a market of one share. The stated bound: at no moment has the maker lost more than two ticks for each share
it has traded, and what its largest position loses in the largest move within a minute. The daily loss at which the risk
engine stops its account is the other bound, and is far beyond this one.
"""

import argparse
import json
import statistics
import tempfile
from decimal import Decimal
from pathlib import Path

import msgspec

from njord.domain.clock import NS_PER_MINUTE, NS_PER_S
from njord.engine.config import StrategySpec
from njord.engine.garbage import collected_seldom
from njord.engine.marketplace import Marketplace
from njord.engine.simulation.house import House, Plan
from njord.ledger.memory import MemoryLedger
from njord.market.synthetic.adversaries import AdversaryKind
from njord.market.synthetic.listing import default_universe
from njord.market.synthetic.scenarios import Adversaries, Scenario, Step

SHARE_NAME = "BRAGE.SIM"
START_NS = 1_767_600_000 * NS_PER_S
UNIT = 10**18


def universe():
    whole = default_universe(START_NS)
    kept = tuple(each for each in whole.listings if each.instrument.instrument_id == SHARE_NAME)
    return msgspec.structs.replace(whole, listings=kept)


def made(kinds, share, seed, minutes, cash=1_000_000, quantity=50.0, position_max=500.0):
    """Return what an adaptive maker made among adversaries of some kinds, and how it came to it."""
    market = Marketplace(universe(), seed)
    if kinds:
        market.apply(Scenario("adversaries", (Step(0.0, Adversaries(share, kinds)),)))
    params = {"quantity": quantity, "position_max": position_max, "gamma": 0.001, "learn_s": 10.0}
    spec = StrategySpec(name="adaptive_maker", params=params, instruments=[SHARE_NAME])
    with tempfile.TemporaryDirectory() as folder:
        house = House(market, MemoryLedger(), Path(folder), wait=lambda _s: None)
        account = house.open("maker", Plan(cash=Decimal(cash), risk="market_making", strategies=(spec,)))
        house.begin()
        worths, prices = [], []
        state = account.session.state
        for _ in range(round(minutes * 60)):
            house.turn(house.now_ns + NS_PER_S)
            price = market.fair(SHARE_NAME)
            held = state.portfolio.lots.get(SHARE_NAME, 0)
            worths.append(state.portfolio.cash["USD"] / UNIT + held * price)
            prices.append(price)
        fills = len(account.blotter.fills)
        traded = sum(line.fill.quantity_lots for line in account.blotter.fills)
        tick = float(market.instruments[SHARE_NAME].price_tick)
        house.close()
    minute = NS_PER_MINUTE // NS_PER_S
    moved = max(max(prices[at : at + minute]) - min(prices[at : at + minute]) for at in range(0, len(prices), minute))
    return {
        "gain": round(worths[-1] - cash, 2), "worst": round(min(worths) - cash, 2), "fills": fills,
        "stopped": bool(account.stopped) or any(trip.reason for trip in state.kill.tripped.values()),
        "bound": round(position_max * moved + 2 * tick * traded, 2),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.5)
    asked = parser.parse_args()
    cases = {"nobody": (), **{str(kind): (kind,) for kind in AdversaryKind}, "all three": tuple(AdversaryKind)}
    found = {}
    with collected_seldom():
        for name, kinds in cases.items():
            runs = [made(kinds, asked.share, seed, asked.minutes) for seed in range(1, asked.seeds + 1)]
            found[name] = {
                "gain_mean": round(statistics.mean(each["gain"] for each in runs), 2),
                "gain_least": min(each["gain"] for each in runs), "worst": min(each["worst"] for each in runs),
                "fills_mean": statistics.mean(each["fills"] for each in runs),
                "bound": min(each["bound"] for each in runs),
                "held": all(each["worst"] >= -each["bound"] for each in runs),
            }  # fmt: skip
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
