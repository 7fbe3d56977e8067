"""The benchmarks of the kill switch and of pre-trade decisions, run small: what they measure holds."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "benchmarks"


def script(name):
    spec = importlib.util.spec_from_file_location(f"bench_{name}", ROOT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.connects
@pytest.mark.parametrize("remote", [False, True], ids=["in the process", "in its own process"])
def test_no_order_leaves_100_ms_after_any_button(remote):
    kill = script("kill")
    found = kill.pulled(28, remote=remote, seed=5)
    assert len(found) == 28
    assert len({each.path for each in found}) == 7
    assert max(each.last_order_ms for each in found) < kill.LIMIT_MS


def test_a_summary_has_every_button():
    kill = script("kill")
    found = kill.summary([kill.Pulled("touch", 1.0), kill.Pulled("touch", 3.0), kill.Pulled("bus", 2.0)])
    assert found["all"] == {"trips": 3, "p50_ms": 2.0, "p99_ms": 2.98, "p100_ms": 3.0}
    assert found["touch"]["p100_ms"] == 3.0
    assert found["bus"]["trips"] == 1


@pytest.mark.slow
def test_decisions_are_timed_with_every_limit_on():
    risk = script("risk")
    state, rng = risk.made()
    assert len(state.orders.open) == risk.WORKING
    assert sum(1 for lots in state.portfolio.lots.values() if lots) > 40
    risk.busy(state, rng)
    exposure = risk.exposure_of(state, risk.wanted(state, rng, "x"))
    assert exposure.var_after_units
    assert exposure.strategy_notional_units
    row = risk.row(50, 3, "decide")
    assert row["decisions"] == row["approved"] == 50
    assert 0 < row["own_p50_us"] <= row["own_p99_us"]
