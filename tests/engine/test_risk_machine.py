"""No sequence of anything takes an exposure beyond its limit by an approved order: stateful, and long and seeded."""

import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .risk_world import BOTH_WAYS, LONG_ONLY, World


class Machine(RuleBasedStateMachine):
    """Any sequence, found and shrunk by hypothesis."""

    @initialize(profile=st.sampled_from([LONG_ONLY, BOTH_WAYS]))
    def begin(self, profile):
        self.world = World(profile)

    @rule(data=st.data(), what=st.sampled_from(["want", "want", "report", "report", "price", "wait", "limits"]))
    def happens(self, data, what):
        getattr(self.world, what)(lambda below: data.draw(st.integers(0, below - 1)))

    @rule(data=st.data(), what=st.sampled_from(["trip", "clear", "restart"]))
    def seldom(self, data, what):
        getattr(self.world, what)(lambda below: data.draw(st.integers(0, below - 1)))

    @invariant()
    def exposures_are_what_a_plain_count_says(self):
        if hasattr(self, "world"):
            self.world.compare()


Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase

WHAT = ["want"] * 8 + ["report"] * 10 + ["price"] * 3 + ["wait"] * 4 + ["limits", "trip", "clear", "clear"]


def drive(profile, seed, steps):
    rng = random.Random(seed)
    world = World(profile)
    while world.steps < steps:
        what = "restart" if rng.random() < 0.002 else rng.choice(WHAT)
        getattr(world, what)(rng.randrange)
        if rng.random() < 0.3:
            world.compare()
        world.prune()
    world.compare()
    return world


@pytest.mark.parametrize("profile", [LONG_ONLY, BOTH_WAYS], ids=lambda profile: profile.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_steps(profile, seed):
    world = drive(profile, seed, 1_000)
    assert world.approved > 20
    assert world.refused > 20


@pytest.mark.slow
@pytest.mark.parametrize("profile", [LONG_ONLY, BOTH_WAYS], ids=lambda profile: profile.name)
def test_fifty_thousand_steps(profile):
    world = drive(profile, 7, 50_000)
    print(world.steps, world.approved, world.adding, world.refused, world.sessions, world.reasons)
    assert world.adding > 1_000
    assert world.sessions > 20
    assert len(world.reasons) >= 8


def test_the_auditor_would_notice():
    # Where the engine is told of looser limits than the auditor, it is caught
    world = World(LONG_ONLY)
    loose = msgspec.structs.replace(
        LONG_ONLY, symbol_notional_max=None, strategy_notional_max=None, portfolio_notional_max=None,
        order_notional_max=None, leverage_max=Decimal(9), orders_per_s_max=Decimal(10_000), orders_burst=1_000,
    )  # fmt: skip
    world.state.adopt(loose)
    rng = random.Random(1)

    def want_a_lot():
        for _ in range(300):
            world.want(rng.randrange)
            world.wait(rng.randrange)

    with pytest.raises(AssertionError):
        want_a_lot()
