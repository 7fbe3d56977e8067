"""Whatever a session does or is told leaves a row in the ledger and a line in its journal, and has a cause."""

import random
from decimal import Decimal
from typing import get_args

import msgspec
import pytest
import sqlalchemy as sa

from njord.domain.command import Assessed, CancelOrder, Cause, Entry, Reallocated, Refused, Restricted
from njord.domain.event import OrderAccepted, OrderCancelled
from njord.domain.fill import Fill
from njord.domain.governance import (
    GLOBAL,
    AllocationChanged,
    Cleared,
    Deposited,
    Governance,
    ModelActivated,
    OrderUnknown,
    ProfileChanged,
    Tripped,
    TripSource,
)
from njord.domain.market import MarketEvent
from njord.domain.order import NewOrder
from njord.engine import session_journal
from njord.engine.opening import sessions
from njord.engine.session_journal import Steps
from njord.engine.why import why
from njord.ledger.memory import MemoryLedger
from njord.ledger.sql.schema import migrated
from njord.ledger.sql.store import SqlLedger
from njord.strategies.port import Strategy

from .test_crash import crashing_after, live
from .world import NAMES, World, config

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BTC = NAMES[0]
TIGHT = {
    "name": "tight", "leverage_max": 1, "order_notional_max": 5_000, "daily_loss_max": 0.5,
    "drawdown_tiers": [{"drawdown": 0.0001, "entries": False}],
}  # fmt: skip


class Several(Strategy):
    """Buys a little, asks for far too much, cancels."""

    def __init__(self):
        self.bars = 0

    def on_bar(self, bar, desk):
        if bar.instrument_id != BTC:
            return
        self.bars += 1
        if self.bars < 8:
            desk.buy(4, instrument=BTC)
            desk.buy(0.1, instrument=BTC, limit=round(bar.close * 0.8, 2))
            desk.buy(10_000, instrument=BTC)
        else:
            desk.cancel_all(BTC)


def command(kind, *, where=lambda _command: True):
    return lambda step: any(isinstance(each, kind) and where(each) for each in step.commands)


def event(kind, *, where=lambda _event: True):
    return lambda step: isinstance(step.event, kind) and where(step.event)


# What must be found: as a step of the journal, and as rows of which table with which condition
HOOKS = {
    "order sent": (command(NewOrder), "orders", "1 = 1"),
    "order accepted": (event(OrderAccepted), "steps", "cause LIKE 'order_accepted:%'"),
    "order cancelled": (event(OrderCancelled), "steps", "cause LIKE 'order_cancelled:%'"),
    "order in doubt": (event(OrderUnknown), "steps", "cause LIKE 'order_unknown:%'"),
    "cancel asked for": (command(CancelOrder), "steps", "payload LIKE '%\"cancel_order\"%'"),
    "fill": (event(Fill), "fills", "1 = 1"),
    "money moved": (command(Entry), "postings", "1 = 1"),
    "risk approved": (command(Assessed, where=lambda each: each.refusal is None), "decisions", "approved"),
    "risk refused": (command(Refused), "decisions", "NOT approved"),
    "profile changed": (event(ProfileChanged), "profiles", "profile_version > 1"),
    "tripped": (event(Tripped), "steps", "cause LIKE 'tripped:%'"),
    "trading halted": (command(Restricted, where=lambda each: each.cause is Cause.TRIPPED), "steps",
                       "payload LIKE '%\"halted\"%'"),
    "cleared": (event(Cleared), "steps", "cause LIKE 'cleared:%'"),
    "restricted": (command(Restricted, where=lambda each: each.cause is Cause.DRAWDOWN), "steps",
                   "payload LIKE '%\"drawdown\"%'"),
    "allocation changed": (event(AllocationChanged), "steps", "cause LIKE 'allocation_changed:%'"),
    "reallocated": (command(Reallocated), "steps", "payload LIKE '%\"reallocated\"%'"),
    "model activated": (event(ModelActivated), "steps", "cause LIKE 'model_activated:%'"),
    "money paid in": (event(Deposited), "steps", "cause LIKE 'deposited:%'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def session_of_everything(tmp_path_factory):
    root = tmp_path_factory.mktemp("audit")
    world = World(root, SqlLedger(migrated(f"sqlite:///{root / 'l.sqlite'}")), rows=40, run=config(TIGHT))
    session = world.open(strategy=Several())
    session.run(events_max=30)
    now, profile = session.state.time_ns, session.state.profile
    tracked = next(iter(session.state.orders.open.values()))
    session.handle([OrderUnknown(tracked.client_order_id, tracked.instrument_id, now, now)])
    session.handle([AllocationChanged({"busy": Decimal("0.5")}, "ann", "", "half of it", now, now)])
    session.handle([ModelActivated("m1", True, "ann", "a1", now, now)])
    session.handle([Deposited("more", "USD", 10**18, now, now)])
    session.handle([ProfileChanged(msgspec.structs.replace(profile, version=2), "ann", "", now, now)])
    session.run(events_max=60)
    now = session.state.time_ns
    session.handle([Tripped(GLOBAL, TripSource.CLI, "ann", "a reason to stop", False, now, now)])
    session.handle([Cleared(GLOBAL, ("ann", "bob"), "looked at it, all is well", now, now)])
    session.run()
    session.finish()
    world.account.release()
    steps = [
        step
        for line in session_journal.read(sessions(root / "sessions" / "demo")[0]) if isinstance(line, Steps)
        for step in line.steps
    ]  # fmt: skip
    yield steps, world.ledger
    world.ledger.close()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_leaves_a_line_in_the_journal_and_a_row_in_the_ledger(hook, session_of_everything):
    steps, ledger = session_of_everything
    is_it, table, condition = HOOKS[hook]
    sequences = {step.sequence for step in steps if is_it(step)}
    recorded = {record.sequence for record in ledger.records("demo")}
    with ledger.engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT count(*) FROM {table} WHERE {condition}")).scalar()
    assert sequences, "the session did not do this, so nothing is proved"
    assert sequences <= recorded
    assert rows > 0


def test_the_table_of_hooks_has_every_kind_of_governance_event():
    named = " ".join(condition for _, _, condition in HOOKS.values())
    for kind in get_args(Governance):
        tag = kind.__struct_config__.tag
        assert f"{tag}:" in named or tag == "profile_changed", tag


ROOTS = (*MarketEvent.__args__, Tripped, Cleared, ProfileChanged, AllocationChanged, ModelActivated, Deposited)


@pytest.mark.parametrize("seed", range(3))
def test_from_every_fill_one_can_walk_back_to_what_began_it(seed, tmp_path):
    world = World(tmp_path, MemoryLedger(), rows=60, seed=seed)
    dice = random.Random(seed)
    while live(world, crashing_after(dice.randint(60, 200))) is None:
        world.account.release()
    world.account.release()
    folders = [path for path in sessions(tmp_path / "sessions" / "demo") if list(path.glob("journal*"))]
    steps = [
        step for folder in folders for line in session_journal.read(folder) if isinstance(line, Steps)
        for step in line.steps
    ]  # fmt: skip
    booked = [
        record.event for record in world.ledger.records("demo")
        if isinstance(record.event, Fill) and any(isinstance(each, Entry) for each in record.commands)
    ]  # fmt: skip
    assert len(booked) > 10
    for fill in booked:
        found = why(steps, fill.fill_id)
        causes = [link for link in found.links if link.what == "cause"]
        first = min(causes, key=lambda link: (link.sequence, link.time))
        roots = [link.record is None or isinstance(link.record, ROOTS) for link in causes]
        assert any(roots), (fill.fill_id, first)
        assert {"order", "risk", "fill", "entry"} <= {link.what for link in found.links}, fill.fill_id
