"""A hundred runs in each of three processes with hash seeds of their own: one digest (E1)."""

import os
import subprocess
import sys

import pytest

RUNS = 100
SCRIPT = f"""
import njord as nj
from njord.research.benchmark import minute_bars
from njord.strategies.ema_cross import EmaCross
from njord.strategies.grid_maker import GridMaker


class Dice(nj.Strategy):
    def on_bar(self, bar, desk):
        if desk.rng.random() < 0.05:
            desk.target(desk.rng.uniform(0, 1))


bars = minute_bars(600, 5)
names = {{"A/USD.X": bars, "B/USD.Y": bars}}
seen = {{
    nj.backtest(
        [EmaCross(3, 9), GridMaker(quantity=0.1), Dice()], names, 1_000_000, latency_ms=20, seed=3, risk="market_making"
    ).digest
    for _ in range({RUNS})
}}
print(" ".join(sorted(seen)))
"""


@pytest.mark.slow
def test_three_hundred_runs_have_one_digest():
    digests = set()
    for seed in ("1", "31337", "random"):
        surroundings = {**os.environ, "PYTHONHASHSEED": seed}
        words = [sys.executable, "-c", SCRIPT]
        made = subprocess.run(words, env=surroundings, capture_output=True, text=True, check=True)
        digests.update(made.stdout.split())
    assert len(digests) == 1
