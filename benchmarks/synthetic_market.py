"""The synthetic market's speed, and a million book updates that never crossed.

Run: python benchmarks/synthetic_market.py [--updates 1000000] [--json]. The whole default universe at its own cadences,
one process. ``virtual_s_per_cpu_s`` is how many times faster than real time one core runs it; every book is rebuilt
from the published updates and looked at after each one.
"""

import argparse
import collections
import hashlib
import json
import time

import msgspec

from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.market import BookUpdate
from njord.engine.marketplace import Marketplace
from njord.market.book import Book
from njord.market.synthetic.listing import default_universe

STEP_S = 10


def main() -> None:
    """Run until so many updates were seen, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    start_ns = time_ns("2026-01-05")
    universe = default_universe(start_ns)
    market = Marketplace(universe, 1)
    books = {each.instrument.instrument_id: Book(each.instrument.instrument_id) for each in universe.listings}
    kinds: collections.Counter[str] = collections.Counter()
    chain, cpu_s, crossed, slowest = hashlib.sha256(), 0.0, 0, float("inf")
    while kinds["BookUpdate"] < arguments.updates:
        begun = time.process_time()
        events = market.advance(market.now_ns + STEP_S * NS_PER_S)
        spent = time.process_time() - begun
        cpu_s, slowest = cpu_s + spent, min(slowest, STEP_S / spent)
        for event in events:
            kinds[type(event).__name__] += 1
            chain.update(msgspec.json.encode(event))
            if type(event) is BookUpdate:
                book = books[event.instrument_id]
                book.apply(event)
                bid, ask = book.best_bid(), book.best_ask()
                crossed += bid is not None and ask is not None and bid[0] >= ask[0]
    virtual_s = (market.now_ns - start_ns) / NS_PER_S
    found = {
        "instruments": len(universe.listings), "virtual_s": virtual_s, "cpu_s": round(cpu_s, 2),
        "virtual_s_per_cpu_s": round(virtual_s / cpu_s, 1), "slowest_ten_seconds": round(slowest, 1),
        "events": dict(kinds), "events_per_cpu_s": round(kinds.total() / cpu_s), "crossed": crossed,
        "digest": chain.hexdigest(),
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
