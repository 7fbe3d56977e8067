"""A small world for sessions: a market of bars, a busy strategy, an exchange that outlives the session's process."""

from pathlib import Path

import numpy as np

from njord.engine.config import RunConfig, parse
from njord.engine.gate import Gate
from njord.engine.opening import AccountFolder, open_session
from njord.market.feed import merge
from njord.research.frames import Frames
from njord.strategies.port import Strategy
from njord.venues.simulated.exchange import Exchange

NAMES = ("BTC/USD.SIM", "ETH/USD.SIM")
HOUR_NS = 3_600_000_000_000
START_NS = 1_704_067_200_000_000_000


class Busy(Strategy):
    """Orders of all kinds, replaced and cancelled all the time, with a timer: whatever a crash could tear apart."""

    def __init__(self, seed: int = 1):
        self.bars = 0

    def on_bar(self, bar, desk):
        self.bars += 1
        name = bar.instrument_id
        for order in desk.open_orders(name):
            if desk.rng.random() < 0.5:
                desk.cancel(order.client_order_id)
            elif order.limit is not None and desk.rng.random() < 0.5:
                desk.replace(order.client_order_id, limit=round(bar.close * 0.99, 2))
        draw = desk.rng.random()
        if draw < 0.5:
            desk.buy(0.5, instrument=name, limit=round(bar.close * (0.98 + 0.04 * desk.rng.random()), 2))
        elif desk.position(name) > 0.4:
            desk.sell(0.3, instrument=name)
        if self.bars % 7 == 0:
            desk.timer("soon", desk.time_ns + HOUR_NS // 2)

    def on_timer(self, timer, desk):
        desk.buy(0.1, instrument=NAMES[0])


def market(rows: int, seed: int = 1) -> Frames:
    """Return bars of two instruments."""
    frames = Frames()
    for offset, name in enumerate(NAMES):
        rng = np.random.default_rng(seed + offset)
        close = np.round(1000 * np.exp(np.cumsum(rng.normal(0, 0.01, rows))), 2)
        opened = np.r_[1000.0, close[:-1]]
        frames.add(
            name,
            {
                "ts": np.arange(rows) * HOUR_NS + START_NS, "open": opened, "close": close,
                "high": np.maximum(opened, close) + 1, "low": np.minimum(opened, close) - 1,
                "volume": np.full(rows, 50.0),
            },
        )  # fmt: skip
    return frames


def config(risk: object = "capital_preserving", latency_ms: float = 5, strategies: int = 1) -> RunConfig:
    """Return a config over the market; its strategies are given, so their names only count them."""
    return parse(
        {
            "data": [{"instrument": name, "interval": "1h"} for name in NAMES],
            "strategies": [{"name": "buy_and_hold"}] * strategies,
            "account": {"currency": "USD", "cash": 1_000_000},
            "venue": {"latency_ms": latency_ms, "limit_fill": "touch"},
            "risk": risk,
        }
    )


class World:
    """A market and an exchange that live on, and sessions that come and go."""

    def __init__(self, root: Path, ledger, *, rows: int = 60, seed: int = 1, run: RunConfig | None = None):
        self.root, self.ledger = root, ledger
        self.frames = market(rows, seed)
        self.config = run or config()
        self.exchange: Exchange | None = None
        self.gate = Gate()

    def open(self, *, strategy=None, reached=lambda _point: None, venue=None, wait=lambda _s: None, **options):
        """Begin a session. The exchange is made with the first one, and is the same afterwards."""
        self.account = AccountFolder(self.root / "sessions", "demo")
        self.gate = Gate()

        def connect(parts, positions):
            if self.exchange is None:
                self.exchange = Exchange(parts.venues, parts.order_lines, merge(parts.feeds))
            return self.exchange if venue is None else venue(self.exchange)

        try:
            return open_session(
                self.config, self.frames, self.account, self.ledger, venue=connect, gate=self.gate,
                clock=lambda: 0 if self.exchange is None else self.exchange.now_ns, wait=wait,
                reached=reached, **{"given": [("busy", strategy or Busy())], **options},
            )  # fmt: skip
        except BaseException:
            self.account.release()
            raise

    def check(self, state) -> None:
        """Hold a session's account against the exchange's truth and the ledger's own."""
        truth = self.exchange.truth(tuple(state.orders.open))
        assert state.orders.fill_ids == list(dict.fromkeys(state.orders.fill_ids))
        assert set(state.orders.fill_ids) == {fill.fill_id for fill in self.exchange.account.fills}
        assert {name: lots for name, lots in state.portfolio.lots.items() if lots} == truth.positions
        assert {order.client_order_id for order in truth.open_orders} <= set(state.orders.open)
        assert self.ledger.verify() == []
