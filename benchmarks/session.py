"""A long session: how fast it is recorded, how large its journal is, how fast it replays, and whether memory grows.

Run: python benchmarks/session.py [--events N] [--every 100ms] [--url URL] [--json]. The exchange is in the same process
and time moves on as its events are taken in, so the figures are the session's own: decide, journal, ledger, send. Two
instruments of bars that come as ticks do, or as slowly as wanted, a strategy that trades now and then, all of the
default profile's risk checks. Memory is resident memory at each quarter of the events, after the market was made.
"""

import argparse
import json
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from njord.domain.clock import interval_ns
from njord.engine.config import RunConfig, parse
from njord.engine.gate import Gate
from njord.engine.opening import AccountFolder, open_session
from njord.engine.session import Session
from njord.engine.session_replay import replay
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.market.feed import merge
from njord.research.frames import Frames
from njord.strategies.port import Strategy
from njord.venues.simulated.exchange import Exchange

NAMES = ("BTC/USD.SIM", "ETH/USD.SIM")
BEGAN_NS = 1_577_836_800_000_000_000
QUARTERS = 4


class Now(Strategy):
    """Buys and sells again every so many bars, with a resting order that is cancelled in between."""

    def __init__(self) -> None:
        self.bars = 0

    def on_bar(self, bar, desk):  # type: ignore[no-untyped-def]
        self.bars += 1
        at = self.bars % 1_000
        if at == 1:
            desk.buy(0.5, instrument=bar.instrument_id)
        elif at == 301:
            desk.buy(0.1, instrument=bar.instrument_id, limit=round(bar.close * 0.9, 2))
        elif at == 501:
            desk.cancel_all(bar.instrument_id)
        elif at == 701 and desk.position(bar.instrument_id) > 0:
            desk.sell(0.5, instrument=bar.instrument_id)


def market(bars: int, every: str) -> Frames:
    """Return so many bars of each instrument."""
    frames = Frames()
    for seed, name in enumerate(NAMES):
        # A price that comes back: a walk of so many minutes would end anywhere
        noise = np.random.default_rng(seed).normal(0, 0.0005, bars)
        close = np.round(1000 * np.exp(np.sin(np.arange(bars) / 5_000) / 20 + noise), 2)
        opened = np.r_[1000.0, close[:-1]]
        high, low = np.maximum(opened, close) + 0.5, np.minimum(opened, close) - 0.5
        columns = {"open": opened, "high": high, "low": low, "close": close, "volume": np.full(bars, 50.0)}
        frames.add(name, {"ts": np.arange(bars) * interval_ns(every) + BEGAN_NS, **columns})
    return frames


def config(every: str) -> RunConfig:
    """Return the config of the session."""
    return parse(
        {
            "data": [{"instrument": name, "interval": every} for name in NAMES],
            "strategies": [{"name": "buy_and_hold"}],
            "account": {"currency": "USD", "cash": 1_000_000},
            "venue": {"latency_ms": 5},
        }
    )


def resident_mb() -> float:
    """Return what this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def begun(root: Path, url: str, frames: Frames, every: str) -> tuple[Session, AccountFolder, SqlLedger]:
    """Open a session on an exchange in this process."""
    exchanges: list[Exchange] = []

    def venue(parts: Any, _positions: Any) -> Exchange:
        exchanges.append(Exchange(parts.venues, parts.order_lines, merge(parts.feeds)))
        return exchanges[0]

    account, ledger = AccountFolder(root / "sessions", "bench"), SqlLedger.open(url)
    session = open_session(
        config(every), frames, account, ledger, venue=venue, gate=Gate(),
        clock=lambda: exchanges[0].now_ns if exchanges else 0, wait=time.sleep, given=[("now", Now())],
    )  # fmt: skip
    return session, account, ledger


def measured(events: int, every: str, root: Path, url: str) -> dict[str, Any]:
    """Record a session and replay it."""
    migrated(url).dispose()
    frames = market(events // len(NAMES), every)
    session, account, ledger = begun(root, url, frames, every)
    memory = [round(resident_mb(), 1)]
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    for quarter in range(1, QUARTERS + 1):
        session.run(events_max=events * quarter // QUARTERS)
        memory.append(round(resident_mb(), 1))
    digest = session.finish()
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    account.release()
    records = ledger.head("bench").position
    ledger.close()
    folder = root / "sessions" / "bench" / session.session_id
    size = sum(path.stat().st_size for path in folder.glob("journal-*"))
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    found = replay(folder, given=[("now", Now())])
    again_s, again_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    return {
        "events": session.events, "steps": found.events, "orders": session.orders_sent, "fills": session.fills,
        "ledger_records": records, "record_s": round(took_s, 1), "record_cpu_s": round(cpu_s, 1),
        "events_recorded_per_s": round(session.events / took_s), "journal_mb": round(size / 2**20, 1),
        "journal_bytes_per_event": round(size / session.events), "replay_s": round(again_s, 1),
        "replay_steps_per_cpu_s": round(found.events / again_cpu_s), "replay_ok": found.ok and found.digest == digest,
        "resident_mb_at_quarters": memory, "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def main() -> None:
    """Measure and print. Exit code 1 where the replay is another session."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--every", default="100ms", help="how long a bar is; below a second they come as ticks do")
    parser.add_argument("--url", help="an empty database; else a SQLite file that is deleted")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="njord-session-"))
    try:
        found = measured(asked.events, asked.every, root, asked.url or f"sqlite:///{root / 'ledger.sqlite'}")
    finally:
        shutil.rmtree(root)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(f"{key:26}{value}" for key, value in found.items()))
    if not found["replay_ok"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
