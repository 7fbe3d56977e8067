"""Njord's side of the L2 benchmark: one task in this process, its figures as one line of JSON."""

import json
import resource
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))


def main(path: str, task: str) -> None:
    began_s = time.process_time()
    from maker import TwoSided

    from njord.domain.ids import instrument_id
    from njord.domain.instrument import Instrument, InstrumentKind
    from njord.engine.compiled import CompiledRun
    from njord.engine.tape import part
    from njord.venues.simulated.compiled import CompiledVenue
    from njord.venues.simulated.kernels.layout import Tape
    from njord.venues.simulated.settings import Fees, VenueSettings

    with np.load(path) as file:
        columns = {name: file[name] for name in file.files}
    fields = ("times_ns", "what", "markets", "price_ticks", "lots", "sequence")
    tape = Tape(*(columns[name] for name in fields), np.zeros(0, dtype=np.int64))
    rows = len(tape.times_ns)
    loaded_s = time.process_time()

    instrument = Instrument(
        instrument_id=instrument_id("BTC/USDT:USDT.BINANCE"), kind=InstrumentKind.PERPETUAL, base="BTC", quote="USDT", underlier="BTC",
        price_tick=Decimal("0.1"), quantity_lot=Decimal("0.001"),
    )  # fmt: skip
    fees = Fees(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
    settings = {"BINANCE": VenueSettings(latency_ms=1, feed_latency_ms=1 if task == "feed" else 0, fees=fees)}

    def run() -> CompiledRun:
        every_ms = 86_400_000.0 if task == "idle" else 100.0
        made = CompiledRun(CompiledVenue([instrument], settings), TwoSided(every_ms=every_ms), "maker")
        for row in range(0, rows, 524_288):
            made.feed(part(tape, row, row + 524_288))
        made.finish()
        return made

    first = run()
    first_s = time.process_time()
    again = run()
    again_s = time.process_time()
    log = again.messages()
    fills = again.fills()
    assert fills == first.fills()
    found = {
        "task": task, "rows": rows, "run_cpu_s": again_s - first_s,
        # All that is paid once in a process: imports, reading back compiled code (or compiling it), the first pass less a run
        "start_cpu_s": (first_s - loaded_s) - (again_s - first_s), "import_cpu_s": loaded_s - began_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "orders": int((log["kind"] == 1).sum()), "fills": len(fills),
        "fill_rows": [
            [f.venue_time_ns, 1 if f.side == "buy" else -1, f.price_ticks, f.quantity_lots, f.reason] for f in fills
        ],
    }  # fmt: skip
    print("RESULT " + json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
