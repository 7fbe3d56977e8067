"""Kill sessions at random instants, over and over, and look for anything that got lost: money, orders, reports.

Run: python benchmarks/crash.py [--points N] [--postgres URL] [--only sqlite] [--seed S] [--json]. An exchange lives in
a process of its own. Session processes trade on it until they are killed with SIGKILL after a random time, or end by
themselves at a random point between two durable steps. After some of that a last session ends in order, and the ledger
is held against what the exchange did, added up again by hand. Each such life has an account and an exchange of its own.
Processes are forked, so that a restart costs no imports; nothing else is shared between them but files.
"""

import argparse
import collections
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from njord.domain.command import Entry
from njord.domain.fill import Fill
from njord.domain.governance import Tripped
from njord.domain.order import NewOrder, Side
from njord.engine import session_journal
from njord.engine.assemble import exchange_of
from njord.engine.config import RunConfig, parse
from njord.engine.gate import Gate
from njord.engine.opening import AccountFolder, open_session, sessions
from njord.engine.session import Session
from njord.engine.session_journal import Steps, record_of
from njord.engine.session_replay import replay
from njord.ledger.rebuild import rebuild
from njord.ledger.record import StepRecord
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ledger.sql.validation import violations
from njord.research.frames import Frames
from njord.strategies.port import Strategy
from njord.venues.simulated.remote import ExchangeServer, RemoteVenue, answers

NAMES = ("BTC/USD.SIM", "ETH/USD.SIM")
MINUTE_NS = 60_000_000_000
BEGAN_NS = 1_704_067_200_000_000_000
CASH = 1_000_000
UNIT = 10**18
POINTS = ("redone", "opened", "journal appended", "journal durable", "ledger committed", "sent")
# Restoring reads the whole ledger of an account, so an account lives for so many crashes and then another begins
CRASHES_PER_LIFE = 20
KILL_AFTER_S = (0.005, 0.35)
LAST_TURNS = 60
SESSION_S_MAX = 60.0
ROWS = 240_000  # 800 s of market: on a slow machine too it outlasts a life
SPEED = 18_000.0  # 600 bars in a second: several events a step, and reports that nobody is there to hear


class Busy(Strategy):
    """Orders of all kinds, replaced and cancelled all the time, on bars, fills and a timer."""

    def on_bar(self, bar, desk):  # type: ignore[no-untyped-def]
        name = bar.instrument_id
        for order in desk.open_orders(name):
            draw = desk.rng.random()
            if draw < 0.3:
                desk.cancel(order.client_order_id)
            elif draw < 0.5 and order.limit is not None:
                desk.replace(order.client_order_id, limit=round(bar.close * 0.999, 2))
        if desk.rng.random() < 0.4:
            desk.buy(0.5, instrument=name, limit=round(bar.close * (0.997 + 0.006 * desk.rng.random()), 2))
        elif desk.position(name) > 0.4:
            desk.sell(0.3, instrument=name)

    def on_fill(self, fill, desk):  # type: ignore[no-untyped-def]
        if desk.rng.random() < 0.1:
            desk.timer("soon", desk.time_ns + MINUTE_NS // 2)

    def on_timer(self, _timer, desk):  # type: ignore[no-untyped-def]
        desk.buy(0.1, instrument=NAMES[0])


def market(seed: int) -> Frames:
    """Return minute bars of two instruments."""
    frames = Frames()
    for offset, name in enumerate(NAMES):
        close = np.round(1000 * np.exp(np.cumsum(np.random.default_rng(seed + offset).normal(0, 1e-4, ROWS))), 2)
        opened = np.r_[1000.0, close[:-1]]
        high, low = np.maximum(opened, close) + 0.5, np.minimum(opened, close) - 0.5
        ts = np.arange(ROWS) * MINUTE_NS + BEGAN_NS
        volume = np.full(ROWS, 20.0)
        frames.add(name, {"ts": ts, "open": opened, "high": high, "low": low, "close": close, "volume": volume})
    return frames


def config() -> RunConfig:
    """Return a config in which most orders fill in several parts."""
    return parse(
        {
            "data": [{"instrument": name, "interval": "1m"} for name in NAMES],
            "strategies": [{"name": "buy_and_hold"}],
            "account": {"currency": "USD", "cash": CASH},
            "venue": {"latency_ms": 5, "limit_fill": "touch", "volume_share": 0.01},
        }
    )


class Life:
    """One account, its exchange, and all the sessions that come and go."""

    def __init__(self, root: Path, url: str, number: int, seed: int) -> None:
        self.account_id = f"life{number}"
        self.url = url
        self.root = root
        self.socket = root / f"{number}.sock"
        self.truth = root / f"{number}.truth"
        self.acknowledged = root / f"{number}.acknowledged"
        self.acknowledged.touch()
        self.errors = root / f"{number}.errors"
        self.frames = market(seed)
        self.config = config()
        self.points: collections.Counter[str] = collections.Counter()

    def forked(self, run: Callable[[], None]) -> int:
        """Run something in a process of its own. Return its id."""
        pid = os.fork()
        if pid:
            return pid
        try:
            run()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent must see it
            self.errors.write_text(traceback.format_exc())
            os._exit(3)
        os._exit(0)

    def exchange(self) -> None:
        """Be the exchange until told to end, then write down all that happened."""
        told: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
        made = exchange_of(self.config, self.frames)
        ExchangeServer(made, self.socket, speed=SPEED).serve(lambda: bool(told))
        self.truth.write_bytes(msgspec.json.encode({"orders": list(made.account.orders), "fills": made.account.fills}))

    def session(self, point: str, count: int, turns: int | None) -> None:
        """Be a session: for ``turns`` and then end in order, or until killed, by itself at a point if one is named."""
        file = os.open(self.acknowledged, os.O_WRONLY | os.O_APPEND)
        opened: list[Session] = []
        left = [count]

        def reached(where: str) -> None:
            if where == "ledger committed" and opened:
                os.write(file, f"{opened[0].session_id} {opened[0].state.sequence} {opened[0].orders_sent}\n".encode())
            if where == point:
                left[0] -= 1
                if left[0] <= 0:
                    os._exit(9)

        account = AccountFolder(self.root / "sessions", self.account_id)
        venues: list[RemoteVenue] = []

        def venue(_parts: Any, positions: Any) -> RemoteVenue:
            venues.append(RemoteVenue(self.socket, dict(positions)))
            venues[0].truth()
            return venues[0]

        made = open_session(
            self.config, self.frames, account, SqlLedger.open(self.url), venue=venue, gate=Gate(),
            clock=lambda: venues[0].now_ns() if venues else 0, wait=time.sleep, given=[("busy", Busy())],
            reached=reached,
        )  # fmt: skip
        opened.append(made)
        if turns is None:
            made.run()
            return
        for _ in range(turns):
            made.turn()
        made.finish()

    def crash(self, dice: random.Random) -> None:
        """Start a session and let it end badly."""
        by_itself = dice.random() < 0.5
        point, count = (dice.choice(POINTS), dice.randint(1, 25)) if by_itself else ("", 0)
        if point in ("redone", "opened"):
            count = 1
        pid = self.forked(lambda: self.session(point, count, None))
        killed = not by_itself
        if killed:
            time.sleep(dice.uniform(*KILL_AFTER_S))
            os.kill(pid, signal.SIGKILL)
        status = self.waited(pid)
        if os.WIFSIGNALED(status) and killed:
            self.points["killed"] += 1
        elif os.WIFEXITED(status) and os.WEXITSTATUS(status) == 9:
            self.points[point] += 1
        else:
            said = self.errors.read_text() if self.errors.exists() else "no reason given"
            raise SystemExit(f"{self.account_id}: a session ended by itself, with {status}:\n{said}")

    def waited(self, pid: int) -> int:
        """Wait for a process, but not for ever. Return how it ended."""
        give_up_s = time.monotonic() + SESSION_S_MAX
        while time.monotonic() < give_up_s:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise SystemExit(f"{self.account_id}: a session did not end within {SESSION_S_MAX:.0f} s")


def lived(life: Life, crashes: int, dice: random.Random) -> dict[str, Any]:
    """Let an account live through so many crashes. Return what was found of it."""
    exchange = life.forked(life.exchange)
    give_up_s = time.monotonic() + SESSION_S_MAX
    while not (life.socket.exists() and answers(life.socket)):
        if time.monotonic() > give_up_s:
            raise SystemExit("the exchange did not come up")
        time.sleep(0.01)
    try:
        for _ in range(crashes):
            life.crash(dice)
        status = life.waited(life.forked(lambda: life.session("", 0, LAST_TURNS)))
    finally:  # Who reads our output waits for the exchange too
        os.kill(exchange, signal.SIGTERM)
        life.waited(exchange)
    if status:
        raise SystemExit(life.errors.read_text())
    return checked(life)


def checked(life: Life) -> dict[str, Any]:
    """Hold ledger and journals against the exchange's truth. Return counts; what is wrong is under ``wrong``."""
    told = json.loads(life.truth.read_bytes())
    fills = msgspec.convert(told["fills"], list[Fill])
    ledger = SqlLedger.open(life.url)
    records = list(ledger.records(life.account_id))
    wrong = [str(each) for each in ledger.verify(life.account_id)]
    ledger.close()
    booked = [r.event for r in records if isinstance(r.event, Fill) and any(isinstance(c, Entry) for c in r.commands)]
    known = {c.client_order_id for record in records for c in record.commands if isinstance(c, NewOrder)}
    lost = {fill.fill_id for fill in fills} - {fill.fill_id for fill in booked}
    untracked = set(told["orders"]) - known
    twice = len(booked) - len({fill.fill_id for fill in booked})
    if lost or untracked or twice:
        wrong.append(f"fills lost {sorted(lost)}, orders untracked {sorted(untracked)}, fills booked twice {twice}")
    wrong += [f"tripped: {r.event.reason}" for r in records if isinstance(r.event, Tripped)]
    wrong += by_hand(life, fills, records)
    wrong += acknowledged(life, records)
    replayed, events = 0, 0
    for folder in sessions(life.root / "sessions" / life.account_id):
        if next(session_journal.read(folder), None) is None:
            continue  # It was killed before its beginning was written
        found = replay(folder, given=[("busy", Busy())])
        replayed, events = replayed + 1, events + found.events
        if not found.ok:
            wrong.append(f"{folder.name} does not replay: {found.first_divergence} {found.notes}")
    sent = collections.Counter(r.session_id for r in records for c in r.commands if isinstance(c, NewOrder))
    last = max(sent, default="")
    if last != sessions(life.root / "sessions" / life.account_id)[-1].name:
        wrong.append(f"the last session did not trade; the last that did was {last}")
    return {
        "crashes": sum(life.points.values()), "points": dict(life.points), "orders": len(told["orders"]),
        "fills": len(fills), "records": len(records), "sessions_replayed": replayed, "events_replayed": events,
        "sessions_that_traded": len(sent), "wrong": wrong,
    }  # fmt: skip


def by_hand(life: Life, fills: list[Fill], records: list[StepRecord]) -> Iterator[str]:
    """Add the exchange's fills up again with nothing but arithmetic; yield where the ledger says otherwise."""
    cash, lots = CASH * UNIT, collections.defaultdict[tuple[str, str], list[list[Any]]](list)
    whose = {c.client_order_id: c.strategy_id for r in records for c in r.commands if isinstance(c, NewOrder)}
    order = {r.event.fill_id: at for at, r in enumerate(records) if isinstance(r.event, Fill)}
    for fill in sorted(fills, key=lambda each: order.get(each.fill_id, 0)):
        grid = life.frames.instrument(fill.instrument_id)
        worth = Decimal(fill.price_ticks) * grid.price_tick * fill.quantity_lots * grid.quantity_lot
        cash -= fill.side.sign * int(worth * UNIT) + fill.fee_units
        open_lots = lots[whose.get(fill.client_order_id, "?"), fill.instrument_id]
        left = fill.quantity_lots
        while left and open_lots and (open_lots[0][1] > 0) != (fill.side is Side.BUY):
            taken = min(left, abs(open_lots[0][1]))
            open_lots[0][1] += fill.side.sign * taken
            left -= taken
            if open_lots[0][1] == 0:
                del open_lots[0]
        if left:
            open_lots.append([fill.fill_id, fill.side.sign * left])
    money = rebuild(records)
    if money.cash != {"USD": cash}:
        yield f"cash {money.cash}, by hand {cash}"
    held = {key: [[lot.fill_id, lot.lots] for lot in each] for key, each in money.holdings.items() if each}
    if held != {key: each for key, each in lots.items() if each}:
        yield f"lots {held}, by hand {dict(lots)}"


def acknowledged(life: Life, records: list[StepRecord]) -> Iterator[str]:
    """Yield what a session had said was on record, and is not: in its journal, and of that in the ledger."""
    said: dict[str, int] = {}
    for line in life.acknowledged.read_text().splitlines():
        name, sequence, _sent = line.split()
        said[name] = int(sequence)
    there = {(record.session_id, record.sequence): record for record in records}
    for name, acknowledged_to in said.items():
        last = 0
        for line in session_journal.read(life.root / "sessions" / life.account_id / name):
            for step in line.steps if isinstance(line, Steps) else ():
                last = step.sequence
                record = record_of(step, life.account_id, name)
                if record is not None and there.get((name, last)) != record:
                    yield f"{name} step {last}: is in the journal, and not like that in the ledger"
        if last < acknowledged_to:
            yield f"{name}: its journal ends at {last}, {acknowledged_to} was acknowledged"


def measured(name: str, url: str, root: Path, points: int, seed: int) -> dict[str, Any]:
    """Crash so many times on one database. Return the sums of all lives."""
    migrated(url).dispose()
    dice = random.Random(seed)
    began_s = time.monotonic()
    total: dict[str, Any] = {"database": name, "points": collections.Counter(), "lives": 0, "wrong": []}
    while sum(total["points"].values()) < points:
        number = total["lives"]
        crashes = min(CRASHES_PER_LIFE, points - sum(total["points"].values()))
        found = lived(Life(root, url, number, seed + number), crashes, dice)
        total["points"].update(found.pop("points"))
        total["wrong"] += found.pop("wrong")
        total["lives"] += 1
        for key, value in found.items():
            total[key] = total.get(key, 0) + value
        print(f"{name}: {total['crashes']} crashes, {len(total['wrong'])} things wrong", file=sys.stderr)
    with_violations = SqlLedger.open(url)
    total["wrong"] += [str(each) for each in violations(with_violations.engine)]
    with_violations.close()
    total["points"] = dict(sorted(total["points"].items()))
    return {**total, "seconds": round(time.monotonic() - began_s, 1)}


def scratch(server: str, name: str, statement: str) -> str:
    """Make or drop a database on a PostgreSQL server. Return its URL."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"{statement} DATABASE {name}{' WITH (FORCE)' if statement == 'DROP' else ''}")
    return f"{server.rpartition('/')[0]}/{name}"


def main() -> None:
    """Measure, and print what was found. Exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=500, help="crashes on each database")
    parser.add_argument("--postgres", help="URL of a server whose user may make databases")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    results = []
    for name in ("sqlite", "postgresql"):
        if asked.only not in (None, name) or (name == "postgresql" and asked.postgres is None):
            continue
        root = Path(tempfile.mkdtemp(prefix="njord-crash-"))
        database = f"njord_crash_{os.getpid()}"
        try:
            url = (
                scratch(asked.postgres, database, "CREATE")
                if name == "postgresql"
                else f"sqlite:///{root / 'ledger.sqlite'}"
            )
            results.append(measured(name, url, root, asked.points, asked.seed))
        finally:
            if name == "postgresql":
                scratch(asked.postgres, database, "DROP")
            shutil.rmtree(root, ignore_errors=True)
    if asked.json:
        print(json.dumps(results, indent=2))
    else:
        for result in results:
            print("\n".join(f"{key:22}{value}" for key, value in result.items()))
    if any(result["wrong"] for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
