"""The look-ahead detector finds every strategy of a corpus that cheats, names its line, and accuses no honest one."""

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import njord as nj
from njord.domain.ids import InstrumentId
from njord.domain.market import Bar
from njord.research.look_ahead import LookAhead, look_ahead, precompute
from njord.research.look_ahead_run import check_strategy
from njord.strategies.ema_cross import EmaCross
from njord.strategies.port import Desk, Strategy
from njord.strategies.signals import PrecomputedSignals, SignalStrategy, _Recent

CORPUS = Path(__file__).parent / "corpus"
HOUR_NS = 3_600_000_000_000
START_NS = 1_704_067_200_000_000_000
SETTINGS: dict[str, Any] = {"cash": 1_000_000, "taker": 0.001, "risk": "research"}


def market(rows: int = 300, seed: int = 5) -> dict[str, Any]:
    """Hourly bars of a random walk, on a grid of cents."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.006, rows))), 2)
    opens = np.round(np.concatenate([[100.0], close[:-1]]) * (1 + rng.normal(0, 0.0008, rows)), 2)
    above, below = 1 + np.abs(rng.normal(0, 0.002, (2, rows))), 1 - np.abs(rng.normal(0, 0.002, (2, rows)))
    return {
        "ts": np.arange(rows) * HOUR_NS + START_NS,
        "open": opens,
        "high": np.round(np.maximum(opens, close) * above[0] + 0.01, 2),
        "low": np.round(np.minimum(opens, close) * below[0] - 0.01, 2),
        "close": close,
        "volume": np.round(rng.exponential(10, rows), 3),
    }


def corpus(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"look_ahead_{name}", CORPUS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def functions(name: str) -> list[Any]:
    found = [each for each in vars(corpus(name)).values() if inspect.isfunction(each)]
    return [pytest.param(each, id=each.__name__) for each in found]


def marked(function: Callable[..., Any]) -> tuple[int, str]:
    lines, first = inspect.getsourcelines(function)
    return next(
        (first + number, line.split("# leak: ")[1].strip()) for number, line in enumerate(lines) if "# leak: " in line
    )


def test_the_corpus_has_thirty_of_each() -> None:
    assert (len(functions("leaky")), len(functions("clean"))) == (30, 30)


@pytest.mark.parametrize("signals", functions("leaky"))
def test_a_leak_is_found_and_its_line_and_column_named(signals: Callable[..., Any]) -> None:
    found = look_ahead(signals, market())

    assert found is not None
    assert (found.line, found.column) == marked(signals)
    assert Path(found.file).name == "leaky.py"
    assert found.first_time_ns <= found.cut_time_ns
    assert "change when later rows change" not in found.cause
    assert f"{signals.__name__} looks ahead" in found.message
    assert f"leaky.py line {found.line}" in found.message
    assert "\n" not in found.message


@pytest.mark.parametrize("signals", functions("clean"))
def test_no_honest_strategy_is_accused(signals: Callable[..., Any]) -> None:
    assert look_ahead(signals, market()) is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_other_seeds_and_markets_give_the_same_verdicts(seed: int) -> None:
    bars = market(seed=100 + seed)

    missed = [p.id for p in functions("leaky") if look_ahead(p.values[0], bars, seed=seed) is None]
    accused = [p.id for p in functions("clean") if look_ahead(p.values[0], bars, seed=seed) is not None]

    assert (missed, accused) == ([], [])


class Cross(SignalStrategy):
    """Long while the fast average is above the slow one."""

    window = 60

    def signals(self, bars: pd.DataFrame) -> pd.Series:
        fast, slow = bars["close"].rolling(5).mean(), bars["close"].rolling(20).mean()
        return (fast > slow).astype(float).where(slow.notna())


class Cheat(SignalStrategy):
    def signals(self, bars: pd.DataFrame) -> pd.Series:
        return (bars["close"].shift(-1) > bars["close"]).astype(float)


class Total(SignalStrategy):
    window = 50

    def signals(self, bars: pd.DataFrame) -> pd.Series:
        return (bars["volume"].cumsum() % 7).round(3)


def test_signals_computed_at_once_are_played_as_signals_computed_bar_by_bar() -> None:
    bars = {"A/USD.SIM": market(seed=5), "B/USD.SIM": market(seed=6)}

    honest = nj.backtest(Cross(), bars, **SETTINGS)
    fast = nj.backtest(precompute(Cross(), bars), bars, **SETTINGS)

    assert len(honest.fills) > 10
    assert honest.fills.drop(columns=["strategy", "order_id", "cause", "fill_id"]).equals(
        fast.fills.drop(columns=["strategy", "order_id", "cause", "fill_id"])
    )
    assert honest.final_equity == fast.final_equity


def test_bar_by_bar_is_the_same_as_an_event_strategy() -> None:
    signals = nj.backtest(Cross(), market(), **SETTINGS)

    class Plain(Strategy):
        def on_start(self, desk: Desk) -> None:
            self.closes: list[float] = []
            self.held = 0.0

        def on_bar(self, bar: Bar, desk: Desk) -> None:
            self.closes.append(bar.close)
            if len(self.closes) >= 20:
                wanted = float(np.mean(self.closes[-5:]) > np.mean(self.closes[-20:]))
                if wanted != self.held:
                    self.held = wanted
                    desk.target(wanted)

    plain = nj.backtest(Plain(), market(), **SETTINGS)

    assert signals.fills["price_ticks"].tolist() == plain.fills["price_ticks"].tolist()
    assert signals.final_equity == plain.final_equity


@pytest.mark.parametrize(("window", "rows"), [(1, 9), (7, 40), (1_500, 3_700)])
def test_a_window_is_the_last_bars_and_no_more(window: int, rows: int) -> None:
    recent = _Recent(window)

    for number in range(rows):
        recent.add(Bar(InstrumentId("A/USD.SIM"), 10, number * 10 + 10, number * 10 + 10, 1.0, 2.0, 0.5, 1.5, number))
        if number % 97 == 0 or number > rows - 3:
            frame = recent.frame()
            first = max(0, number + 1 - window)
            assert recent.count == len(frame) == number + 1 - first
            assert frame["volume"].tolist() == list(range(first, number + 1))
            assert frame.index.as_unit("ns").asi8.tolist() == [each * 10 for each in range(first, number + 1)]


def helper(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].rolling(3).mean().shift(-3)  # in a function of its own


def test_a_leak_in_a_helper_is_named_there() -> None:
    def signals(bars: pd.DataFrame) -> pd.Series:
        smooth = helper(bars)
        return (smooth > bars["close"]).astype(float)

    found = look_ahead(signals, market())

    assert found is not None
    assert found.column == "helper()"
    assert found.source.endswith("shift(-3)")


def test_a_choice_made_on_the_whole_sample_is_named() -> None:
    def signals(bars: pd.DataFrame) -> pd.Series:
        position = (bars["close"].diff() > 0).astype(float)
        gain = (position.shift(1) * bars["close"].diff()).sum()
        if gain < 0:
            position = -position
        return position

    found = look_ahead(signals, market())

    assert found is not None
    assert found.column == "gain"
    assert "sum() is taken over the whole sample" in found.cause


def test_a_cheat_gains_nothing_bar_by_bar_and_is_refused_at_once() -> None:
    honest = nj.backtest(Cheat(), market(), **SETTINGS)

    assert len(honest.fills) == 0
    with pytest.raises(
        LookAhead, match=r"Cheat looks ahead: what Cheat returns, test_look_ahead.py line \d+, knows at"
    ):
        precompute(Cheat(), market())


def test_a_window_that_is_too_short_is_refused() -> None:
    with pytest.raises(LookAhead, match=r"Total: window 50 is too short: at .* make window larger"):
        precompute(Total(), market())


def test_signals_of_other_bars_are_not_played() -> None:
    result = nj.backtest(PrecomputedSignals({"ASSET/USD.SIM": {}}), market(), **SETTINGS)

    (stopped,) = result.assembly.backtest.stopped
    assert "they were computed on other bars" in stopped.reason


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda bars: 1.0, "must return a Series, one value per bar, was float"),
        (lambda bars: bars["close"].iloc[1:], "300 bars, 299 values"),
    ],
)
def test_an_answer_that_is_not_one_value_per_bar_is_refused(answer: Callable[..., Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        look_ahead(answer, market())


def test_unseeded_signals_are_said_to_be_that() -> None:
    rng = np.random.default_rng()

    found = look_ahead(lambda bars: pd.Series(rng.random(len(bars)), index=bars.index), market())

    assert found is not None
    assert "not repeatable" in found.message


class Handed(Strategy):
    """Handed a frame, of which it reads the row of the current bar: honest only if that row is."""

    def __init__(self, frame: Any, ahead: int) -> None:
        close = pd.Series(frame["close"])
        self.rising = close.shift(-ahead) > close if ahead else close.diff() > 0
        self.row = -1

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        self.row += 1
        desk.target(1.0 if self.rising.iloc[self.row] else 0.0)


class Peeking(Strategy):
    def __init__(self, frame: Any) -> None:
        self.close = list(frame["close"])
        self.row = -1

    def on_bar(self, bar: Bar, desk: Desk) -> None:
        self.row += 1
        later = self.close[self.row + 1] if self.row + 1 < len(self.close) else bar.close
        desk.target(1.0 if later > bar.close else 0.0)


def test_a_strategy_with_a_frame_of_its_own_is_run_on_other_futures() -> None:
    assert check_strategy(lambda frame: Handed(frame, 0), market(), cuts=2) is None
    assert check_strategy(lambda frame: EmaCross(5, 20), market(), cuts=2) is None

    found = check_strategy(lambda frame: Handed(frame, 2), pd.DataFrame(market()), cuts=2)

    assert found is not None
    lines, first = inspect.getsourcelines(Handed)
    assert found.line == first + next(number for number, line in enumerate(lines) if "shift(-ahead)" in line)
    assert found.column == "self.rising"


def test_a_strategy_that_reads_a_later_row_when_asked_is_found() -> None:
    found = check_strategy(Peeking, market(), cuts=2)

    assert found is not None
    assert found.column == "orders"
    assert "self.close[self.row + 1] is a later row" in found.cause
