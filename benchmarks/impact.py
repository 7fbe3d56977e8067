"""How far does a parent order move a simulated price, by its size? ``python benchmarks/impact.py --rounds 20``.

A participant executes parent orders in twelve instruments at once: 1 to 128 children, each a market order of one usual
trade, half a second apart, in random directions, with minutes of rest between. What is measured is how far the mid has
gone its way by the end, in half spreads, less how far the value went, which no order moves. The law (Toth et al. 2011,
Anomalous price impact, equation 1) says: as the square root of the size. Exponent and prefactor are those of the
least squares of the means by size, each weighed by its standard error; bands are the middle 90 % of 500 bootstraps over
parent orders.
"""

import argparse
import json

import numpy as np
from stylised_facts import NAMES, universe_of

from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.order import NewOrder, OrderType, Side, TimeInForce
from njord.engine.marketplace import Marketplace

CHILDREN = (1, 2, 4, 8, 16, 32, 64, 128)
GAP_NS = NS_PER_S // 2
REST_NS = 300 * NS_PER_S  # Five times what order flow takes to fade
LATER_NS = 120 * NS_PER_S
RESAMPLES = 500
EXPONENTS = np.linspace(0.0, 2.0, 401)
OWNER = "executor"
HELD_LOTS = 10**9  # More than it can sell


class Executor:
    """One who executes parent orders in some instruments of a market, and notes what became of the price."""

    def __init__(self, seed: int) -> None:
        universe = universe_of(time_ns("2026-01-05"))
        self.listings = universe.listings
        self.market = Marketplace(universe, seed)
        self.market.admit(OWNER, {InstrumentId(name): HELD_LOTS for name in NAMES})
        self.orders = 0
        self.wait(60 * NS_PER_S)  # Until there are books

    def wait(self, span_ns: int) -> None:
        """Let time pass."""
        until_ns = self.market.now_ns + span_ns
        while self.market.now_ns < until_ns:
            self.market.advance(until_ns)
            self.market.drain_reports()

    def beyond_value(self) -> np.ndarray:
        """Return how far each mid is above the value, in half spreads."""
        found = []
        for listing in self.listings:
            bid_ticks, bid_lots, ask_ticks, ask_lots = self.market.top(listing.instrument.instrument_id)
            fair_ticks = self.market.fair(listing.instrument.instrument_id) / float(listing.instrument.price_tick)
            away = (bid_ticks + ask_ticks) / 2 - fair_ticks if bid_lots and ask_lots else np.nan
            found.append(away / listing.half_spread_ticks)
        return np.array(found)

    def execute(self, children: int, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Execute a parent order in each instrument. Return how far each price went, by the end and later."""
        before = self.beyond_value()
        for child in range(children):
            if child:
                self.wait(GAP_NS)
            for listing, sign in zip(self.listings, signs, strict=True):
                self.orders += 1
                order = NewOrder(
                    ClientOrderId(f"p{self.orders}"), StrategyId("parent"), listing.instrument.instrument_id,
                    Side.BUY if sign > 0 else Side.SELL, OrderType.MARKET, max(1, round(listing.lots_typical)),
                    time_in_force=TimeInForce.IOC,
                )  # fmt: skip
                self.market.submit(OWNER, order)
        self.wait(GAP_NS)
        end = signs * (self.beyond_value() - before)
        self.wait(LATER_NS)
        later = signs * (self.beyond_value() - before)
        self.wait(REST_NS - LATER_NS)
        return end, later


def power(means: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Return (exponent, prefactor) of impact by size: for each exponent the best prefactor, and of these the best."""
    shapes = np.array(CHILDREN)[None, :] ** EXPONENTS[:, None]
    prefactors = (shapes * means / errors**2).sum(axis=1) / (shapes**2 / errors**2).sum(axis=1)
    misses = (((means - prefactors[:, None] * shapes) / errors) ** 2).sum(axis=1)
    best = int(misses.argmin())
    return float(EXPONENTS[best]), float(prefactors[best])


def main() -> None:
    """Print impact by size, and the power law through it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    executor = Executor(given.seed)
    ends: dict[int, list[np.ndarray]] = {size: [] for size in CHILDREN}
    laters: dict[int, list[np.ndarray]] = {size: [] for size in CHILDREN}
    for _ in range(given.rounds):
        for size in rng.permutation(CHILDREN):
            end, later = executor.execute(int(size), rng.choice([-1, 1], len(executor.listings)))
            ends[int(size)].append(end)
            laters[int(size)].append(later)
    samples = {size: (np.concatenate(ends[size]), np.concatenate(laters[size])) for size in CHILDREN}
    samples = {size: (end[np.isfinite(end)], later[np.isfinite(later)]) for size, (end, later) in samples.items()}
    rows = [
        (size, len(end), float(end.mean()), float(end.std() / len(end) ** 0.5), float(later.mean()))
        for size, (end, later) in samples.items()
    ]
    errors = np.array([row[3] for row in rows])
    fitted = power(np.array([row[2] for row in rows]), errors)
    draws = [
        power(np.array([rng.choice(end, len(end)).mean() for end, _ in samples.values()]), errors)
        for _ in range(RESAMPLES)
    ]
    bands = np.quantile(np.array(draws), (0.05, 0.95), axis=0).T.tolist()
    if given.json:
        print(json.dumps({"rows": rows, "exponent": fitted[0], "prefactor": fitted[1], "bands": bands}))
        return
    print(f"{'children':>8} {'orders':>7} {'impact, half spreads':>21} {'s.e.':>6} {'two minutes later':>18}")
    for size, count, mean, error, later in rows:
        print(f"{size:>8} {count:>7} {mean:>21.2f} {error:>6.2f} {later:>18.2f}")
    for name, value, band in zip(("exponent", "prefactor"), fitted, bands, strict=True):
        print(f"{name:9} {value:.2f} [{band[0]:.2f}, {band[1]:.2f}]")


if __name__ == "__main__":
    main()
