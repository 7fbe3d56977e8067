"""How long one decision before an order takes: ``python benchmarks/risk.py``.

10 strategies on 50 instruments, every limit of a profile on, 200 orders working, something held of everything. Between
decisions prices change and orders are filled, as they do; only the decision is timed: by the clock, which on a shared
machine includes what others do, and in processor time of its own thread, which still has the interrupts that came while
it ran. So a plain loop of about the same length is timed as well. And the whole day is run several times, seeded, so
that each decision is made again in the same state: what is slow in every run is the engine's doing, what is slow in one
of them the machine's. ``own`` is each decision's median over the runs. ``--json`` prints one document.
"""

import argparse
import gc
import json
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from njord.domain.fill import Fill, FillReason, Liquidity
from njord.domain.governance import Deposited, ProfileChanged
from njord.domain.instrument import Instrument, InstrumentKind
from njord.domain.limits import Refusal
from njord.domain.market import Bar
from njord.domain.order import NewOrder, OrderType, Side
from njord.domain.profile import Breakers, DrawdownTier, RiskProfile, SevereLoss, VarLimit, VenueAccess, VenueProfile
from njord.engine.assemble import parts_of
from njord.engine.config import parse
from njord.engine.decide import decide
from njord.engine.garbage import collected_seldom
from njord.engine.pretrade import exposure_of
from njord.engine.state import State
from njord.engine.step import step
from njord.research.frames import Frames
from njord.risk.checks import refusal
from njord.strategies.port import Strategy

STRATEGIES, INSTRUMENTS, WORKING = 10, 50, 200
DECISIONS = 10_000
RUNS = 5
LIMIT_US = 50.0
COUNTED = 2_400  # About as long
VENUES = ("ONE", "TWO", "THREE")
START_NS = 1_704_067_200_000_000_000
SECOND_NS = 1_000_000_000
UNITS = 10**18
PROFILE = RiskProfile(
    name="all", leverage_max=Decimal(2), strategy_leverage_max=Decimal(1), short_allowed=True,
    order_notional_max=Decimal(100_000), symbol_notional_max=Decimal(1_000_000), price_collar=Decimal("0.2"),
    strategy_notional_max=Decimal(5_000_000), portfolio_notional_max=Decimal(20_000_000),
    order_quantity_max=Decimal(100_000), orders_per_s_max=Decimal(100_000), orders_burst=1_000,
    daily_loss_max=Decimal("0.5"), severe_loss=SevereLoss(drawdown=Decimal("0.9")),
    drawdown_tiers=(DrawdownTier(drawdown=Decimal("0.3"), size=Decimal("0.5")),),
    value_at_risk=VarLimit(share_max=Decimal("0.5"), window=250, interval="1m", warm_up=30),
    breakers=Breakers(volatility_ratio=Decimal(90), reject_share=Decimal("0.9"), loss_share=Decimal("0.5")),
)  # fmt: skip


def names() -> list[str]:
    """Return the instruments, over three venues."""
    return [f"I{number}/USD.{VENUES[number % len(VENUES)]}" for number in range(INSTRUMENTS)]


def made(seed: int = 1) -> tuple[State, random.Random]:
    """Return a state in the middle of a busy day."""
    frames, rng = Frames(), random.Random(seed)
    for name in names():
        definition = Instrument(
            instrument_id=name, kind=InstrumentKind.SPOT, base=name.partition("/")[0], quote="USD",
            price_tick=Decimal("0.01"), quantity_lot=Decimal("0.01"),
        )  # fmt: skip
        row = {column: np.array([100.0]) for column in ("open", "high", "low", "close", "volume")}
        frames.add(name, {"ts": np.array([START_NS // SECOND_NS]), **row}, definition)
    config = parse(
        {
            "data": [{"instrument": name, "interval": "1m"} for name in names()],
            "strategies": [{"name": "buy_and_hold"}] * STRATEGIES, "account": {"currency": "USD", "cash": 10_000_000},
        }
    )  # fmt: skip
    given: list[tuple[str, Strategy]] = [(f"s{number}", Strategy()) for number in range(STRATEGIES)]
    state = parts_of(config, frames, given=given, shares_books=False).state
    state.on_record = True
    state.venue_profile = VenueProfile(
        name="three", venues=dict.fromkeys(VENUES, VenueAccess.ALLOW), groups={"some": ("TWO", "THREE")},
        group_share_max={"some": Decimal("0.9")},
    )  # fmt: skip
    at = START_NS, START_NS
    step(state, ProfileChanged(PROFILE, "bench", "", *at))
    step(state, Deposited("all", "USD", 10_000_000 * UNITS, *at))
    for minute in range(260):  # Enough for a full window of value at risk
        for name in names():
            price(state, rng, name, START_NS + minute * 60 * SECOND_NS)
    count = 0
    while len(state.orders.open) < WORKING:
        count += 1
        order = wanted(state, rng, f"w{count}")
        decided(state, order)
        if count % 3 == 0 and order.client_order_id in state.orders.open:
            fill(state, order, order.quantity_lots)
    return state, rng


def price(state: State, rng: random.Random, name: str, time_ns: int) -> None:
    """Let an instrument's price move."""
    last = state.last_price.get(name, 100.0)  # type: ignore[call-overload]
    close = round(min(150.0, max(70.0, last * (1 + rng.gauss(0, 0.0005)))), 2)
    step(state, Bar(name, 60 * SECOND_NS, time_ns, time_ns, last, close, close, close, 1.0))  # type: ignore[arg-type]


def wanted(state: State, rng: random.Random, order_id: str) -> NewOrder:
    """Return an order of anybody for anything, near the price and on the passive side of it."""
    name, strategy = rng.choice(names()), f"s{rng.randrange(STRATEGIES)}"
    side = rng.choice(list(Side))
    ticks = state.grids[name].nearest_ticks(state.last_price[name])  # type: ignore[index]
    return NewOrder(
        order_id, strategy, name, side, OrderType.LIMIT, rng.randint(1, 500),  # type: ignore[arg-type]
        ticks - side.sign * rng.randint(100, 400), post_only=True,
    )  # fmt: skip


def decided(state: State, order: NewOrder) -> None:
    """Let the engine decide on an order."""
    state.intents.append(order)
    decide(state)
    state.commands.clear()


def fill(state: State, order: NewOrder, lots: int) -> None:
    """Let an open order be filled."""
    at = state.time_ns, state.time_ns
    assert order.limit_ticks is not None
    step(
        state,
        Fill(
            f"f-{order.client_order_id}-{state.sequence}", order.client_order_id, order.instrument_id, order.side,  # type: ignore[arg-type]
            order.limit_ticks, lots, 0, "USD", Liquidity.MAKER, FillReason.VENUE, "", *at,
        ),
    )  # fmt: skip
    state.closed.clear()


def busy(state: State, rng: random.Random) -> None:
    """Let what happens between two decisions happen: three prices, sometimes a fill, time."""
    time_ns = state.time_ns + rng.randint(1, 4) * 1_000_000
    for _ in range(3):
        price(state, rng, rng.choice(names()), time_ns)
    if len(state.orders.open) > WORKING:
        tracked = next(iter(state.orders.open.values()))
        fill(state, tracked.order, tracked.leaves_lots)
    state.commands.clear()


Times = tuple[list[float], list[float], int]


def times_us(decisions: int, judge: Callable[[State, NewOrder], Any], seed: int = 1) -> Times:
    """Return how long each decision took, by the clock and of the processor, and how many were approved."""
    state, rng = made(seed)
    times, worked = [], []
    gc.collect()
    gc.freeze()
    for number in range(decisions):
        busy(state, rng)
        order = wanted(state, rng, f"o{number}")
        start, busy_start = time.perf_counter_ns(), time.thread_time_ns()
        judge(state, order)
        worked.append((time.thread_time_ns() - busy_start) / 1e3)
        times.append((time.perf_counter_ns() - start) / 1e3)
        if order.client_order_id not in state.orders.open:
            decided(state, order)
    orders = state.orders
    return times, worked, sum(orders.known(f"o{number}") for number in range(decisions))  # type: ignore[arg-type]


def alone(state: State, order: NewOrder) -> Refusal | None:
    """Judge an order and do nothing else."""
    name = order.instrument_id
    exposure = exposure_of(state, order)
    return refusal(order, state.instruments[name], state.grids[name], exposure, state.limits)


def counted(_state: State, _order: NewOrder) -> None:
    """Count for as long as a decision takes: its p99 over its p50 is the machine's doing, not the engine's."""
    for _ in range(COUNTED):
        pass


PATHS: dict[str, Callable[[State, NewOrder], Any]] = {
    "decide": decided, "exposure and checks": alone, "a plain loop": counted
}  # fmt: skip


def row(decisions: int, runs: int, path: str) -> dict[str, float]:
    """Return what one path takes, in microseconds: in all decisions of all runs, and in each one's median run."""
    measured = [times_us(decisions, PATHS[path]) for _ in range(runs)]
    times, worked = np.array([each[0] for each in measured]), np.array([each[1] for each in measured])
    approved = {each[2] for each in measured}
    assert len(approved) == 1, f"runs of one seed differ: {approved}"
    found: dict[str, float] = {"decisions": decisions, "runs": runs, "approved": approved.pop()}
    for what, each in (("", times), ("cpu_", worked), ("own_", np.median(worked, axis=0))):
        for name, percent in (("p50", 50), ("p99", 99), ("p999", 99.9)):
            found[f"{what}{name}_us"] = round(float(np.percentile(each, percent)), 2)
    return found


def main() -> None:
    """Print a row for each path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=DECISIONS)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with collected_seldom():
        found = {path: row(given.decisions, given.runs, path) for path in PATHS}
    if given.json:
        print(json.dumps({"benchmark": "risk", "limit_us": LIMIT_US, **found}))
        return
    for path, each in found.items():
        print(f"{path:22}" + "".join(f"  {name} {value:>9}" for name, value in each.items()))


if __name__ == "__main__":
    main()
