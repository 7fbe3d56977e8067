"""Incremental indicators equal TA-Lib from its first value, do not drift, and say when they are ready."""

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njord.market import indicators as ind

talib = pytest.importorskip("talib", reason="TA-Lib is the reference; it comes with the extra njord[ta]")
from njord.market import technical  # noqa: E402

BARS = 5_000
H, L, C, V = "high", "low", "close", "volume"


def _walk(count: int, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(rng.normal(0, 0.01, count).cumsum())
    opened = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 0.004, count)))
    low = np.minimum(opened, close) * (1 - np.abs(rng.normal(0, 0.004, count)))
    return {H: high, L: low, C: close, V: rng.uniform(1, 2, count) * 1e5}


# name, incremental, its outputs, its inputs, batch with the same outputs
TABLE: list[tuple[str, Callable[[], Any], list[str], list[str], Callable[..., Any]]] = [
    ("sma", lambda: ind.Sma(20), ["value"], [C], lambda c: technical.sma(c, 20)),
    ("sma of 1", lambda: ind.Sma(1), ["value"], [C], lambda c: c),
    ("ema", lambda: ind.Ema(20), ["value"], [C], lambda c: technical.ema(c, 20)),
    ("wma", lambda: ind.Wma(20), ["value"], [C], lambda c: technical.wma(c, 20)),
    ("dema", lambda: ind.Dema(20), ["value"], [C], lambda c: technical.dema(c, 20)),
    ("tema", lambda: ind.Tema(20), ["value"], [C], lambda c: technical.tema(c, 20)),
    ("hma", lambda: ind.Hma(20), ["value"], [C], lambda c: technical.hma(c, 20)),
    ("hma odd", lambda: ind.Hma(17), ["value"], [C], lambda c: technical.hma(c, 17)),
    ("kama", lambda: ind.Kama(10), ["value"], [C], lambda c: technical.kama(c, 10)),
    ("rsi", lambda: ind.Rsi(14), ["value"], [C], lambda c: technical.rsi(c, 14)),
    ("macd", ind.Macd, ["value", "signal", "histogram"], [C], technical.macd),
    ("stochastic", ind.Stochastic, ["value", "signal"], [H, L, C], technical.stochastic),
    ("williams", ind.WilliamsR, ["value"], [H, L, C], technical.williams_r),
    ("cci", ind.Cci, ["value"], [H, L, C], technical.cci),
    ("roc", ind.Roc, ["value"], [C], technical.roc),
    ("momentum", ind.Momentum, ["value"], [C], technical.momentum),
    ("aroon", ind.Aroon, ["value", "up", "down"], [H, L], technical.aroon),
    ("slope", ind.LinearRegressionSlope, ["value"], [C], technical.linear_regression_slope),
    ("std dev", ind.StdDev, ["value"], [C], technical.std_dev),
    ("bollinger", ind.BollingerBands, ["upper", "value", "lower"], [C], technical.bollinger_bands),
    ("true range", ind.TrueRange, ["value"], [H, L, C], technical.true_range),
    ("atr", ind.Atr, ["value"], [H, L, C], technical.atr),
    ("atr of 1", lambda: ind.Atr(1), ["value"], [H, L, C], lambda h, lo, c: technical.atr(h, lo, c, 1)),
    ("donchian", ind.Donchian, ["upper", "value", "lower"], [H, L], technical.donchian),
    ("highest", lambda: ind.Highest(30), ["value"], [C], lambda c: technical.highest(c, 30)),
    ("lowest", lambda: ind.Lowest(30), ["value"], [C], lambda c: technical.lowest(c, 30)),
    ("keltner", ind.KeltnerChannels, ["upper", "value", "lower"], [H, L, C], technical.keltner_channels),
    (
        "keltner, long range",
        lambda: ind.KeltnerChannels(5, 2.0, 10),
        ["upper", "value", "lower"],
        [H, L, C],
        lambda h, lo, c: technical.keltner_channels(h, lo, c, 5, 2.0, 10),
    ),
    ("obv", ind.Obv, ["value"], [C, V], technical.obv),
    ("mfi", ind.Mfi, ["value"], [H, L, C, V], technical.mfi),
    ("vwap", ind.Vwap, ["value"], [H, L, C, V], technical.vwap),
    ("adx", ind.Adx, ["value", "plus", "minus"], [H, L, C], technical.adx),
    ("psar", ind.Psar, ["value"], [H, L], technical.psar),
    ("supertrend", ind.Supertrend, ["value"], [H, L, C], lambda h, lo, c: technical.supertrend(h, lo, c)[0]),
    ("ichimoku", ind.Ichimoku, ["value", "base", "span_a", "span_b"], [H, L], technical.ichimoku),
]
NAMES = [row[0] for row in TABLE]


def _run(indicator: Any, outputs: list[str], columns: list[np.ndarray]) -> list[np.ndarray]:
    rows = []
    for values in zip(*[column.tolist() for column in columns], strict=True):
        returned = indicator.update(*values)
        assert returned == indicator.value or (math.isnan(returned) and math.isnan(indicator.value))
        rows.append([getattr(indicator, name) for name in outputs])
    return list(np.array(rows, dtype=float).T)


def _assert_equal(got: np.ndarray, expected: np.ndarray, tolerance: float = 1e-10) -> None:
    assert np.array_equal(np.isnan(got), np.isnan(expected)), "not the same first value"
    known = ~np.isnan(expected)
    if not known.any():
        return
    # Relative to the value, or to the usual size of this output where it passes through zero
    size = np.maximum(np.abs(expected[known]), np.sqrt(np.mean(expected[known] ** 2)))
    error = np.abs(got[known] - expected[known])
    assert (error <= tolerance * size).all(), f"off by {np.max(error / np.maximum(size, 1e-300)):.2e}"


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
def test_an_indicator_equals_ta_lib_over_a_random_walk(row: tuple[Any, ...]) -> None:
    _, make, outputs, inputs, batch = row
    columns = [_walk(BARS)[name] for name in inputs]

    expected = batch(*columns)

    expected = expected if isinstance(expected, tuple) else (expected,)
    for got, want in zip(_run(make(), outputs, columns), expected, strict=True):
        _assert_equal(got, want)


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
@settings(max_examples=8, deadline=None)
@given(
    # Unique: in a flat window TA-Lib's rolling sums leave a residue, and what it divides by that residue is noise
    cents=st.lists(st.integers(5_000, 50_000), min_size=75, max_size=110, unique=True),
    wicks=st.lists(st.integers(0, 300), min_size=220, max_size=220),
)
def test_an_indicator_equals_ta_lib_on_any_prices(row: tuple[Any, ...], cents: list[int], wicks: list[int]) -> None:
    _, make, outputs, inputs, batch = row
    close = np.array(cents) / 100
    count = len(cents)
    bars = {
        H: close + np.array(wicks[:count]) / 100,
        L: close - np.array(wicks[110 : 110 + count]) / 100,
        C: close,
        V: np.array(wicks[:count]) * 10.0 + 1.0,
    }
    columns = [bars[name] for name in inputs]

    expected = batch(*columns)

    expected = expected if isinstance(expected, tuple) else (expected,)
    # TA-Lib takes a square of prices from another one, which costs digits where the prices are close together
    tolerance = 1e-7 if row[0] in ("std dev", "bollinger") else 1e-10
    for got, want in zip(_run(make(), outputs, columns), expected, strict=True):
        _assert_equal(got, want, tolerance)


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
def test_ready_says_from_when_all_outputs_count(row: tuple[Any, ...]) -> None:
    _, make, outputs, inputs, _ = row
    indicator = make()
    columns = [_walk(120)[name].tolist() for name in inputs]
    if isinstance(indicator, ind.Adx):
        outputs = ["value"]

    for values in zip(*columns, strict=True):
        indicator.update(*values)
        assert indicator.ready == (not any(math.isnan(getattr(indicator, name)) for name in outputs))

    assert indicator.ready


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
def test_an_indicator_survives_being_pickled_and_has_no_dict(row: tuple[Any, ...]) -> None:
    _, make, _, inputs, _ = row
    columns = list(zip(*[_walk(120)[name].tolist() for name in inputs], strict=True))
    indicator = make()
    for values in columns[:100]:
        indicator.update(*values)

    again = pickle.loads(pickle.dumps(indicator))
    for values in columns[100:]:
        indicator.update(*values)
        again.update(*values)

    assert again.value == indicator.value
    assert not hasattr(indicator, "__dict__")


@pytest.mark.parametrize("row", TABLE, ids=NAMES)
def test_a_flat_market_is_no_division_by_zero(row: tuple[Any, ...]) -> None:
    _, make, outputs, inputs, batch = row
    columns = [np.full(100, 1000.0 if name == V else 73.1) for name in inputs]

    expected = batch(*columns)

    expected = expected if isinstance(expected, tuple) else (expected,)
    for got, want in zip(_run(make(), outputs, columns), expected, strict=True):
        assert np.allclose(got, want, rtol=1e-9, atol=1e-5, equal_nan=True)


@pytest.mark.slow
def test_window_sums_do_not_drift_over_a_million_updates() -> None:
    count = 1_000_000
    rng = np.random.default_rng(5)
    # Large values with a large jump down, so that rounding left in a sum would show
    price = 1e6 + rng.normal(0, 1e3, count).cumsum() * 1e-3
    price[count // 2 :] *= 1e-5
    tail = price[-60:]
    made = {name: make for name, make, *_ in TABLE}
    names = ["sma", "wma", "std dev", "slope", "hma"]
    indicators = {name: made[name]() for name in names}

    for indicator in indicators.values():
        update = indicator.update
        for value in price.tolist():
            update(value)

    assert indicators["sma"].value == pytest.approx(tail[-20:].mean(), rel=1e-13)
    assert indicators["wma"].value == pytest.approx(np.average(tail[-20:], weights=np.arange(1, 21)), rel=1e-13)
    assert indicators["std dev"].value == pytest.approx(tail[-20:].std(), rel=1e-9)
    assert indicators["slope"].value == pytest.approx(np.polyfit(np.arange(14), tail[-14:], 1)[0], rel=1e-8)
    assert indicators["hma"].value == pytest.approx(technical.hma(tail, 20)[-1], rel=1e-12)


def test_a_nan_leaves_a_windowed_indicator_again() -> None:
    sma = ind.Sma(5)

    for value in [1.0, 2.0, math.nan, *[3.0] * 10]:
        sma.update(value)

    assert sma.value == 3.0


def test_session_vwap_starts_again_with_the_session() -> None:
    vwap = ind.SessionVwap()

    first = vwap.update(0, 11.0, 9.0, 10.0, 5.0)
    second = vwap.update(3_600_000_000_000, 21.0, 19.0, 20.0, 5.0)
    next_day = vwap.update(ind.SessionVwap().session_ns, 31.0, 29.0, 30.0, 1.0)

    assert (first, second, next_day) == (10.0, 15.0, 30.0)
    assert math.isnan(vwap.update(2 * vwap.session_ns, 31.0, 29.0, 30.0, 0.0))
    assert not vwap.ready


def test_session_vwap_in_batch_is_the_same() -> None:
    bars = _walk(500)
    start_ns = np.arange(500, dtype=np.int64) * 3_600_000_000_000

    expected = technical.session_vwap(start_ns, bars[H], bars[L], bars[C], bars[V])

    columns = [start_ns, bars[H], bars[L], bars[C], bars[V]]
    _assert_equal(_run(ind.SessionVwap(), ["value"], columns)[0], expected)


def test_supertrend_says_which_side_it_is_on() -> None:
    bars = _walk(BARS)
    columns = [bars[H], bars[L], bars[C]]

    _, rising = technical.supertrend(*columns)

    got = _run(ind.Supertrend(), ["rising"], columns)[0]
    assert np.array_equal(got[10:], rising[10:])


@pytest.mark.parametrize("period", [0, -1, 2.5, "20", True, None])
def test_a_period_that_is_none_is_refused_in_one_line(period: Any) -> None:
    with pytest.raises(ValueError, match="period must be a whole number >= 1, was"):
        ind.Sma(period)


def test_macd_refuses_a_fast_average_slower_than_the_slow_one() -> None:
    with pytest.raises(ValueError, match="fast must be < slow, was 26 and 12"):
        ind.Macd(26, 12)


def test_without_ta_lib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "talib", None)

    with pytest.raises(ImportError, match=r"pip install 'njord\[ta\]'"):
        technical.sma(np.arange(10.0), 3)
