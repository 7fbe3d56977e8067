"""Sessions replay from their journals alone, also those that crashed, and what differs is named."""

import gc
import random

import pytest

from njord.engine import session_journal
from njord.engine.opening import sessions
from njord.engine.session_replay import replay, tree
from njord.ledger.memory import MemoryLedger

from .test_crash import crashing_after, live
from .world import Busy, World, config

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CAREFUL = {
    "name": "careful", "leverage_max": 1, "daily_loss_max": 0.02, "order_notional_max": 5_000,
    "drawdown_tiers": [{"drawdown": 0.001, "size": 0.5}, {"drawdown": 0.01, "entries": False}],
    "severe_loss": {"drawdown": 0.012, "reduce": 0.5}, "breakers": {"reject_share": 0.5, "volatility_ratio": 3},
    "value_at_risk": {"share_max": 0.02, "interval": "1h", "window": 40, "warm_up": 10},
}  # fmt: skip


@pytest.mark.parametrize("risk", ["capital_preserving", CAREFUL], ids=["default", "careful"])
def test_every_session_of_an_account_that_kept_crashing_replays(risk, tmp_path):
    world = World(tmp_path, MemoryLedger(), rows=80, run=config(risk))
    rng = random.Random(3)
    while live(world, crashing_after(rng.randint(20, 120))) is None:
        gc.collect()
        world.account.release()
    world.account.release()

    folders = sessions(tmp_path / "sessions" / "demo")
    assert len(folders) > 3
    for folder in folders:
        if next(session_journal.read(folder), None) is None:
            continue  # It crashed before its beginning was written
        found = replay(folder, given=[("busy", Busy())])
        assert found.ok, (folder.name, found.first_divergence, found.notes)
        opened, hours, root = tree(folder)
        assert (found.hours, found.root) == (hours, root)
        assert opened.session_id == found.session_id
