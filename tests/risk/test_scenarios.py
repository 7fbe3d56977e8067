"""VaR before and after an order: equal to computing it anew, whatever is missing, and after a restart."""

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.domain.profile import VarLimit, VarModel
from njord.risk import scenarios as module
from njord.risk.scenarios import PortfolioVar
from njord.risk.value_at_risk import ewma_covariance, historical, parametric, sigma_of

P90 = Decimal("0.9")
NAMES = ("A", "B", "C")


def limit_of(model=VarModel.HISTORICAL, **changes):
    plain = {"share_max": Decimal("0.05"), "window": 40, "warm_up": 10, "confidence": P90, "half_life": 8.0}
    return VarLimit(model=model, **(plain | changes))


def market(intervals, seed=1, names=NAMES):
    rng = np.random.default_rng(seed)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (intervals, len(names))), axis=0))
    return [dict(zip(names, row, strict=True)) for row in prices.tolist()]


def fed(limit, tape, seed=0):
    var = PortfolioVar(limit, seed)
    for prices in tape:
        var.close_interval(prices)
    return var


def fed_alone(limit, tape):
    """Return VaR of 1,000 in the first instrument, where there is no other."""
    var = fed(limit, [{"A": prices["A"]} for prices in tape])
    var.set_exposure("A", 1_000.0)
    return var.before()


def returns_of(tape, window, names=NAMES):
    levels = np.array([[row[name] for name in names] for row in tape]).T
    return (levels[:, 1:] / levels[:, :-1] - 1)[:, -window:]


def anew(limit, returns, exposures):
    if limit.model is VarModel.HISTORICAL:
        found = historical((returns * exposures[:, None]).sum(axis=0), limit.confidence)
    else:
        found = parametric(sigma_of(ewma_covariance(returns, limit.half_life), exposures), limit.confidence)
    return max(0.0, found.value_at_risk)


@pytest.mark.parametrize("model", [VarModel.HISTORICAL, VarModel.PARAMETRIC])
@pytest.mark.parametrize("intervals", [11, 41, 42, 90])
def test_before_and_after_equal_computing_anew(model, intervals):
    limit, tape, rng = limit_of(model), market(intervals), np.random.default_rng(2)
    var, returns = fed(limit, tape), returns_of(tape, 40)
    held = np.zeros(3)

    for step in range(30):
        row, change = step % 3, float(rng.normal(0, 1e21))
        assert var.before() == pytest.approx(anew(limit, returns, held), rel=1e-9)
        after = held.copy()
        after[row] += change
        assert var.after(NAMES[row], change) == pytest.approx(anew(limit, returns, after), rel=1e-9)
        if step % 2:
            held = after
            var.set_exposure(NAMES[row], float(held[row]))


@pytest.mark.parametrize("model", list(VarModel))
def test_an_order_that_hedges_lowers_it_and_one_that_adds_raises_it(model):
    var = fed(limit_of(model), market(60))
    var.set_exposure("A", 1_000.0)

    before = var.before()

    assert before > 0
    assert var.after("A", 500.0) == pytest.approx(1.5 * before)
    assert var.after("A", -500.0) == pytest.approx(0.5 * before)
    assert var.after("A", -1_000.0) == pytest.approx(0, abs=1e-9)
    assert var.after("A", 0.0) == pytest.approx(before)
    assert var.before() == before  # To ask changes nothing


def test_simulated_is_near_parametric():
    tape = market(60)
    exact, simulated = (
        fed(limit_of(VarModel.PARAMETRIC), tape),
        fed(limit_of(VarModel.MONTE_CARLO, paths=200_000), tape),
    )
    for var in (exact, simulated):
        var.set_exposure("A", 1_000.0)
        var.set_exposure("B", -300.0)

    assert simulated.before() == pytest.approx(exact.before(), rel=0.01)
    assert simulated.after("C", 700.0) == pytest.approx(exact.after("C", 700.0), rel=0.01)


@pytest.mark.parametrize("model", list(VarModel))
def test_no_estimate_before_the_warm_up(model):
    var = fed(limit_of(model), market(10))  # Ten prices are nine returns
    var.set_exposure("A", 1.0)
    assert var.before() is None
    assert var.after("A", 1.0) is None

    var.close_interval({"A": 1_000.0, "B": 100.0, "C": 100.0})
    assert var.before() is not None
    assert var.after("A", 1.0) > 0


def test_nothing_known_at_all():
    var = PortfolioVar(limit_of())
    assert var.before() is None
    assert var.after("A", 1.0) is None


@pytest.mark.parametrize("model", list(VarModel))
def test_constant_prices_make_no_risk(model):
    var = fed(limit_of(model), [{"A": 5.0}] * 50)
    var.set_exposure("A", 1e9)
    assert var.before() == 0
    assert var.after("A", 1e9) == 0


def test_only_gains_are_no_negative_risk():
    var = fed(limit_of(), [{"A": 100 * 1.01**day} for day in range(50)])
    var.set_exposure("A", 1_000.0)
    assert var.before() == 0
    assert var.after("A", -2_000.0) == pytest.approx(10)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_a_bad_price_is_passed_over_and_the_next_good_one_has_the_whole_move(bad):
    tape = [{"A": 100.0}] * 20
    var = fed(limit_of(window=12, warm_up=2, confidence=Decimal("0.95")), [*tape, {"A": bad}, {"A": 90.0}])
    var.set_exposure("A", 1_000.0)

    assert var.before() == pytest.approx(100)
    returns = var.dump()["returns"]["A"]
    assert returns[-2] is None
    assert returns[-1] == pytest.approx(-0.1)


@pytest.mark.parametrize("model", list(VarModel))
def test_a_late_instrument_is_not_believed_and_offsets_nothing(model):
    limit, tape = limit_of(model, paths=500), market(60)
    late = 55
    var = fed(limit, [prices if day >= late else {"A": prices["A"]} for day, prices in enumerate(tape)])
    var.set_exposure("A", 1_000.0)
    alone, worst = var.before(), float(np.abs(returns_of(tape, 40, ("A",))).max())
    assert alone == fed_alone(limit, tape)

    assert var.after("B", 100.0) == pytest.approx(alone + 100 * worst)
    assert var.after("B", -100.0) == pytest.approx(alone + 100 * worst)
    var.set_exposure("B", -100.0)
    assert var.before() == pytest.approx(alone + 100 * worst)
    assert var.after("B", 100.0) == pytest.approx(alone)
    assert var.after("A", 1_000.0) == pytest.approx(2 * alone + 100 * worst)
    assert var.after("NEVER_SEEN", 10.0) == pytest.approx(alone + 110 * worst)


@pytest.mark.parametrize("model", [VarModel.HISTORICAL, VarModel.PARAMETRIC])
def test_a_late_instrument_repeats_what_it_has_once_it_is_known(model):
    limit, tape = limit_of(model), market(60)
    start = 40  # 19 returns of its own, of 40
    var = fed(limit, [prices if day >= start else {"A": prices["A"]} for day, prices in enumerate(tape)])
    var.set_exposure("B", 1_000.0)

    own = returns_of(tape[start:], 40, ("B",))[0]
    filled = np.concatenate([np.resize(own, 40 - len(own)), own])
    assert len(own) == 19
    assert var.before() == pytest.approx(anew(limit, filled[None, :], np.array([1_000.0])))


def test_it_is_known_at_its_warm_up_and_not_before():
    limit, tape = limit_of(), market(60)

    def before(start):
        var = fed(limit, [prices if day >= start else {"A": prices["A"]} for day, prices in enumerate(tape)])
        var.set_exposure("B", 1_000.0)
        return var.before()

    worst = float(np.abs(returns_of(tape, 40, ("A",))).max())
    assert before(50) == pytest.approx(1_000 * worst)  # Nine returns
    assert before(49) != pytest.approx(1_000 * worst)  # Ten


@pytest.mark.parametrize("model", list(VarModel))
def test_a_restart_changes_nothing(model):
    seed = 7
    limit = limit_of(model, paths=500)
    tape = [{name: price for name, price in prices.items() if name != "C" or day > 30}
            for day, prices in enumerate(market(70))]  # fmt: skip
    tape[60]["B"] = math.nan
    whole = fed(limit, tape[:65], seed)

    again = PortfolioVar.restore(limit, json.loads(json.dumps(whole.dump())), seed)

    for prices in ({}, *tape[65:]):
        for var in (whole, again):
            if prices:
                var.close_interval(prices)
            for name, held in (("A", 1e20), ("B", -3e20), ("C", 2e19)):
                var.set_exposure(name, held)
        assert again.before() == whole.before()
        assert again.after("B", 5e20) == whole.after("B", 5e20)
        assert again.dump() == whole.dump()


@pytest.mark.parametrize("intervals", [0, 1, 2, 3])
def test_a_window_that_has_hardly_begun_survives_a_restart(intervals):
    whole = fed(limit_of(), market(intervals))
    whole.set_exposure("A", 5.0)
    dumped = whole.dump()
    assert dumped["intervals"] == intervals
    assert len(dumped["returns"]["A"]) == max(0, intervals - 1)

    again = PortfolioVar.restore(limit_of(), dumped)

    assert again.dump() == dumped
    assert again.before() is None
    for prices in market(20):
        whole.close_interval(prices)
        again.close_interval(prices)
    again.set_exposure("A", 5.0)
    assert again.before() == whole.before() > 0


def test_prices_may_be_far_below_one():
    tape = [{name: price / 1_000 for name, price in prices.items()} for prices in market(60)]
    var, large = fed(limit_of(), tape), fed(limit_of(), market(60))
    for each in (var, large):
        each.set_exposure("A", 1_000.0)
    assert var.before() == pytest.approx(large.before())
    assert PortfolioVar.restore(limit_of(), var.dump()).dump() == var.dump()


def test_a_bad_price_does_not_hide_those_after_it():
    var = fed(limit_of(), [{"A": 1.0, "B": 1.0}, {"A": math.nan, "B": 1.1}])
    assert var.dump()["returns"] == {"A": [None], "B": [pytest.approx(0.1)]}


@pytest.mark.parametrize(
    "document",
    [{}, {"intervals": 2}, {"intervals": 3, "prices": {}, "returns": {"A": [0.1]}},
     {"intervals": 2, "prices": {"B": 1.0}, "returns": {"A": [0.1]}},
     {"intervals": 2, "prices": {"A": 0.0}, "returns": {"A": [0.1]}},
     {"intervals": 2, "prices": {"A": math.nan}, "returns": {"A": [0.1]}},
     {"intervals": 2, "prices": {"A": 1.0}, "returns": {"A": [math.inf]}},
     {"intervals": 2, "prices": [], "returns": {"A": [0.1]}}, {"intervals": 2, "prices": {}, "returns": {"A": 3}}],
)  # fmt: skip
def test_what_is_no_dump_is_refused(document):
    with pytest.raises(ValueError, match="value at risk"):
        PortfolioVar.restore(limit_of(), document)


def test_a_dump_of_another_window_is_refused():
    with pytest.raises(ValueError, match="must have 20 returns"):
        PortfolioVar.restore(limit_of(window=20), fed(limit_of(), market(60)).dump())


def test_instruments_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "INSTRUMENTS_MAX", 2)
    var = PortfolioVar(limit_of())
    var.close_interval({"A": 1.0, "B": 1.0})
    with pytest.raises(ValueError, match="at most 2"):
        var.set_exposure("C", 1.0)


def test_the_seed_decides_what_is_simulated():
    def before(seed):
        var = PortfolioVar(limit_of(VarModel.MONTE_CARLO, paths=500), seed)
        for prices in market(60):
            var.close_interval(prices)
        var.set_exposure("A", 1_000.0)
        return var.before()

    assert before(1) == before(1)
    assert before(1) != before(2)


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.floats(-1e24, 1e24)), max_size=12), st.sampled_from(list(VarModel))
)
def test_what_an_order_would_do_is_what_it_does(orders, model):
    var = fed(limit_of(model, paths=200), market(30))
    held = dict.fromkeys(NAMES, 0.0)
    for name, change in orders:
        promised = var.after(name, change)
        held[name] += change
        var.set_exposure(name, held[name])
        # What two large exposures leave of each other is rounding
        assert var.before() == pytest.approx(promised, rel=1e-6, abs=1e-8 * max(map(abs, [change, *held.values()])))


@given(
    seed=st.integers(0, 1_000), rows=st.integers(1, 20), count=st.integers(2, 3_000), change=st.floats(-1e22, 1e22),
    share=st.floats(0, 1), ties=st.booleans(),
)  # fmt: skip
def test_compiled_and_plain_estimates_are_the_same_to_the_last_bit(seed, rows, count, change, share, ties):
    kernels = pytest.importorskip("njord.risk.kernels")
    rng = np.random.default_rng(seed)
    columns, exposures = rng.normal(0, 0.01, (rows, count)), rng.normal(0, 1e21, rows)
    columns = np.round(columns, 2) if ties else columns
    room = np.empty(1 + int(share * min(count - 1, module.KEPT_MAX - 1)))
    sums, plain_sums = np.zeros(count), np.zeros(count)
    for weigh in (True, False):
        found = kernels.ranked(columns, exposures, sums, weigh, rows - 1, change, room)
        assert found == module.ranked(columns, exposures, plain_sums, weigh, rows - 1, change, room)
        assert sums.tolist() == plain_sums.tolist()
        if weigh:
            kernels.weighed(columns, exposures, again := np.zeros(count))
            assert again.tolist() == sums.tolist()
        exposures[0] = 0.0  # Not weighed again, so it changes nothing


@pytest.mark.parametrize("model", list(VarModel))
def test_an_order_first_and_what_is_held_first_give_the_same(model):
    # One call makes both, whichever is asked for first
    tape, changes = market(60), [1e21, -3e20, 0.0]
    limit = limit_of(model, paths=500)
    first, second = fed(limit, tape), fed(limit, tape)
    for change in changes:
        for var in (first, second):
            var.set_exposure("A", change)
            var.set_exposure("B", -2 * change)
        before = first.before()
        assert second.after("C", change) == first.after("C", change)
        assert second.before() == before
