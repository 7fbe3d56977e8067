"""hftbacktest's side of the L2 benchmark: the same maker on the same tape, in this process."""

import json
import resource
import sys
import time

import numpy as np
from numba import njit


def main(path: str, task: str, book: str) -> None:
    import hftbacktest as hb
    from hftbacktest import (
        BUY,
        BUY_EVENT,
        DEPTH_CLEAR_EVENT,
        DEPTH_EVENT,
        EXCH_EVENT,
        GTX,
        LIMIT,
        LOCAL_EVENT,
        SELL_EVENT,
        TRADE_EVENT,
        BacktestAsset,
        HashMapMarketDepthBacktest,
        Recorder,
        ROIVectorMarketDepthBacktest,
    )
    from hftbacktest.types import event_dtype

    with np.load(path) as file:
        columns = {name: file[name] for name in file.files}
    what = columns["what"] & 127
    data = np.zeros(len(what), dtype=event_dtype)
    sides = np.array([BUY_EVENT, SELL_EVENT, BUY_EVENT, SELL_EVENT, BUY_EVENT, 0], dtype=np.uint64)
    kinds = np.array(
        [DEPTH_EVENT, DEPTH_EVENT, TRADE_EVENT, TRADE_EVENT, TRADE_EVENT, DEPTH_CLEAR_EVENT], dtype=np.uint64
    )
    data["ev"] = kinds[what] | sides[what] | np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT)
    data["exch_ts"] = columns["times_ns"]
    data["local_ts"] = columns["times_ns"] + (1_000_000 if task == "feed" else 0)
    data["px"], data["qty"] = columns["price_ticks"] * 0.1, columns["lots"] * 0.001
    low, high = int(columns["price_ticks"][what < 2].min()), int(columns["price_ticks"][what < 2].max())
    rows = len(data)
    del columns

    @njit
    def idle(hbt):
        while hbt.elapse(86_400_000_000_000) == 0:
            pass

    @njit
    def maker(hbt, fills, half, lots, position_max):
        number = 0
        count = 0
        while hbt.elapse(100_000_000) == 0:
            hbt.clear_inactive_orders(0)
            depth = hbt.depth(0)
            bid, ask = depth.best_bid_tick, depth.best_ask_tick
            mid = (bid + ask) // 2
            position = int(round(hbt.position(0) / 0.001))
            for sign in (1, -1):
                price = mid - sign * half
                wanted = lots if sign * position < position_max else 0
                kept = False
                meets = False
                orders = hbt.orders(0)
                values = orders.values()
                while values.has_next():
                    order = values.get()
                    own = 1 if order.side == BUY else -1
                    if order.status == 3 or order.status == 4 or order.status == 2:  # Filled, cancelled, expired
                        continue
                    if own != sign:
                        meets = meets or (order.price_tick - price) * sign <= 0
                    elif order.req != 4:  # Not being cancelled
                        if order.price_tick == price and wanted > 0 and not kept:
                            kept = True
                        elif order.cancellable:
                            hbt.cancel(0, order.order_id, False)
                if wanted > 0 and not kept and not meets:
                    number += 1
                    if sign > 0:
                        hbt.submit_buy_order(0, number, price * 0.1, wanted * 0.001, GTX, LIMIT, False)
                    else:
                        hbt.submit_sell_order(0, number, price * 0.1, wanted * 0.001, GTX, LIMIT, False)
        return number, count

    def run():
        asset = (
            BacktestAsset()
            .data(data)
            .linear_asset(1.0)
            .constant_order_latency(1_000_000, 1_000_000)
            .risk_adverse_queue_model()
            .partial_fill_exchange()
            .trading_value_fee_model(0.0002, 0.0005)
            .tick_size(0.1)
            .lot_size(0.001)
            .last_trades_capacity(0)
        )
        if book == "fast":
            asset = asset.roi_lb((low - 10) * 0.1).roi_ub((high + 10) * 0.1)
            hbt = ROIVectorMarketDepthBacktest([asset])
        else:
            hbt = HashMapMarketDepthBacktest([asset])
        began = time.process_time()
        if task == "idle":
            idle(hbt)
            orders = 0
        else:
            orders, _ = maker(hbt, 0, 3, 5, 100)
        took = time.process_time() - began
        values = hbt.state_values(0)
        state = [int(values.num_trades), float(values.position), float(values.balance), float(values.fee)]
        hbt.close()
        return took, orders, state

    _ = Recorder, hb
    first, orders, state = run()
    again, orders, state = run()
    print(
        "RESULT "
        + json.dumps(
            {
                "task": task, "book": book, "rows": rows, "run_cpu_s": again, "start_cpu_s": first - again,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "orders": orders, "state": state,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
