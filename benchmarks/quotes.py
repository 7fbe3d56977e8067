"""Quotes: top-of-book quotes a second with a Python strategy called on each, through the full engine.

Run: python benchmarks/quotes.py [--json]. Quotes are made here, from a fixed seed: a mid that walks by ticks of a cent,
a spread of 1 to 5 ticks, a quote every 1 to 200 ms. The strategy sums the spreads and sends no orders. CPU seconds of
the run, which includes making the event objects; the median of several.
"""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np

from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind, Quote
from njord.engine.config import parse
from njord.market.catalog import Dataset, DatasetId
from njord.research.result import Result
from njord.research.run import run
from njord.strategies.port import Desk, Strategy

QUOTES = 1_000_000
RUNS = 5
SEED = 13
NAME = InstrumentId("BTC/USD.BENCH")
START_NS = 1_577_836_800_000_000_000

Columns = dict[str, np.ndarray]


class Quotes:
    """Columns of quotes in memory as a source. See ``njord.engine.assemble.Source``."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def instrument(self, instrument_id: InstrumentId, /) -> Instrument:
        return Instrument(
            instrument_id=instrument_id, kind=InstrumentKind.SPOT, base="BTC", quote="USD",
            price_tick=Decimal("0.01"), quantity_lot=Decimal("0.001"),
        )  # fmt: skip

    def dataset(self, dataset_id: DatasetId, /) -> Dataset | None:
        if dataset_id.kind is not Kind.QUOTES:
            return None
        times_ns = self.columns["venue_time_ns"]
        size = sum(column.nbytes for column in self.columns.values())
        return Dataset(dataset_id, len(times_ns), int(times_ns[0]), int(times_ns[-1]), size)

    def read(
        self, dataset_id: DatasetId, start_ns: int | None, end_ns: int | None, chunk_rows: int, /
    ) -> Iterator[Columns]:
        assert start_ns is None
        assert end_ns is None
        for row in range(0, len(self.columns["venue_time_ns"]), chunk_rows):
            yield {name: column[row : row + chunk_rows] for name, column in self.columns.items()}

    def content_hash(self, dataset_id: DatasetId, start_ns: int | None, end_ns: int | None, /) -> str:
        digest = hashlib.sha256(str(dataset_id).encode())
        for name in sorted(self.columns):
            digest.update(np.ascontiguousarray(self.columns[name]).data)
        return digest.hexdigest()


class Spread(Strategy):
    """Look at every quote: the sum of spreads."""

    def __init__(self) -> None:
        self.seen = 0
        self.total = 0.0

    def on_quote(self, quote: Quote, desk: Desk) -> None:
        self.seen += 1
        self.total += quote.ask - quote.bid


def tape(quotes: int) -> Columns:
    """Make quotes as the catalog's columns."""
    rng = np.random.default_rng(SEED)
    times_ns = START_NS + np.cumsum(rng.integers(1, 200, quotes)) * 1_000_000
    bid = 3_000_000 + np.cumsum(rng.choice(np.array([-1, 0, 0, 1]), quotes))
    return {
        "venue_time_ns": times_ns,
        "local_time_ns": times_ns,
        "bid_ticks": bid,
        "ask_ticks": bid + rng.integers(1, 6, quotes),
        "bid_lots": rng.integers(1, 10_000, quotes),
        "ask_lots": rng.integers(1, 10_000, quotes),
    }


def watched(columns: Columns) -> tuple[Result, Spread]:
    """Run the strategy over all quotes through the full engine."""
    strategy = Spread()
    config = parse(
        {
            "data": [{"instrument": NAME, "kind": "quotes"}],
            "strategies": [{"name": "spread"}],
            "account": {"currency": "USD", "cash": 1_000_000},
            "risk": "research",
        },
        "quotes",
    )
    return run(config, Quotes(columns), given=[("spread", strategy)]), strategy


def main() -> None:
    columns = tape(QUOTES)
    speeds: list[float] = []
    whole: list[float] = []
    for _ in range(RUNS):
        began_s = time.process_time()
        result, strategy = watched(columns)
        whole.append(QUOTES / (time.process_time() - began_s))
        speeds.append(QUOTES / result.cpu_s)
        assert strategy.seen == QUOTES
    found: dict[str, Any] = {
        "quotes_per_cpu_s_p50": round(float(np.median(speeds))),
        "worst": round(min(speeds)),
        "with_hash_and_statistics_p50": round(float(np.median(whole))),
    }
    print(json.dumps(found) if "--json" in sys.argv else found)


if __name__ == "__main__":
    main()
