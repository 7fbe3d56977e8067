"""How soon the last order leaves after the kill switch is pulled: ``python benchmarks/kill.py --trips 1000``.

One session over a durable ledger, fed as fast as it goes, with a strategy that orders on every event. Another thread
pulls the switch at random instants, by every button in turn, waits until the engine has stopped, and clears it. Time
is measured from just before the button is pressed to the return of the last ``send`` of an order before the clear; the
heartbeat's from the moment at which it must have been noticed. ``--remote`` has the exchange in a process of its own.
"""

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from njord.bus.memory import MemoryBus
from njord.bus.topics import KILL
from njord.cli.db import ledger_or_new
from njord.domain.command import CancelOrder, OrderCommand
from njord.domain.event import Event
from njord.domain.governance import GLOBAL, Tripped, TripSource
from njord.engine.assemble import Parts, parts_of
from njord.engine.config import RunConfig, parse
from njord.engine.gate import Gate
from njord.engine.opening import AccountFolder, open_session
from njord.engine.session import Session
from njord.market.feed import merge
from njord.ops.kill_switch import HEARTBEATS_MAX, KillFolder, KillWatch, TripFile
from njord.research.frames import Frames
from njord.strategies.port import Strategy
from njord.venues.port import Venue
from njord.venues.simulated.exchange import Exchange
from njord.venues.simulated.remote import ExchangeServer, RemoteVenue, answers

NAME = "BTC/USD.SIM"
MINUTE_NS = 60_000_000_000
HEARTBEAT_S = 0.1
WAIT_S_MAX = 10.0
LIMIT_MS = 100.0
ROWS = 2_000


class Restless(Strategy):
    """An order on every bar, far from the market, and the oldest cancelled: nothing but order flow."""

    def on_bar(self, bar: Any, desk: Any) -> None:
        desk.buy(0.001, limit=round(bar.close * 0.8, 2))
        working = desk.open_orders()
        if len(working) > 8:
            desk.cancel(working[0].client_order_id)


class Watched:
    """A venue that notes when each order left."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.sent_ns: collections.deque[int] = collections.deque(maxlen=100_000)
        self.orders = 0

    def send(self, command: OrderCommand) -> None:
        self.inner.send(command)
        if not isinstance(command, CancelOrder):
            self.sent_ns.append(time.monotonic_ns())
            self.orders += 1

    def receive(self, timeout_s: float) -> list[Event]:
        found: list[Event] = self.inner.receive(timeout_s)
        return found

    def truth(self, *asked: Any) -> Any:
        return self.inner.truth(*asked)

    def cancel_all(self) -> None:
        self.inner.cancel_all()

    @property
    def ended(self) -> bool:
        return bool(self.inner.ended)

    def close(self) -> None:
        self.inner.close()


class Pulled(NamedTuple):
    """One trip: by which button, and milliseconds to the last order; 0 where none left after it."""

    path: str
    last_order_ms: float


def market(rows: int = ROWS) -> Frames:
    """Return bars of one instrument."""
    close = np.round(1_000 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.0005, rows))), 2)
    opened = np.r_[1_000.0, close[:-1]]
    frames = Frames()
    frames.add(
        NAME,
        {
            "ts": np.arange(rows) * MINUTE_NS + 1_704_067_200_000_000_000, "open": opened, "close": close,
            "high": np.maximum(opened, close) + 1, "low": np.minimum(opened, close) - 1, "volume": np.full(rows, 50.0),
        },
    )  # fmt: skip
    return frames


def config() -> RunConfig:
    """Return a config of the market."""
    return parse(
        {
            "data": [{"instrument": NAME, "interval": "1m"}], "strategies": [{"name": "buy_and_hold"}],
            "account": {"currency": "USD", "cash": 1_000_000}, "venue": {"latency_ms": 5, "limit_fill": "touch"},
            "risk": {"name": "bench", "leverage_max": 1, "price_collar": 0.5, "order_notional_max": 100_000},
        }
    )  # fmt: skip


class _Endless:
    """A window whose events never end: the same bars, again and again, later each time."""

    def __init__(self, parts: Parts) -> None:
        self._bars = [event for window in merge(parts.feeds) for event in window.events]

    @property
    def events(self) -> Iterator[Any]:
        span_ns = self._bars[-1].venue_time_ns - self._bars[0].venue_time_ns + MINUTE_NS
        shift_ns = 0
        while True:
            for bar in self._bars:
                yield msgspec.structs.replace(
                    bar, venue_time_ns=bar.venue_time_ns + shift_ns, local_time_ns=bar.local_time_ns + shift_ns
                )
            shift_ns += span_ns


def endless_exchange(parts: Parts) -> Exchange:
    """Return an exchange whose market never ends."""
    return Exchange(parts.venues, parts.order_lines, [_Endless(parts)])  # type: ignore[list-item]


class Rig:
    """A session under load with all buttons connected, and a thread that presses them. ``venue`` is what it trades at.

    The session runs in the thread that calls ``run``, which must be the main one: signals go there.
    """

    def __init__(self, root: Path, ledger: Any, venue: Callable[[Parts], tuple[Venue, Callable[[], int]]]) -> None:
        self.root, self.ledger = root, ledger
        self.gate = Gate()
        self.folder = KillFolder(root / "kill")
        self.bus = MemoryBus()
        self.beat = root / "heart" / "beat"
        self.beat.parent.mkdir()
        self.beat.touch()
        self.beating = True
        self.beaten_ns = 0
        self.account = AccountFolder(root / "sessions", "bench")
        self.clock: Callable[[], int] = lambda: 0
        self.venue: Watched
        self.session: Session
        self._make = venue
        self._done = threading.Event()
        self.pulled: list[Pulled] = []
        self.failed: BaseException | None = None

    def run(self, trips: int, seed: int, paths: list[str] | None = None) -> list[Pulled]:
        """Pull the switch so often, in the order of ``paths``. Return what came of it."""

        def connect(parts: Parts, _positions: object) -> Watched:
            inner, self.clock = self._make(parts)
            self.venue = Watched(inner)
            return self.venue

        watch = KillWatch(
            self.gate, self.folder, time.monotonic_ns, bus=self.bus.subscribe(KILL), heartbeat=self.beat,
            heartbeat_s=HEARTBEAT_S,
        )  # fmt: skip
        heart = threading.Thread(target=self._beat)
        heart.start()
        try:
            with watch:
                self.session = open_session(
                    config(), market(), self.account, self.ledger, venue=connect, gate=self.gate,
                    clock=lambda: self.clock(), wait=time.sleep, given=[("restless", Restless())],
                )  # fmt: skip
                puller = threading.Thread(target=self._pull, args=(trips, seed, paths or list(self.buttons())))
                puller.start()
                while not self._done.is_set():
                    self.session.turn(0.01)
                puller.join()
                self.session.finish()
                self.venue.close()
        finally:
            self._done.set()
            heart.join()
            self.account.release()
        if self.failed is not None:
            raise self.failed
        return self.pulled

    def buttons(self) -> dict[str, Callable[[], int]]:
        """Return every way to pull the switch: each does it and returns the moment from which it counts."""
        return {
            "touch": self._touch, "file with content": self._file, "bus": self._publish, "signal": self._signal,
            "heartbeat": self._stop_beating, "check raises": self._broken_check, "folder gone": self._lose_folder,
        }  # fmt: skip

    def _pull(self, trips: int, seed: int, paths: list[str]) -> None:
        rng, buttons = random.Random(seed), self.buttons()
        try:
            for number in range(trips):
                path = paths[number % len(paths)]
                before = self.venue.orders
                self._wait(lambda before=before: self.venue.orders > before + 2, f"orders again, before {path}")
                time.sleep(rng.uniform(0.002, 0.03))
                pulled_ns = buttons[path]()
                self._wait(lambda: GLOBAL in self.session.state.kill.tripped, f"{path}: the engine to stop")
                time.sleep(0.005)
                last_ns = self.venue.sent_ns[-1]
                self.pulled.append(Pulled(path, max(0, last_ns - pulled_ns) / 1e6))
                self._restore()
                self.folder.ask_clear(GLOBAL, "bench", "the next trip", time.monotonic_ns())
                self._wait(lambda: not self.gate.closed(GLOBAL), f"{path}: the gate to open")
                assert self.venue.sent_ns[-1] >= last_ns
        except BaseException as error:  # noqa: BLE001 - told in the thread that asked
            self.failed = error
        finally:
            self._done.set()

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        give_up_s = time.monotonic() + WAIT_S_MAX
        while not holds():
            if time.monotonic() > give_up_s or self._done.is_set():
                raise TimeoutError(f"waited for {what}")
            time.sleep(0.001)

    def _touch(self) -> int:
        now_ns = time.monotonic_ns()
        (self.folder.path / "global.trip").touch()
        return now_ns

    def _file(self) -> int:
        now_ns = time.monotonic_ns()
        self.folder.trip(GLOBAL, TripFile(actor="bench", reason="drill", source=TripSource.CLI), time.monotonic_ns())
        return now_ns

    def _publish(self) -> int:
        now_ns = time.monotonic_ns()
        self.bus.publish(KILL, Tripped(GLOBAL, TripSource.BUS, "bench", "drill", False, 1, 1))
        return now_ns

    def _signal(self) -> int:
        now_ns = time.monotonic_ns()
        os.kill(os.getpid(), signal.SIGUSR1)
        return now_ns

    def _stop_beating(self) -> int:
        self.beating = False
        return self.beaten_ns + int(HEARTBEATS_MAX * HEARTBEAT_S * 1e9)

    def _broken_check(self) -> int:
        now_ns = time.monotonic_ns()
        self.gate.checks.append(_raises)
        return now_ns

    def _lose_folder(self) -> int:
        now_ns = time.monotonic_ns()
        self.folder.path.rename(self.root / "elsewhere")
        return now_ns

    def _restore(self) -> None:
        if _raises in self.gate.checks:
            self.gate.checks.remove(_raises)
        if (self.root / "elsewhere").exists():
            (self.root / "elsewhere").rename(self.folder.path)
        if not self.beating:
            self.beating = True
            time.sleep(2 * HEARTBEAT_S)

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT_S / 4):
            if self.beating:
                # Its moment first: what is measured may be too long, never too short
                self.beaten_ns = time.monotonic_ns()
                self.beat.touch()


def _raises() -> None:
    raise RuntimeError("a check that is broken")


def local(parts: Parts) -> tuple[Venue, Callable[[], int]]:
    """Return an exchange in this process, and its clock."""
    exchange = endless_exchange(parts)
    return exchange, lambda: exchange.now_ns


def serve(socket: Path) -> None:
    """Be the exchange, until whoever started it is gone."""
    ExchangeServer(endless_exchange(parts_of(config(), market())), socket, speed=0).serve(lambda: False, linger_s=5)


def pulled(trips: int, *, remote: bool, seed: int = 1, paths: list[str] | None = None) -> list[Pulled]:
    """Run a session and pull its switch so often."""
    with tempfile.TemporaryDirectory() as folder, ledger_or_new(f"sqlite:///{folder}/ledger.db") as ledger:
        root = Path(folder)
        if not remote:
            return Rig(root, ledger, local).run(trips, seed, paths)
        socket = root / "exchange.sock"
        server = subprocess.Popen([sys.executable, __file__, "--serve", str(socket)])
        try:
            give_up_s = time.monotonic() + 30
            while not (socket.exists() and answers(socket)):
                assert server.poll() is None, "the exchange did not start"
                assert time.monotonic() < give_up_s, "the exchange does not answer"
                time.sleep(0.05)

            def venue(_parts: Parts) -> tuple[Venue, Callable[[], int]]:
                made = RemoteVenue(socket, {})
                made.truth()
                return made, made.now_ns

            return Rig(root, ledger, venue).run(trips, seed, paths)
        finally:
            server.terminate()
            server.wait(10)


def summary(found: list[Pulled]) -> dict[str, Any]:
    """Return percentiles in milliseconds, of all trips and of each button."""
    by_path: dict[str, list[float]] = {"all": [each.last_order_ms for each in found]}
    for each in found:
        by_path.setdefault(each.path, []).append(each.last_order_ms)
    return {
        path: {
            "trips": len(times), "p50_ms": round(float(np.percentile(times, 50)), 3),
            "p99_ms": round(float(np.percentile(times, 99)), 3), "p100_ms": round(max(times), 3),
        }
        for path, times in by_path.items()
    }  # fmt: skip


def main() -> None:
    """Print a table and a line of JSON. Exit code 1 where any order left too late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trips", type=int, default=1_000)
    parser.add_argument("--remote", action="store_true", help="the exchange in a process of its own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.serve)
        return
    found = summary(pulled(given.trips, remote=given.remote, seed=given.seed))
    for path, row in found.items():
        print(f"{path:20}" + "".join(f"  {name} {value:>8}" for name, value in row.items()))
    print(json.dumps({"benchmark": "kill", "remote": given.remote, "limit_ms": LIMIT_MS, **found}))
    sys.exit(found["all"]["p100_ms"] >= LIMIT_MS)


if __name__ == "__main__":
    main()
