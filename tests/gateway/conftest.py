"""A whole platform in this process, and clients of it: its market lives five times as fast as ours."""

import itertools
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from njord.bus.hot import HotCache
from njord.bus.redis_streams import RedisBus
from njord.cli.clock import now_ns
from njord.domain.instruction import BY_HAND
from njord.engine.garbage import collected_seldom
from njord.gateway.access import Policy
from njord.gateway.apart import GatewayEnd, PlatformEnd
from njord.gateway.app import create_app
from njord.gateway.broadcast import Broadcast
from njord.gateway.hub import Hub
from njord.gateway.users import Role, Users
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.ops.desk.desk import Desk
from njord.ops.platform import Platform

PASSWORD = "correct horse battery"
SHARE, BOND = "BRAGE.SIM", "NGB-10Y.SIM"
BASE = "http://127.0.0.1:8787"


class Site:
    """The platform with its application. ``client`` makes a browser of its own for each user."""

    def __init__(self, root, policy=None, speed=5.0, space=None, gateways=None, sessions=None):
        """``space``: the gateway is apart, on that part of a Redis; ``gateways`` is its own URL, where it has one."""
        self.root, self.speed, self.space = root, speed, space
        self.gateways, self.sessions = gateways, sessions
        self.policy = policy or Policy(log_ins_per_s=100, log_ins_burst=1_000, registrations_burst=1_000)
        self.names = itertools.count()
        self.open()

    def open(self):
        path = self.root / "ledger.sqlite"
        url = f"sqlite:///{path}"
        self.ledger = SqlLedger.open(url) if path.exists() else SqlLedger(migrated(url))
        self.users = Users(f"sqlite:///{self.root / 'users.sqlite'}", self.sessions)
        self.platform = Platform(
            self.root / "platform", self.ledger, self.root / "kill", seed=3, wall_ns=now_ns, speed=self.speed
        )
        self.desk, self.ends = Desk.of(self.platform, self.ledger, self.root, now_ns), []
        desk, views, hub = self.here() if self.space is None else self.apart()
        self.app = create_app(
            desk, views, hub, self.users, backtests=self.root / "backtests", policy=self.policy, wall_ns=now_ns,
            hosts=("127.0.0.1", "localhost"),
        )  # fmt: skip
        self.platform.start()

    def here(self):
        hub = Hub("here", leased=False)
        return self.desk, Broadcast(self.platform, self.desk.market, hub.show, hub.tell), hub

    def apart(self):
        url, prefix = self.space
        theirs, ours = RedisBus(url, prefix=prefix), RedisBus(self.gateways or url, prefix=prefix)
        kept, self.cache = HotCache(url, prefix=prefix), HotCache(self.gateways or url, prefix=prefix)
        far = PlatformEnd(self.platform, self.desk, theirs, now_ns, kept)
        near = GatewayEnd(ours, "test", now_ns, self.cache)
        self.ends = [near, far, ours, theirs, kept, self.cache]
        return near.desk, near.views, near.hub

    def close(self):
        self.app.state.backtests.close()
        for end in self.ends:
            end.close()
        self.platform.stop()
        self.users.close()
        self.ledger.close()

    def restart(self):
        self.close()
        self.open()

    def anybody(self):
        return Browser(TestClient(self.app, base_url=BASE, raise_server_exceptions=False))

    def user(self, name=None, role=Role.TRADER):
        browser = self.anybody()
        name = name or f"user{next(self.names)}"
        if role is not Role.TRADER:
            user = self.users.register(name, PASSWORD, role, now_ns())
            self.app.state.trading.open_account(user.account_id)
            browser.log_in(name)
        else:
            browser.register(name)
        return browser


class Browser:
    """A client with its cookies and its CSRF token."""

    def __init__(self, client):
        self.http = client
        self.csrf = ""
        self.name = ""

    def register(self, name, password=PASSWORD):
        return self._begun(name, self.post("/auth/register", {"name": name, "password": password}))

    def log_in(self, name, password=PASSWORD):
        return self._begun(name, self.post("/auth/login", {"name": name, "password": password}))

    def _begun(self, name, answer):
        if answer.status_code in (200, 201):
            self.csrf, self.name = answer.json()["csrf"], name
        return answer

    def get(self, path, **params):
        return self.http.get(f"/api/v1{path}", params=params or None)

    def send(self, method, path, body=None, headers=None):
        given = {"X-CSRF-Token": self.csrf} if headers is None else headers
        return self.http.request(method, f"/api/v1{path}", json=body, headers=given)

    def post(self, path, body=None, headers=None):
        return self.send("POST", path, body, headers)

    def order(self, key, side="buy", quantity="5", instrument=SHARE, **more):
        return self.post(
            "/orders",
            {"order_key": key, "instrument_id": instrument, "side": side, "quantity": quantity, **more},
        )

    def until(self, key, *statuses):
        """Wait for an order to get somewhere."""
        order_id = f"{BY_HAND}:{key}"
        for _ in range(100):
            found = [each for each in self.get("/orders").json() if each["client_order_id"] == order_id]
            if found and found[0]["status"] in statuses:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"{order_id} is {found}, and not {statuses}")

    def stream(self):
        cookies = "; ".join(f"{key}={value}" for key, value in self.http.cookies.items())
        return self.http.websocket_connect(
            "/api/v1/stream", headers={"cookie": cookies, "origin": BASE, "host": "127.0.0.1:8787"}
        )


def quoted(site, name=SHARE):
    """Wait until an instrument has two sides."""
    for _ in range(200):
        quote = site.platform.house.floor.quotes.get(name)
        if quote is not None and quote.bid_lots and quote.ask_lots:
            return quote
        time.sleep(0.02)
    raise AssertionError(f"{name} has no two sides")


# The platform in the gateway's own process, and in another with a Redis between them
WHERE = ["here", "apart"]


def pytest_collection_modifyitems(items):
    """A site that is apart lives until its module ends, and may need one more connection while any test of it runs."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.connects)


@pytest.fixture(scope="module", params=WHERE)
def site(request, tmp_path_factory):
    space = request.getfixturevalue("module_redis_space") if request.param == "apart" else None
    with collected_seldom():
        site = Site(tmp_path_factory.mktemp("site"), space=space)
        for name in (SHARE, BOND):
            quoted(site, name)
        yield site
        site.close()
