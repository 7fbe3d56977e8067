"""Njord's side of the L2 benchmark: ``TASK TAPE_FOLDER [ORDERS_FILE]``, one task in this process."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import maker
import numpy as np
import protocol
import tape as tapes

from njord.engine.compiled import CompiledRun, run_compiled
from njord.engine.tape import TAPE_ROWS, part
from njord.venues.simulated.compiled import CompiledVenue
from njord.venues.simulated.kernels import layout
from njord.venues.simulated.settings import Fees, VenueSettings

# When each piece of a run from a catalog had passed; ledger, journal and equity curve come after the last
PASSED_S: list[float] = []
Run = Callable[[], Callable[[], Any]]  # Makes a run ready; what comes back is timed


def strategy(task: str, end_ns: int) -> Any:
    if task in protocol.SCHEDULES:
        return maker.Scheduled(
            every_ms=100.0, life=protocol.LIFE, lots_max=protocol.SCHEDULES[task], until_ns=end_ns - protocol.QUIET_NS
        )
    return maker.TwoSided(
        every_ms=86_400_000.0 if task == "idle" else 100.0, half_spread_ticks=protocol.half_spread_ticks(task),
        lots=protocol.LOTS, position_max_lots=protocol.position_max_lots(task),
    )  # fmt: skip


def settings(task: str) -> Any:
    fees = Fees(maker=Decimal(str(protocol.MAKER_FEE)), taker=Decimal(str(protocol.TAKER_FEE)))
    return VenueSettings(latency_ms=1, feed_latency_ms=1 if task == "feed" else 0, fees=fees)


def from_arrays(task: str, folder: Path) -> Run:
    """Return a run over the columns in memory, given to the engine in pieces as a catalog would."""
    tape = tapes.load(folder)
    rows = len(tape.times_ns)

    def make() -> Callable[[], Any]:
        venue = CompiledVenue([tapes.INSTRUMENT], {"BENCH": settings(task)})
        made = CompiledRun(venue, strategy(task, int(tape.times_ns[-1])), "maker")

        def go() -> Any:
            for row in range(0, rows, TAPE_ROWS):
                made.feed(part(tape, row, row + TAPE_ROWS))
            made.finish()
            return made

        return go

    return make


def from_catalog(folder: Path) -> Run:
    """Return a whole run: Parquet, checks of the data, ledger, equity curve and journal included."""
    from njord.engine.assemble import assemble
    from njord.engine.config import AccountSpec, DataSpec, RunConfig, StrategySpec
    from njord.market.catalog import Catalog

    store = Catalog(folder / "catalog")
    config = RunConfig(
        data=[DataSpec(instrument=each.id.instrument_id, kind=each.id.kind) for each in store.datasets()],
        strategies=[StrategySpec(name="maker")], account=AccountSpec(currency="USDT", cash=Decimal(1_000_000)),
        venue=settings("catalog"), risk="research",
    )  # fmt: skip

    def make() -> Callable[[], Any]:
        assembly = assemble(config, store, given=[("maker", strategy("catalog", 0))])

        def go() -> Any:
            return run_compiled(assembly, store, lambda _events, _time_ns: PASSED_S.append(time.process_time()))

        return go

    return make


def told(run: Any) -> tuple[Any, Any]:
    """Return a run's orders and fills in the form that is compared."""
    log = run.messages()
    sent, fills = log[log["kind"] == layout.SEND_NEW], log[log["kind"] == layout.FILLED]
    orders = np.zeros(len(sent), dtype=protocol.ORDER)
    for name, source in (("number", "number"), ("sent_ns", "local_ns"), ("sign", "sign"), ("price", "limit")):
        orders[name] = sent[source]
    orders["lots"] = sent["lots"]
    place = {number: at for at, number in enumerate(orders["number"].tolist())}
    left = orders["lots"].copy()
    for row in log:
        at = place.get(int(row["number"]))
        if at is None:
            continue
        if row["kind"] == layout.FILLED:
            left[at] -= row["lots"]
        fate = {layout.REJECTED: protocol.REJECTED, layout.CANCELLED: protocol.CANCELLED}.get(row["kind"])
        fate = protocol.FILLED if row["kind"] == layout.FILLED and left[at] == 0 else fate
        if fate is not None:
            orders[at]["fate"], orders[at]["done_ns"] = fate, row["venue_ns"]
    found = np.zeros(len(fills), dtype=protocol.FILL)
    for name, source in (("number", "number"), ("time_ns", "venue_ns"), ("price", "limit"), ("lots", "lots")):
        found[name] = fills[source]
    found["why"] = fills["reason"]
    return orders, found


def main(task: str, folder: Path, file: Path | None) -> None:
    rows = json.loads((folder / "tape.json").read_text(encoding="utf-8"))["rows"]
    began_s = time.process_time()
    make = from_catalog(folder) if task == "catalog" else from_arrays(task, folder)
    load_s, loaded_mb = time.process_time() - began_s, protocol.peak_mb()
    run = make()()
    first_s, peak_mb = time.process_time(), protocol.peak_mb()
    if file is not None:
        orders, fills = told(run)
        np.savez(file, orders=orders, fills=fills)
        protocol.tell({"task": task, "rows": rows, "orders": len(orders), "fills": len(fills)})
        return
    took_s, passed_s = [], []
    for _ in range(protocol.RUNS):
        del run
        go = make()
        began_s = time.process_time()
        run = go()
        took_s.append(time.process_time() - began_s)
        passed_s.append(PASSED_S[-1] - began_s if PASSED_S else took_s[-1])
    run_s, whole_s = statistics.median(passed_s), statistics.median(took_s)
    kinds = np.concatenate([piece["kind"] for piece in run.log]) if run.log else np.zeros(0, dtype=np.int64)
    protocol.tell(
        {
            "task": task, "rows": rows, "run_cpu_s": run_s, "whole_cpu_s": whole_s, "loaded_mb": loaded_mb,
            "peak_mb": peak_mb,
            # All that a process pays once, loading the tape aside: Python, imports, compiled code read back or made
            "start_cpu_s": first_s - load_s - whole_s, "version": version("njord"),
            "orders": int((kinds == layout.SEND_NEW).sum()), "fills": int((kinds == layout.FILLED).sum()),
        }
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
