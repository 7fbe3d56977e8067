"""Figures of a return series equal empyrical's known answers, at the precision they were asserted with."""

import json
import math
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njord.research import returns as series

# Not wanted here: a fragility heuristic of one paper, and tail estimates whose expected values are all zero
WITHOUT_COUNTERPART = {"test_beta_fragility_heuristic": 4, "test_gpd_risk_estimates": 5}
PERIODS = {"daily": 252, "weekly": 52, "monthly": 12, "quarterly": 4, "yearly": 1}


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    root = os.environ.get("NJORD_SHARED_DATA")
    folder = Path(root) if root else Path(__file__).parents[3] / "shared" / "data"
    path = folder / "oracles" / "vectors_empyrical" / "empyrical_known_answers.json"
    if not path.is_file():
        pytest.skip(f"no known answers at {path}: set NJORD_SHARED_DATA")
    answers: dict[str, Any] = json.loads(path.read_text())
    return answers


def _array(known: dict[str, Any], value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    found = np.array([math.nan if one is None else one for one in known["series"][value["series"]]["returns"]], float)
    return -found if value.get("negate") else found


def _times(known: dict[str, Any], name: str) -> np.ndarray:
    entry = known["series"][name]
    year, month, day = (int(part) for part in entry["start"].split("-"))
    first = datetime(year, month, day, tzinfo=UTC)
    count = len(entry["returns"])
    if entry["freq"] == "M":  # month ends: the day before each first
        ends = [(year + (month + i) // 12, (month + i) % 12 + 1) for i in range(count)]
        days = [datetime(one, at, 1, tzinfo=UTC) - timedelta(days=1) for one, at in ends]
    else:
        days = [first + timedelta(days=(7 if entry["freq"] == "W" else 1) * i) for i in range(count)]
    return np.array([int(one.timestamp()) * 10**9 for one in days], dtype=np.int64)


def _printed(value: float) -> float:
    # One unit of the last digit printed, which some of them cut off; numbers like 0.01 and 1.0 are meant exactly
    decimals = len(repr(value).partition(".")[2]) if "e" not in repr(value) and math.isfinite(value) else 12
    return 1.01 * 10.0**-decimals if 3 <= decimals <= 12 else 1e-12


def _answer(known: dict[str, Any], test: str, args: dict[str, Any]) -> Any:
    returns = _array(known, args["returns"])
    other = _array(known, args.get("benchmark", args.get("factor_returns")))
    required = _array(known, args.get("required_return"))
    risk_free = _array(known, args.get("risk_free", 0.0))
    window = args.get("window")
    per_year = PERIODS[args.get("period", "daily")]
    match test.removeprefix("test_"):
        case "cum_returns":
            return series.cumulative_returns(returns, args["starting_value"])
        case "cum_returns_final":
            return series.total_return(returns, args["starting_value"])
        case "aggregate_returns":
            times = _times(known, args["returns"]["series"])
            return list(series.aggregate_returns(times, returns, args["convert_to"]).values())
        case "annual_ret" | "cagr":
            return series.annual_return(returns, per_year)
        case "annual_volatility" | "calmar" as name:
            return getattr(series, name)(returns, per_year)
        case "max_drawdown":
            return series.max_drawdown(returns)
        case "tail_ratio":
            # Their answer is of a series that began with 0, not with a missing return; they assert one decimal of it
            return series.tail_ratio(np.nan_to_num(returns))
        case "stability_of_timeseries":
            return series.stability(returns)
        case "omega":
            return series.omega(returns, per_year, risk_free, required)
        case "sharpe_ratio":
            return series.sharpe(returns, 252, risk_free)
        case "downside_risk" | "sortino" as name:
            return getattr(series, name)(returns, per_year, required)
        case "excess_sharpe":
            return series.information_ratio(returns, other)
        case "alpha":
            return series.alpha_beta(returns, other)[0]
        case "capture_ratio":
            return series.capture(returns, other)
        case "beta" | "alpha_beta" | "up_alpha_beta" | "down_alpha_beta" as name:
            return getattr(series, name)(returns, other)
        case "up_capture" | "down_capture" | "up_down_capture" as name:
            return getattr(series, name)(returns, other)
        case "roll_max_drawdown":
            return series.rolling(series.max_drawdown, window, returns)
        case "roll_sharpe_ratio":
            return series.rolling(series.sharpe, window, returns)
        case name if name.startswith("roll_"):
            return series.rolling(getattr(series, name.removeprefix("roll_")), window, returns, other)
    raise AssertionError(f"no counterpart for {test}")


@pytest.mark.shared_data
def test_all_known_answers_with_a_counterpart(known: dict[str, Any]) -> None:
    compared = values = 0
    without: Counter[str] = Counter()

    for case in known["cases"]:
        test, args = case["test"], case["args"]
        if test in WITHOUT_COUNTERPART:
            without[test] += 1
            continue
        got = np.atleast_1d(np.array(_answer(known, test, args), dtype=float))
        expected = np.atleast_1d(np.array(args["expected"], dtype=float))
        assert got.shape == expected.shape, (case["line"], test, got, expected)
        for ours, theirs in zip(got.ravel().tolist(), expected.ravel().tolist(), strict=True):
            assert ours == pytest.approx(theirs, rel=0, abs=_printed(theirs), nan_ok=True), (case["line"], test)
            values += 1
        compared += 1

    assert dict(without) == WITHOUT_COUNTERPART
    assert compared == len(known["cases"]) - sum(WITHOUT_COUNTERPART.values()) == 144
    assert values == 239


def test_a_hand_computed_series() -> None:
    # +10 %, -20 %, +25 %: 1.1 x 0.8 x 1.25 = 1.1
    returns = np.array([0.10, -0.20, 0.25])

    assert series.total_return(returns) == pytest.approx(0.10, abs=1e-15)
    assert series.annual_return(returns, 3) == pytest.approx(0.10, abs=1e-15)
    assert series.max_drawdown(returns) == pytest.approx(-0.20, abs=1e-15)
    # mean 0.05, squares of distances 0.0025 + 0.0625 + 0.04 = 0.105, / 2 = 0.0525
    assert series.sharpe(returns, 1) == pytest.approx(0.05 / math.sqrt(0.0525), rel=1e-14)
    assert series.sortino(returns, 1) == pytest.approx(0.05 / math.sqrt(0.04 / 3), rel=1e-14)
    assert series.omega(returns, 1) == pytest.approx(0.35 / 0.20, rel=1e-14)
    assert series.value_at_risk(returns, 0.5) == pytest.approx(0.10, rel=1e-14)
    assert series.conditional_value_at_risk(returns, 0.05) == -0.20


def test_skew_and_kurtosis_by_hand() -> None:
    # 0, 0, 0, 4: mean 1, moments 3, 6, 21
    returns = np.array([0.0, 0.0, 0.0, 4.0])

    assert series.skew(returns) == pytest.approx(6 / 3**1.5, rel=1e-14)
    assert series.kurtosis(returns) == pytest.approx(21 / 9 - 3, rel=1e-13)
    assert math.isnan(series.skew(np.full(5, 0.01)))


def test_drawdown_has_its_times() -> None:
    time_ns = np.arange(7, dtype=np.int64) * 10
    equity = np.array([100.0, 120.0, 90.0, 96.0, 120.0, 130.0, 128.0])

    fall = series.drawdown(time_ns, equity)

    assert fall == series.Drawdown(-0.25, 10, 20, 40, 30)
    assert series.drawdown(time_ns[:4], equity[:4]) == series.Drawdown(-0.25, 10, 20, None, 20)
    assert series.drawdown(time_ns[:2], equity[:2]) == series.Drawdown(0.0, None, None, None, 0)
    assert series.drawdown(time_ns[:0], equity[:0]) is None


def test_aggregating_by_an_unknown_period_is_refused() -> None:
    with pytest.raises(ValueError, match="must be weekly, monthly, quarterly or yearly, was 'hourly'"):
        series.aggregate_returns(np.array([0]), np.array([0.1]), "hourly")
