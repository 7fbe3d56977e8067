"""Queue models against queues that are known: what must be so of any tape, and which model is right on which."""

import numpy as np
import pytest

from njord.market.synthetic.order_by_order import BOOK, TRADE, Arrivals, Flow, Tape, generate
from njord.research.queue_truth import (
    CANDIDATES,
    DECILES,
    NEVER_NS,
    Candidate,
    Probes,
    best,
    find_probes,
    measure,
)
from njord.venues.simulated.queue import QueueModel

S = 1_000_000_000


def by_hand(rows):
    """Return a tape of rows: time s, kind, side, price, lots after, change, order, taker. The touch is 100 / 102."""
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    time, kind, side, price, after, change, order, taker = columns
    count = len(time)
    entered = np.array([time[np.flatnonzero(order == each)[0]] for each in order]) * S
    small = np.int8
    return Tape(
        Flow(), 100.0, 0, 0, Arrivals(0, 0, 0, 0, 0), time * S, kind.astype(small), side.astype(small), price, after,
        change, order, entered, (taker > 0).astype(small), taker, np.full(count, 100), np.full(count, 102),
        np.full(count, 101.0),
    )  # fmt: skip


ROWS = [
    (1, BOOK, 1, 100, 10, 10, 1, 0),  # Ten lots, twenty behind them
    (2, BOOK, 1, 100, 30, 20, 2, 0),
    (3, BOOK, 1, 100, 34, 4, 3, 0),  # The probe
    (4, BOOK, 1, 100, 44, 10, 4, 0),
    (5, BOOK, 1, 100, 39, -5, 4, 0),  # Behind it, half
    (6, BOOK, 1, 100, 19, -20, 2, 0),  # Ahead of it
    (7, TRADE, -1, 100, 9, 10, 1, 90),
    (8, BOOK, 1, 100, 9, -10, 1, 0),
    (9, TRADE, -1, 100, 7, 2, 3, 91),  # It is reached
    (10, BOOK, 1, 100, 7, -2, 3, 0),
    (150, BOOK, 1, 99, 1, 1, 5, 0),
]


def test_a_probe_by_hand():
    tape = by_hand([(*row[:5], row[5], row[6], row[7]) for row in ROWS])
    probes = find_probes(tape, np.random.default_rng(1), 100, after_s=100.0)
    assert probes.row.tolist() == [1, 2, 3]
    assert probes.ahead_lots.tolist() == [10, 30, 34]
    assert probes.filled_ns.tolist() == [NEVER_NS, 9 * S, NEVER_NS]
    assert probes.cancelled_ns[0] == 6 * S
    one = Probes(*(np.repeat(column[1:2], DECILES) for column in (
        probes.row, probes.ahead_lots, probes.filled_ns, probes.cancelled_ns)))  # fmt: skip
    risk = Candidate(QueueModel.RISK_AVERSE, 1.0)
    exact = Candidate(QueueModel.EXACT, 1.0)
    truth = measure(tape, one, candidates=(risk, exact, Candidate(QueueModel.POWER, 1.0)), horizons_s=(100.0,))
    assert truth.of("exact").rmse_lots == 0
    assert truth.of("exact").fill_time_bias_s == 0
    # Lots ahead after each change: 30, 30, 10, 0 in truth. Risk-averse: 30, 30, 15 (all that is left), then 5
    assert truth.of("risk_averse").bias_lots == pytest.approx((0 + 0 + 5 + 5) / 4)
    assert truth.of("risk_averse").filled_truth_only == DECILES
    # n = 1: of five that left, 5 x 30 / 40 stood ahead; of the twenty, then, as many as stood there
    ahead = 30 - 5 * 30 / 40
    ahead -= 20 * ahead / 35
    found = truth.of("power-1")
    assert found.bias_lots == pytest.approx((0 - 3.75 + (ahead - 10) + (ahead - 10)) / 4)


def test_too_few_probes_are_refused():
    tape = by_hand(ROWS)
    probes = find_probes(tape, np.random.default_rng(1), 2, after_s=100.0)
    assert len(probes.row) == 2
    with pytest.raises(ValueError, match="at least 10 probes, had 2"):
        measure(tape, probes)


@pytest.fixture(scope="module")
def measured():
    """Return what all models make of 1,500 patient probes, by how the cancellations lean."""
    found = {}
    for tilt in (-0.8, 0.0):
        tape = generate(np.random.default_rng(1), Flow(cancel_tilt=tilt), 900.0)
        probes = find_probes(tape, np.random.default_rng(2), 1_500)
        found[tilt] = measure(tape, probes, patient=True)
        if tilt == 0.0:
            found["censored"] = measure(tape, probes)
    return found


@pytest.mark.slow
def test_who_knows_the_queue_is_never_wrong(measured):
    for truth in measured.values():
        exact = truth.of("exact")
        assert (exact.rmse_lots, exact.bias_lots, exact.fill_time_bias_s) == (0, 0, 0)
        assert exact.worst_error() == 0
        assert (exact.filled_model_only, exact.filled_truth_only) == (0, 0)
        assert 0 < truth.filled < truth.probes
    assert measured["censored"].cancelled > 400 > measured[0.0].cancelled == 0


@pytest.mark.slow
def test_no_model_fills_more_than_touch_or_less_than_cross(measured):
    for truth in measured.values():
        cross, touch, careful = truth.of("cross"), truth.of("touch"), truth.of("risk_averse")
        assert cross.filled_model_only == 0
        assert careful.filled_model_only == 0  # It never believes to be farther ahead than it is
        assert touch.filled_truth_only == 0
        assert careful.fill_time_bias_s > 0 > touch.fill_time_bias_s
        assert careful.bias_lots > 0 > touch.bias_lots
        for horizon_s in truth.horizons_s:
            rows = zip(cross.curves[horizon_s], touch.curves[horizon_s], strict=True)
            for least, most in rows:
                assert least.probes == most.probes
                assert least.predicted <= least.realised == most.realised <= most.predicted
                for each in truth.models:
                    between = each.curves[horizon_s][cross.curves[horizon_s].index(least)]
                    assert least.predicted <= between.predicted <= most.predicted


@pytest.mark.slow
def test_the_right_model_is_found_and_is_calibrated(measured):
    # Where every order cancels alike the chance to stand behind is the share behind: the power law with n = 1
    assert best(measured[0.0]) == "power-1"
    assert best(measured[-0.8]) == "power_of_total-2"
    for tilt in (0.0, -0.8):
        chosen = measured[tilt].of(best(measured[tilt]))
        assert chosen.mean_error() < 0.01
        # Three percentage points, but for what 150 probes of a decile leave to chance at the shortest horizon
        assert chosen.worst_error(30.0) <= 0.03
        assert chosen.worst_error(120.0) <= 0.03
        assert chosen.worst_error(5.0) <= 0.04
    assert measured[-0.8].of("power-3").mean_error() > 2 * measured[-0.8].of("power_of_total-2").mean_error()
    assert measured[0.0].of("power-1").rmse_lots < measured[0.0].of("risk_averse").rmse_lots / 4


@pytest.mark.slow
def test_every_candidate_is_measured_on_the_same_probes(measured):
    truth = measured[0.0]
    assert [each.name for each in truth.models] == [each.name for each in CANDIDATES]
    assert len({each.name for each in truth.models}) == len(CANDIDATES)
    for each in truth.models:
        assert each.filled_both + each.filled_truth_only == truth.filled
        for curve in each.curves.values():
            assert len(curve) == DECILES
            assert sum(decile.probes for decile in curve) == truth.probes
