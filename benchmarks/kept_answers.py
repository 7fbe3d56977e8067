"""What a cache of answers saves gateways and the platform: ``python benchmarks/kept_answers.py [--seconds 5]``.

A platform and a gateway's end on a real Redis, at ``--redis``, in one process: eight threads ask for books, candles and
the curve, with the cache and without. Figures are questions a second, how long one took, and the processor time of both
ends together for one question.
"""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import redis

from njord.bus.hot import HotCache
from njord.bus.redis_streams import RedisBus
from njord.cli.clock import now_ns
from njord.domain.clock import NS_PER_S
from njord.engine.garbage import collected_seldom
from njord.gateway.apart import GatewayEnd, PlatformEnd
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ops.desk.desk import Desk
from njord.ops.platform import Platform

THREADS = 8
NAMES = ("BRAGE.SIM", "IDUN.SIM", "SKALD.SIM", "FENRIR.SIM", "RAN.SIM")
PREFIX = "njord-bench-kept"


def asked(near: GatewayEnd, seconds: float) -> tuple[list[float], float]:
    """Return how long each question took in ms, and the processor seconds of all of them."""
    market, took, until_s = near.desk.market, [], time.monotonic() + seconds
    calls = [lambda name=name: market.depth(name, 20) for name in NAMES]
    calls += [lambda name=name: market.candles(name, 60) for name in NAMES]
    calls.append(market.curve)

    def ask(first: int) -> None:
        turn = first
        while time.monotonic() < until_s:
            began_ns = time.perf_counter_ns()
            calls[turn % len(calls)]()
            took.append((time.perf_counter_ns() - began_ns) / 1e6)
            turn += 1

    busy_s = time.process_time()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, time.process_time() - busy_s


def measured(url: str, seconds: float, kept: bool) -> dict[str, float]:
    """Return the figures with a cache or without."""
    prefix = f"{PREFIX}-{'with' if kept else 'without'}"  # What another platform showed is another life
    with tempfile.TemporaryDirectory() as folder, collected_seldom():
        root = Path(folder)
        ledger = SqlLedger(migrated(f"sqlite:///{root / 'ledger.sqlite'}"))
        platform = Platform(root / "platform", ledger, root / "kill", seed=3, wall_ns=now_ns)
        desk = Desk.of(platform, ledger, root, now_ns)
        buses = [RedisBus(url, prefix=prefix) for _ in range(2)]
        caches = [HotCache(url, prefix=prefix) if kept else None for _ in range(2)]
        far = PlatformEnd(platform, desk, buses[0], now_ns, caches[0])
        near = GatewayEnd(buses[1], "bench", now_ns, caches[1])
        platform.start()
        while not near.alive() or platform.now_ns - platform.start_ns < 10 * NS_PER_S:
            time.sleep(0.1)
        asked(near, 1.0)
        took, busy_s = asked(near, seconds)
        for each in (near, far, *buses, *filter(None, caches)):
            each.close()
        platform.stop()
        ledger.close()
    return {
        "questions_per_s": round(len(took) / seconds), "p50_ms": round(float(np.percentile(took, 50)), 2),
        "p99_ms": round(float(np.percentile(took, 99)), 2), "cpu_ms": round(busy_s / len(took) * 1e3, 3),
    }  # fmt: skip


def main() -> None:
    """Print a row with the cache and one without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--redis", default="redis://127.0.0.1:6379/0")
    given = parser.parse_args()
    try:
        found = {
            name: measured(given.redis, given.seconds, kept) for name, kept in (("without", False), ("with", True))
        }
    finally:
        client = redis.Redis.from_url(given.redis)
        for key in client.scan_iter(f"{PREFIX}-*"):
            client.delete(key)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
