"""All runtime state is in the ledger: what is rebuilt from it equals what was in memory, whatever had happened."""

import gc
import json
import random
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from njord.cli.main import app
from njord.domain.command import Snapshot
from njord.domain.governance import (
    GLOBAL,
    AllocationChanged,
    Cleared,
    Deposited,
    ModelActivated,
    OrderUnknown,
    ProfileChanged,
    Scope,
    ScopeKind,
    Tripped,
    TripSource,
)
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.market import RESTATING, Dividend, Expiry, Funding, Split
from njord.engine import economics
from njord.engine.assemble import parts_of
from njord.engine.boundary import boundary_of
from njord.engine.config import parse
from njord.engine.opening import sessions
from njord.engine.restore import restore
from njord.engine.watch import PEAK_STEP
from njord.engine.watching import watch_by
from njord.ledger.memory import MemoryLedger
from njord.ledger.record import StepRecord
from njord.research.frames import Frames
from njord.strategies.port import Strategy

from .test_crash import crashing_after, live
from .test_session_replay import CAREFUL
from .world import HOUR_NS, NAMES, START_NS, World

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
KINDS = {
    "BTC/USD.SIM": {"kind": InstrumentKind.SPOT, "base": "BTC"},
    "ABC.SIM": {"kind": InstrumentKind.EQUITY, "base": "ABC"},
    "ETH-PERP.SIM": {
        "kind": InstrumentKind.PERPETUAL, "base": "ETH", "underlier": "ETH", "initial_margin": Decimal(100),
    },
    "XBT-PERP.SIM": {
        "kind": InstrumentKind.PERPETUAL, "base": "BTC", "underlier": "BTC", "inverse": True,
        "multiplier": Decimal(100),
    },
    "ABC-F.SIM": {
        "kind": InstrumentKind.FUTURE, "base": "ABC", "underlier": "ABC", "expiry_ns": START_NS + 10**18,
        "initial_margin": Decimal(100),
    },
}  # fmt: skip
PROFILES = {
    "careful": CAREFUL,
    "margined": {
        "name": "margined", "leverage_max": 3, "short_allowed": True, "daily_loss_max": 0.2,
        "drawdown_tiers": [{"drawdown": 0.01, "size": 0.5}, {"drawdown": 0.05, "entries": False}],
        "breakers": {"reject_share": 0.5, "volatility_ratio": 4}, "flatten_on_trip": True,
        "value_at_risk": {"share_max": 0.2, "interval": "1h", "window": 30, "warm_up": 8},
    },
    "plain": {"name": "plain", "short_allowed": True, "leverage_max": 2},
}  # fmt: skip


class Wild(Strategy):
    """Orders in everything, either way."""

    def __init__(self):
        pass

    def on_bar(self, bar, desk):
        name = bar.instrument_id
        for order in desk.open_orders(name):
            if desk.rng.random() < 0.4:
                desk.cancel(order.client_order_id)
        draw = desk.rng.random()
        wants = desk.buy if draw < 0.5 else desk.sell
        if draw < 0.7:
            wants(1, instrument=name, limit=round(bar.close * (0.99 + 0.02 * desk.rng.random()), 1))
        elif draw < 0.8:
            wants(1, instrument=name)


def wild_world(root, profile, rows=50, seed=1):
    frames = Frames()
    for offset, (name, fields) in enumerate(KINDS.items()):
        close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(seed + offset).normal(0, 0.01, rows))), 1)
        opened = np.r_[100.0, close[:-1]]
        quantity_lot = Decimal(1) if name == "ABC.SIM" else Decimal("0.1")
        made = Instrument(
            instrument_id=name, quote="USD", price_tick=Decimal("0.1"), quantity_lot=quantity_lot, **fields
        )  # fmt: skip
        frames.add(
            name,
            {
                "ts": np.arange(rows) * HOUR_NS + START_NS, "open": opened, "close": close,
                "high": np.round(np.maximum(opened, close) + 0.5, 1),
                "low": np.round(np.minimum(opened, close) - 0.5, 1), "volume": np.full(rows, 50.0),
            },
            made,
        )  # fmt: skip
    run = parse(
        {
            "data": [{"instrument": name, "interval": "1h"} for name in KINDS],
            "strategies": [{"name": "buy_and_hold", "share": 0.6}, {"name": "buy_and_hold", "share": 0.4}],
            "account": {"currency": "USD", "cash": 100_000},
            "venue": {"latency_ms": 5, "limit_fill": "touch", "volume_share": 0.01},
            "risk": PROFILES[profile],
        }
    )  # fmt: skip
    world = World(root, MemoryLedger(), run=run)
    world.frames = frames
    return world


GIVEN = [("one", Wild()), ("two", Wild())]


def happenings(world, session, dice):
    """One thing that people, companies, exchanges or networks do to an account."""
    now = session.state.time_ns
    profile = session.state.profile
    scope = dice.choice([GLOBAL, Scope(ScopeKind.STRATEGY, "one"), Scope(ScopeKind.VENUE, "SIM")])
    open_orders = list(session.state.orders.open.values())
    made = {
        "trip": lambda: Tripped(scope, TripSource.CLI, "ann", "a reason to stop", dice.random() < 0.3, now, now),
        "clear": lambda: Cleared(scope, ("ann", "bob"), "looked at it, all is well", now, now),
        "profile": lambda: ProfileChanged(
            msgspec.structs.replace(profile, version=profile.version + 1), "ann", f"p{now}", now, now
        ),
        "shares": lambda: AllocationChanged(
            {"one": Decimal("0.3"), "two": Decimal("0.2")}, "ann", f"s{now}", "less of both", now, now
        ),
        "model": lambda: ModelActivated(f"m{dice.randint(1, 3)}", dice.random() < 0.5, "ann", "", now, now),
        "deposit": lambda: Deposited(f"d{session.state.sequence}", "USD", dice.randint(-5, 9) * 10**20, now, now),
        "margin": lambda: Deposited(f"x{session.state.sequence}", "BTC", 10**17, now, now),
        "funding": lambda: Funding(dice.choice(["ETH-PERP.SIM", "XBT-PERP.SIM"]), now, now, 10**8),
        "dividend": lambda: Dividend("ABC.SIM", now, now, 5 * 10**17),
        "split": lambda: Split("ABC.SIM", now, now, 2, 1),
        "expiry": lambda: Expiry("ABC-F.SIM", now, now, dice.randint(500, 2_000)),
        "unknown": lambda: OrderUnknown(
            open_orders[0].client_order_id, open_orders[0].instrument_id, now, now
        ) if open_orders else None,
    }  # fmt: skip
    event = made[dice.choice(list(made))]()
    if isinstance(event, RESTATING):
        world.exchange._market(event)
    return event


def restored(world):
    parts = parts_of(world.config, world.frames, given=GIVEN, shares_books=False)
    state = parts.state
    state.on_record = True
    restore(state, world.ledger.records("demo"))
    if state.watch is None:
        watch_by(state, always=True)
    return state


def some(amounts):
    return {key: units for key, units in amounts.items() if units}


def estimate(side):
    var = side.watch.var
    return None if var is None else {**var, "returns": {name: each for name, each in var["returns"].items() if each}}


def check_rebuilt(session, world):
    """Compare all of two boundaries; what the record has only to a step is compared to that step."""
    memory, again = boundary_of(session.state), boundary_of(restored(world))
    for field in ("holdings", "open_orders", "ended_orders", "done_orders", "fill_ids", "tripped", "profile", "shares",
                  "shares_before_trip", "models", "approvals_used"):  # fmt: skip
        ours, theirs = getattr(memory, field), getattr(again, field)
        if field == "holdings":
            ours, theirs = (
                {(h.strategy_id, h.instrument_id): h.lots for h in side if h.lots} for side in (ours, theirs)
            )
        assert ours == theirs, field
    assert list(memory.done_orders) == list(again.done_orders)
    for name in memory.totals.__struct_fields__:
        assert some(getattr(memory.totals, name)) == some(getattr(again.totals, name)), name
    assert list(session.state.flattening) == list(restored(world).flattening)
    if memory.watch.marks is None:
        return
    for field in ("snapshot_ns", "recorded_peak_units", "restricted"):
        assert getattr(memory.watch, field) == getattr(again.watch, field), field
    assert estimate(memory) == estimate(again)
    if again.watch.marks is not None:
        assert again.watch.marks[1] <= memory.watch.marks[1] <= again.watch.marks[1] * PEAK_STEP[0] // PEAK_STEP[1] + 1


@pytest.fixture(autouse=True)
def files_of_what_was_killed():
    yield
    gc.collect()  # Here, where it is expected, and not in whichever test comes next


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", range(4))
def test_what_is_rebuilt_from_the_ledger_is_what_was_in_memory(profile, seed, tmp_path):
    dice = random.Random(seed)
    world = wild_world(tmp_path, profile, seed=seed)
    session = world.open(given=GIVEN)
    seen = set()
    for _ in range(160):
        if session.ended:
            break
        session.turn()
        if dice.random() < 0.25:
            event = happenings(world, session, dice)
            if event is not None:
                seen.add(type(event).__name__)
                session.handle([event])
        if dice.random() < 0.15:
            session._recorder.flush()
            check_rebuilt(session, world)
    session._recorder.flush()
    check_rebuilt(session, world)
    assert len(seen) >= 8
    assert session.fills > 5
    found = economics.of_records(world.ledger.records("demo"))
    assert found.mismatches == []
    assert found.hours[-1].cash == some(session.state.portfolio.cash)
    assert found.hours[-1].lots == some(session.state.portfolio.lots)
    world.account.release()


def test_marks_equal_what_the_records_before_them_come_to_over_all_crashes(tmp_path):
    world = World(tmp_path, MemoryLedger(), rows=70)
    dice = random.Random(5)
    while live(world, crashing_after(dice.randint(30, 150))) is None:
        gc.collect()
        world.account.release()
    world.account.release()

    records = list(world.ledger.records("demo"))
    found = economics.of_records(records)
    assert found.mismatches == []
    assert sum(hour.marks for hour in found.hours) == sum(
        isinstance(command, Snapshot) for record in records for command in record.commands
    )
    assert sum(hour.marks for hour in found.hours) > 20
    folders = [path for path in sessions(tmp_path / "sessions" / "demo") if list(path.glob("journal*"))]
    for folder in folders:
        each = economics.of_session(folder)
        assert each.mismatches == []
        if each.hours and each.hours[-1].hour == found.hours[-1].hour:
            assert (each.hours[-1].cash, each.hours[-1].lots) == (found.hours[-1].cash, found.hours[-1].lots)
    assert economics.Economics([], []).at(START_NS) is None
    assert found.at(START_NS - HOUR_NS) == found.hours[0]  # The opening balance
    assert found.at(START_NS + 10**6 * HOUR_NS) == found.hours[-1]


@pytest.mark.parametrize("what", ["cash", "lots"])
def test_a_mark_that_is_not_what_the_records_say_is_named(what, tmp_path):
    world = World(tmp_path, MemoryLedger(), rows=40)
    session = world.open()
    session.run()
    session.finish()
    world.account.release()
    records = list(world.ledger.records("demo"))
    at, mark = next(
        (at, command)
        for at, record in enumerate(records) for command in record.commands
        if isinstance(command, Snapshot) and command.lots
    )  # fmt: skip
    forged = msgspec.structs.replace(mark, **{what: {key: value + 1 for key, value in getattr(mark, what).items()}})
    commands = tuple(forged if each is mark else each for each in records[at].commands)
    records[at] = StepRecord(**{**msgspec.structs.asdict(records[at]), "commands": commands})

    found = economics.of_records(records)

    assert [(each.sequence, each.what) for each in found.mismatches] == [(records[at].sequence, what)]


BUSY_FILE = """
from njord.strategies.port import Strategy

class Busy(Strategy):
    def on_bar(self, bar, desk):
        if desk.rng.random() < 0.5:
            desk.buy(0.1, instrument=bar.instrument_id)
"""


def test_replay_hour_shows_the_account_at_the_end_of_the_hour(tmp_path, capsys):
    (tmp_path / "busy.py").write_text(BUSY_FILE)
    run = parse(
        {
            "data": [{"instrument": name, "interval": "1h"} for name in NAMES], "strategies": [{"file": "busy.py"}],
            "account": {"currency": "USD", "cash": 1_000_000}, "venue": {"latency_ms": 5},
        }
    )  # fmt: skip
    world = World(tmp_path, MemoryLedger(), rows=40, run=run)
    session = world.open(given=None, here=tmp_path)
    session.run()
    session.finish()
    world.account.release()
    folder = sessions(tmp_path / "sessions" / "demo")[0]

    app(["replay", "hour", str(folder), "2024-01-01T10:30:00Z"], result_action="return_value")
    shown = capsys.readouterr().out
    app(["replay", "hour", str(folder), "2024-01-01T10:30:00Z", "--json"], result_action="return_value")
    told = json.loads(capsys.readouterr().out)

    hour = economics.of_session(folder).at(START_NS + 10 * HOUR_NS)
    assert hour.marks >= 1
    assert hour.lots
    assert f"account   {hour.sha256}, by its records alone; {hour.marks} marks" in shown
    assert told["account"]["lots"] == hour.lots
    assert told["mismatches"] == []
    assert told["ok"]
