"""Sweeps: every combination, in order, each equal to a single run."""

import pytest

import njord as nj
from njord.strategies.ema_cross import EmaCross

GRID = {"fast": [3, 5, 30], "slow": [20, 40], "quantity": [10.0]}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_sweep_equals_single_runs(bars, processes):
    data = bars(300)
    seen = []
    rows = nj.sweep(
        EmaCross,
        data,
        100_000,
        grid=GRID,
        processes=processes,
        taker=0.001,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [(row["fast"], row["slow"]) for row in rows] == [(f, s) for f in (3, 5, 30) for s in (20, 40)]
    assert seen[-1] == (6, 6)
    assert rows[4]["error"] == "strategy EmaCross: fast must be above 0 and below slow, was fast 30, slow 20"
    for row in rows[:4]:
        single = nj.backtest(EmaCross(row["fast"], row["slow"], 10.0), data, 100_000, taker=0.001)
        assert row["digest"] == single.digest
        assert row["sharpe"] == single.stats["sharpe"]


def test_a_parameter_there_is_none_of_is_said(bars):
    with pytest.raises(ValueError, match=r"has no parameter 'fats'; did you mean 'fast'\?"):
        nj.sweep(EmaCross, bars(10), 1, grid={"fats": [1]})
    with pytest.raises(ValueError, match="combinations"):
        nj.sweep(EmaCross, bars(10), 1, grid={"fast": []})
