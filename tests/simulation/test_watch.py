"""Each watch on the account, in a session: what it sees is on record, and nothing that adds leaves until it is over."""

import numpy as np
import pytest

from njord.domain.command import CancelOrder, Cause, Level, Restricted
from njord.engine.opening import sessions
from njord.engine.session_replay import replay
from njord.ledger.memory import MemoryLedger
from njord.research.frames import Frames
from njord.strategies.port import Strategy

from .world import HOUR_NS, NAMES, START_NS, World, config

ROWS, AT = 200, 100  # At row 100, four in the morning of the fifth day, something happens
BTC, ETH = NAMES


class Buyer(Strategy):
    """Buys much at once, then a little more of everything on each bar; at row ``rude_at`` what no venue takes."""

    def __init__(self, rude_at=None):
        self.bars, self.rude_at = 0, rude_at

    def on_bar(self, bar, desk):
        if bar.instrument_id != ETH:
            return
        self.bars += 1
        for name in NAMES:
            rude = self.rude_at is not None and 0 <= self.bars - self.rude_at < 5
            last = desk.last_price(name)
            if desk.position(name) == 0 and not desk.open_orders(name):
                desk.buy(200, instrument=name)
            elif rude:
                desk.buy(0.1, instrument=name, limit=round(last * 1.05, 2), post_only=True)
            else:
                desk.buy(0.01, instrument=name)
                if len(desk.open_orders(name)) < 5:
                    desk.buy(0.01, instrument=name, limit=round(last * 0.7, 2))


class Noting:
    """A venue that notes what was sent to it."""

    def __init__(self, inner):
        self.inner, self.sent = inner, []

    def send(self, command):
        self.sent.append(command)
        self.inner.send(command)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def market(factor_of_btc, silent=range(0)):
    """Two quiet markets; from row AT on the price of one is ``factor_of_btc`` of what it was; it misses some bars."""
    frames = Frames()
    for offset, name in enumerate(NAMES):
        close = 1_000 * (1 + 0.001 * np.sin(np.arange(ROWS) * 1.7 + offset))
        if name == BTC:
            close[AT:] *= factor_of_btc
        close = np.round(close, 2)
        kept = np.array([name != BTC or row not in silent for row in range(ROWS)])
        times = np.arange(ROWS) * HOUR_NS + START_NS
        columns = {"ts": times, "open": close, "high": close + 1, "low": close - 1, "close": close,
                   "volume": np.full(ROWS, 5_000.0)}  # fmt: skip
        frames.add(name, {column: values[kept] for column, values in columns.items()})
    return frames


CASES = {
    Cause.DAILY_LOSS: ({"daily_loss_max": 0.02}, market(0.85), None, None, 18),
    Cause.LOSS_VELOCITY: (
        {"breakers": {"loss_share": 0.02, "loss_window_s": 7_200, "cool_down_s": 7_200}}, market(0.85), None, None, 2,
    ),
    Cause.VOLATILITY: (
        {"breakers": {"volatility_ratio": 5, "cool_down_s": 7_200}}, market(1.05), None, BTC, 2,
    ),
    Cause.STALE_MARKET: (
        {"breakers": {"stale_s": 10_800, "cool_down_s": 7_200}}, market(1.0, range(AT, AT + 9)), None, BTC, 6,
    ),
    Cause.REJECT_RATE: (
        {"breakers": {"reject_share": 0.9, "reject_window": 5, "cool_down_s": 7_200}}, market(1.0), AT, None, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", CASES, ids=str)
def test_what_the_watch_sees_stops_what_adds_until_it_is_over(cause, tmp_path):
    rules, frames, rude_at, whose, hours_min = CASES[cause]
    risk = {"name": "watched", "leverage_max": 1, "watch_interval": "1m", **rules}
    world = World(tmp_path, MemoryLedger(), run=config(risk))
    world.frames = frames
    venues = []

    def venue(exchange):
        venues.append(Noting(exchange))
        return venues[-1]

    session = world.open(strategy=Buyer(rude_at), venue=venue)
    watch, place = session.state.watch, (cause, whose or "")
    barred, sent = [], {}
    while not session.ended:
        before, held = len(venues[-1].sent), place in watch.restricted
        session.turn()
        now = session.state.time_ns
        if held and place in watch.restricted:
            barred.append(now)
            new = [each for each in venues[-1].sent[before:] if not isinstance(each, CancelOrder)]
            assert [each for each in new if whose in (None, each.instrument_id)] == []
        for each in venues[-1].sent[before:]:
            sent.setdefault(each.instrument_id, []).append(now)
    digest = session.finish()
    world.account.release()

    told = [
        (record.time_ns, command.level)
        for record in world.ledger.records("demo")
        for command in record.commands
        if isinstance(command, Restricted) and (command.cause, command.whose) == place
    ]
    assert [level for _, level in told] == [Level.REDUCING, Level.NORMAL]
    (opened_ns, _), (closed_ns, _) = told
    assert opened_ns >= START_NS + AT * HOUR_NS
    assert closed_ns - opened_ns >= hours_min * HOUR_NS
    assert len(barred) >= hours_min
    for name in NAMES if whose is None else (whose,):
        assert any(at > closed_ns for at in sent[name])  # It goes on afterwards
    if whose is not None:
        assert any(opened_ns < at < closed_ns for at in sent[ETH])  # The other one went on all the time
    found = replay(sessions(tmp_path / "sessions" / "demo")[-1], given=[("busy", Buyer(rude_at))])
    assert found.ok, found.first_divergence
    assert found.digest == digest
