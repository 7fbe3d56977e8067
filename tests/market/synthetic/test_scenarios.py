"""Scenarios are data: validated, canonical, named by their content."""

import msgspec
import pytest

from njord.market.synthetic import scenarios
from njord.market.synthetic.scenarios import FlashCrash, LiquidityChange, Scenario, Step, Volatility


@pytest.mark.parametrize("name", sorted(scenarios.NAMED))
def test_a_scenario_is_the_same_after_it_was_stored(name):
    scenario = scenarios.NAMED[name]
    stored = scenarios.encode(scenario)

    again = scenarios.decode(stored)

    assert (again, again.scenario_id, scenarios.encode(again)) == (scenario, scenario.scenario_id, stored)


def test_the_id_is_of_the_content():
    first = Scenario("storm", (Step(0.0, Volatility(2.0)),))

    # Written down once and for all: another version must find the same scenario under this name
    assert first.scenario_id == "14ef158b05361d7792cb7b6bd889c4f295a9a99252e3e803a75e807e02a63027"
    assert first.scenario_id != Scenario("storm", (Step(0.0, Volatility(2.5)),)).scenario_id


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (lambda: Volatility(-1.0), "volatility scale"),
        (lambda: Volatility(float("nan")), "volatility scale"),
        (lambda: LiquidityChange(depth=-0.1), "liquidity depth"),
        (lambda: FlashCrash(1.5, 1.0, 1.0), "flash crash drop"),
        (lambda: Step(-1.0, Volatility(1.0)), "step at_s"),
        (lambda: Scenario("", (Step(0.0, Volatility(1.0)),)), "name"),
        (lambda: Scenario("empty", ()), "steps"),
        (lambda: Scenario("back", (Step(5.0, Volatility(1.0)), Step(1.0, Volatility(1.0)))), "order"),
    ],
)
def test_what_makes_no_sense_is_said(made, field):
    with pytest.raises(ValueError, match=field):
        made()


def test_a_misspelt_field_is_refused():
    text = b'{"name":"x","steps":[{"at_s":0,"action":{"type":"volatility","scale":2,"underlier":[]}}]}'

    with pytest.raises(msgspec.ValidationError, match="underlier"):
        scenarios.decode(text)
