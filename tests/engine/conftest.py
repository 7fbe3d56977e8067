"""A run in two lines: bars in memory, a strategy, the whole engine."""

import pytest

import njord as nj


@pytest.fixture
def run(bars):
    """Run strategies over seeded bars; keyword arguments are those of nj.backtest."""

    def make(strategy, count=300, seed=1, **settings):
        data = settings.pop("data", None)
        settings = {
            "cash": 100_000,
            "instrument": "BTC/USD.SIM",
            "risk": "research",
            "taker": 0.001,
            "latency_ms": 0,
            **settings,
        }
        return nj.backtest(strategy, data if data is not None else bars(count, seed), **settings)

    return make
