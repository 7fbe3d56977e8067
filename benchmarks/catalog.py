"""Catalog: size against CSV text, rows read and written per second of CPU.

Run: python benchmarks/catalog.py [--json]. Rows are made here, from a fixed seed: trades of a random walk at the
density and with the digits of a busy BTC market, and its minute bars.
"""

import io
import json
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from njord.domain.clock import NS_PER_MINUTE, time_ns
from njord.domain.ids import InstrumentId
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import Kind
from njord.market.bars import time_bars
from njord.market.catalog import Catalog, DatasetId

TRADES = 3_000_000
RUNS = 7
BTC = InstrumentId("BTC/USDT.BINANCE")


def tape(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Trades with millisecond stamps, ticks of 0.01 and sizes of 5 decimals, as Binance prints them."""
    times = time_ns("2024-08-08") + np.cumsum(rng.integers(0, 60, TRADES)) * 1_000_000
    return {
        "venue_time_ns": times,
        "local_time_ns": times + 1_270_000_000,
        "price_ticks": 6_000_000 + np.cumsum(rng.integers(-3, 4, TRADES) * (rng.random(TRADES) < 0.3)),
        "quantity_lots": np.round(rng.lognormal(6, 2, TRADES)).astype(np.int64).clip(1) * 1_000,
        "aggressor": rng.choice(np.array([-1, 1], dtype=np.int8), TRADES),
        "trade_id": 3_735_683_259 + np.arange(TRADES),
    }


def csv_bytes(columns: dict[str, np.ndarray]) -> int:
    """How long the same rows are as the text of a CSV file, in decimals of the venue."""
    text = dict(columns)
    if "price_ticks" in text:
        text["price_ticks"] = text["price_ticks"] / 100
        text["quantity_lots"] = text["quantity_lots"] / 1e8
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(text), buffer)
    return buffer.tell()


def measured(catalog: Catalog, dataset_id: DatasetId, columns: dict[str, np.ndarray]) -> dict[str, float]:
    began = time.process_time()
    rows = catalog.write(dataset_id, columns)
    write_s = time.process_time() - began
    speeds = []
    for _ in range(RUNS):
        began = time.process_time()
        assert sum(len(chunk[next(iter(columns))]) for chunk in catalog.read(dataset_id)) == rows
        speeds.append(rows / (time.process_time() - began))
    stored = catalog.dataset(dataset_id)
    assert stored is not None
    text = csv_bytes(columns)
    return {
        "rows": rows,
        "csv_mb": text / 1e6,
        "stored_mb": stored.bytes / 1e6,
        "smaller_by": text / stored.bytes,
        "write_rows_per_cpu_s": rows / write_s,
        "read_rows_per_cpu_s_p50": float(np.median(speeds)),
        "read_rows_per_cpu_s_worst": min(speeds),
    }


def main() -> None:
    trades = tape(np.random.default_rng(20240808))
    bars = time_bars(trades["venue_time_ns"], trades["price_ticks"], trades["quantity_lots"] / 1e8, NS_PER_MINUTE)
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(Path(folder))
        catalog.define(
            Instrument(
                instrument_id=BTC,
                kind=InstrumentKind.SPOT,
                base="BTC",
                quote="USDT",
                price_tick=Decimal("0.01"),
                quantity_lot=Decimal("1e-8"),
            )
        )
        found = {
            "trades": measured(catalog, DatasetId(BTC, Kind.TRADES), trades),
            "bars_1m": measured(catalog, DatasetId(BTC, Kind.BARS, NS_PER_MINUTE), bars),
        }
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(name, {key: round(value, 2) for key, value in figures.items()})


if __name__ == "__main__":
    main()
