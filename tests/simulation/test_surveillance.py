"""Surveillance in a session: a strategy that spoofs is on record, or stopped, and the session still replays."""

import pytest

from njord.domain.command import Cause, Level, Restricted
from njord.domain.governance import Scope, ScopeKind, TripSource
from njord.engine import session_journal
from njord.engine.opening import sessions
from njord.engine.session_replay import replay
from njord.ledger.memory import MemoryLedger
from njord.risk import surveillance
from njord.strategies.port import Strategy

from .world import NAMES, World, config

MAKER = Scope(ScopeKind.STRATEGY, "busy")


class Spoofer(Strategy):
    """A large order to sell far away, a small one to buy that trades, and the large one is gone. Again and again."""

    def on_bar(self, bar, desk):
        if bar.instrument_id != NAMES[0]:
            return
        for order in desk.open_orders(bar.instrument_id):
            desk.cancel(order.client_order_id)
        if desk.position(bar.instrument_id) < 20:
            desk.buy(5, instrument=bar.instrument_id)
        else:
            desk.sell(20, instrument=bar.instrument_id, limit=round(bar.close * 1.4, 2))
            desk.buy(0.1, instrument=bar.instrument_id, limit=round(bar.close * 1.05, 2))


@pytest.fixture
def hourly(monkeypatch):
    # The market has a bar an hour: what is seconds in life is hours here
    rules = surveillance.Rules(cancel_within_ns=10**14, repeats_within_ns=10**15, large_ratio=2.0)
    monkeypatch.setattr(surveillance, "Rules", lambda: rules)


def ran(tmp_path, mode):
    risk = {"name": "desk", "leverage_max": 1, "surveillance": mode}
    world = World(tmp_path, MemoryLedger(), rows=80, run=config(risk))
    session = world.open(strategy=Spoofer())
    session.run()
    session.finish()
    world.account.release()
    (folder,) = sessions(tmp_path / "sessions" / "demo")
    steps = [step for line in session_journal.read(folder) for step in getattr(line, "steps", ())]
    found = [
        each
        for step in steps
        for each in step.commands
        if isinstance(each, Restricted) and each.cause is Cause.SURVEILLANCE
    ]
    replayed = replay(folder, given=[("busy", Spoofer())])
    assert replayed.ok, (replayed.first_divergence, replayed.notes)
    return session, found


def test_a_finding_is_on_record_and_trading_goes_on(tmp_path, hourly):
    session, found = ran(tmp_path, "warn")
    assert len(found) > 1
    assert {(each.scope, each.level, each.whose) for each in found} == {(MAKER, Level.NORMAL, NAMES[0])}
    assert found[0].detail.startswith("spoofing: ")
    assert "orders busy-" in found[0].detail
    assert not session.state.kill.tripped


def test_restrict_stops_the_strategy(tmp_path, hourly):
    session, found = ran(tmp_path, "restrict")
    assert len(found) == 1
    trip = session.state.kill.tripped[MAKER]
    assert (trip.source, trip.actor) == (TripSource.RISK, "surveillance")
    assert trip.reason == found[0].detail


def test_off_is_off(tmp_path, hourly):
    session, found = ran(tmp_path, "off")
    assert found == []
    assert session.state.flow is None
