"""Incremental indicators against known answers of other libraries, to the precision they were printed with.

Where a library has another convention, the row says which and compares from where both agree.
"""

import csv
import gzip
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njord.market import indicators as ind

pytestmark = pytest.mark.shared_data

H, L, C, V = 2, 3, 4, 5


@pytest.fixture(scope="module")
def oracles() -> Path:
    root = os.environ.get("NJORD_SHARED_DATA")
    folder = Path(root) if root else Path(__file__).parents[3] / "shared" / "data"
    if not (folder / "oracles").is_dir():
        pytest.skip(f"no known answers in {folder}: set NJORD_SHARED_DATA")
    return folder / "oracles"


def _rows(path: Path) -> list[list[str]]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt") as file:
            return list(csv.reader(file))[1:]
    with path.open() as file:
        return list(csv.reader(file))[1:]


def _number(text: str) -> float:
    return float(text) if text.strip() and text.strip().lower() != "nan" else math.nan


def _transformed(value: float, transform: Callable[[float], float] | None) -> float:
    return value if transform is None else transform(value)


# file, indicator, input columns, output -> column, first row compared, absolute tolerance (what they print)
LEAN: list[tuple[str, Callable[[], Any], list[int], dict[str, int], int, float]] = [
    ("spy_with_indicators.txt", lambda: ind.Sma(14), [7], {"value": 1}, 0, 6e-3),
    ("spy_with_indicators.txt", lambda: ind.Ema(14), [7], {"value": 2}, 0, 6e-3),
    ("spy_with_indicators.txt", lambda: ind.Rsi(14), [7], {"value": 5}, 0, 5.1e-6),
    # Their fast average starts at its own 12th price, ours with the slow one: the difference fades by 11/13 a bar
    ("spy_with_indicators.txt", ind.Macd, [7], {"value": 3}, 200, 5e-4),
    ("spy_with_macd.txt", ind.Macd, [C], {"value": 5, "signal": 6, "histogram": 7}, 0, 6e-6),
    ("spy_bollinger_bands.txt", ind.BollingerBands, [C], {"value": 5, "upper": 6, "lower": 7}, 0, 6.1e-5),
    # Their first true range is high - low of the first bar, which has none in ours: fades by 13/14 a bar
    ("spy_atr_wilder.txt", ind.Atr, [H, L, C], {"value": 5}, 250, 5.2e-6),
    # Their sums start with 14 moves, Wilder's and ours with 13: fades by 13/14 a bar
    ("spy_with_adx.txt", ind.Adx, [H, L, C], {"value": 16, "plus": 11, "minus": 12}, 250, 5.1e-5),
    ("spy_with_stoch12k3.txt", lambda: ind.Stochastic(12, 3, 5), [H, L, C], {"value": 5, "signal": 6}, 0, 5e-4),
    ("spy_kama.txt", lambda: ind.Kama(5), [C], {"value": 6}, 0, 1e-11),
    ("spy_hma.txt", lambda: ind.Hma(16), [C], {"value": 6}, 0, 5.1e-8),
    ("spy_tema.txt", lambda: ind.Tema(5), [C], {"value": 5}, 0, 1e-11),
    ("spy_dema.txt", lambda: ind.Dema(5), [C], {"value": 5}, 0, 1e-11),
    ("spy_ema.csv", lambda: ind.Ema(14), [1], {"value": 2}, 0, 1e-11),
    ("spy_tr.txt", ind.TrueRange, [H, L, C], {"value": 6}, 0, 1e-11),
    ("spy_aroon_oscillator.txt", ind.Aroon, [H, L], {"value": 5}, 0, 1e-5),
    ("spy_mfi.txt", lambda: ind.Mfi(20), [H, L, C, V], {"value": 6}, 0, 1e-5),
    ("spy_max.txt", lambda: ind.Highest(5), [C], {"value": 6}, 0, 1e-11),
    ("spy_min.txt", lambda: ind.Lowest(5), [C], {"value": 6}, 0, 1e-11),
    ("spy_sarext.txt.gz", ind.Psar, [1, 2], {"value": 5}, 0, 1e-11),
    ("spy_with_cci.txt", lambda: ind.Cci(14), [H, L, C], {"value": 5}, 0, 3e-3),
    # Their channel counts from the first bar on; ours when the window is full
    ("spy_with_don50.txt", lambda: ind.Donchian(50), [H, L], {"value": 7, "upper": 5, "lower": 6}, 0, 1e-11),
    (
        "spy_with_ichimoku.csv",
        ind.Ichimoku,
        [H, L],
        {"conversion": 8, "base": 11, "span_a": 14, "span_b": 19},
        0,
        1e-11,
    ),
    # What they call rate of change is the difference, and their percentage is ours
    ("spy_with_roc50.txt", lambda: ind.Momentum(50), [C], {"value": 5}, 0, 2e-5),
    ("spy_with_rocp50.txt", lambda: ind.Roc(50), [C], {"value": 5}, 0, 2e-5),
    ("spy_with_williamsR14.txt", ind.WilliamsR, [H, L, C], {"value": 5}, 0, 5e-4),
]


@pytest.mark.parametrize("row", LEAN, ids=lambda row: f"{row[0]} {'/'.join(row[3])} {row[5]}")
def test_lean_known_answers(oracles: Path, row: tuple[Any, ...]) -> None:
    name, make, inputs, outputs, first, tolerance = row
    indicator = make()
    compared = dict.fromkeys(outputs, 0)

    for at, line in enumerate(_rows(oracles / "lean_oracles" / name)):
        if len(line) <= max(inputs):
            continue
        indicator.update(*[_number(line[column]) for column in inputs])
        for attribute, column in outputs.items():
            expected = _number(line[column]) if column < len(line) else math.nan
            got = getattr(indicator, attribute)
            if at >= first and not math.isnan(expected) and not math.isnan(got):
                compared[attribute] += 1
                assert got == pytest.approx(expected, abs=tolerance, rel=0), (at, attribute)

    assert min(compared.values()) > 180, compared


def test_lean_variance_ratio_and_volume_are_ours_in_other_units(oracles: Path) -> None:
    rows = {
        name: _rows(oracles / "lean_oracles" / name) for name in ("spy_var.txt", "spy_rocr.txt", "spy_with_obv.txt")
    }
    deviation, change, volume = ind.StdDev(10), ind.Roc(5), ind.Obv()
    offset = None

    for line in rows["spy_var.txt"]:
        deviation.update(float(line[C]))
        if line[6].strip():
            assert deviation.value**2 == pytest.approx(float(line[6]), abs=1e-9)
    for line in rows["spy_rocr.txt"]:
        change.update(float(line[C]))
        if line[6].strip():
            assert 1 + change.value / 100 == pytest.approx(float(line[6]), abs=1e-9)
    for line in rows["spy_with_obv.txt"]:
        volume.update(float(line[C]), float(line[V]))
        if line[6].strip():
            # Theirs starts at any number; what counts is how it moves. Printed with 7 digits
            offset = volume.value - float(line[6]) if offset is None else offset
            assert volume.value - float(line[6]) == pytest.approx(offset, abs=2e3)


# result, indicator, input columns, output -> key, first bar compared
STOCK_INDICATORS: list[tuple[str, Callable[[], Any], list[int], dict[str, str], int]] = [
    ("sma", lambda: ind.Sma(20), [C], {"value": "sma"}, 0),
    ("ema", lambda: ind.Ema(20), [C], {"value": "ema"}, 0),
    ("wma", lambda: ind.Wma(14), [C], {"value": "wma"}, 0),
    # They seed the averages of averages with the first value, not with an average of the first 14
    ("dema", lambda: ind.Dema(14), [C], {"value": "dema"}, 300),
    ("tema", lambda: ind.Tema(20), [C], {"value": "tema"}, 430),
    ("rsi", ind.Rsi, [C], {"value": "rsi"}, 0),
    # Their fast average starts at its own 12th price, ours (and TA-Lib's) together with the slow one
    ("macd", ind.Macd, [C], {"value": "macd", "signal": "signal", "histogram": "histogram"}, 300),
    ("bb", ind.BollingerBands, [C], {"value": "sma", "upper": "upperBand", "lower": "lowerBand"}, 0),
    ("atr", ind.Atr, [H, L, C], {"value": "atr"}, 0),
    ("tr", ind.TrueRange, [H, L, C], {"value": "tr"}, 0),
    # Their sums start with 14 moves, Wilder's and ours with 13
    ("adx", ind.Adx, [H, L, C], {"value": "adx", "plus": "pdi", "minus": "mdi"}, 400),
    ("stoch", ind.Stochastic, [H, L, C], {"value": "k", "signal": "d"}, 0),
    ("cci", ind.Cci, [H, L, C], {"value": "cci"}, 0),
    ("roc", lambda: ind.Roc(14), [C], {"value": "roc"}, 0),
    ("roc", lambda: ind.Momentum(14), [C], {"value": "momentum"}, 0),
    ("willr", ind.WilliamsR, [H, L, C], {"value": "williamsR"}, 0),
    ("kama", lambda: ind.Kama(10), [C], {"value": "kama"}, 0),
    ("hma", lambda: ind.Hma(14), [C], {"value": "hma"}, 0),
    # They choose the first side from the first trend, and don't keep the stop of bar 250's reversal outside that bar
    ("psar", ind.Psar, [H, L], {"value": "sar"}, 251),
    ("stdev", lambda: ind.StdDev(14), [C], {"value": "stdDev", "mean": "mean"}, 0),
    ("slope", ind.LinearRegressionSlope, [C], {"value": "slope"}, 0),
    # Of equal highs or lows they take the oldest, TA-Lib and we the latest: no ties after bar 400
    ("aroon", lambda: ind.Aroon(25), [H, L], {"value": "oscillator", "up": "aroonUp", "down": "aroonDown"}, 400),
    ("mfi", ind.Mfi, [H, L, C, V], {"value": "mfi"}, 0),
    ("supertrend", ind.Supertrend, [H, L, C], {"value": "superTrend"}, 0),
    (
        "ichimoku",
        ind.Ichimoku,
        [H, L],
        {"conversion": "tenkanSen", "base": "kijunSen", "span_a": "senkouSpanA", "span_b": "senkouSpanB"},
        0,
    ),
    ("vwap", lambda: _OneSession(), [H, L, C, V], {"value": "vwap"}, 0),
]


class _OneSession(ind.SessionVwap):
    def update(self, *bar: float) -> float:  # type: ignore[override]
        return super().update(0, *bar)


@pytest.mark.parametrize("row", STOCK_INDICATORS, ids=lambda row: f"{row[0]} {'/'.join(row[3].values())}")
def test_stock_indicators_known_answers(oracles: Path, row: tuple[Any, ...]) -> None:
    name, make, inputs, outputs, first = row
    folder = oracles / "stock_indicators_oracles"
    answers = json.loads((folder / "results" / f"{name}.standard.json").read_text())
    indicator = make()
    compared = dict.fromkeys(outputs, 0)

    for at, (line, answer) in enumerate(zip(_rows(folder / "quotes" / "default.csv"), answers, strict=True)):
        indicator.update(*[float(line[column]) for column in inputs])
        for attribute, key in outputs.items():
            got = getattr(indicator, attribute)
            if at >= first and answer.get(key) is not None and not math.isnan(got):
                compared[attribute] += 1
                assert got == pytest.approx(answer[key], rel=1e-10, abs=1e-9), (at, attribute)

    assert min(compared.values()) > 60, compared


def test_stock_indicators_channel_and_volume_differ_by_convention_only(oracles: Path) -> None:
    folder = oracles / "stock_indicators_oracles"
    channels = json.loads((folder / "results" / "donchian.standard.json").read_text())
    volumes = json.loads((folder / "results" / "obv.standard.json").read_text())
    channel, volume = ind.Donchian(20), ind.Obv()
    quotes = _rows(folder / "quotes" / "default.csv")

    for line, their_channel, their_volume in zip(quotes, channels, volumes, strict=True):
        if channel.ready:  # their channel leaves the present bar out
            assert channel.upper == their_channel["upperBand"]
            assert channel.lower == their_channel["lowerBand"]
        channel.update(float(line[H]), float(line[L]))
        volume.update(float(line[C]), float(line[V]))
        assert volume.value - float(quotes[0][V]) == their_volume["obv"]  # theirs starts at 0, TA-Lib's at the volume


# backtrader's name -> indicator, input columns, outputs in the order of its lines
BACKTRADER: dict[str, tuple[Callable[[], Any], list[int], list[str]]] = {
    "btind.SMA": (lambda: ind.Sma(30), [C], ["value"]),
    "btind.EMA": (lambda: ind.Ema(30), [C], ["value"]),
    "btind.WMA": (lambda: ind.Wma(30), [C], ["value"]),
    "btind.DEMA": (lambda: ind.Dema(30), [C], ["value"]),
    "btind.TEMA": (lambda: ind.Tema(30), [C], ["value"]),
    "btind.HMA": (lambda: ind.Hma(30), [C], ["value"]),
    "btind.RSI": (ind.Rsi, [C], ["value"]),
    "btind.ATR": (ind.Atr, [H, L, C], ["value"]),
    "btind.BBands": (ind.BollingerBands, [C], ["value", "upper", "lower"]),
    "btind.Highest": (lambda: ind.Highest(14), [C], ["value"]),
    "btind.Lowest": (lambda: ind.Lowest(14), [C], ["value"]),
    "btind.Momentum": (lambda: ind.Momentum(12), [C], ["value"]),
    "btind.Stochastic": (ind.Stochastic, [H, L, C], ["value", "signal"]),
    "btind.WilliamsR": (ind.WilliamsR, [H, L, C], ["value"]),
    "btind.AroonUpDown": (ind.Aroon, [H, L], ["up", "down"]),
    "btind.AroonOscillator": (ind.Aroon, [H, L], ["value"]),
    "bt.ind.Ichimoku": (ind.Ichimoku, [H, L], ["conversion", "base", "span_a", "span_b"]),
}


@pytest.mark.parametrize("name", BACKTRADER)
def test_backtrader_checkpoints(oracles: Path, name: str) -> None:
    make, inputs, outputs = BACKTRADER[name]
    known = json.loads((oracles / "vectors_backtests" / "backtrader_indicator_checkpoints.json").read_text())
    entry = next(one for one in known["indicators"] if one["chkind"] == name)
    indicator = make()
    seen = []

    for line in _rows(oracles.parent / "market" / "backtrader" / "2006-day-001.txt"):
        indicator.update(*[float(line[column]) for column in inputs])
        seen.append([getattr(indicator, output) for output in outputs])

    values = np.array(seen).T
    length = values.shape[1]
    for got, (last, first, middle) in zip(values, entry["chkvals"], strict=False):
        at_middle = length - 1 + (entry["chkmin"] - length) // 2
        for at, text in ((length - 1, last), (entry["chkmin"] - 1, first), (at_middle, middle)):
            assert got[at] == pytest.approx(float(text), abs=6e-7), (at, text)
