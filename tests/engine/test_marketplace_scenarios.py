"""Whatever is done to it, the marketplace keeps its promises: nothing crosses, nothing is lost, nothing breaks."""

import collections

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.domain.clock import NS_PER_S, time_ns
from njord.domain.ids import ClientOrderId, InstrumentId, StrategyId
from njord.domain.market import Quote
from njord.domain.order import NewOrder, OrderType, Side, TimeInForce
from njord.engine.marketplace import Marketplace
from njord.market.synthetic.adversaries import AdversaryKind
from njord.market.synthetic.listing import default_universe
from njord.market.synthetic.scenarios import (
    Adversaries,
    Drift,
    FlashCrash,
    Halt,
    LiquidityChange,
    RatesShift,
    Resume,
    Scenario,
    Step,
    Volatility,
)
from njord.market.synthetic.world import CRASHES_MAX

START_NS = time_ns("2026-01-05")
NAMES = ("BRAGE.SIM", "BRAGE-G26-140-P.SIM", "NORCRUDE-F26.SIM", "EMBLA/USD:USD.SIM", "NGB-30Y.SIM", "IRS-2Y.SIM")
WHOLE = default_universe(START_NS)
UNIVERSE = msgspec.structs.replace(
    WHOLE, listings=tuple(each for each in WHOLE.listings if each.instrument.instrument_id in NAMES)
)

ACTIONS = st.one_of(
    st.builds(Volatility, st.floats(0, 20)),
    st.builds(Drift, st.floats(-1_000, 1_000)),
    st.builds(Halt, st.sampled_from([(), ("BRAGE.SIM",)])),
    st.builds(Resume, st.sampled_from([(), ("BRAGE.SIM",)])),
    st.builds(LiquidityChange, st.floats(0, 100), st.floats(0.1, 100)),
    st.builds(
        Adversaries, st.floats(0, 0.9), st.sampled_from([("spoofer",), ("stuffer", "sniper"), tuple(AdversaryKind)])
    ),
    st.builds(FlashCrash, st.floats(0, 0.95), st.floats(0.01, 10), st.floats(0.01, 10), st.floats(0, 1)),
    st.builds(RatesShift, st.floats(-1_000, 1_000)),
)
STEPS = st.lists(st.builds(Step, st.floats(0, 12), ACTIONS), min_size=1, max_size=8).map(
    lambda steps: tuple(sorted(steps, key=lambda step: step.at_s))
)
ORDERS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(Side), st.integers(1, 5_000), st.none() | st.floats(-0.2, 0.2)),
    max_size=12,
)


@settings(max_examples=15, deadline=None)
@given(STEPS, ORDERS, st.integers(0, 1_000))
def test_anything_may_happen(steps, orders, seed):
    market = Marketplace(UNIVERSE, seed)
    market.apply(Scenario("anything", steps))
    for number in range(15):
        events = market.advance(START_NS + (number + 1) * NS_PER_S)
        for event in events:
            if type(event) is Quote and event.bid_lots and event.ask_lots:
                assert event.bid_ticks < event.ask_ticks
        if number < len(orders):
            send(market, number, *orders[number])
        assert np.isfinite(market.world.fairs()).all()
    totals = collections.Counter()
    for held in market.crossing.positions.values():
        totals.update(held)
    assert not any(totals.values())
    reports = market.drain_reports()
    assert {owner for owner, _ in reports} <= {"anna"}


def send(market, number, name, side, lots, distance):
    fair_ticks = market.fair(name) / float(market.instruments[name].price_tick)
    limit = None if distance is None else max(1, round(fair_ticks * (1 + distance)))
    force = TimeInForce.IOC if limit is None or name in market.board else TimeInForce.GTC
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    order_id = ClientOrderId(f"u{number}")
    market.submit(
        "anna", NewOrder(order_id, StrategyId("user"), InstrumentId(name), side, kind, lots, limit, None, force)
    )


def test_more_crashes_than_can_run_are_refused_before_any_begins():
    market = Marketplace(UNIVERSE, 1)
    crash = Step(0.0, FlashCrash(0.01, 5.0, 5.0))
    market.apply(Scenario("many", (crash,) * CRASHES_MAX))

    with pytest.raises(ValueError, match=f"more than {CRASHES_MAX} crashes"):
        market.apply(Scenario("one more", (crash,)))
    market.advance(START_NS + NS_PER_S)
    with pytest.raises(ValueError, match="crashes"):
        market.apply(Scenario("one more", (crash,)))
    market.advance(START_NS + 12 * NS_PER_S)
    market.apply(Scenario("one more", (crash,)))
    assert market.world.crashes == 0
