"""What the scorecards of the synthetic market compute, on data whose answer is known."""

import sys

import numpy as np
import pytest
from tests.benchmarks.test_bench_scripts import ROOT, script


@pytest.fixture(scope="module")
def facts():
    return script("stylised_facts")


def test_a_power_law_is_found_in_what_follows_one(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    impact = script("impact")
    sizes = np.array(impact.CHILDREN, dtype=float)

    assert impact.power(0.3 * sizes**0.5, np.full(len(sizes), 0.1)) == pytest.approx((0.5, 0.3), abs=1e-9)
    wrong_where_little_is_known = 0.3 * sizes**0.5
    wrong_where_little_is_known[0] = 5.0
    errors = np.r_[1e6, np.full(len(sizes) - 1, 0.1)]
    assert impact.power(wrong_where_little_is_known, errors) == pytest.approx((0.5, 0.3), abs=1e-9)


def test_days_of_coin_flips_have_no_memory_and_normal_tails(facts):
    rng = np.random.default_rng(1)
    card = facts.day_card([rng.standard_normal(1_439) for _ in range(40)])

    for lag in facts.DAY_LAGS:
        median, low, high = card[f"acf |r| {lag}"]
        assert low < 0 < high
        assert abs(median) < 0.02
    assert card["kurtosis"][0] == pytest.approx(3.0, abs=0.1)


def test_clusters_that_were_put_in_are_found(facts):
    rng = np.random.default_rng(2)
    level = np.repeat(rng.choice([0.5, 2.0], 100), 15)[:1_439]

    assert facts.day_card([rng.standard_normal(1_439) * level])["acf |r| 1"][0] > 0.2
