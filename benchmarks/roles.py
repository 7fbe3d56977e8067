"""Roles killed with SIGKILL under load, over and over, on Redis and a database: is anything lost or done twice?

    python benchmarks/roles.py --kills 20 --postgres postgresql://postgres@127.0.0.1:5432/postgres [--roles recorder]

Platform, gateway, recorder and watcher run as processes. Traders send orders through the gateway without a pause, each
again under its key until it is answered. The roles are killed in turn, each KILLS times, at random moments, and started
again; then recorder, watcher and gateway are stopped for STOPPED_S each, and go on. Afterwards everything is ended in
order, and added up:

- every order that was answered is in the ledger, once; cash and lots of every account are what the exchange says;
- the bus has told what the ledger has: each message of each account once and in order;
- the tape has every number the market published, once; what it has is what the bus has;
- the account that holds more than the watcher allows was stopped, by one message;
- while others were dead or stopped, the market went on: no gap in what it published.
"""

import argparse
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import redis

from njord.bus.codec import canonical
from njord.bus.port import STREAM_MESSAGES_MAX
from njord.bus.redis_streams import RedisBus
from njord.bus.topics import ACCOUNTS, CONTROL, KILL, MARKET
from njord.domain.command import NewOrder
from njord.domain.market import Quote
from njord.engine.simulation.record import ExchangeRecord
from njord.ledger.rebuild import rebuild
from njord.ledger.sql.store import SqlLedger
from njord.ops.announcing import messages
from njord.ops.roles.recorder import read

ROLES = ("recorder", "watcher", "gateway", "platform")
TRADERS = 3
SHARES = ("BRAGE.SIM", "IDUN.SIM", "SKALD.SIM")
PASSWORD = "roles that come and go"
LEVERAGE = 0.02  # What the watcher allows; one trader holds more from the start
STOPPED_S = 4.0
START_S = 90.0
PAUSE_S = (0.2, 2.0)


class Roles:
    """The processes, and who was killed how often."""

    def __init__(self, home, bus, ledger, users, port):
        self.home, self.port = home, port
        common = ["--bus", bus]
        self._words = {
            "platform": ["platform", *common, "--url", ledger, "--home", str(home / "platform")],
            "gateway": ["gateway", *common, "--port", str(port), "--users-url", users, "--no-demo",
                        "--home", str(home / "platform")],
            "recorder": ["recorder", *common, "--folder", str(home / "tape")],
            "watcher": ["watcher", *common, "--leverage", str(LEVERAGE), "--loss-share", "0.9"],
        }  # fmt: skip
        self.running = {}
        self.kills = collections.Counter()

    def start(self, role):
        log = (self.home / f"{role}.log").open("ab")
        self.running[role] = subprocess.Popen(
            [sys.executable, "-m", "njord", "role", *self._words[role]], stdout=log, stderr=log,
            env={**os.environ, "NJORD_HOME": str(self.home)},
        )  # fmt: skip
        log.close()

    def kill(self, role):
        self.running[role].kill()
        self.running[role].wait()
        self.kills[role] += 1
        self.start(role)

    def hold(self, role):
        self.running[role].send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        self.running[role].send_signal(signal.SIGCONT)

    def end(self, role):
        process = self.running.pop(role)
        process.terminate()
        assert process.wait(60) == 0, (self.home / f"{role}.log").read_text()[-2_000:]

    def up(self):
        """Wait until the gateway answers and the platform answers it."""
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            try:
                if httpx2.get(f"http://127.0.0.1:{self.port}/api/v1/health", timeout=5).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.1)
        raise SystemExit("\n".join((self.home / f"{role}.log").read_text()[-2_000:] for role in self.running))


class Trader:
    """Sends orders, each until it is answered."""

    def __init__(self, port, name, dice, ending):
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=20)
        me = self.http.post("/auth/register", json={"name": name, "password": PASSWORD}).json()
        self.account_id, self.csrf = me["account_id"], me["csrf"]
        self.answered, self.retries, self.refusals = {}, 0, collections.Counter()
        self._dice, self._ending = dice, ending

    def order(self, key, instrument, side, quantity):
        body = {"order_key": key, "instrument_id": instrument, "side": side, "quantity": str(quantity)}
        for _ in range(1_000):
            try:
                answer = self.http.post("/orders", json=body, headers={"X-CSRF-Token": self.csrf})
            except httpx2.HTTPError:
                self.retries += 1
                time.sleep(0.1)
                continue
            if answer.status_code in (201, 409):
                self.answered[answer.json()["client_order_id"]] = answer.status_code
                self.refusals[str(answer.json()["refusal"])] += 1
                return
            assert answer.status_code in (429, 503), answer.text
            self.retries += 1
            time.sleep(0.1)
        raise AssertionError(f"no answer to {key}")

    def trade(self):
        number = 0
        while not self._ending.is_set():
            number += 1
            side = "buy" if self._dice.random() < 0.55 else "sell"
            self.order(f"k{number}", self._dice.choice(SHARES), side, self._dice.randint(1, 3))
            time.sleep(0.05)


def lasted(bus):
    newest = bus.newest(MARKET, 1)
    return newest[0].sequence if newest else 0


def lived(roles, bus, order, seed):
    """Let the roles live, trade and be killed. Return the traders and how the market went on while others were held."""
    dice = random.Random(seed)
    for role in ROLES:
        roles.start(role)
    roles.up()
    ending = threading.Event()
    traders = [Trader(roles.port, f"trader{n}", random.Random(seed * 100 + n), ending) for n in range(TRADERS)]
    traders[0].order("large", SHARES[0], "buy", 400)  # More than the watcher allows
    threads = [threading.Thread(target=each.trade) for each in traders]
    for thread in threads:
        thread.start()
    for role in order:
        time.sleep(dice.uniform(*PAUSE_S))
        roles.kill(role)
        if role in ("platform", "gateway"):
            roles.up()
    held = {}
    for role in ROLES[:3]:
        time.sleep(2)
        before = lasted(bus)
        time.sleep(STOPPED_S)
        middle = lasted(bus)
        roles.hold(role)
        held[role] = round((lasted(bus) - middle) / (middle - before), 2)
    roles.up()
    ending.set()
    for thread in threads:
        thread.join()
    time.sleep(2)
    for role in ("gateway", "platform"):
        roles.end(role)
    until_s = time.monotonic() + START_S
    while any(bus.backlog(stream).get(role) for stream, role in ((MARKET, "recorder"), ("risk", "watcher"))):
        assert time.monotonic() < until_s, "recorder and watcher do not catch up"
        time.sleep(0.2)
    for role in ("recorder", "watcher"):
        roles.end(role)
    return traders, held


def added_up(roles, bus, ledger, traders):
    """Return figures, and what is wrong under ``wrong``."""
    wrong = [str(each) for each in ledger.verify()]
    told = collections.defaultdict(list)
    for each in bus.newest(ACCOUNTS, STREAM_MESSAGES_MAX):
        told[each.correlation_id.rpartition("/")[0]].append(each.body)
    exchange = ExchangeRecord(roles.home / "platform" / "exchange").accounts.known
    orders = 0
    for trader in traders:
        records = list(ledger.records(trader.account_id))
        if told[trader.account_id] != [each for record in records for each in messages(record)]:
            wrong.append(f"{trader.account_id}: the bus told {len(told[trader.account_id])}, not what the ledger has")
        sent = collections.Counter(c.client_order_id for r in records for c in r.commands if isinstance(c, NewOrder))
        taken = {key for key, status in trader.answered.items() if status == 201}
        wrong += [f"{trader.account_id}: {key} was answered and is not in the ledger" for key in taken - set(sent)]
        wrong += [f"{trader.account_id}: {key} is there {count} times" for key, count in sent.items() if count > 1]
        held = collections.Counter()
        for (_, name), lots in rebuild(records).holdings.items():
            held[name] += sum(lot.lots for lot in lots)
        truth = {name: lots for name, lots in exchange[trader.account_id].truth.positions.items() if lots}
        if {name: lots for name, lots in held.items() if lots} != truth:
            wrong.append(f"{trader.account_id}: holds {dict(held)}, the exchange says {truth}")
        orders += len(sent)
    tape, last, gap_ns, before = 0, 0, 0, None
    newest = {each.sequence: canonical(each) for each in bus.newest(MARKET, 20_000)}
    for each in read(roles.home / "tape"):
        tape += 1
        if each.sequence != last + 1:
            wrong.append(f"tape: {each.sequence} comes after {last}")
        last = each.sequence
        if each.sequence in newest and canonical(each) != newest[each.sequence]:
            wrong.append(f"tape: {each.sequence} is not what was published")
        if isinstance(each.body, Quote):
            gap_ns = max(gap_ns, each.body.venue_time_ns - before) if before is not None else 0
            before = each.body.venue_time_ns
    if last != lasted(bus):
        wrong.append(f"tape: ends at {last}, the stream at {lasted(bus)}")
    trips = [each for each in bus.newest(CONTROL, 1_000) if each.topic == f"{KILL}.{traders[0].account_id}"]
    if len(trips) != 1:
        wrong.append(f"the large account was stopped {len(trips)} times")
    return {
        "orders": orders, "answers": sum(len(each.answered) for each in traders),
        "refusals": dict(sum((each.refusals for each in traders), collections.Counter())),
        "asked_again": sum(each.retries for each in traders), "told": sum(map(len, told.values())), "tape": tape,
        "longest_silence_ms": round(gap_ns / 1e6, 1), "wrong": wrong,
    }  # fmt: skip


def measured(kills, roles_killed, postgres, redis_url, seed):
    """Run it all on scratch databases. Return the figures."""
    import psycopg

    name, dice = f"njord_roles_{os.getpid()}", random.Random(seed)
    bus_url = empty_database(redis_url)
    order = [role for role in roles_killed for _ in range(kills)]
    dice.shuffle(order)
    with psycopg.connect(postgres, autocommit=True) as server, tempfile.TemporaryDirectory(prefix="nj-") as folder:
        for each in (name, f"{name}_users"):
            server.execute(f"CREATE DATABASE {each} TEMPLATE template0")
        base = postgres.rpartition("/")[0]
        roles = Roles(Path(folder), bus_url, f"{base}/{name}", f"{base}/{name}_users", free_port())
        bus = RedisBus(bus_url)
        subprocess.run(
            [sys.executable, "-m", "njord", "db", "migrate", "--url", f"{base}/{name}"], check=True, capture_output=True
        )
        began_s = time.monotonic()
        try:
            traders, held = lived(roles, bus, order, seed)
            ledger = SqlLedger.open(f"{base}/{name}")
            found = added_up(roles, bus, ledger, traders)
            ledger.close()
        finally:
            for process in roles.running.values():
                process.kill()
                process.wait()
            logs = "".join((roles.home / f"{role}.log").read_text() for role in ROLES)
            for each in (name, f"{name}_users"):
                server.execute(f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")
            redis.Redis.from_url(bus_url).flushdb()
            bus.close()
    if re.search("Traceback", logs):
        found["wrong"].append(logs[logs.index("Traceback") :][:1_500])
    return {"kills": dict(roles.kills), "market_while_held": held, **found,
            "seconds": round(time.monotonic() - began_s, 1)}  # fmt: skip


def empty_database(redis_url):
    """Return the URL of a database that has nothing in it: it is emptied afterwards."""
    for number in range(1, 16):
        url = f"{redis_url.rstrip('/')}/{number}"
        if redis.Redis.from_url(url).dbsize() == 0:
            return url
    raise SystemExit(f"{redis_url}: none of the databases 1 to 15 is empty")


def free_port():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="of each role")
    parser.add_argument("--roles", nargs="+", choices=ROLES, default=ROLES)
    parser.add_argument("--postgres", default="postgresql://postgres@127.0.0.1:5432/postgres")
    parser.add_argument("--redis", default="redis://127.0.0.1:6379")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found = measured(asked.kills, asked.roles, asked.postgres, asked.redis, asked.seed)
    print(json.dumps(found, indent=2))
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
