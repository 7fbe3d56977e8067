"""The synthetic market's speed, and a million book updates that never crossed.

Run: python benchmarks/synthetic_market.py [--updates 1000000] [--instruments 122] [--json]. The whole default universe
at its own cadences, one process; beyond it, instruments are listed a second time. ``virtual_s_per_cpu_s`` is how many
times faster than real time one core runs it; every book is rebuilt from the published updates and looked at after each
one.
"""

import argparse
import collections
import hashlib
import json
import time

import msgspec

from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.ids import InstrumentId
from njord.domain.market import BookUpdate
from njord.engine.marketplace import Marketplace
from njord.market.book import Book
from njord.market.synthetic.listing import default_universe
from njord.market.synthetic.universe import Universe

STEP_S = 10


def universe_of(start_ns: int, instruments: int) -> Universe:
    """Return the default universe, with second listings of its first instruments where there are to be more."""
    universe = default_universe(start_ns)
    again = tuple(
        msgspec.structs.replace(
            each, instrument=msgspec.structs.replace(
                each.instrument, instrument_id=InstrumentId(each.instrument.instrument_id.replace(".", "-TWO."))
            )
        )
        for each in universe.listings[: max(0, instruments - len(universe.listings))]
    )  # fmt: skip
    return msgspec.structs.replace(universe, listings=(*universe.listings, *again))


def main() -> None:
    """Run until so many updates were seen, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=1_000_000)
    parser.add_argument("--instruments", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    start_ns = time_ns("2026-01-05")
    universe = universe_of(start_ns, arguments.instruments)
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
        "instruments": len(universe.listings), "participants": len(market.crossing.owners()), "virtual_s": virtual_s,
        "cpu_s": round(cpu_s, 2),
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
