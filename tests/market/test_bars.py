"""Bars: vectorised and plain agree; nothing is invented, nothing incomplete is passed off as complete."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njord.market.bars import BAR_COLUMNS, resample, resample_plain, tick_bars, time_bars, time_bars_plain, volume_bars

TRADE = st.tuples(st.integers(0, 10_000), st.integers(1, 100), st.integers(1, 50))


def columns(trades):
    return np.array(trades, dtype=np.int64).reshape(-1, 3).T.copy()


def as_rows(bars):
    return list(zip(*(bars[name].tolist() for name in BAR_COLUMNS), strict=True))


@given(trades=st.lists(TRADE, max_size=60), interval_ns=st.integers(1, 3_000))
def test_time_bars_equal_the_plain_reference(trades, interval_ns):
    trades.sort(key=lambda trade: trade[0])

    assert as_rows(time_bars(*columns(trades), interval_ns)) == time_bars_plain(trades, interval_ns)


@given(trades=st.lists(TRADE, min_size=1, max_size=60), factor=st.integers(1, 12))
def test_resample_equals_the_plain_reference(trades, factor):
    trades.sort(key=lambda trade: trade[0])
    short = time_bars(*columns(trades), 100)

    assert as_rows(resample(short, 100, 100 * factor)) == resample_plain(as_rows(short), 100, 100 * factor)


def test_resampled_bars_are_those_of_the_trades():
    rng = np.random.default_rng(4)
    times = np.sort(rng.integers(0, 100_000, 5_000))
    prices, lots = rng.integers(90, 110, 5_000), rng.integers(1, 9, 5_000)

    long = resample(time_bars(times, prices, lots, 100), 100, 1_000, keep_incomplete=True)

    assert as_rows(long) == as_rows(time_bars(times, prices, lots, 1_000))


def test_last_bar_that_has_not_ended_is_left_out():
    short = time_bars(np.array([0, 100, 250]), np.array([5, 6, 7]), np.array([1, 1, 1]), 100)

    assert resample(short, 100, 200)["start_ns"].tolist() == [0]
    assert resample(short, 100, 200, keep_incomplete=True)["start_ns"].tolist() == [0, 200]
    with pytest.raises(ValueError, match="not a multiple"):
        resample(short, 100, 250)


def test_tick_and_volume_bars():
    times, prices, lots = np.arange(7) * 10, np.array([5, 6, 7, 8, 9, 10, 11]), np.array([2, 2, 2, 2, 6, 1, 1])

    by_count, by_volume = tick_bars(times, prices, lots, 3), volume_bars(times, prices, lots, 4)

    assert as_rows(by_count) == [(0, 5, 7, 5, 7, 6.0), (30, 8, 10, 8, 10, 9.0)]
    assert as_rows(by_volume) == [
        (0, 5, 6, 5, 6, 4.0),
        (20, 7, 8, 7, 8, 4.0),
        (40, 9, 9, 9, 9, 6.0),
        (50, 10, 11, 10, 11, 2.0),
    ]
