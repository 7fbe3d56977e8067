"""hftbacktest's side of the L2 benchmark: ``TASK TAPE_FOLDER [ORDERS_FILE]``, one task in this process.

Runs in hftbacktest's own environment. ``TASK`` may end in ``_hash`` for its hash-map book and in ``_files`` for events
read from files piece by piece; otherwise it is the fast book over events in memory. The strategies are those of
``maker.py``, written as its users write them.
"""

import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import protocol
from hftbacktest import (
    BUY,
    GTX,
    LIMIT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from numba import njit

TICK, LOT = 0.1, 0.001
STEP_NS = protocol.STEP_NS
NO_ROOM, END_OF_DATA = -1, 1
# Its numbers: an order's status, and what is asked of it
EXPIRED_STATUS, FILLED_STATUS, CANCELED_STATUS = 2, 3, 4
OPEN, FILLED, REJECTED, CANCELLED = protocol.OPEN, protocol.FILLED, protocol.REJECTED, protocol.CANCELLED


@njit
def idle(hbt):
    while True:
        code = hbt.elapse(864_000 * STEP_NS)
        if code != 0:
            return code, 0


@njit
def recorded(hbt, orders):
    # What has ended since the last decision, before it is cleared
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        status = order.status
        if status in (FILLED_STATUS, EXPIRED_STATUS, CANCELED_STATUS):
            row = orders[order.order_id - 1]
            row.fate = FILLED if status == FILLED_STATUS else (REJECTED if status == EXPIRED_STATUS else CANCELLED)
            row.done_ns = order.exch_timestamp


@njit
def sent(hbt, orders, number, sign, ticks, lots):
    if sign > 0:
        hbt.submit_buy_order(0, number, ticks * TICK, lots * LOT, GTX, LIMIT, False)
    else:
        hbt.submit_sell_order(0, number, ticks * TICK, lots * LOT, GTX, LIMIT, False)
    if len(orders) > 0:
        row = orders[number - 1]
        row.number, row.sent_ns, row.sign, row.price, row.lots = number, hbt.current_timestamp, sign, ticks, lots


@njit
def maker(hbt, orders, half, lots, position_max):
    number = 0
    while True:
        code = hbt.elapse(STEP_NS)
        if code != 0:
            return code, number
        if len(orders) > 0:
            recorded(hbt, orders)
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        mid = (depth.best_bid_tick + depth.best_ask_tick) // 2
        position = round(hbt.position(0) / LOT)
        for sign in (1, -1):
            price = mid - sign * half
            wanted = lots if sign * position < position_max else 0
            kept, meets = False, False
            values = hbt.orders(0).values()
            while values.has_next():
                order = values.get()
                own = 1 if order.side == BUY else -1
                if own != sign:
                    meets = meets or (order.price_tick - price) * sign <= 0
                elif order.req != CANCELED_STATUS:
                    if order.price_tick == price and wanted > 0 and not kept:
                        kept = True
                    elif order.cancellable:
                        hbt.cancel(0, order.order_id, False)
            if wanted > 0 and not kept and not meets:
                number += 1
                sent(hbt, orders, number, sign, price, wanted)


@njit
def scheduled(hbt, orders, life, lots_max, until_ns):
    number = 0
    while True:
        code = hbt.elapse(STEP_NS)
        if code != 0:
            return code, number
        recorded(hbt, orders)
        hbt.clear_inactive_orders(0)
        step = hbt.current_timestamp // STEP_NS
        if step % life != 0:
            continue
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            if order.cancellable:
                hbt.cancel(0, order.order_id, False)
        if hbt.current_timestamp < until_ns:
            turn = step // life
            behind = turn % 3 - 1
            lots = 1 + turn % lots_max
            depth = hbt.depth(0)
            number += 2
            sent(hbt, orders, number - 1, 1, depth.best_bid_tick - behind, lots)
            sent(hbt, orders, number, -1, depth.best_ask_tick + behind, lots)


def backtest(known: dict[str, Any], data: Any, task: str) -> Any:
    """Return a backtest as its documents make one, with the venue of this benchmark."""
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(protocol.LATENCY_NS, protocol.LATENCY_NS)
        .risk_adverse_queue_model()
        .trading_value_fee_model(protocol.MAKER_FEE, protocol.TAKER_FEE)
        .tick_size(TICK)
        .lot_size(LOT)
        .last_trades_capacity(0)
    )
    asset = asset.partial_fill_exchange() if task.endswith("_partial") else asset.no_partial_fill_exchange()
    if task.endswith("_hash"):
        return HashMapMarketDepthBacktest([asset])
    lowest, highest = known["lowest"] - 10, known["highest"] + 10
    return ROIVectorMarketDepthBacktest([asset.roi_lb(lowest * TICK).roi_ub(highest * TICK)])


def once(known: dict[str, Any], data: Any, task: str, orders: Any) -> dict[str, Any]:
    hbt = backtest(known, data, task)
    began_s = time.process_time()
    kind = task.partition("_")[0]
    if kind == "idle":
        code, count = idle(hbt)
    elif kind == "schedule":
        until_ns = known["end_ns"] - protocol.QUIET_NS
        code, count = scheduled(hbt, orders, protocol.LIFE, protocol.SCHEDULES[task], until_ns)
    else:
        limit = protocol.position_max_lots(task)
        code, count = maker(hbt, orders, protocol.half_spread_ticks(task), protocol.LOTS, limit)
    took_s = time.process_time() - began_s
    ended_ns = int(hbt.current_timestamp)
    fills = int(hbt.state_values(0).num_trades)
    hbt.close()
    return {
        "run_cpu_s": took_s, "orders": int(count), "fills": fills, "code": int(code), "ended_ns": ended_ns
    }  # fmt: skip


def main(task: str, folder: Path, file: Path | None) -> None:
    known = json.loads((folder / "tape.json").read_text(encoding="utf-8"))
    began_s = time.process_time()
    if task.endswith("_files"):
        data: Any = [str(path) for path in sorted((folder / "events").iterdir())]
    else:
        data = np.load(folder / "events.npy")
        if task == "feed":
            data["local_ts"] += protocol.LATENCY_NS
    loaded_s, loaded_mb = time.process_time() - began_s, protocol.peak_mb()
    room = int(known["seconds"] * 20) + 10 if file is not None else 0
    orders = np.zeros(room, dtype=protocol.ORDER).view(np.recarray)
    first = once(known, data, task, orders)
    first_s = time.process_time()
    if file is not None:
        rows = np.array(orders[: first["orders"]], dtype=protocol.ORDER)
        filled = rows[rows["fate"] == FILLED]
        fills = np.zeros(len(filled), dtype=protocol.FILL)
        for name, source in (("number", "number"), ("time_ns", "done_ns"), ("price", "price"), ("lots", "lots")):
            fills[name] = filled[source]
        fills["why"] = -1
        np.savez(file, orders=rows, fills=fills)
        protocol.tell({"task": task, "rows": known["rows"], **first})
        return
    peak_mb = protocol.peak_mb()
    runs = [once(known, data, task, orders) for _ in range(protocol.RUNS)]
    found = {**runs[0], "run_cpu_s": statistics.median(run["run_cpu_s"] for run in runs)}
    found.update(peak_mb=peak_mb, version=version("hftbacktest"))
    # All that a process pays once, loading the tape aside: Python, imports, compiling
    start_s = first_s - loaded_s - found["run_cpu_s"]
    protocol.tell({"task": task, "rows": known["rows"], "loaded_mb": loaded_mb, "start_cpu_s": start_s, **found})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
